# METADATA
# title: What others may pass on of the United Kingdom's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.gb.onward

import data.liaison.archetype.adequate_state.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: "S2: the originator is consulted"
# custom:
#   rule: gb-6
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Authorised Professional Practice, sanitisation code S2 (sample)
oblige contains "consult_originator" if input.claimed.handling.gb != "P"
