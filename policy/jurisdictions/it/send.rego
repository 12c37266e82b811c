# METADATA
# title: What Italy sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.it.send

import data.liaison.archetype.led_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "it"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Antimafia prosecutions are secret
# custom:
#   rule: it-1
#   code: national_review
#   text:
#     en: A package about organised crime in a prosecution waits for the head of duty, who asks the prosecutor.
#   fix:
#     en: Let the head of duty approve.
#   source: Code of Criminal Procedure art 329 (sample)
pend contains "national_review" if {
	input.claimed.purpose == "prosecution"
	"organised_crime" in input.claimed.crime_areas
	input.claimed.judicial_auth in {"not_required", "required_pending"}
	input.derived.imminent == false
}

# METADATA
# title: Secrets of an investigation stay out of court abroad
# custom:
#   rule: it-2
#   code: no_judicial_use
#   text:
#     en: No use in judicial proceedings without the permission of Italy.
#   source: Code of Criminal Procedure art 329 (sample)
oblige contains "no_judicial_use" if {
	input.facts.route == "outside"
	input.claimed.purpose in {"investigation", "prosecution"}
}

# METADATA
# title: Italy does not send to suspended countries by derogation of the individual case
# custom:
#   rule: it-3
#   code: tier_not_accepted
#   text:
#     en: Italy sends to countries with which cooperation is suspended only where life is at stake.
#   fix:
#     en: Use INTERPOL where a life is at stake.
#   source: Act on the public security administration (sample)
deny contains "tier_not_accepted" if {
	input.recipient.tier == "t4"
	input.claimed.urgency.ground != "life"
}
