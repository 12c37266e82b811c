# METADATA
# title: What others may pass on of what the mission wrote
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.euam.onward

import data.liaison.archetype.advisory_mission.onward as base

default allow := false

allow if {
	base.allow
	input.recipient.led_bound == true
}

allow if {
	base.allow
	input.recipient.jurisdiction == "ua"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Not as evidence
# custom:
#   rule: euam-6
#   code: no_judicial_use
#   text:
#     en: No use in judicial proceedings without the permission of the mission.
#   source: Council Decision 2014/486/CFSP (sample)
oblige contains "no_judicial_use" if input.claimed.content_kind == "strategic"
