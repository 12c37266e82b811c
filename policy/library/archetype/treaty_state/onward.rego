# METADATA
# title: What others may pass on of the data of a third state that has binding instruments
# description: An archetype. Asked when the jurisdiction is an originator and no party; whether it has authorised the transfer is a rule of common.
package liaison.archetype.treaty_state.onward

default allow := false

allow if {
	input.recipient.registered == true
	input.recipient.type != "private"
}

# METADATA
# title: Not to suspended countries
# custom:
#   rule: treaty-5
#   code: tier_not_accepted
#   text:
#     en: Data of this jurisdiction are not passed on to a country with which police cooperation is suspended or was never assessed, but where life or public security is at stake.
#   fix:
#     en: Leave the data of this jurisdiction out.
#   source: Recommendation R(87)15 principle 5.4
#   evidence: P
deny contains "tier_not_accepted" if {
	input.recipient.tier == "t4"
	input.derived.imminent == false
}

# METADATA
# title: Not for another purpose unasked
# custom:
#   rule: treaty-6
#   code: second_officer
#   text:
#     en: Data of this jurisdiction that are passed on for another purpose than they were collected for wait for a second officer of the sender.
#   fix:
#     en: Let a second officer approve.
#   source: Recommendation R(87)15 principle 5.5
#   evidence: P
pend contains {"code": "second_officer", "jurisdiction": input.sender.jurisdiction} if {
	input.derived.purpose_changed == true
	input.derived.imminent == false
}

# METADATA
# title: Outside, not any further
# custom:
#   rule: treaty-7
#   code: no_onward
#   text:
#     en: No passing on.
#   source: Recommendation R(87)15 principle 5.5
#   evidence: K
oblige contains "no_onward" if {
	input.recipient.led_bound == false
	input.derived.personal == true
}
