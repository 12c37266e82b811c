# METADATA
# title: What an agency of the Union receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.eu_agency.receive

default allow := false

allow if input.recipient.type == "eu_agency"

# METADATA
# title: The purpose at the agency is stated
# custom:
#   rule: eu-agency-6
#   code: purpose_not_accepted
#   text:
#     en: Data of persons without the purpose of their processing at the agency.
#   fix:
#     en: Set europol_purpose.
#   source: Regulation (EU) 2016/794 art 18(2), 19(1)
#   evidence: V
deny contains "purpose_not_accepted" if {
	input.derived.personal == true
	input.claimed.europol_purpose == "none"
}

# METADATA
# title: Only suspects and convicted persons are compared
# custom:
#   rule: eu-agency-7
#   code: subject_category_not_accepted
#   text:
#     en: Cross-checking is for suspects, convicted persons and potential offenders alone.
#   fix:
#     en: Set europol_purpose to operational, or send the other persons in a package of their own.
#   source: Regulation (EU) 2016/794 art 18(2)(a), annex II A
#   evidence: V
deny contains "subject_category_not_accepted" if {
	input.claimed.europol_purpose == "cross_check"
	some c in input.derived.categories
	not c in {"suspect", "convicted", "potential_offender"}
}

# METADATA
# title: Within its objectives
# custom:
#   rule: eu-agency-8
#   code: crime_area_not_accepted
#   text:
#     en: The agency takes data of persons only about crimes that its founding act lists.
#   fix:
#     en: Name the crime areas of Annex I that are listed today, or leave the agency out.
#   source: Regulation (EU) 2016/794 art 3, 18, annex I
#   evidence: V
deny contains "crime_area_not_accepted" if {
	input.derived.personal == true
	input.derived.annex_one == false
}

# METADATA
# title: Reviewed after three years
# custom:
#   rule: eu-agency-9
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Regulation (EU) 2016/794 art 31(2), (3)
#   evidence: V
oblige contains {"code": "erase_within", "params": {"days": 1095}} if input.derived.personal == true
