# METADATA
# title: What a state with an adequacy decision sends
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.adequate_state.send

import data.liaison.lib

default allow := false

allow if {
	input.sender.led_bound == false
	input.sender.type in lib.police
}

# METADATA
# title: Assurances where life or dignity is at risk
# custom:
#   rule: adequate-1
#   code: assurances_missing
#   text:
#     en: Data of accused persons for a country where the death penalty or inhuman treatment is possible, without assurances against both.
#   fix:
#     en: Obtain the assurances and state them; otherwise do not send.
#   source: Data Protection Act 2018 part 3 chapter 5; Overseas Security and Justice Assistance guidance
#   evidence: K
deny contains "assurances_missing" if {
	lib.unassured
	not lib.assurances_stated
	input.derived.accused == true
}

# METADATA
# title: Somebody has seen the assurances
# custom:
#   rule: adequate-2
#   code: assurances_review
#   text:
#     en: Assurances that only the sender states. The head of duty confirms that they were obtained.
#   fix:
#     en: Let the head of duty approve.
#   source: Data Protection Act 2018 part 3 chapter 5; Overseas Security and Justice Assistance guidance
#   evidence: K
pend contains "assurances_review" if {
	lib.unassured
	input.derived.accused == true
	input.derived.imminent == false
}
