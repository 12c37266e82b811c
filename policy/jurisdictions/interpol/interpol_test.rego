package jurisdiction.interpol.test

import data.jurisdiction.interpol.onward
import data.jurisdiction.interpol.receive
import data.jurisdiction.interpol.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
	send.pend == {"compliance_review"} with input as recipient(example.send, {"jurisdiction": "ru"})
	send.deny == {"interpol_article_3"} with input as claimed(example.send, {"sensitive_matter": "religious"})
}

test_five_years if {
	{"code": "erase_within", "params": {"days": 1825}} in send.oblige with input as example.send
	{"code": "erase_within", "params": {"days": 1825}} in receive.oblige with input as example.receive
}

test_receives if {
	receive.allow with input as example.receive
	count(receive.deny) + count(receive.pend) == 0 with input as example.receive
	receive.pend == {"compliance_review"} with input as sender(example.receive, {"jurisdiction": "ru"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "de"})
}

test_onward if {
	onward.allow with input as example.onward
	{"code": "purposes_only", "params": {"purposes": ["investigation"]}} in onward.oblige with input as example.onward
	onward.deny == {"tier_not_accepted"} with input as recipient(example.onward, {"tier": "t4"})
}
