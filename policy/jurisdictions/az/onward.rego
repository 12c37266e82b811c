# METADATA
# title: What others may pass on of Azerbaijan's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.az.onward

import data.liaison.archetype.third_state.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: No relations
# custom:
#   rule: az-5
#   code: onward_not_allowed
#   text:
#     en: Azerbaijan does not let its data be passed on to this country.
#   fix:
#     en: Leave the data of Azerbaijan out.
#   source: Law on Police of Azerbaijan (sample)
deny contains "onward_not_allowed" if input.recipient.jurisdiction == "am"
