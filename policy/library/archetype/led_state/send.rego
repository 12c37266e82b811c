# METADATA
# title: What a state that is bound by Directive (EU) 2016/680 sends
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.led_state.send

import data.liaison.lib

default allow := false

allow if {
	input.sender.led_bound == true
	input.sender.type in lib.police
}

# METADATA
# title: A judge has refused
# custom:
#   rule: led-1
#   code: judicial_authorisation_refused
#   text:
#     en: The judicial authorisation that the sender's law asks for was refused.
#   fix:
#     en: Do not send. A request is answered with a refusal, code c.
#   source: Directive (EU) 2023/977 art 6(1)(c), 9
#   evidence: S
deny contains "judicial_authorisation_refused" if input.claimed.judicial_auth == "refused"

# METADATA
# title: A judge has not decided yet
# custom:
#   rule: led-2
#   code: judicial_authorisation
#   text:
#     en: The judicial authorisation that the sender's law asks for is not there yet.
#   fix:
#     en: Announce the delay with a delay_notice; the head of duty releases the package once the authorisation is there.
#   source: Directive (EU) 2023/977 art 5(2), 9
#   evidence: S
pend contains "judicial_authorisation" if {
	input.claimed.judicial_auth == "required_pending"
	input.derived.imminent == false
}

# METADATA
# title: A transfer that rests on an assessment or on a derogation alone is looked at twice
# custom:
#   rule: led-3
#   code: second_officer
#   text:
#     en: Data of persons for a country without adequacy and without a binding instrument wait for a second officer of the sender.
#   fix:
#     en: Let a second officer approve.
#   source: LED art 4(4), 37(1)(b), 38
#   evidence: P
pend contains "second_officer" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis in {"led37_1b", "led38_1b", "led38_1d", "led38_1e", "led39"}
	input.derived.personal == true
	input.derived.imminent == false
}

# METADATA
# title: Somebody has seen the assurances
# custom:
#   rule: led-4
#   code: assurances_review
#   text:
#     en: Data of accused persons for a country where the death penalty or inhuman treatment is possible, on assurances that only the sender states. The head of duty confirms that they were obtained.
#   fix:
#     en: Let the head of duty approve.
#   source: LED recital 71, art 4(4)
#   evidence: K
pend contains "assurances_review" if {
	lib.leaves
	lib.unassured
	input.derived.accused == true
	input.derived.imminent == false
}

# METADATA
# title: What leaves is not passed on unasked
# custom:
#   rule: led-5
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the sender.
#   source: LED art 35(1)(e)
#   evidence: V
oblige contains "onward_with_authorisation" if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: The officer for data protection hears of a derogation
# custom:
#   rule: led-6
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: LED art 34, 38(3)
#   evidence: P
oblige contains "dpo_notice" if {
	input.facts.route == "outside"
	input.derived.personal == true
	input.claimed.transfer_basis in {"led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "led39"}
}

# METADATA
# title: The supervisory authority knows of the category
# custom:
#   rule: led-7
#   code: authority_informed
#   text:
#     en: A transfer that rests on an assessment of one's own. The supervisory authority is told of the category of such transfers.
#   fix:
#     en: Tell your supervisory authority of this category of transfers, unless it knows already.
#   source: LED art 37(2)
#   evidence: V
advise contains "authority_informed" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis == "led37_1b"
}
