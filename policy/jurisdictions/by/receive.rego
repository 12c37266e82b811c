# METADATA
# title: What Belarus receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.receive

import data.jurisdiction.by.lib
import data.liaison.archetype.third_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "by"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Vital interests alone
# custom:
#   rule: by-4
#   code: vital_interests_only
#   text:
#     en: Belarus receives only where a life or public security is at stake.
#   fix:
#     en: Do not use this channel, unless a life or public security is at stake.
#   source: Law on operative and search activity (sample)
deny contains "vital_interests_only" if not lib.vital

# METADATA
# title: Languages
# custom:
#   rule: by-5
#   code: language_not_accepted
#   text:
#     en: Belarus reads Belarusian, Russian and English.
#   fix:
#     en: Write in English.
#   source: Law on operative and search activity (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"be", "ru", "en"}
