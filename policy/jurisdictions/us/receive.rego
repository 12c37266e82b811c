# METADATA
# title: What the United States receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.us.receive

import data.liaison.archetype.treaty_state.receive as base
import data.liaison.lib as common

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "us"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: us-4
#   code: language_not_accepted
#   text:
#     en: The United States reads English.
#   fix:
#     en: Write in English.
#   source: EU-US Umbrella Agreement (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"en"}

# METADATA
# title: For the purpose of the agreement
# custom:
#   rule: us-5
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: EU-US Umbrella Agreement (sample) art 6
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if {
	common.leaves
	input.derived.personal == true
}

# METADATA
# title: Not in bulk
# custom:
#   rule: us-6
#   code: too_many_subjects
#   text:
#     en: Data of more than 100 persons from Europe need an agreement of their own.
#   fix:
#     en: Send packages for single cases.
#   source: EU-US Umbrella Agreement (sample) art 7
deny contains "too_many_subjects" if {
	common.leaves
	input.derived.subjects > 100
}

# METADATA
# title: Retention is limited
# custom:
#   rule: us-7
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: EU-US Umbrella Agreement (sample) art 12
oblige contains {"code": "erase_within", "params": {"days": 1825}} if input.derived.personal == true
