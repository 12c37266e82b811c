# METADATA
# title: The baseline of a package
# description: |
#   What holds for a package whoever receives it. Asked once for a package, so nothing here looks at a recipient.
#   met lists the rules that hold; a rule that is required and not met denies with its own code and text. So what is
#   undefined denies.
#
#   custom.evidence says how far the fact behind a rule was checked: V, the legal text was read; S, a page that states
#   it was read; K, background knowledge that nobody has checked yet; P, a proposal of this project.
#
#   Some rules of the list that this baseline follows are not decided here:
#   R23, an authorisation that is withdrawn: R20 denies from then on, at the release of a pending package and at its
#   acknowledgement too; the notices to those who have it are messages that no jurisdiction can stop.
#   R35, the time limits of Directive (EU) 2023/977: the exchange runs the clock, which begins when a package is
#   delivered.
#   R37, offences of low penalty: whether the requested state may refuse rests on its own law; its answer is a refusal
#   on ground (g).
#   R39, the duty to send unasked: what was not sent cannot be seen here.
package liaison.common.pkg

default allow := false

# METADATA
# title: The sender is on the exchange
allow if input.sender.active == true

# METADATA
# title: The sender is registered and active
# custom:
#   rule: R0
#   code: agency_not_active
#   text:
#     en: The sender is not a registered and active agency of this exchange.
#   fix:
#     en: Ask the operator why the agency is not active.
#   source: LED art 3(7), 35(1)(b)
#   evidence: V
met contains "R0" if {
	input.sender.registered == true
	input.sender.active == true
}

# METADATA
# title: The sender is competent for the purpose
# custom:
#   rule: R1
#   code: sender_not_competent
#   text:
#     en: The sender is not declared competent for the stated purpose.
#   fix:
#     en: State the purpose that you are competent for, or let the competent agency send.
#   source: LED art 3(7), 35(1)(b)
#   evidence: V
met contains "R1" if input.derived.sender_competent == true

# METADATA
# title: The purpose is on the closed list
# custom:
#   rule: R2
#   code: purpose_not_listed
#   text:
#     en: The purpose is not one for which police information may be exchanged.
#   fix:
#     en: State one of the listed purposes.
#   source: LED art 1(1), 4(1)(b)
#   evidence: V
met contains "R2" if input.claimed.purpose == "investigation"

met contains "R2" if {
	input.claimed.purpose in {
		"prevention", "detection", "prosecution", "execution_of_penalty",
		"public_security_threat", "missing_person",
	}
}

# METADATA
# title: The legal basis is known and in force
# custom:
#   rule: R3
#   code: legal_basis_unknown
#   text:
#     en: A stated legal basis is not declared by its jurisdiction, or none of them is law of the sender.
#   fix:
#     en: Name an instrument that your jurisdiction has declared.
#   source: LED art 8
#   evidence: V
met contains "R3" if input.derived.legal_basis == "valid"

# METADATA
# title: The legal basis is in force today
# custom:
#   rule: R3
#   code: legal_basis_lapsed
#   text:
#     en: A stated legal basis is not in force today.
#   fix:
#     en: Name the instrument that is in force.
#   source: LED art 8
#   evidence: V
deny contains "legal_basis_lapsed" if input.derived.legal_basis == "lapsed"

# METADATA
# title: A change of purpose is authorised by law
# custom:
#   rule: R4
#   code: purpose_change_unjustified
#   text:
#     en: The data were collected for another purpose, and the law, necessity and proportionality of the new one are not all stated.
#   fix:
#     en: Fill purpose_change, or keep the original purpose.
#   source: LED art 4(2)
#   evidence: V
met contains "R4" if input.derived.purpose_change == "none"

met contains "R4" if input.derived.purpose_change == "justified"

# METADATA
# title: The sending is justified in words about this case
# custom:
#   rule: R5
#   code: justification_insufficient
#   text:
#     en: The justification is shorter than 20 characters or a stock phrase.
#   fix:
#     en: Say in a sentence of your own why this recipient needs this information in this case.
#   source: LED art 25(1), 4(4)
#   evidence: V
met contains "R5" if input.derived.justified == true

