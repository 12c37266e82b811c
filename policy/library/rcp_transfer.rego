# Transfers to third countries: their basis, derogations, suspended cooperation, assurances.
package liaison.common.rcp

# METADATA
# title: The declared basis of the transfer is valid
# custom:
#   rule: R24
#   code: transfer_basis_invalid
#   text:
#     en: The declared basis does not carry a transfer of this sender to this recipient.
#   fix:
#     en: Declare the basis that holds for this recipient; seal a package of its own for it if the others need another one.
#   source: LED art 35(1)(d), 36 to 38; Regulation (EU) 2016/794 art 25
#   evidence: V
met contains "R24" if input.facts.route == "inside"

met contains "R24" if input.derived.personal == false

met contains "R24" if {
	input.facts.route == "foreign"
	input.claimed.transfer_basis == "non_eu_law"
}

met contains "R24" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis == "led36"
	input.recipient.adequate == true
}

met contains "R24" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis == "led37_1a"
	input.facts.instrument == "valid"
}

met contains "R24" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis == "led37_1b"
	input.facts.assessment == "valid"
}

met contains "R24" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis in {"led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "led39"}
}

met contains "R24" if {
	input.facts.route == "europol_outside"
	input.claimed.transfer_basis == "europol_25_1a"
	input.recipient.adequate == true
}

met contains "R24" if {
	input.facts.route == "europol_outside"
	input.claimed.transfer_basis in {"europol_25_1b", "europol_25_1c"}
	input.facts.instrument == "valid"
}

met contains "R24" if {
	input.facts.route == "europol_outside"
	input.claimed.transfer_basis == "europol_25_4a"
	input.facts.assessment == "valid"
}

met contains "R24" if {
	input.facts.route == "europol_outside"
	input.claimed.transfer_basis in {"europol_25_5", "europol_25_6"}
}

# METADATA
# title: The adequacy decision is in force
# custom:
#   rule: R24
#   code: adequacy_missing
#   text:
#     en: There is no adequacy decision for the recipient's country that is in force today.
#   fix:
#     en: Use a binding instrument (led37_1a) if one is declared by both sides.
#   source: LED art 36
#   evidence: V
deny contains "adequacy_missing" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led36", "europol_25_1a"}
	input.recipient.adequate == false
}

# METADATA
# title: "The instrument: unknown"
# custom:
#   rule: R24
#   code: instrument_unknown
#   text:
#     en: The instrument of the transfer is not declared by the sender's jurisdiction for this recipient.
#   fix:
#     en: Name an instrument that both jurisdictions declare.
#   source: LED art 37(1)(a)
#   evidence: V
deny contains "instrument_unknown" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led37_1a", "europol_25_1b", "europol_25_1c"}
	input.facts.instrument == "unknown"
}

# METADATA
# title: "The instrument: one-sided"
# custom:
#   rule: R24
#   code: instrument_one_sided
#   text:
#     en: The recipient's jurisdiction does not declare the instrument of the transfer for this sender.
#   fix:
#     en: The recipient's jurisdiction declares it, or another basis is used.
#   source: LED art 37(1)(a)
#   evidence: V
deny contains "instrument_one_sided" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led37_1a", "europol_25_1b", "europol_25_1c"}
	input.facts.instrument == "one_sided"
}

# METADATA
# title: "The instrument: lapsed"
# custom:
#   rule: R24
#   code: instrument_lapsed
#   text:
#     en: The instrument of the transfer is not in force today on both sides.
#   fix:
#     en: Name the instrument that is in force.
#   source: LED art 37(1)(a)
#   evidence: V
deny contains "instrument_lapsed" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led37_1a", "europol_25_1b", "europol_25_1c"}
	input.facts.instrument == "lapsed"
}

# METADATA
# title: The assessment is in force
# custom:
#   rule: R24
#   code: assessment_missing
#   text:
#     en: The sender's jurisdiction has not declared an assessment of the recipient that is in force today.
#   fix:
#     en: Declare the assessment, or use another basis.
#   source: LED art 37(1)(b), 37(2)
#   evidence: V
deny contains "assessment_missing" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led37_1b", "europol_25_4a"}
	input.facts.assessment != "valid"
}

# METADATA
# title: A stronger basis is there
# custom:
#   rule: R24
#   code: higher_basis_available
#   text:
#     en: There is an adequacy decision for this recipient; led36 is the stronger basis.
#   source: LED art 36
#   evidence: V
advise contains "higher_basis_available" if {
	input.facts.route == "outside"
	input.recipient.adequate == true
	input.claimed.transfer_basis != "led36"
}

# METADATA
# title: The transfer is documented
# custom:
#   rule: R25
#   code: document_transfer
#   text:
#     en: The sender documents the transfer and shows it to its supervisory authority on request.
#   source: LED art 37(3), 39(4)
#   evidence: V
oblige contains "document_transfer" if {
	input.facts.route == "outside"
	input.claimed.transfer_basis in {"led37_1b", "led39"}
}

