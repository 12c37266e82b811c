# METADATA
# title: What others may pass on of Italy's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.it.onward

import data.liaison.archetype.led_state.onward as base

default allow := false

allow if {
	base.allow
	input.recipient.led_bound == true
}

allow if {
	base.allow
	input.recipient.adequate == true
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Not in court
# custom:
#   rule: it-6
#   code: no_judicial_use
#   text:
#     en: No use in judicial proceedings without the permission of Italy.
#   source: Code of Criminal Procedure art 329 (sample)
oblige contains "no_judicial_use" if input.claimed.purpose in {"investigation", "prosecution"}
