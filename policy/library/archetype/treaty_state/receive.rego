# METADATA
# title: What a third state receives that has binding instruments with its partners
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.treaty_state.receive

import data.liaison.lib

default allow := false

allow if {
	input.recipient.led_bound == false
	input.recipient.type in lib.police
}

# METADATA
# title: The treaty binds what it brought
# custom:
#   rule: treaty-3
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the sender.
#   source: LED art 35(1)(e), 37(1)(a)
#   evidence: V
oblige contains "onward_with_authorisation" if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: Political and like matters are looked at
# custom:
#   rule: treaty-4
#   code: sensitive_matter_review
#   text:
#     en: A political, military, religious or racial matter waits for the recipient's head of duty.
#   fix:
#     en: Let the head of duty of the recipient's country approve.
#   source: ECHR art 8, 14
#   evidence: P
pend contains "sensitive_matter_review" if {
	input.claimed.sensitive_matter in {"political", "religious", "racial"}
	input.derived.personal == true
	input.derived.imminent == false
}
