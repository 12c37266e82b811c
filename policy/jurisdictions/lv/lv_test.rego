package jurisdiction.lv.test

import data.jurisdiction.lv.onward
import data.jurisdiction.lv.receive
import data.jurisdiction.lv.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) == 0 with input as example.send
}

test_no_petty_offences if {
	petty := claimed(example.send, {"offence": {"national_code": "", "max_penalty_years": 0, "serious": false}})
	send.deny == {"offence_too_light"} with input as petty
	count(send.deny) == 0 with input as object.union(petty, {"message_type": "answer"})
}

test_profiles_are_reviewed_unless_urgent if {
	profiled := claimed(example.send, {"profiling_used": true})
	send.pend == {"national_review"} with input as profiled
	count(send.pend) == 0 with input as derived(profiled, {"imminent": true})
}

test_languages if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "et"})
}

test_bulk if {
	receive.deny == {"too_many_subjects"} with input as derived(example.receive, {"subjects": 501})
	count(receive.deny) == 0 with input as derived(example.receive, {"subjects": 500})
}

test_erases_after_three_years if {
	some o in receive.oblige with input as example.receive
	o == {"code": "erase_within", "params": {"days": 1095}}
}

test_onward_stays_with_protected_countries if {
	onward.allow with input as example.onward
	not onward.allow with input as recipient(example.onward, {"led_bound": false, "tier": "t3"})
	onward.allow with input as recipient(example.onward, {"led_bound": false, "tier": "t2"})
	{"code": "purposes_only", "params": {"purposes": ["investigation"]}} in onward.oblige with input as example.onward
}
