# METADATA
# title: Tests of the archetype
package liaison.archetype.led_state.test

import data.liaison.archetype.led_state.onward
import data.liaison.archetype.led_state.receive
import data.liaison.archetype.led_state.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

route(base, r) := object.union(base, {"facts": object.union(base.facts, {"route": r})})

abroad(tier) := route(recipient(example.send, {"tier": tier, "led_bound": false}), "outside")

test_police_of_a_bound_state_sends if {
	send.allow with input as example.send
	((count(send.deny) + count(send.pend)) + count(send.oblige)) + count(send.advise) == 0 with input as example.send
	not send.allow with input as sender(example.send, {"led_bound": false})
	not send.allow with input as sender(example.send, {"type": "private"})
}

test_the_judge if {
	send.deny == {"judicial_authorisation_refused"} with input as claimed(example.send, {"judicial_auth": "refused"})
	waits := claimed(example.send, {"judicial_auth": "required_pending"})
	send.pend == {"judicial_authorisation"} with input as waits
	count(send.pend) == 0 with input as derived(waits, {"imminent": true})
	count(send.pend) == 0 with input as claimed(example.send, {"judicial_auth": "granted"})
}

test_a_second_officer_where_there_is_an_assessment_alone if {
	assessed := claimed(abroad("t3"), {"transfer_basis": "led37_1b"})
	send.pend == {"second_officer"} with input as assessed
	send.pend == {"second_officer"} with input as claimed(abroad("t2"), {"transfer_basis": "led38_1d"})
	count(send.pend) == 0 with input as claimed(abroad("t2"), {"transfer_basis": "led37_1a"})
	count(send.pend) == 0 with input as claimed(abroad("t4"), {"transfer_basis": "led38_1a"})
	count(send.pend) == 0 with input as derived(assessed, {"imminent": true})
	count(send.pend) == 0 with input as derived(assessed, {"personal": false})
}

test_assurances_are_seen if {
	risk := recipient(abroad("t2"), {"death_penalty": true, "ill_treatment": true})
	send.pend == {"assurances_review"} with input as risk
	send.pend == {"assurances_review"} with input as recipient(risk, {"assurances": ["no_death_penalty"]})
	count(send.pend) == 0 with input as recipient(risk, {"assurances": ["no_death_penalty", "no_inhuman_treatment"]})
	count(send.pend) == 0 with input as derived(risk, {"accused": false})
	count(send.pend) == 0 with input as derived(risk, {"imminent": true})
}

test_what_leaves_is_bound if {
	send.oblige == {"onward_with_authorisation"} with input as abroad("t2")
	send.oblige == {"onward_with_authorisation", "dpo_notice"} with input as claimed(abroad("t2"), {"transfer_basis": "led38_1d"})
	send.advise == {"authority_informed"} with input as claimed(abroad("t2"), {"transfer_basis": "led37_1b"})
	count(send.oblige) == 0 with input as derived(abroad("t2"), {"personal": false})
}

test_police_of_a_bound_state_receives if {
	receive.allow with input as example.receive
	((count(receive.deny) + count(receive.pend)) + count(receive.oblige)) + count(receive.advise) == 0 with input as example.receive
	not receive.allow with input as recipient(example.receive, {"led_bound": false})
	not receive.allow with input as recipient(example.receive, {"type": "private"})
}

arriving := route(example.receive, "foreign")

test_political_matters_from_outside if {
	political := claimed(arriving, {"sensitive_matter": "political"})
	receive.pend == {"sensitive_matter_review"} with input as political
	count(receive.pend) == 0 with input as derived(political, {"imminent": true})
	count(receive.pend) == 0 with input as claimed(example.receive, {"sensitive_matter": "political"})
}

test_what_arrives_says_of_when_it_is if {
	undated := {"quality": object.union(example.receive.claimed.quality, {"as_of": ""})}
	receive.deny == {"quality_missing"} with input as claimed(arriving, undated)
	count(receive.deny) == 0 with input as arriving
	count(receive.deny) == 0 with input as claimed(example.receive, undated)
}

test_opinions_from_outside if {
	opinion := claimed(arriving, {"assertion_type": "assessment"})
	receive.oblige == {"corroborate_first"} with input as opinion
	count(receive.oblige) == 0 with input as claimed(opinion, {"assertion_type": "fact"})
}

test_not_in_court if {
	secret := claimed(example.receive, {"purpose": "prosecution", "handling": {"code": "H1", "conditions": [], "gb": "none"}})
	receive.advise == {"prosecution_needs_permission"} with input as secret
}

test_onward if {
	onward.allow with input as example.onward
	(count(onward.deny) + count(onward.pend)) + count(onward.oblige) == 0 with input as example.onward
	not onward.allow with input as recipient(example.onward, {"type": "private"})
	onward.oblige == {"no_onward"} with input as recipient(example.onward, {"led_bound": false})
}

test_onward_to_a_suspended_country if {
	suspended := recipient(example.onward, {"tier": "t4"})
	onward.deny == {"tier_not_accepted"} with input as suspended
	count(onward.deny) == 0 with input as claimed(suspended, {"transfer_basis": "led38_1a"})
}

test_onward_for_another_purpose if {
	changed := derived(example.onward, {"purpose_changed": true})
	onward.pend == {{"code": "second_officer", "jurisdiction": "lv"}} with input as changed
	count(onward.pend) == 0 with input as derived(changed, {"imminent": true})
}
