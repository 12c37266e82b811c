# METADATA
# title: What others may pass on of Sweden's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.se.onward

import data.liaison.archetype.led_state.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Sweden is consulted
# custom:
#   rule: se-6
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Public Access to Information and Secrecy Act ch 8 § 3 (sample)
oblige contains "consult_originator" if input.derived.personal == true
