package jurisdiction.am.test

import data.jurisdiction.am.onward
import data.jurisdiction.am.receive
import data.jurisdiction.am.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
	send.deny == {"counterpart_not_accepted"} with input as recipient(example.send, {"jurisdiction": "az"})
}

test_ungraded_information if {
	ungraded := claimed(example.send, {"evaluation": {"scheme": "none", "source": "X", "information": "4", "origin_scheme": "none", "origin_values": ""}})
	send.oblige == {"corroborate_first"} with input as ungraded
}

test_receives if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "fr"})
	receive.deny == {"counterpart_not_accepted"} with input as sender(example.receive, {"jurisdiction": "az"})
	{"code": "erase_within", "params": {"days": 1095}} in receive.oblige with input as example.receive
}

test_onward if {
	onward.allow with input as example.onward
	onward.deny == {"onward_not_allowed"} with input as recipient(example.onward, {"jurisdiction": "az"})
}
