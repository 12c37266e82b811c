# METADATA
# title: What others may pass on of INTERPOL's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.interpol.onward

import data.liaison.archetype.international_organisation.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: For the stated purpose alone
# custom:
#   rule: interpol-6
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Rules on the Processing of Data (sample) art 10
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
