# METADATA
# title: What Russia receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ru.receive

import data.jurisdiction.ru.lib
import data.liaison.archetype.third_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "ru"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Vital interests alone
# custom:
#   rule: ru-4
#   code: vital_interests_only
#   text:
#     en: Russia receives only where a life or public security is at stake.
#   fix:
#     en: Do not use this channel, unless a life or public security is at stake.
#   source: Federal Law on operative-search activity (sample)
deny contains "vital_interests_only" if not lib.vital

# METADATA
# title: Languages
# custom:
#   rule: ru-5
#   code: language_not_accepted
#   text:
#     en: Russia reads Russian and English.
#   fix:
#     en: Write in English.
#   source: Federal Law on operative-search activity (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"ru", "en"}
