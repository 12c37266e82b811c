package jurisdiction.ua.test

import data.jurisdiction.ua.onward
import data.jurisdiction.ua.receive
import data.jurisdiction.ua.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

to(j) := recipient(example.send, {"jurisdiction": j})

test_sends if {
	send.allow with input as example.send
	count(send.deny) + count(send.pend) == 0 with input as example.send
}

test_not_to_belarus if send.deny == {"counterpart_not_accepted"} with input as to("by")

test_military_matters_wait if send.pend == {"national_review"} with input as claimed(example.send, {"sensitive_matter": "military"})

test_not_from_russia if {
	russian := object.union(example.receive, {"sender": object.union(example.receive.sender, {"jurisdiction": "ru"})})
	receive.deny == {"counterpart_not_accepted"} with input as russian
}

test_receives if {
	receive.allow with input as example.receive
	"no_automated_matching" in receive.oblige with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "it"})
}

test_onward if {
	onward.allow with input as example.onward
	onward.allow with input as recipient(example.onward, {"led_bound": false, "tier": "t2"})
	not onward.allow with input as recipient(example.onward, {"led_bound": false, "tier": "t3"})
	onward.deny == {"onward_not_allowed"} with input as recipient(example.onward, {"jurisdiction": "by"})
}
