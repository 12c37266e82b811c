# METADATA
# title: What the mission sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.euam.send

import data.liaison.archetype.advisory_mission.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "euam"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: To those whom it advises and to the Union
# custom:
#   rule: euam-1
#   code: counterpart_not_accepted
#   text:
#     en: The mission reports to Ukraine, to member states and to agencies of the Union.
#   fix:
#     en: Ask the recipient to request it from the Council.
#   source: Council Decision 2014/486/CFSP (sample)
deny contains "counterpart_not_accepted" if {
	input.recipient.jurisdiction != "ua"
	input.recipient.led_bound == false
}

# METADATA
# title: Reports stay where they were sent
# custom:
#   rule: euam-2
#   code: no_onward
#   text:
#     en: No passing on.
#   source: Council Decision 2014/486/CFSP (sample)
oblige contains "no_onward" if input.claimed.content_kind == "strategic"
