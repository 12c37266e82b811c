# METADATA
# title: What Sweden receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.se.receive

import data.liaison.archetype.led_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "se"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: se-4
#   code: language_not_accepted
#   text:
#     en: Sweden reads Swedish, Danish, Norwegian and English.
#   fix:
#     en: Write in English.
#   source: Directive (EU) 2023/977 art 11
deny contains "language_not_accepted" if not input.claimed.language in {"sv", "da", "nb", "en"}

# METADATA
# title: No children as suspects
# custom:
#   rule: se-5
#   code: minors_not_accepted
#   text:
#     en: Children under 15 cannot be held responsible in Sweden; data of such suspects are not taken.
#   fix:
#     en: Send without the suspects under 15.
#   source: Penal Code ch 1 § 6 (sample)
deny contains "minors_not_accepted" if input.derived.under_15_suspect == true
