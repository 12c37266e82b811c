package jurisdiction.md.test

import data.jurisdiction.md.onward
import data.jurisdiction.md.receive
import data.jurisdiction.md.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
}

test_suspended_countries if {
	send.deny == {"counterpart_not_accepted"} with input as recipient(example.send, {"tier": "t4"})
	count(send.deny) == 0 with input as derived(recipient(example.send, {"tier": "t4"}), {"imminent": true})
}

test_political_matters_wait if send.pend == {"national_review"} with input as claimed(example.send, {"sensitive_matter": "political"})

test_receives if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "uk"})
	{"code": "erase_within", "params": {"days": 1825}} in receive.oblige with input as example.receive
}

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {{"code": "purposes_only", "params": {"purposes": ["investigation"]}}} with input as example.onward
}
