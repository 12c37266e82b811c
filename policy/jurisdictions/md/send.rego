# METADATA
# title: What Moldova sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.md.send

import data.liaison.archetype.treaty_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "md"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Suspended countries
# custom:
#   rule: md-1
#   code: counterpart_not_accepted
#   text:
#     en: Moldova exchanges with this country only where a life or public security is at stake.
#   fix:
#     en: Use INTERPOL.
#   source: Law on the police (sample)
deny contains "counterpart_not_accepted" if {
	input.recipient.tier == "t4"
	input.derived.imminent == false
}

# METADATA
# title: The Transnistrian region
# custom:
#   rule: md-2
#   code: national_review
#   text:
#     en: Matters of a political or military character wait for the head of duty.
#   fix:
#     en: Let the head of duty approve.
#   source: Law on the police (sample)
pend contains "national_review" if {
	input.claimed.sensitive_matter in {"political", "military"}
	input.derived.imminent == false
}
