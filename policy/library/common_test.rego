# METADATA
# title: Tests of the baseline
package liaison.common.test

import data.liaison.common.pkg
import data.liaison.common.rcp
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

facts(base, f) := object.union(base, {"facts": object.union(base.facts, f)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

outside := facts(recipient(example.send, {"tier": "t2", "led_bound": false}), {"route": "outside", "leaves": true})

test_an_ordinary_package if {
	count(pkg.deny) + count(pkg.pend) == 0 with input as example.send
	count(rcp.deny) + count(rcp.pend) == 0 with input as example.send
	count(pkg.met) == 19 with input as example.send
	count(rcp.met) == 14 with input as example.send
}

test_purpose_within_competence if not "R1" in pkg.met with input as derived(example.send, {"sender_competent": false})

test_special_categories_have_a_ground if {
	special := derived(example.send, {"special": true, "sensitive": true})
	not "R15" in pkg.met with input as special
	pkg.pend == {"second_officer"} with input as special
	count(pkg.pend) == 0 with input as derived(special, {"imminent": true})
}

test_unverified_data if {
	not "verify_before_use" in pkg.oblige with input as example.send
	"verify_before_use" in pkg.oblige with input as derived(example.send, {"doubtful": true})
}

test_handling if {
	"no_judicial_use" in pkg.oblige with input as claimed(example.send, {"handling": {"code": "H1", "conditions": [], "gb": "none"}})
	pkg.pend == {"handling_review"} with input as claimed(example.send, {"handling": {"code": "H0", "conditions": [], "gb": "C"}})
}

test_what_victims_are_described_by if {
	"R8" in rcp.met with input as example.send
	beyond := derived(facts(example.send, {"annex_binds": true}), {"beyond_annex": true})
	not "R8" in rcp.met with input as beyond
	"R8" in rcp.met with input as facts(beyond, {"annex_binds": false})
	"R8" in rcp.met with input as derived(beyond, {"necessity_explained": true})
}

test_children_as_suspects if {
	child := derived(example.send, {"under_15_suspect": true})
	pkg.pend == {"under_15_review"} with input as child
	count(pkg.pend) == 0 with input as derived(child, {"imminent": true})
}

test_internal_eu_stays_inside if {
	"R24" in rcp.met with input as example.send
	not "R24" in rcp.met with input as outside
}

test_adequacy if {
	led36 := claimed(outside, {"transfer_basis": "led36"})
	rcp.deny == {"adequacy_missing"} with input as led36
	"R24" in rcp.met with input as recipient(led36, {"adequate": true})
}

test_a_treaty_of_both if {
	treaty := claimed(outside, {"transfer_basis": "led37_1a"})
	"R24" in rcp.met with input as facts(treaty, {"instrument": "valid"})
	rcp.deny == {"instrument_one_sided"} with input as facts(treaty, {"instrument": "one_sided"})
	rcp.deny == {"instrument_lapsed"} with input as facts(treaty, {"instrument": "lapsed"})
	rcp.deny == {"instrument_unknown"} with input as facts(treaty, {"instrument": "unknown"})
	not "R24" in rcp.met with input as facts(treaty, {"instrument": "none"})
}

test_suspended_cooperation if {
	t4 := claimed(facts(outside, {"suspended": true, "derogation": true}), {"transfer_basis": "led38_1d", "balancing": {"result": "transfer_prevails"}})
	not "R28" in rcp.met with input as t4
	life := claimed(t4, {"transfer_basis": "led38_1a"})
	"R28" in rcp.met with input as life
	rcp.pend == {"head_of_authority"} with input as life
	count(rcp.pend) == 0 with input as derived(life, {"imminent": true})
}

test_assurances if {
	risk := facts(outside, {"assured": false})
	not "R29" in rcp.met with input as risk
	"R29" in rcp.met with input as facts(risk, {"assured": true})
	"R29" in rcp.met with input as facts(risk, {"leaves": false})
	"R29" in rcp.met with input as derived(risk, {"accused": false})
}

test_interpol if {
	interpol := recipient(outside, {"jurisdiction": "interpol"})
	"R30" in rcp.met with input as interpol
	not "R30" in rcp.met with input as claimed(interpol, {"sensitive_matter": "political"})
}

test_advisory_mission if {
	mission := facts(example.send, {"recipient_kind": "mission"})
	not "R40" in rcp.met with input as mission
	"R40" in rcp.met with input as derived(mission, {"personal": false, "subjects": 0})
}

test_private_recipient if {
	private := facts(outside, {"recipient_kind": "private"})
	not "R27" in rcp.met with input as claimed(private, {"transfer_basis": "led39"})
	conditions := {"specific_case": true, "strictly_necessary": true, "rights_balanced": true, "authority_ineffective": true, "authority_informed": true}
	"R27" in rcp.met with input as claimed(private, {"transfer_basis": "led39", "led39": conditions})
	not "R27" in rcp.met with input as claimed(private, {"transfer_basis": "led39", "led39": object.union(conditions, {"rights_balanced": false})})
}

test_the_originator_of_each_country_is_asked if {
	origins := [
		{"agency": "se/noa", "jurisdiction": "se", "state": "none", "external": false, "emergency": false},
		{"agency": "it/dcpc", "jurisdiction": "it", "state": "pending", "external": false, "emergency": false},
		{"agency": "lv/vp", "jurisdiction": "lv", "state": "granted", "external": false, "emergency": false},
	]
	asked := object.union(example.send, {"permissions": {"approvals": [], "emergency": false, "external": false, "origins": origins, "state": "pending"}})
	{p.jurisdiction | some p in rcp.pend} == {"se", "it"} with input as asked
}
