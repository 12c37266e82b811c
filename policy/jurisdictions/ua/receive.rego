# METADATA
# title: What Ukraine receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ua.receive

import data.liaison.archetype.treaty_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "ua"
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
deny contains "counterpart_not_accepted" if input.sender.jurisdiction in {"by", "ru"}

# METADATA
# title: Languages
# custom:
#   rule: ua-3
#   code: language_not_accepted
#   text:
#     en: Ukraine reads Ukrainian and English.
#   fix:
#     en: Write in English.
#   source: Law on the National Police (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"uk", "en"}

# METADATA
# title: Ukraine keeps what it receives apart
# custom:
#   rule: ua-4
#   code: no_automated_matching
#   text:
#     en: No automated comparison.
#   source: Law on the National Police (sample)
oblige contains "no_automated_matching" if input.derived.personal == true
