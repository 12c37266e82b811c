# METADATA
# title: What Armenia sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.am.send

import data.liaison.archetype.third_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "am"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: No relations
# custom:
#   rule: am-1
#   code: counterpart_not_accepted
#   text:
#     en: Armenia has no police cooperation with this country.
#   fix:
#     en: Use INTERPOL.
#   source: Law on operative-intelligence activity (sample)
deny contains "counterpart_not_accepted" if input.recipient.jurisdiction == "az"

# METADATA
# title: Ungraded information is marked
# custom:
#   rule: am-2
#   code: corroborate_first
#   text:
#     en: Not graded by Armenia. Corroborate it before any measure against a person.
#   source: Law on operative-intelligence activity (sample)
oblige contains "corroborate_first" if input.claimed.evaluation.scheme == "none"
