package jurisdiction.by.test

import data.jurisdiction.by.onward
import data.jurisdiction.by.receive
import data.jurisdiction.by.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

vital := derived(example.send, {"imminent": true})

test_sends_for_vital_interests_alone if {
	send.allow with input as example.send
	send.deny == {"vital_interests_only"} with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as vital
	"dpo_notice" in send.oblige with input as vital
}

test_the_head_decides if {
	missing := claimed(example.send, {"purpose": "missing_person"})
	count(send.deny) == 0 with input as missing
	send.pend == {"head_of_authority"} with input as missing
}

test_receives_for_vital_interests_alone if {
	receive.allow with input as example.receive
	receive.deny == {"vital_interests_only"} with input as example.receive
	count(receive.deny) == 0 with input as claimed(example.receive, {"transfer_basis": "led38_1a"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"transfer_basis": "led38_1c", "language": "it"})
}

test_onward if {
	not onward.allow with input as example.onward
	onward.allow with input as derived(example.onward, {"imminent": true})
	onward.oblige == {"consult_originator"} with input as derived(example.onward, {"imminent": true})
}

test_europol_for_vital_interests if {
	derogation := claimed(example.receive, {"transfer_basis": "europol_25_5"})
	receive.deny == {"vital_interests_only"} with input as derogation
	count(receive.deny) == 0 with input as claimed(derogation, {"urgency": {"level": "routine", "ground": "life"}})
}
