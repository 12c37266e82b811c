# METADATA
# title: What Europol sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.send

default allow := false

allow if {
	input.sender.jurisdiction == "europol"
	input.sender.type == "eu_agency"
}

# METADATA
# title: Within its objectives
# custom:
#   rule: europol-1
#   code: national_limit
#   text:
#     en: Europol sends only about crimes of Annex I, and not about national offences alone.
#   fix:
#     en: Name the crime area of Annex I.
#   source: Regulation (EU) 2016/794 art 3, annex I
deny contains "national_limit" if {
	some area in input.claimed.crime_areas
	startswith(area, "national:")
}

# METADATA
# title: The provider's restrictions stay
# custom:
#   rule: europol-2
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of Europol, which asks the provider.
#   source: Regulation (EU) 2016/794 art 19(2), 23(7)
oblige contains "onward_with_authorisation" if input.derived.personal == true
