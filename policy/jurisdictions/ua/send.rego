# METADATA
# title: What Ukraine sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ua.send

import data.liaison.archetype.treaty_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "ua"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Countries that take part in the aggression
# custom:
#   rule: ua-1
#   code: counterpart_not_accepted
#   text:
#     en: Ukraine does not exchange with this country.
#   fix:
#     en: None.
#   source: Law on the National Police (sample)
deny contains "counterpart_not_accepted" if input.recipient.jurisdiction in {"by", "ru"}

# METADATA
# title: Military matters
# custom:
#   rule: ua-2
#   code: national_review
#   text:
#     en: Matters of a military character wait for the head of duty.
#   fix:
#     en: Let the head of duty approve.
#   source: Law on the National Police (sample)
pend contains "national_review" if input.claimed.sensitive_matter == "military"
