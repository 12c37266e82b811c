package jurisdiction.by.test

import data.jurisdiction.by.onward
import data.jurisdiction.by.receive
import data.jurisdiction.by.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

test_answers_only if {
	send.allow with input as example.send
	send.deny == {"national_limit"} with input as example.send
	count(send.deny) == 0 with input as object.union(example.send, {"message_type": "answer"})
}

test_receives if {
	receive.allow with input as example.receive
	count(receive.deny) == 0 with input as example.receive
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "it"})
}

test_onward if {
	onward.allow with input as example.onward
	not onward.allow with input as claimed(example.onward, {"purpose": "prevention"})
	onward.oblige == {"consult_originator"} with input as example.onward
}
