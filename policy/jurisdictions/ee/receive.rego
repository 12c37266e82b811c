# METADATA
# title: What Estonia receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ee.receive

import data.jurisdiction.ee.lib
import data.liaison.archetype.led_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "ee"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Partners of Estonia
# custom:
#   rule: ee-1
#   code: counterpart_not_accepted
#   text:
#     en: Estonia does not exchange with this country but where a life or public security is at stake.
#   fix:
#     en: Use INTERPOL.
#   source: Police and Border Guard Act (sample)
deny contains "counterpart_not_accepted" if {
	input.sender.jurisdiction in lib.closed
	input.derived.imminent == false
}

# METADATA
# title: Languages
# custom:
#   rule: ee-5
#   code: language_not_accepted
#   text:
#     en: Estonia reads Estonian and English.
#   fix:
#     en: Write in English.
#   source: Directive (EU) 2023/977 art 11
deny contains "language_not_accepted" if not input.claimed.language in lib.languages

# METADATA
# title: No children as suspects
# custom:
#   rule: ee-6
#   code: minors_not_accepted
#   text:
#     en: Children under 14 cannot be held responsible in Estonia; data of suspects under 15 are looked at one by one, not exchanged.
#   fix:
#     en: Send without the suspects under 15.
#   source: Penal Code of Estonia § 33 (sample)
deny contains "minors_not_accepted" if input.derived.under_15_suspect == true
