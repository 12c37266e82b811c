# METADATA
# title: What Belarus sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.send

import data.jurisdiction.by.lib
import data.liaison.archetype.third_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "by"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Vital interests alone
# custom:
#   rule: by-1
#   code: vital_interests_only
#   text:
#     en: Belarus sends only where a life or public security is at stake.
#   fix:
#     en: Do not use this channel, unless a life or public security is at stake.
#   source: Law on operative and search activity (sample)
deny contains "vital_interests_only" if not lib.vital

# METADATA
# title: The head of the authority decides
# custom:
#   rule: by-2
#   code: head_of_authority
#   text:
#     en: A package of Belarus waits for the head of its authority.
#   fix:
#     en: Let the head of the authority approve.
#   source: Law on operative and search activity (sample)
pend contains "head_of_authority" if input.derived.imminent == false

# METADATA
# title: The officer for data protection hears of it
# custom:
#   rule: by-3
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: Law on operative and search activity (sample)
oblige contains "dpo_notice" if input.derived.personal == true
