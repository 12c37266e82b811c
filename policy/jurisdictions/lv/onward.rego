# METADATA
# title: What others may pass on of Latvia's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.lv.onward

import data.liaison.archetype.led_state.onward as base

default allow := false

allow if {
	base.allow
	input.recipient.led_bound == true
}

allow if {
	base.allow
	input.recipient.tier in {"t1", "t2"}
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Only for the purpose of Latvia
# custom:
#   rule: lv-6
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Law on Police (sample)
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
