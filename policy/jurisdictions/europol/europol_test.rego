package jurisdiction.europol.test

import data.jurisdiction.europol.onward
import data.jurisdiction.europol.receive
import data.jurisdiction.europol.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

incoming := claimed(example.receive, {"europol_purpose": "cross_check"})

test_sends if {
	send.allow with input as example.send
	count(send.deny) == 0 with input as example.send
	send.deny == {"crime_area_not_accepted"} with input as derived(example.send, {"annex_one": false})
	send.deny == {"evaluation_not_accepted"} with input as claimed(example.send, {"evaluation": object.union(example.send.claimed.evaluation, {"scheme": "5x5x5"})})
}

test_the_purpose_of_the_provider if {
	{"code": "purposes_only", "params": {"purposes": ["investigation"]}} in send.oblige with input as example.send
}

test_receives_with_a_purpose if {
	receive.allow with input as incoming
	receive.deny == {"purpose_not_accepted"} with input as example.receive
	count(receive.deny) == 0 with input as incoming
	receive.deny == {"language_not_accepted"} with input as claimed(incoming, {"language": "fr"})
	receive.deny == {"too_many_subjects"} with input as derived(incoming, {"subjects": 1001})
}

test_other_schemes_are_x4 if {
	not "treat_as_x4" in receive.oblige with input as incoming
	"treat_as_x4" in receive.oblige with input as claimed(incoming, {"evaluation": object.union(incoming.claimed.evaluation, {"scheme": "3x5x2"})})
}

test_onward if {
	onward.allow with input as example.onward
	{"code": "purposes_only", "params": {"purposes": ["investigation"]}} in onward.oblige with input as example.onward
	not onward.allow with input as recipient(example.onward, {"led_bound": false, "tier": "t4"})
}
