# METADATA
# title: What INTERPOL receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.interpol.receive

import data.liaison.archetype.international_organisation.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "interpol"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: From Russia after a check
# custom:
#   rule: interpol-3
#   code: compliance_review
#   text:
#     en: What comes from this country waits for a check of compliance.
#   fix:
#     en: Let the head of duty of the General Secretariat approve.
#   source: Measure of the General Secretariat of 10 March 2022 (sample)
pend contains "compliance_review" if input.sender.jurisdiction == "ru"

# METADATA
# title: Languages
# custom:
#   rule: interpol-4
#   code: language_not_accepted
#   text:
#     en: INTERPOL reads English, French, Spanish and Arabic.
#   fix:
#     en: Write in English.
#   source: Rules on the Processing of Data (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"en", "fr", "es", "ar"}

# METADATA
# title: Five years at most
# custom:
#   rule: interpol-5
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Rules on the Processing of Data (sample) art 49
oblige contains {"code": "erase_within", "params": {"days": 1825}} if input.derived.personal == true
