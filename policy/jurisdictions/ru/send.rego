# METADATA
# title: What Russia sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ru.send

import data.jurisdiction.ru.lib
import data.liaison.archetype.third_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "ru"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Vital interests alone
# custom:
#   rule: ru-1
#   code: vital_interests_only
#   text:
#     en: Russia sends only where a life or public security is at stake.
#   fix:
#     en: Do not use this channel, unless a life or public security is at stake.
#   source: Federal Law on operative-search activity (sample)
deny contains "vital_interests_only" if not lib.vital

# METADATA
# title: The head of the authority decides
# custom:
#   rule: ru-2
#   code: head_of_authority
#   text:
#     en: A package of Russia waits for the head of its authority.
#   fix:
#     en: Let the head of the authority approve.
#   source: Federal Law on operative-search activity (sample)
pend contains "head_of_authority" if input.derived.imminent == false

# METADATA
# title: The officer for data protection hears of it
# custom:
#   rule: ru-3
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: Federal Law on operative-search activity (sample)
oblige contains "dpo_notice" if input.derived.personal == true

# METADATA
# title: Through INTERPOL it is checked
# custom:
#   rule: ru-7
#   code: compliance_review
#   text:
#     en: What goes through INTERPOL waits for a check of compliance.
#   fix:
#     en: Let the head of duty approve.
#   source: Measure of the General Secretariat of INTERPOL of 10 March 2022
pend contains "compliance_review" if input.recipient.jurisdiction == "interpol"
