package PACKAGE.test

import data.PACKAGE.onward
import data.PACKAGE.receive
import data.PACKAGE.send
import data.liaison.example

# Complete inputs: data.liaison.example has send (JURISDICTION sends), receive (JURISDICTION receives) and onward (data
# of JURISDICTION are passed on by others). A test changes what it is about.
sends := object.union(example.send, {"sender": object.union(example.send.sender, {"led_bound": BOUND})})

receives := object.union(example.receive, {"recipient": object.union(example.receive.recipient, {"led_bound": BOUND})})

claimed(input_, c) := object.union(input_, {"claimed": object.union(input_.claimed, c)})

test_sends if send.allow with input as sends

test_sends_its_own_only if {
	other := object.union(sends, {"sender": object.union(sends.sender, {"jurisdiction": "xx"})})
	not send.allow with input as other
}

test_receives if receive.allow with input as receives

test_languages if {
	not "language_not_accepted" in receive.deny with input as claimed(receives, {"language": "LANGUAGE"})
	"language_not_accepted" in receive.deny with input as claimed(receives, {"language": "xx"})
}

test_onward if {
	onward.allow with input as object.union(example.onward, {
		"derived": object.union(example.onward.derived, {"personal": false}),
		"recipient": object.union(example.onward.recipient, {"led_bound": true, "tier": "t1"}),
	})
}
