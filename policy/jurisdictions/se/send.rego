# METADATA
# title: What Sweden sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.se.send

import data.liaison.archetype.led_state.send as base
import data.liaison.lib as common

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "se"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Sweden keeps ten years at most
# custom:
#   rule: se-1
#   code: retention_too_long
#   text:
#     en: Data of Sweden are erased after ten years at the latest.
#   fix:
#     en: Set retention.erase_by to a date within ten years.
#   source: Crime Data Act (sample)
deny contains "retention_too_long" if {
	input.claimed.retention.erase_by != ""
	input.derived.retention_days > 3653
}

# METADATA
# title: The Security Service is asked
# custom:
#   rule: se-2
#   code: national_review
#   text:
#     en: A package about terrorism waits for the head of duty, who asks the Security Service.
#   fix:
#     en: Let the head of duty approve.
#   source: Public Access to Information and Secrecy Act ch 18 (sample)
pend contains "national_review" if {
	"terrorism" in input.claimed.crime_areas
	input.derived.personal == true
	input.derived.imminent == false
}

# METADATA
# title: Secrecy goes with the data
# custom:
#   rule: se-3
#   code: named_recipients_only
#   text:
#     en: Only for the officers named by the sender.
#   source: Public Access to Information and Secrecy Act ch 8 § 3 (sample)
oblige contains "named_recipients_only" if {
	common.leaves
	input.derived.personal == true
}
