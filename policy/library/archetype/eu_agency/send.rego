# METADATA
# title: What an agency of the Union sends
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.eu_agency.send

import data.liaison.lib

default allow := false

allow if input.sender.type == "eu_agency"

# METADATA
# title: Within its objectives
# custom:
#   rule: eu-agency-1
#   code: crime_area_not_accepted
#   text:
#     en: The agency sends only about crimes that its founding act lists, and not about national offences.
#   fix:
#     en: Name the crime areas of Annex I that are listed today.
#   source: Regulation (EU) 2016/794 art 3, annex I
#   evidence: V
deny contains "crime_area_not_accepted" if input.derived.annex_one == false

# METADATA
# title: The head decides on a derogation
# custom:
#   rule: eu-agency-2
#   code: head_of_authority
#   text:
#     en: A transfer case by case waits for the Executive Director.
#   fix:
#     en: Let the Executive Director approve.
#   source: Regulation (EU) 2016/794 art 25(5)
#   evidence: V
pend contains "head_of_authority" if {
	lib.leaves
	input.claimed.transfer_basis in {"europol_25_5", "europol_25_6"}
	input.derived.imminent == false
}

# METADATA
# title: Somebody has seen the assurances
# custom:
#   rule: eu-agency-11
#   code: assurances_review
#   text:
#     en: Data of accused persons for a country where the death penalty or inhuman treatment is possible, on assurances that only the sender states. The head of duty confirms that they were obtained.
#   fix:
#     en: Let the head of duty approve.
#   source: Regulation (EU) 2016/794 art 25(8); LED recital 71
#   evidence: P
pend contains "assurances_review" if {
	lib.leaves
	lib.unassured
	input.derived.accused == true
	input.derived.imminent == false
}

# METADATA
# title: The provider's restrictions stay
# custom:
#   rule: eu-agency-3
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the agency, which asks the provider.
#   source: Regulation (EU) 2016/794 art 19(2), 23(7)
#   evidence: V
oblige contains "onward_with_authorisation" if input.derived.personal == true

# METADATA
# title: A transfer is documented
# custom:
#   rule: eu-agency-4
#   code: document_transfer
#   text:
#     en: The sender documents the transfer and shows it to its supervisory authority on request.
#   source: Regulation (EU) 2016/794 art 25(8)
#   evidence: V
oblige contains "document_transfer" if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: The officer for data protection hears of protected persons
# custom:
#   rule: eu-agency-5
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: Regulation (EU) 2016/794 art 30(2a)
#   evidence: V
oblige contains "dpo_notice" if input.derived.protected == true

oblige contains "dpo_notice" if input.derived.special == true
