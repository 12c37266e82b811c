# METADATA
# title: What a state that is bound by Directive (EU) 2016/680 receives
# description: An archetype. The rules of such a state inherit it and add their own.
package liaison.archetype.led_state.receive

import data.liaison.lib

default allow := false

allow if {
	input.recipient.led_bound == true
	input.recipient.type in lib.police
}

# METADATA
# title: Nothing classified above what a police unit may hold
# custom:
#   rule: led-8
#   code: classification_not_accepted
#   text:
#     en: A national classification that the recipient's country does not know.
#   fix:
#     en: Ask the originator for a version without national classification.
#   source: Decision 2013/488/EU
deny contains "classification_not_accepted" if startswith(input.claimed.classification, "national:")

# METADATA
# title: Children as suspects are looked at
# custom:
#   rule: led-9
#   code: minors_review
#   text:
#     en: Suspects or potential offenders under 15 wait for the recipient's head of duty, who checks age and responsibility.
#   fix:
#     en: Let the head of duty of the recipient's country approve, or send without them.
#   source: LED art 4(1)(c), 6; Regulation (EU) 2016/794 art 30
pend contains "minors_review" if {
	input.derived.under_15_suspect == true
	input.derived.imminent == false
}

# METADATA
# title: Opinions from outside
# custom:
#   rule: led-10
#   code: corroborate_first
#   text:
#     en: An assessment from a country that the directive does not bind. Corroborate it before any measure against a person.
#   source: LED art 7(1); Recommendation R(87)15 principle 3.2
oblige contains "corroborate_first" if {
	lib.arrives
	input.derived.personal == true
	input.claimed.assertion_type == "assessment"
}

# METADATA
# title: Nobody is asked to use what may not be used
# custom:
#   rule: led-11
#   code: prosecution_needs_permission
#   text:
#     en: Under handling code H1 a court cannot be shown this; ask the sender for a use_permission in time.
#   source: LED art 9(3); Europol handling code H1
advise contains "prosecution_needs_permission" if {
	input.claimed.handling.code == "H1"
	input.claimed.purpose == "prosecution"
}
