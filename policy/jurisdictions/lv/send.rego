# METADATA
# title: What Latvia sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.lv.send

import data.liaison.archetype.led_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "lv"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Offences of weight
# custom:
#   rule: lv-1
#   code: offence_too_light
#   text:
#     en: Latvia sends data of persons spontaneously only about offences that can be punished with a year of prison or more.
#   fix:
#     en: Wait for a request, or send without data of persons.
#   source: Law on Police (sample)
deny contains "offence_too_light" if {
	input.message_type == "spontaneous"
	input.derived.personal == true
	input.claimed.offence.max_penalty_years < 1
}

# METADATA
# title: Latvia does not send by profile alone
# custom:
#   rule: lv-2
#   code: national_review
#   text:
#     en: A package that rests on a profile waits for the head of duty.
#   fix:
#     en: Let the head of duty approve.
#   source: Law on Police (sample)
pend contains "national_review" if {
	input.claimed.profiling_used == true
	input.derived.imminent == false
}
