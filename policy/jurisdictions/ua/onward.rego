# METADATA
# title: What others may pass on of Ukraine's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ua.onward

import data.liaison.archetype.treaty_state.onward as base

default allow := false

allow if {
	base.allow
	input.recipient.led_bound == true
}

allow if {
	base.allow
	input.recipient.tier in {"t1", "t2"}
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Not to countries that take part in the aggression
# custom:
#   rule: ua-5
#   code: onward_not_allowed
#   text:
#     en: Ukraine does not let its data be passed on to this country.
#   fix:
#     en: Leave the data of Ukraine out.
#   source: Law on the National Police (sample)
deny contains "onward_not_allowed" if input.recipient.jurisdiction in {"by", "ru"}
