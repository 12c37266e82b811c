# METADATA
# title: What Azerbaijan sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.az.send

import data.liaison.archetype.third_state.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "az"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: No relations
# custom:
#   rule: az-1
#   code: counterpart_not_accepted
#   text:
#     en: Azerbaijan has no police cooperation with this country.
#   fix:
#     en: Use INTERPOL.
#   source: Law on Police of Azerbaijan (sample)
deny contains "counterpart_not_accepted" if input.recipient.jurisdiction == "am"

# METADATA
# title: Special categories stay at home
# custom:
#   rule: az-2
#   code: special_categories_not_accepted
#   text:
#     en: Azerbaijan does not send special categories of data but biometrics to identify a person.
#   fix:
#     en: Leave these data out.
#   source: Law on Police of Azerbaijan (sample)
deny contains "special_categories_not_accepted" if {
	some s in input.claimed.subjects
	some c in s.special_categories
	c != "biometric"
}
