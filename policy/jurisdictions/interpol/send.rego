# METADATA
# title: What INTERPOL sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.interpol.send

import data.liaison.archetype.international_organisation.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "interpol"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: To Russia after a check
# custom:
#   rule: interpol-1
#   code: compliance_review
#   text:
#     en: What goes to this country waits for a check of compliance.
#   fix:
#     en: Let the head of duty approve.
#   source: Measure of the General Secretariat of 10 March 2022 (sample)
pend contains "compliance_review" if input.recipient.jurisdiction == "ru"

# METADATA
# title: Five years at most
# custom:
#   rule: interpol-2
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Rules on the Processing of Data (sample) art 49
oblige contains {"code": "erase_within", "params": {"days": 1825}} if input.derived.personal == true
