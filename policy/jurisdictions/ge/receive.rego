# METADATA
# title: What Georgia receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ge.receive

import data.liaison.archetype.treaty_state.receive as base
import data.liaison.lib as common

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "ge"
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
deny contains "counterpart_not_accepted" if input.sender.jurisdiction == "ru"

# METADATA
# title: Languages
# custom:
#   rule: ge-3
#   code: language_not_accepted
#   text:
#     en: Georgia reads Georgian and English.
#   fix:
#     en: Write in English.
#   source: Law on international law-enforcement cooperation (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"ka", "en"}

# METADATA
# title: No children as suspects
# custom:
#   rule: ge-4
#   code: minors_not_accepted
#   text:
#     en: Children under 14 cannot be held responsible in Georgia; data of suspects under 15 are not taken.
#   fix:
#     en: Send without the suspects under 15.
#   source: Juvenile Justice Code (sample)
deny contains "minors_not_accepted" if input.derived.under_15_suspect == true

# METADATA
# title: Reported back
# custom:
#   rule: ge-5
#   code: report_use
#   text:
#     en: Report within the stated number of days what came of the information.
#   source: Law on international law-enforcement cooperation (sample)
oblige contains {"code": "report_use", "params": {"days": 365}} if {
	common.leaves
	input.derived.personal == true
}
