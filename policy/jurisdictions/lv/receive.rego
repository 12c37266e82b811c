# METADATA
# title: What Latvia receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.lv.receive

import data.liaison.archetype.led_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "lv"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: lv-3
#   code: language_not_accepted
#   text:
#     en: Latvia reads Latvian and English.
#   fix:
#     en: Write in English.
#   source: Directive (EU) 2023/977 art 11
deny contains "language_not_accepted" if not input.claimed.language in {"lv", "en"}

# METADATA
# title: Not in bulk
# custom:
#   rule: lv-4
#   code: too_many_subjects
#   text:
#     en: Latvia takes data of at most 500 persons in one package.
#   fix:
#     en: Send several packages, each for its case.
#   source: Law on Police (sample)
deny contains "too_many_subjects" if input.derived.subjects > 500

# METADATA
# title: Latvia erases after three years
# custom:
#   rule: lv-5
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Law on Police (sample)
oblige contains {"code": "erase_within", "params": {"days": 1095}} if input.derived.personal == true
