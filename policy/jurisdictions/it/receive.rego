# METADATA
# title: What Italy receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.it.receive

import data.liaison.archetype.led_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "it"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: it-4
#   code: language_not_accepted
#   text:
#     en: Italy reads Italian, French and English.
#   fix:
#     en: Write in English.
#   source: Directive (EU) 2023/977 art 11
deny contains "language_not_accepted" if not input.claimed.language in {"it", "fr", "en"}

# METADATA
# title: A translation helps
# custom:
#   rule: it-5
#   code: translation_needed
#   text:
#     en: A package that is not in Italian is translated before it reaches the prosecutor.
#   fix:
#     en: Send a translation with the package, or leave time for one.
#   source: Code of Criminal Procedure art 109 (sample)
advise contains "translation_needed" if input.claimed.language != "it"
