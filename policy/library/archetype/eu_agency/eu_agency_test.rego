# METADATA
# title: Tests of the archetype
package liaison.archetype.eu_agency.test

import data.liaison.archetype.eu_agency.onward
import data.liaison.archetype.eu_agency.receive
import data.liaison.archetype.eu_agency.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

route(base, r) := object.union(base, {"facts": object.union(base.facts, {"route": r})})

outgoing := sender(example.send, {"type": "eu_agency"})

incoming := claimed(recipient(example.receive, {"type": "eu_agency"}), {"europol_purpose": "cross_check"})

test_the_agency_sends if {
	send.allow with input as outgoing
	not send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as outgoing
	send.oblige == {"onward_with_authorisation"} with input as outgoing
	send.deny == {"crime_area_not_accepted"} with input as derived(outgoing, {"annex_one": false})
}

test_what_leaves if {
	outside := route(outgoing, "europol_outside")
	send.oblige == {"onward_with_authorisation", "document_transfer"} with input as outside
	send.pend == {"head_of_authority"} with input as claimed(outside, {"transfer_basis": "europol_25_5"})
	count(send.pend) == 0 with input as derived(claimed(outside, {"transfer_basis": "europol_25_5"}), {"imminent": true})
}

test_assurances_are_seen if {
	risk := recipient(route(outgoing, "europol_outside"), {"death_penalty": true})
	send.pend == {"assurances_review"} with input as risk
	count(send.pend) == 0 with input as recipient(risk, {"assurances": ["no_death_penalty"]})
	count(send.pend) == 0 with input as derived(risk, {"imminent": true})
	count(send.pend) == 0 with input as derived(risk, {"accused": false})
}

test_protected_persons if {
	"dpo_notice" in send.oblige with input as derived(outgoing, {"protected": true})
	"dpo_notice" in send.oblige with input as derived(outgoing, {"special": true})
}

test_the_agency_receives if {
	receive.allow with input as incoming
	not receive.allow with input as example.receive
	count(receive.deny) == 0 with input as incoming
	receive.oblige == {{"code": "erase_within", "params": {"days": 1095}}} with input as incoming
	receive.deny == {"purpose_not_accepted"} with input as claimed(incoming, {"europol_purpose": "none"})
	receive.deny == {"crime_area_not_accepted"} with input as derived(incoming, {"annex_one": false})
}

test_only_suspects_are_compared if {
	mixed := derived(incoming, {"categories": ["suspect", "witness"]})
	receive.deny == {"subject_category_not_accepted"} with input as mixed
	count(receive.deny) == 0 with input as claimed(mixed, {"europol_purpose": "operational"})
}

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {"onward_with_authorisation"} with input as example.onward
	far := recipient(example.onward, {"led_bound": false, "tier": "t3"})
	not onward.allow with input as far
	onward.allow with input as recipient(far, {"tier": "t2"})
}
