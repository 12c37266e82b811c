# METADATA
# title: What others may pass on of Estonia's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ee.onward

import data.jurisdiction.ee.lib
import data.liaison.archetype.led_state.onward as base

default allow := false

allow if {
	base.allow
	input.recipient.registered == true
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Nothing of Estonia's goes to a closed country
# custom:
#   rule: ee-7
#   code: onward_not_allowed
#   text:
#     en: Estonia does not let its data be passed on to this country.
#   fix:
#     en: Leave the data of Estonia out.
#   source: Police and Border Guard Act (sample)
deny contains "onward_not_allowed" if input.recipient.jurisdiction in lib.closed
