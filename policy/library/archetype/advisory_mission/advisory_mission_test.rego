# METADATA
# title: Tests of the archetype
package liaison.archetype.advisory_mission.test

import data.liaison.archetype.advisory_mission.onward
import data.liaison.archetype.advisory_mission.receive
import data.liaison.archetype.advisory_mission.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

outgoing := report(sender(example.send, {"type": "advisory_mission"}))

incoming := report(recipient(example.receive, {"type": "advisory_mission"}))

report(base) := claimed(derived(base, {"personal": false, "subjects": 0}), {"content_kind": "strategic", "subjects": []})

test_a_mission_sends_reports if {
	send.allow with input as outgoing
	not send.allow with input as example.send
	count(send.deny) == 0 with input as outgoing
	send.deny == {"advisory_mission_subjects"} with input as derived(outgoing, {"personal": true})
	send.deny == {"operational_not_accepted"} with input as claimed(outgoing, {"content_kind": "operational"})
}

test_a_mission_receives_reports if {
	receive.allow with input as incoming
	not receive.allow with input as example.receive
	count(receive.deny) == 0 with input as incoming
	receive.deny == {"advisory_mission_subjects"} with input as derived(incoming, {"personal": true})
	receive.deny == {"operational_not_accepted"} with input as claimed(incoming, {"content_kind": "operational"})
}

test_onward if {
	onward.allow with input as report(example.onward)
	onward.oblige == {"consult_originator"} with input as report(example.onward)
	not onward.allow with input as example.onward
}
