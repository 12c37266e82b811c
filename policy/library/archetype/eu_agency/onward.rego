# METADATA
# title: What others may pass on of the data of an agency of the Union
# description: An archetype. Asked when the jurisdiction is an originator and no party; whether it has authorised the transfer is a rule of common.
package liaison.archetype.eu_agency.onward

default allow := false

allow if input.recipient.led_bound == true

allow if input.recipient.tier in {"t1", "t2"}

# METADATA
# title: The provider is asked
# custom:
#   rule: eu-agency-10
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the agency, which asks the provider.
#   source: Regulation (EU) 2016/794 art 23(7)
#   evidence: V
oblige contains "onward_with_authorisation" if input.derived.personal == true
