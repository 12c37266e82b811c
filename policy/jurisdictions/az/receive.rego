# METADATA
# title: What Azerbaijan receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.az.receive

import data.liaison.archetype.third_state.receive as base
import data.liaison.lib as common

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "az"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: No relations
# custom:
#   rule: az-1
#   code: counterpart_not_accepted
#   text:
#     en: Azerbaijan has no police cooperation with this country.
#   fix:
#     en: Use INTERPOL.
#   source: Law on Police of Azerbaijan (sample)
deny contains "counterpart_not_accepted" if input.sender.jurisdiction == "am"

# METADATA
# title: Languages
# custom:
#   rule: az-3
#   code: language_not_accepted
#   text:
#     en: Azerbaijan reads Azerbaijani, English and Russian.
#   fix:
#     en: Write in English.
#   source: Law on Police of Azerbaijan (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"az", "en", "ru"}

# METADATA
# title: Reported back
# custom:
#   rule: az-4
#   code: report_use
#   text:
#     en: Report within the stated number of days what came of the information.
#   source: Law on Police of Azerbaijan (sample)
oblige contains {"code": "report_use", "params": {"days": 90}} if {
	common.leaves
	input.derived.personal == true
}
