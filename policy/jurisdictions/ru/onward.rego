# METADATA
# title: What others may pass on of Russia's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ru.onward

import data.jurisdiction.ru.lib
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
#   rule: ru-6
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Federal Law on operative-search activity (sample)
oblige contains "consult_originator" if input.derived.personal == true
