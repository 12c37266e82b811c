# METADATA
# title: What Armenia receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.am.receive

import data.liaison.archetype.third_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "am"
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
deny contains "counterpart_not_accepted" if input.sender.jurisdiction == "az"

# METADATA
# title: Languages
# custom:
#   rule: am-3
#   code: language_not_accepted
#   text:
#     en: Armenia reads Armenian, English and Russian.
#   fix:
#     en: Write in English.
#   source: Law on operative-intelligence activity (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"hy", "en", "ru"}

# METADATA
# title: Three years
# custom:
#   rule: am-4
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Law on operative-intelligence activity (sample)
oblige contains {"code": "erase_within", "params": {"days": 1095}} if input.derived.personal == true