# METADATA
# title: Data of third-country origin were obtained lawfully
# custom:
#   rule: R31
#   code: hr_attestation_missing
#   text:
#     en: Data that come from a third country without the attestation that they were not obtained in obvious violation of human rights.
#   fix:
#     en: Set hr_attestation once an officer has satisfied themself of it; otherwise do not send.
#   source: Regulation (EU) 2016/794 art 23(9)
#   evidence: V
met contains "R31" if input.derived.third_country_origin == false

met contains "R31" if input.claimed.hr_attestation == true

# METADATA
# title: The classification is within the accreditation
# custom:
#   rule: R32
#   code: classification_too_high
#   text:
#     en: The package is classified above what this exchange is accredited for.
#   fix:
#     en: Use an accredited channel. Only the originator may lower the classification.
#   source: Decision 2013/488/EU
#   evidence: K
met contains "R32" if input.claimed.classification == "none"

met contains "R32" if input.claimed.classification == "le_sensitive"

# METADATA
# title: A request that cannot be answered as it stands
# custom:
#   rule: R33
#   code: clarification_due
#   text:
#     en: The request does not state everything that an answer needs; ask for clarification.
#   source: Directive (EU) 2023/977 art 4(5)
#   evidence: K
advise contains "clarification_due" if input.derived.request_incomplete == true

# METADATA
# title: Urgency has a ground and a reason
# custom:
#   rule: R34
#   code: urgency_ground_missing
#   text:
#     en: Marked urgent without one of the four grounds or without the reason in words.
#   fix:
#     en: State urgency.ground and explain it in the statement, or send it as routine.
#   source: Directive (EU) 2023/977 art 4(4), 5
#   evidence: S
met contains "R34" if input.derived.urgency == "routine"

met contains "R34" if input.derived.urgency == "grounded"

# METADATA
# title: A refusal names its ground
# custom:
#   rule: R36
#   code: refusal_code_missing
#   text:
#     en: A refusal without one of the grounds (a) to (h).
#   fix:
#     en: Set refusal.code.
#   source: Directive (EU) 2023/977 art 6
#   evidence: S
met contains "R36" if input.derived.refusal == "none"

met contains "R36" if input.derived.refusal == "grounded"

# METADATA
# title: The packages that it names are known
# custom:
#   rule: S1
#   code: relation_unknown
#   text:
#     en: A package that this one relates to is not known as one of the sender's.
#   fix:
#     en: Check the ids in relates_to.
#   source: LED art 7(3), 25
#   evidence: P
met contains "S1" if input.known.relations_found == true

# METADATA
# title: The description is of this message
# custom:
#   rule: S2
#   code: manifest_inconsistent
#   text:
#     en: The type of the message and its description differ.
#   fix:
#     en: Seal the package again with one type.
#   source: LED art 4(1)(d)
#   evidence: P
met contains "S2" if input.derived.message_type_agrees == true

# METADATA
# title: Operational data have subjects
# custom:
#   rule: S3
#   code: subjects_missing
#   text:
#     en: Operational data without a group of subjects.
#   fix:
#     en: Describe the subjects, or mark the content as strategic or statistical.
#   source: LED art 6
#   evidence: P
met contains "S3" if input.derived.personal == true

met contains "S3" if input.claimed.content_kind in {"strategic", "statistical"}

# METADATA
# title: National fields are declared
# custom:
#   rule: S4
#   code: national_field_unknown
#   text:
#     en: The description has national fields that no jurisdiction has declared.
#   fix:
#     en: Leave meta.ext empty.
#   source: LED art 4(1)(c)
#   evidence: P
met contains "S4" if input.derived.national_fields == false

# METADATA
# title: What nobody can stop is small
# custom:
#   rule: S5
#   code: notice_too_large
#   text:
#     en: A notice that no jurisdiction can stop has no attachments and at most 64 KiB of content.
#   fix:
#     en: Send the notice alone and the rest as a package of its own.
#   source: LED art 4(1)(c)
#   evidence: P
met contains "S5" if input.derived.oversized_notice == false
