# METADATA
# title: What others may pass on of the data of an international organisation of police
# description: An archetype. Asked when the jurisdiction is an originator and no party; whether it has authorised the transfer is a rule of common.
package liaison.archetype.international_organisation.onward

default allow := false

allow if {
	input.recipient.registered == true
	input.recipient.type != "private"
}

# METADATA
# title: The source is asked
# custom:
#   rule: international-organisation-4
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the organisation, which asks the source.
#   source: Rules on the Processing of Data (INTERPOL) art 54 to 58
#   evidence: K
oblige contains "onward_with_authorisation" if input.derived.personal == true

# METADATA
# title: Not to suspended countries
# custom:
#   rule: international-organisation-5
#   code: tier_not_accepted
#   text:
#     en: What came through the organisation is not passed on to a country with which police cooperation is suspended or was never assessed, but where life or public security is at stake.
#   fix:
#     en: Leave these data out.
#   source: Rules on the Processing of Data (INTERPOL) art 54 to 58
#   evidence: P
deny contains "tier_not_accepted" if {
	input.recipient.tier == "t4"
	input.derived.imminent == false
}
