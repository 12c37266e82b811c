# METADATA
# title: What the United States sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.us.send

import data.liaison.archetype.treaty_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "us"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Third agency rule
# custom:
#   rule: us-1
#   code: named_recipients_only
#   text:
#     en: Only for the officers named by the sender.
#   source: Third agency rule (sample)
oblige contains "named_recipients_only" if input.derived.personal == true

# METADATA
# title: Counterterrorism is cleared
# custom:
#   rule: us-2
#   code: national_review
#   text:
#     en: A package about terrorism waits for the head of duty, who clears it with the owner of the information.
#   fix:
#     en: Let the head of duty approve.
#   source: Executive Order 12333 (sample)
pend contains "national_review" if {
	"terrorism" in input.claimed.crime_areas
	input.derived.personal == true
	input.derived.imminent == false
}

# METADATA
# title: Suspended countries
# custom:
#   rule: us-3
#   code: counterpart_not_accepted
#   text:
#     en: The United States exchanges with this country only where a life or public security is at stake.
#   fix:
#     en: Use INTERPOL.
#   source: Third agency rule (sample)
deny contains "counterpart_not_accepted" if {
	input.recipient.tier == "t4"
	input.derived.imminent == false
}
