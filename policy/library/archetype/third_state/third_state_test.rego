# METADATA
# title: Tests of the archetype
package liaison.archetype.third_state.test

import data.liaison.archetype.third_state.onward
import data.liaison.archetype.third_state.receive
import data.liaison.archetype.third_state.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

route(base, r) := object.union(base, {"facts": object.union(base.facts, {"route": r})})

outgoing := route(sender(example.send, {"led_bound": false}), "foreign")

incoming := route(recipient(example.receive, {"led_bound": false, "tier": "t3"}), "outside")

risk := recipient(outgoing, {"death_penalty": true, "ill_treatment": true})

stated := {"assurances": ["no_death_penalty", "no_inhuman_treatment"]}

test_police_of_such_a_state_sends if {
	send.allow with input as outgoing
	count(send.deny) + count(send.pend) == 0 with input as outgoing
	not send.allow with input as example.send
	not send.allow with input as sender(outgoing, {"type": "private"})
}

test_assurances if {
	send.deny == {"assurances_missing"} with input as risk
	send.deny == {"assurances_missing"} with input as claimed(risk, {"assurances": ["no_death_penalty"]})
	count(send.deny) == 0 with input as claimed(risk, stated)
	send.pend == {"assurances_review"} with input as claimed(risk, stated)
	count(send.pend) == 0 with input as derived(claimed(risk, stated), {"imminent": true})
	count(send.deny) + count(send.pend) == 0 with input as recipient(risk, stated)
	count(send.deny) + count(send.pend) == 0 with input as derived(risk, {"accused": false})
}

test_police_of_such_a_state_receives if {
	receive.allow with input as incoming
	not receive.allow with input as example.receive
	not receive.allow with input as recipient(incoming, {"type": "unknown"})
}

test_onward if {
	onward.allow with input as example.onward
	(count(onward.deny) + count(onward.pend)) + count(onward.oblige) == 0 with input as example.onward
	not onward.allow with input as recipient(example.onward, {"type": "private"})
	onward.oblige == {"no_onward"} with input as recipient(example.onward, {"led_bound": false})
	onward.pend == {{"code": "second_officer", "jurisdiction": "lv"}} with input as derived(example.onward, {"purpose_changed": true})
	suspended := recipient(example.onward, {"tier": "t4"})
	onward.deny == {"tier_not_accepted"} with input as suspended
	count(onward.deny) == 0 with input as derived(suspended, {"imminent": true})
}

test_what_comes_is_bound if {
	receive.oblige == {"no_onward", {"code": "purposes_only", "params": {"purposes": ["investigation"]}}} with input as incoming
	count(receive.oblige) == 0 with input as route(incoming, "foreign")
}

test_not_in_bulk if {
	receive.deny == {"too_many_subjects"} with input as derived(incoming, {"subjects": 101})
	count(receive.deny) == 0 with input as derived(incoming, {"subjects": 100})
}
