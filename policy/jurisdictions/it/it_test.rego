package jurisdiction.it.test

import data.jurisdiction.it.onward
import data.jurisdiction.it.receive
import data.jurisdiction.it.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

facts(base, f) := object.union(base, {"facts": object.union(base.facts, f)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
}

test_antimafia_waits if {
	mafia := claimed(example.send, {"purpose": "prosecution", "crime_areas": ["organised_crime"]})
	send.pend == {"national_review"} with input as mafia
	count(send.pend) == 0 with input as claimed(mafia, {"judicial_auth": "granted"})
}

test_a_refusal_of_the_judge_holds if send.deny == {"judicial_authorisation_refused"} with input as claimed(example.send, {"judicial_auth": "refused"})

test_not_in_court_outside if {
	not "no_judicial_use" in send.oblige with input as example.send
	"no_judicial_use" in send.oblige with input as facts(example.send, {"route": "outside"})
}

test_suspended_countries if {
	suspended := recipient(example.send, {"tier": "t4"})
	send.deny == {"tier_not_accepted"} with input as suspended
	count(send.deny) == 0 with input as claimed(suspended, {"urgency": {"level": "urgent", "ground": "life"}})
}

test_languages if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "et"})
	receive.advise == {"translation_needed"} with input as claimed(example.receive, {"language": "fr"})
	count(receive.advise) == 0 with input as claimed(example.receive, {"language": "it"})
}

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {"no_judicial_use"} with input as example.onward
	not onward.allow with input as recipient(example.onward, {"led_bound": false, "adequate": false})
	onward.allow with input as recipient(example.onward, {"led_bound": false, "adequate": true})
}
