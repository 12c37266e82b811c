# METADATA
# title: What Georgia sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ge.send

import data.liaison.archetype.treaty_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "ge"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: No relations
# custom:
#   rule: ge-1
#   code: counterpart_not_accepted
#   text:
#     en: Georgia has no police cooperation with this country.
#   fix:
#     en: Use INTERPOL.
#   source: Law on international law-enforcement cooperation (sample)
deny contains "counterpart_not_accepted" if input.recipient.jurisdiction == "ru"

# METADATA
# title: Occupied territories
# custom:
#   rule: ge-2
#   code: national_review
#   text:
#     en: Matters of a political or military character wait for the head of duty.
#   fix:
#     en: Let the head of duty approve.
#   source: Law on Occupied Territories (sample)
pend contains "national_review" if {
	input.claimed.sensitive_matter in {"political", "military"}
	input.derived.imminent == false
}
