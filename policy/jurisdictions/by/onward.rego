# METADATA
# title: What others may pass on of Belarus's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.onward

import data.jurisdiction.by.lib
import data.liaison.archetype.third_state.onward as base

default allow := false

allow if {
	base.allow
	lib.vital
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: With its consent alone
# custom:
#   rule: by-6
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Law on operative and search activity (sample)
oblige contains "consult_originator" if input.derived.personal == true
