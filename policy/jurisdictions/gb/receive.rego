# METADATA
# title: What the United Kingdom receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.gb.receive

import data.liaison.archetype.adequate_state.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "gb"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: gb-4
#   code: language_not_accepted
#   text:
#     en: The United Kingdom reads English and Welsh.
#   fix:
#     en: Write in English.
#   source: Data Protection Act 2018 (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"en", "cy"}

# METADATA
# title: Reviewed after six years
# custom:
#   rule: gb-5
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Management of Police Information (sample)
oblige contains {"code": "erase_within", "params": {"days": 2190}} if input.derived.personal == true
