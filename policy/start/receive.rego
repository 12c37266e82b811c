# METADATA
# title: What NAME receives
# description: Begun with the archetype ARCHETYPE, which speaks first; what NAME adds can only be stricter.
package PACKAGE.receive

import data.PACKAGE.lib
import data.liaison.archetype.ARCHETYPE.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "JURISDICTION"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: JURISDICTION-1
#   code: language_not_accepted
#   text:
#     en: NAME does not read this language.
#   fix:
#     en: Write in a language that NAME reads, such as LANGUAGE.
#   source: Directive (EU) 2023/977 art 11
deny contains "language_not_accepted" if not input.claimed.language in lib.languages
