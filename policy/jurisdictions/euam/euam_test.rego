package jurisdiction.euam.test

import data.jurisdiction.euam.onward
import data.jurisdiction.euam.receive
import data.jurisdiction.euam.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

report(base) := claimed(derived(base, {"personal": false, "subjects": 0}), {"content_kind": "strategic", "subjects": []})

test_sends_reports if {
	send.allow with input as report(example.send)
	count(send.deny) == 0 with input as report(example.send)
	send.oblige == {"no_onward"} with input as report(example.send)
	send.deny == {"advisory_mission_subjects", "operational_not_accepted"} with input as example.send
}

test_to_whom if {
	send.deny == {"counterpart_not_accepted"} with input as recipient(report(example.send), {"jurisdiction": "us", "led_bound": false})
	count(send.deny) == 0 with input as recipient(report(example.send), {"jurisdiction": "ua", "led_bound": false})
}

test_receives_reports if {
	receive.allow with input as report(example.receive)
	count(receive.deny) == 0 with input as report(example.receive)
	receive.deny == {"advisory_mission_subjects", "operational_not_accepted"} with input as example.receive
	receive.deny == {"classification_not_accepted"} with input as claimed(report(example.receive), {"classification": "le_sensitive"})
	receive.deny == {"language_not_accepted"} with input as claimed(report(example.receive), {"language": "fr"})
	receive.deny == {"counterpart_not_accepted"} with input as sender(report(example.receive), {"jurisdiction": "ru"})
}

test_onward if {
	onward.allow with input as report(example.onward)
	onward.allow with input as recipient(report(example.onward), {"jurisdiction": "ua", "led_bound": false})
	onward.oblige == {"consult_originator", "no_judicial_use"} with input as report(example.onward)
	not onward.allow with input as example.onward
	not onward.allow with input as recipient(report(example.onward), {"jurisdiction": "us", "led_bound": false})
}
