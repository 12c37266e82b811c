# METADATA
# title: What Europol receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.receive

default allow := false

allow if {
	input.recipient.jurisdiction == "europol"
	input.recipient.type == "eu_agency"
}

# METADATA
# title: The purpose at Europol is stated
# custom:
#   rule: europol-3
#   code: purpose_not_accepted
#   text:
#     en: Data of persons for Europol without the purpose of their processing there.
#   fix:
#     en: Set europol_purpose.
#   source: Regulation (EU) 2016/794 art 18(2), 19(1)
deny contains "purpose_not_accepted" if {
	input.derived.personal == true
	input.claimed.europol_purpose == "none"
}

# METADATA
# title: Working language
# custom:
#   rule: europol-4
#   code: language_not_accepted
#   text:
#     en: Europol works in English; a translation comes with the package.
#   fix:
#     en: Write in English.
#   source: Regulation (EU) 2016/794 art 64 (sample)
deny contains "language_not_accepted" if input.claimed.language != "en"

# METADATA
# title: Reviewed after three years
# custom:
#   rule: europol-5
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Regulation (EU) 2016/794 art 31(2)
oblige contains {"code": "erase_within", "params": {"days": 1095}} if input.derived.personal == true
