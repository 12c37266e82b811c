# METADATA
# title: What others may pass on of Europol's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.onward

import data.liaison.archetype.eu_agency.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: The purpose of the provider
# custom:
#   rule: europol-6
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Regulation (EU) 2016/794 art 19(1), 23(7)
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
