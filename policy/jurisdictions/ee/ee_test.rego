package jurisdiction.ee.test

import data.jurisdiction.ee.onward
import data.jurisdiction.ee.receive
import data.jurisdiction.ee.send
import data.liaison.example

to(j) := object.union(example.send, {"recipient": object.union(example.send.recipient, {"jurisdiction": j})})

from(j) := object.union(example.receive, {"sender": object.union(example.receive.sender, {"jurisdiction": j})})

claimed(base, c) := object.union(base, {"claimed": object.union(base.claimed, c)})

derived(base, d) := object.union(base, {"derived": object.union(base.derived, d)})

test_sends_to_latvia if {
	send.allow with input as example.send
	count(send.deny) == 0 with input as example.send
}

test_not_to_belarus if send.deny == {"counterpart_not_accepted"} with input as to("by")

test_not_from_russia if receive.deny == {"counterpart_not_accepted"} with input as from("ru")

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
	some o in send.oblige with input as object.union(example.send, {"facts": object.union(example.send.facts, {"route": "outside"})})
	o.code == "report_use"
}

test_reads_estonian_and_english if {
	count(receive.deny) == 0 with input as claimed(example.receive, {"language": "et"})
	receive.deny == {"language_not_accepted"} with input as claimed(example.receive, {"language": "lv"})
}

test_no_children if receive.deny == {"minors_not_accepted"} with input as derived(example.receive, {"under_15_suspect": true})

test_onward if {
	onward.allow with input as example.onward
	onward.deny == {"onward_not_allowed"} with input as object.union(example.onward, {"recipient": object.union(example.onward.recipient, {"jurisdiction": "by"})})
}
