package jurisdiction.europol.test

import data.jurisdiction.europol.onward
import data.jurisdiction.europol.receive
import data.jurisdiction.europol.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

test_sends if {
	send.allow with input as example.send
	count(send.deny) == 0 with input as example.send
	send.deny == {"national_limit"} with input as claimed(example.send, {"crime_areas": ["national:ee:littering"]})
}

test_receives_with_a_purpose if {
	receive.deny == {"purpose_not_accepted"} with input as example.receive
	count(receive.deny) == 0 with input as claimed(example.receive, {"europol_purpose": "cross_check"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"europol_purpose": "cross_check", "language": "fr"})
}

test_onward if {
	onward.allow with input as example.onward
	not onward.allow with input as object.union(example.onward, {"recipient": object.union(example.onward.recipient, {"led_bound": false, "tier": "t4"})})
}
