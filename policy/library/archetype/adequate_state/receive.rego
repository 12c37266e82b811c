# METADATA
# title: What a state with an adequacy decision receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.adequate_state.receive

import data.liaison.lib

default allow := false

allow if {
	input.recipient.led_bound == false
	input.recipient.type in lib.police
}

# METADATA
# title: The state of origin is asked
# custom:
#   rule: adequate-3
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the sender.
#   source: Data Protection Act 2018 s 73(1)(b); Decision (EU) 2021/1773
#   evidence: S
oblige contains "onward_with_authorisation" if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: Political and like matters are looked at
# custom:
#   rule: adequate-4
#   code: sensitive_matter_review
#   text:
#     en: A political, military, religious or racial matter waits for the recipient's head of duty.
#   fix:
#     en: Let the head of duty of the recipient's country approve.
#   source: ECHR art 8, 14
#   evidence: P
pend contains "sensitive_matter_review" if {
	input.claimed.sensitive_matter in {"political", "military", "religious", "racial"}
	input.derived.personal == true
	input.derived.imminent == false
}
