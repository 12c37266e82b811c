package jurisdiction.us.test

import data.jurisdiction.us.onward
import data.jurisdiction.us.receive
import data.jurisdiction.us.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

facts(base, f) := object.union(base, {"facts": object.union(base.facts, f)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

incoming := facts(example.receive, {"route": "outside"})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
	send.oblige == {"named_recipients_only"} with input as example.send
}

test_terrorism_is_cleared if {
	terror := claimed(example.send, {"crime_areas": ["terrorism"]})
	send.pend == {"national_review"} with input as terror
	count(send.pend) == 0 with input as derived(terror, {"imminent": true})
}

test_suspended_countries if send.deny == {"counterpart_not_accepted"} with input as recipient(example.send, {"tier": "t4"})

test_receives if {
	receive.allow with input as incoming
	count(receive.deny) == 0 with input as incoming
	{"code": "purposes_only", "params": {"purposes": ["investigation"]}} in receive.oblige with input as incoming
	receive.deny == {"too_many_subjects"} with input as derived(incoming, {"subjects": 101})
	receive.deny == {"language_not_accepted"} with input as claimed(incoming, {"language": "fr"})
}

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {"consult_originator", "no_onward"} with input as recipient(example.onward, {"led_bound": false})
}
