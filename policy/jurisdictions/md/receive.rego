# METADATA
# title: What Moldova receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.md.receive

import data.liaison.archetype.treaty_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "md"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: md-3
#   code: language_not_accepted
#   text:
#     en: Moldova reads Romanian, English and Russian.
#   fix:
#     en: Write in English.
#   source: Law on the police (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"ro", "en", "ru"}

# METADATA
# title: Five years
# custom:
#   rule: md-4
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Law on the police (sample)
oblige contains {"code": "erase_within", "params": {"days": 1825}} if input.derived.personal == true
