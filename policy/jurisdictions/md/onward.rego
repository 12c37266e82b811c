# METADATA
# title: What others may pass on of Moldova's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.md.onward

import data.liaison.archetype.treaty_state.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: For the purpose that Moldova agreed to
# custom:
#   rule: md-5
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Law on the police (sample)
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
