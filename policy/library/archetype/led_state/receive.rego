# METADATA
# title: What a state that is bound by Directive (EU) 2016/680 receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.led_state.receive

import data.liaison.lib

default allow := false

allow if {
	input.recipient.led_bound == true
	input.recipient.type in lib.police
}

# METADATA
# title: What arrives says of when it is
# custom:
#   rule: led-8
#   code: quality_missing
#   text:
#     en: Data of persons from a country that the directive does not bind, without the day of which they are.
#   fix:
#     en: State quality.as_of; ask your source if it does not know.
#   source: LED art 7(2)
#   evidence: V
deny contains "quality_missing" if {
	lib.arrives
	input.derived.personal == true
	input.claimed.quality.as_of == ""
}

# METADATA
# title: Political and like matters from outside are looked at
# custom:
#   rule: led-9
#   code: sensitive_matter_review
#   text:
#     en: A political, military, religious or racial matter from a country that the directive does not bind waits for the recipient's head of duty.
#   fix:
#     en: Let the head of duty of the recipient's country approve.
#   source: LED art 4(1)(a); Constitution of INTERPOL art 3
#   evidence: P
pend contains "sensitive_matter_review" if {
	lib.arrives
	input.claimed.sensitive_matter in {"political", "military", "religious", "racial"}
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
#   evidence: K
oblige contains "corroborate_first" if {
	lib.arrives
	input.derived.personal == true
	input.claimed.assertion_type == "assessment"
}

# METADATA
# title: Not in court without permission
# custom:
#   rule: led-11
#   code: prosecution_needs_permission
#   text:
#     en: Under handling code H1 a court cannot be shown this; ask the sender for a use_permission in time.
#   fix:
#     en: Ask the sender for a use_permission before a court is to see it.
#   source: LED art 9(3); Europol handling code H1
#   evidence: S
advise contains "prosecution_needs_permission" if {
	input.claimed.handling.code == "H1"
	input.claimed.purpose == "prosecution"
}
