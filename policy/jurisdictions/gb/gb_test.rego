package jurisdiction.gb.test

import data.jurisdiction.gb.onward
import data.jurisdiction.gb.receive
import data.jurisdiction.gb.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

coded := claimed(example.send, {"handling": object.union(example.send.claimed.handling, {"gb": "P"})})

test_sends if {
	send.allow with input as coded
	count(send.deny) + count(send.pend) == 0 with input as coded
}

test_a_report_bears_its_code if {
	send.deny == {"handling_not_accepted"} with input as example.send
	count(send.deny) == 0 with input as derived(example.send, {"personal": false})
}

test_a_grade_is_kept if {
	count(send.advise) == 0 with input as coded
	send.advise == {"evaluation_as_received"} with input as claimed(coded, {"evaluation": {"scheme": "3x5x2", "source": "1", "information": "B", "origin_scheme": "none", "origin_values": ""}})
}

test_suspended_countries if {
	send.deny == {"counterpart_not_accepted"} with input as recipient(coded, {"tier": "t4"})
	count(send.deny) == 0 with input as derived(recipient(coded, {"tier": "t4"}), {"imminent": true})
}

test_receives if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "fr"})
	{"code": "erase_within", "params": {"days": 2190}} in receive.oblige with input as example.receive
}

test_onward if {
	onward.allow with input as example.onward
	"consult_originator" in onward.oblige with input as example.onward
}
