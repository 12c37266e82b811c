package jurisdiction.az.test

import data.jurisdiction.az.onward
import data.jurisdiction.az.receive
import data.jurisdiction.az.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

facts(base, f) := object.union(base, {"facts": object.union(base.facts, f)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
	send.deny == {"counterpart_not_accepted"} with input as recipient(example.send, {"jurisdiction": "am"})
}

test_special_categories_stay_at_home if {
	subject := example.send.claimed.subjects[0]
	health := claimed(example.send, {"subjects": [object.union(subject, {"special_categories": ["biometric", "health"]})]})
	send.deny == {"special_categories_not_accepted"} with input as health
	prints := claimed(example.send, {"subjects": [object.union(subject, {"special_categories": ["biometric"]})]})
	count(send.deny) == 0 with input as prints
}

test_receives if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "tr"})
	receive.deny == {"counterpart_not_accepted"} with input as sender(example.receive, {"jurisdiction": "am"})
	{"code": "report_use", "params": {"days": 90}} in receive.oblige with input as facts(example.receive, {"route": "outside"})
}

test_onward if {
	onward.allow with input as example.onward
	onward.deny == {"onward_not_allowed"} with input as recipient(example.onward, {"jurisdiction": "am"})
}
