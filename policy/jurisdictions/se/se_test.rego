package jurisdiction.se.test

import data.jurisdiction.se.onward
import data.jurisdiction.se.receive
import data.jurisdiction.se.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

facts(base, f) := object.union(base, {"facts": object.union(base.facts, f)})

test_sends if {
	send.allow with input as example.send
	(count(send.deny) + count(send.pend)) + count(send.oblige) == 0 with input as example.send
}

test_keeps_ten_years_at_most if {
	send.deny == {"retention_too_long"} with input as derived(example.send, {"retention_days": 3654})
	count(send.deny) == 0 with input as derived(example.send, {"retention_days": 3653})
}

test_terrorism_waits if {
	terror := claimed(example.send, {"crime_areas": ["fraud", "terrorism"]})
	send.pend == {"national_review"} with input as terror
	count(send.pend) == 0 with input as derived(terror, {"imminent": true})
	count(send.pend) == 0 with input as derived(terror, {"personal": false})
}

test_secrecy_outside if "named_recipients_only" in send.oblige with input as facts(example.send, {"route": "outside"})

test_nordic_languages if {
	receive.allow with input as example.receive
	count(receive.deny) == 0 with input as claimed(example.receive, {"language": "da"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "fi"})
}

test_no_children if receive.deny == {"minors_not_accepted"} with input as derived(example.receive, {"under_15_suspect": true})

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {"consult_originator"} with input as example.onward
}
