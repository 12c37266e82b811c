# METADATA
# title: What Italy sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.it.send

default allow := false

allow if {
	input.sender.jurisdiction == "it"
	input.sender.type in {"spoc", "designated_lea", "competent_lea"}
}

# METADATA
# title: Antimafia prosecutions are secret
# custom:
#   rule: it-1
#   code: national_review
#   text:
#     en: A package about organised crime in a prosecution waits for the head of duty, who asks the prosecutor.
#   source: Code of Criminal Procedure art 329 (sample)
pend contains "national_review" if {
	input.claimed.purpose == "prosecution"
	"organised_crime" in input.claimed.crime_areas
	input.claimed.judicial_auth in {"not_required", "required_pending"}
	input.derived.imminent == false
}

# METADATA
# title: A judge has refused
# custom:
#   rule: it-2
#   code: national_limit
#   text:
#     en: Judicial authorisation was refused.
#   fix:
#     en: Do not send.
#   source: Code of Criminal Procedure art 329 (sample)
deny contains "national_limit" if input.claimed.judicial_auth == "refused"

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
