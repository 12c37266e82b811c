# METADATA
# title: What Estonia sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ee.send

import data.jurisdiction.ee.lib
import data.liaison.archetype.led_state.send as base
import data.liaison.lib as common

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "ee"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Partners of Estonia
# custom:
#   rule: ee-1
#   code: counterpart_not_accepted
#   text:
#     en: Estonia does not exchange with this country but where a life or public security is at stake.
#   fix:
#     en: Use INTERPOL, or declare led38_1a or led38_1c where it holds.
#   source: Police and Border Guard Act (sample)
deny contains "counterpart_not_accepted" if {
	input.recipient.jurisdiction in lib.closed
	not lib.vital
}

# METADATA
# title: Estonia keeps five years at most
# custom:
#   rule: ee-2
#   code: retention_too_long
#   text:
#     en: Data of Estonia are erased after five years at the latest.
#   fix:
#     en: Set retention.erase_by to a date within five years.
#   source: Police and Border Guard Act (sample)
deny contains "retention_too_long" if {
	input.claimed.retention.erase_by != ""
	input.derived.retention_days > 1827
}

# METADATA
# title: Without a date of its own the limit is a year
# custom:
#   rule: ee-3
#   code: erase_within
#   text:
#     en: Erase within the stated number of days.
#   source: Police and Border Guard Act (sample)
oblige contains {"code": "erase_within", "params": {"days": 365}} if input.claimed.retention.erase_by == ""

# METADATA
# title: Estonia asks what came of it
# custom:
#   rule: ee-4
#   code: report_use
#   text:
#     en: Report to Estonia within the stated number of days what came of the information.
#   source: Police and Border Guard Act (sample)
oblige contains {"code": "report_use", "params": {"days": 180}} if {
	common.leaves
	input.derived.personal == true
}
