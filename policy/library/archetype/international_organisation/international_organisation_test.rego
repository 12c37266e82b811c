# METADATA
# title: Tests of the archetype
package liaison.archetype.international_organisation.test

import data.liaison.archetype.international_organisation.onward
import data.liaison.archetype.international_organisation.receive
import data.liaison.archetype.international_organisation.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

sender(base, s) := object.union(base, {"sender": object.union(base.sender, s)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

route(base, r) := object.union(base, {"facts": object.union(base.facts, {"route": r})})

outgoing := sender(example.send, {"type": "intl_org"})

incoming := recipient(example.receive, {"type": "intl_org"})

test_the_organisation_sends if {
	send.allow with input as outgoing
	not send.allow with input as example.send
	send.oblige == {"onward_with_authorisation"} with input as outgoing
	count(send.deny) == 0 with input as route(outgoing, "foreign")
	send.deny == {"interpol_article_3"} with input as claimed(outgoing, {"sensitive_matter": "political"})
}

test_the_organisation_receives if {
	receive.allow with input as incoming
	not receive.allow with input as example.receive
	receive.oblige == {{"code": "purposes_only", "params": {"purposes": ["investigation"]}}} with input as incoming
	count(receive.oblige) == 0 with input as derived(incoming, {"personal": false})
}

test_onward if {
	onward.allow with input as example.onward
	onward.oblige == {"onward_with_authorisation"} with input as example.onward
	onward.deny == {"tier_not_accepted"} with input as recipient(example.onward, {"tier": "t4"})
	not onward.allow with input as recipient(example.onward, {"type": "private"})
}
