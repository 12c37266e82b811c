package jurisdiction.ee.test

import data.jurisdiction.ee.onward
import data.jurisdiction.ee.receive
import data.jurisdiction.ee.send
import data.liaison.example

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

recipient(base, r) := object.union(base, {"recipient": object.union(base.recipient, r)})

to(j) := recipient(example.send, {"jurisdiction": j})

from(j) := object.union(example.receive, {"sender": object.union(example.receive.sender, {"jurisdiction": j})})

test_sends_to_latvia if {
	send.allow with input as example.send
	count(send.deny) == 0 with input as example.send
}

test_not_to_belarus if {
	send.deny == {"counterpart_not_accepted"} with input as to("by")
	count(send.deny) == 0 with input as claimed(to("by"), {"transfer_basis": "led38_1a"})
}

test_not_from_russia if {
	receive.deny == {"counterpart_not_accepted"} with input as from("ru")
	count(receive.deny) == 0 with input as derived(from("ru"), {"imminent": true})
}

test_keeps_five_years_at_most if {
	send.deny == {"retention_too_long"} with input as derived(example.send, {"retention_days": 1828})
	count(send.deny) == 0 with input as derived(example.send, {"retention_days": 1827})
}

test_a_year_when_no_date_is_set if {
	some o in send.oblige with input as claimed(example.send, {"retention": {"erase_by": "", "review_by": "2027-01-01", "basis": ""}})
	o.params.days == 365
}

test_use_is_reported_from_outside_only if {
	count(send.oblige) == 0 with input as example.send
	outside := object.union(example.send, {"facts": object.union(example.send.facts, {"route": "outside"})})
	{"code": "report_use", "params": {"days": 180}} in send.oblige with input as outside
}

test_reads_estonian_and_english if {
	receive.allow with input as example.receive
	count(receive.deny) == 0 with input as claimed(example.receive, {"language": "et"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "lv"})
}

test_no_children if receive.deny == {"minors_not_accepted"} with input as derived(example.receive, {"under_15_suspect": true})

test_onward if {
	onward.allow with input as example.onward
	onward.deny == {"onward_not_allowed"} with input as recipient(example.onward, {"jurisdiction": "by"})
}