# METADATA
# title: A derogation is for a single case
# custom:
#   rule: R26
#   code: derogation_not_valid
#   text:
#     en: The conditions of a derogation are not met.
#   fix:
#     en: Use a derogation for a single case of at most five subjects, with the balance of interests where it is asked.
#   source: LED art 38; Regulation (EU) 2016/794 art 25(5)
#   evidence: P
met contains "R26" if input.facts.leaves == false

met contains "R26" if input.facts.derogation == false

met contains "R26" if {
	input.claimed.transfer_basis in {"led38_1a", "led38_1b", "led38_1c", "europol_25_5"}
	input.derived.bulk == false
}

met contains "R26" if {
	input.claimed.transfer_basis in {"led38_1d", "led38_1e", "europol_25_6"}
	input.derived.bulk == false
	input.claimed.balancing.result == "transfer_prevails"
}

# METADATA
# title: Not in bulk
# custom:
#   rule: R26
#   code: derogation_bulk
#   text:
#     en: A derogation does not carry data of more than five subjects.
#   fix:
#     en: Use an assessment (led37_1b) and tell the supervisory authority, or limit the package to the case.
#   source: LED art 38; Regulation (EU) 2016/794 art 25(5)
#   evidence: P
deny contains "derogation_bulk" if {
	input.facts.leaves == true
	input.facts.derogation == true
	input.derived.bulk == true
}

# METADATA
# title: The rights of the subject were weighed
# custom:
#   rule: R26
#   code: derogation_unbalanced
#   text:
#     en: The balance with the rights of the subject is not stated, or does not favour the transfer.
#   fix:
#     en: Weigh the rights of the subject and state balancing.
#   source: LED art 38(2)
#   evidence: P
deny contains "derogation_unbalanced" if {
	input.facts.leaves == true
	input.claimed.transfer_basis in {"led38_1d", "led38_1e", "europol_25_6"}
	input.claimed.balancing.result != "transfer_prevails"
}

# METADATA
# title: A derogation is documented
# custom:
#   rule: R26
#   code: document_transfer
#   text:
#     en: The sender documents the transfer and shows it to its supervisory authority on request.
#   source: LED art 38(3)
#   evidence: P
oblige contains "document_transfer" if {
	input.facts.leaves == true
	input.facts.derogation == true
}

# METADATA
# title: A derogation is not a habit
# custom:
#   rule: R26
#   code: derogations_frequent
#   text:
#     en: Ten or more transfers to this jurisdiction rested on a derogation this year. A derogation is for individual cases.
#   source: LED art 38
#   evidence: P
advise contains "derogations_frequent" if {
	input.facts.derogation == true
	input.facts.derogations_frequent == true
}

# METADATA
# title: Suspended cooperation
# custom:
#   rule: R28
#   code: recipient_suspended
#   text:
#     en: Police cooperation with the recipient's country is suspended or was never assessed. Only vital interests or an immediate and serious threat carry a transfer.
#   fix:
#     en: Do not send. Where life or public security is at stake, declare led38_1a or led38_1c and let the head of the authority approve.
#   source: LED art 35 to 38
#   evidence: P
met contains "R28" if input.facts.suspended == false

met contains "R28" if input.facts.route == "foreign"

met contains "R28" if input.claimed.transfer_basis in {"led38_1a", "led38_1c"}

met contains "R28" if {
	input.claimed.transfer_basis == "europol_25_5"
	input.claimed.urgency.ground in {"life", "public_security"}
}

# METADATA
# title: "Suspended cooperation: the head of the authority decides"
# custom:
#   rule: R28
#   code: head_of_authority
#   text:
#     en: A transfer to a country with which cooperation is suspended waits for the head of the sender's authority.
#   fix:
#     en: Let the head of the authority approve.
#   source: LED art 35 to 38
#   evidence: P
pend contains "head_of_authority" if {
	input.facts.suspended == true
	input.facts.leaves == true
	input.derived.imminent == false
}

# METADATA
# title: "Suspended cooperation: with an imminent threat approved afterwards"
# custom:
#   rule: R28
#   code: approve_within
#   text:
#     en: Sent at once because of an imminent threat; the head of the sender's authority approves within the stated hours.
#   source: LED art 35 to 38
#   evidence: P
oblige contains {"code": "approve_within", "params": {"hours": 24}} if {
	input.facts.suspended == true
	input.facts.leaves == true
	input.derived.imminent == true
}

# METADATA
# title: "Suspended cooperation: the officer for data protection hears of it"
# custom:
#   rule: R28
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: LED art 34, 38(3)
#   evidence: P
oblige contains "dpo_notice" if {
	input.facts.suspended == true
	input.facts.leaves == true
}

# METADATA
# title: Assurances where life or dignity is at risk
# custom:
#   rule: R29
#   code: assurances_missing
#   text:
#     en: Data of suspects or convicted persons go to a country where the death penalty or inhuman treatment is possible, without assurances against it.
#   fix:
#     en: Obtain the assurances and state them; otherwise do not send.
#   source: LED recital 71, art 38(1)
#   evidence: K
met contains "R29" if input.facts.leaves == false

met contains "R29" if input.derived.accused == false

met contains "R29" if input.facts.assured == true
