# METADATA
# title: What others may pass on of the United States' data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.us.onward

import data.liaison.archetype.treaty_state.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Third agency rule
# custom:
#   rule: us-8
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Third agency rule (sample)
oblige contains "consult_originator" if input.derived.personal == true
