package jurisdiction.ge.test

import data.jurisdiction.ge.onward
import data.jurisdiction.ge.receive
import data.jurisdiction.ge.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
	send.deny == {"counterpart_not_accepted"} with input as recipient(example.send, {"jurisdiction": "ru"})
}

test_military_matters_wait if send.pend == {"national_review"} with input as claimed(example.send, {"sensitive_matter": "military"})

test_receives if {
	receive.allow with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "ru"})
	receive.deny == {"minors_not_accepted"} with input as derived(example.receive, {"under_15_suspect": true})
	receive.deny == {"counterpart_not_accepted"} with input as object.union(example.receive, {"sender": object.union(example.receive.sender, {"jurisdiction": "ru"})})
}

test_reports_back if {
	outside := object.union(example.receive, {"facts": object.union(example.receive.facts, {"route": "outside"})})
	{"code": "report_use", "params": {"days": 365}} in receive.oblige with input as outside
}

test_onward if {
	onward.allow with input as example.onward
	onward.deny == {"onward_not_allowed"} with input as recipient(example.onward, {"jurisdiction": "ru"})
}
