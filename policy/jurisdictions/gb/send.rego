# METADATA
# title: What the United Kingdom sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.gb.send

import data.liaison.archetype.adequate_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "gb"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Handling code P or C
# custom:
#   rule: gb-1
#   code: handling_not_accepted
#   text:
#     en: An intelligence report with data of persons bears the handling code P or C.
#   fix:
#     en: Set handling.gb to P, or to C with its conditions.
#   source: Authorised Professional Practice, intelligence report (sample)
deny contains "handling_not_accepted" if {
	input.derived.personal == true
	input.claimed.handling.gb == "none"
}

# METADATA
# title: 3x5x2 is read in its own way
# custom:
#   rule: gb-2
#   code: evaluation_as_received
#   text:
#     en: "Graded 3x5x2: the digit is the source, the letter the information. Keep it as received; a mapping to another scheme never upgrades."
#   fix:
#     en: Keep the grade as it is, and name its scheme wherever you quote it.
#   source: Authorised Professional Practice, intelligence report (sample); Regulation (EU) 2016/794 art 29
advise contains "evaluation_as_received" if input.claimed.evaluation.scheme == "3x5x2"

# METADATA
# title: Countries under sanctions
# custom:
#   rule: gb-3
#   code: counterpart_not_accepted
#   text:
#     en: The United Kingdom exchanges with this country only where a life or public security is at stake.
#   fix:
#     en: Use INTERPOL.
#   source: Overseas Security and Justice Assistance guidance (sample)
deny contains "counterpart_not_accepted" if {
	input.recipient.tier == "t4"
	input.derived.imminent == false
}
