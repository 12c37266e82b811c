# METADATA
# title: The baseline for a recipient
# description: What depends on who receives. Asked once for each recipient of a package.
package liaison.common.rcp

import data.liaison.common.lib

default allow := false

# METADATA
# title: The recipient is on the exchange
allow if input.recipient.registered == true

# METADATA
# title: The recipient is registered
# custom:
#   rule: R0
#   code: agency_not_active
#   text:
#     en: The recipient is not a registered agency of this exchange.
#   fix:
#     en: Choose an agency from the directory.
#   source: LED art 3(7), 35(1)(b)
met contains "R0" if input.recipient.registered == true

# METADATA
# title: The recipient is active and competent for the purpose
# custom:
#   rule: R1
#   code: recipient_not_competent
#   text:
#     en: The recipient is suspended, or not declared competent for the stated purpose.
#   fix:
#     en: Send to the agency that is competent; the directory lists competences.
#   source: LED art 3(7), 35(1)(b)
met contains "R1" if {
	input.recipient.active == true
	input.claimed.purpose in input.recipient.competences
}

met contains "R1" if {
	input.recipient.active == true
	input.recipient.type in {"advisory_mission", "private"}
}

# METADATA
# title: "Protected persons: only what is strictly necessary"
# custom:
#   rule: R10
#   code: strict_necessity_missing
#   text:
#     en: Data of victims, witnesses, informants or minors leave for Europol or a third country without the reason of strict necessity.
#   fix:
#     en: Set strict_necessity and explain it in the statement, or send a second package without these persons.
#   source: LED art 6, 10; Regulation (EU) 2016/794 art 30(1)
met contains "R10" if input.derived.protected == false

met contains "R10" if input.facts.route == "foreign"

met contains "R10" if {
	input.facts.route == "inside"
	input.recipient.jurisdiction != "europol"
}

met contains "R10" if {
	input.claimed.strict_necessity == true
	input.texts.strict_necessity.length >= 20
	input.texts.strict_necessity.stock_phrase == false
}

# METADATA
# title: Protected persons inside
# custom:
#   rule: R10
#   code: strict_necessity_only
#   text:
#     en: Contains data of victims, witnesses, informants or minors. Use them only where strictly necessary for the case.
#   source: LED art 6, 9(4)
oblige contains "strict_necessity_only" if {
	input.derived.protected == true
	input.facts.route == "inside"
}

# METADATA
# title: A condition without an equivalent at home
# custom:
#   rule: R18
#   code: domestic_equivalent
#   text:
#     en: Between member states no condition is set that does not hold for the same transfer at home.
#   source: LED art 9(4)
advise contains "domestic_equivalent" if {
	input.facts.route == "inside"
	some c in input.claimed.handling.conditions
	c.domestic_equivalent == false
}

# METADATA
# title: The originators agree
# custom:
#   rule: R20
#   code: authorisation_refused
#   text:
#     en: An originator has refused or withdrawn its authorisation, or is not on this exchange and no authorisation of it is stated.
#   fix:
#     en: Ask the originator; leave its data out until it agrees.
#   source: LED art 35(1)(c); Directive (EU) 2023/977 art 6(1)(h)
met contains "R20" if input.permissions.state in {"own", "granted", "pending"}

# METADATA
# title: An originator has not answered yet
# custom:
#   rule: R20
#   code: prior_authorisation
#   text:
#     en: Data of another jurisdiction wait for its authorisation.
#   fix:
#     en: The originator approves or refuses.
#   source: LED art 35(1)(c)
pend contains {"code": "prior_authorisation", "by": "originator", "jurisdiction": o.jurisdiction} if {
	some o in input.permissions.origins
	o.state in {"pending", "none"}
	o.external == false
	o.emergency == false
}

# METADATA
# title: An authorisation that was given elsewhere
# custom:
#   rule: R20
#   code: external_evidence
#   text:
#     en: The authorisation of an originator that is not on this exchange rests on the sender's statement. Keep the evidence.
#   source: LED art 35(1)(c), 4(4)
advise contains "external_evidence" if {
	some o in input.permissions.origins
	o.external == true
}

# METADATA
# title: "Imminent threat: the originator is told at once"
# custom:
#   rule: R21
#   code: notify_originator
#   text:
#     en: Sent without prior authorisation because of an immediate and serious threat; the originators are told at once.
#   source: LED art 35(2)
oblige contains {"code": "notify_originator", "params": {"originators": [o.agency]}} if {
	some o in input.permissions.origins
	o.emergency == true
}

# METADATA
# title: "Imminent threat: approved afterwards"
# custom:
#   rule: R21
#   code: approve_within
#   text:
#     en: Sent at once because of an imminent threat; the sender's head of duty approves within the stated hours.
#   source: LED art 35(2)
oblige contains {"code": "approve_within", "params": {"hours": 24}} if input.permissions.emergency == true

# METADATA
# title: "Imminent threat: the officer for data protection hears of it"
# custom:
#   rule: R21
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: LED art 34, 35(2)
oblige contains "dpo_notice" if input.permissions.emergency == true

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
met contains "R24" if input.facts.route == "inside"

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
deny contains "adequacy_missing" if {
	input.facts.route in {"outside", "europol_outside"}
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
deny contains "instrument_unknown" if {
	input.facts.route in {"outside", "europol_outside"}
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
deny contains "instrument_one_sided" if {
	input.facts.route in {"outside", "europol_outside"}
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
deny contains "instrument_lapsed" if {
	input.facts.route in {"outside", "europol_outside"}
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
deny contains "assessment_missing" if {
	input.facts.route in {"outside", "europol_outside"}
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
met contains "R26" if input.facts.route in {"inside", "foreign"}

met contains "R26" if {
	input.claimed.transfer_basis in {
		"internal_eu", "led36", "led37_1a", "led37_1b", "led39", "non_eu_law",
		"europol_25_1a", "europol_25_1b", "europol_25_1c", "europol_25_4a",
	}
}

met contains "R26" if {
	input.claimed.transfer_basis in {"led38_1a", "led38_1b", "led38_1c", "europol_25_5"}
	input.derived.subjects <= 5
}

met contains "R26" if {
	input.claimed.transfer_basis in {"led38_1d", "led38_1e", "europol_25_6"}
	input.derived.subjects <= 5
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
deny contains "derogation_bulk" if {
	input.facts.route in {"outside", "europol_outside"}
	input.claimed.transfer_basis in lib.derogations
	input.derived.subjects > 5
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
deny contains "derogation_unbalanced" if {
	input.facts.route in {"outside", "europol_outside"}
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
oblige contains "document_transfer" if {
	input.facts.route in {"outside", "europol_outside"}
	input.claimed.transfer_basis in lib.derogations
}

# METADATA
# title: A derogation is not a habit
# custom:
#   rule: R26
#   code: derogations_frequent
#   text:
#     en: Ten or more transfers to this jurisdiction rested on a derogation this year. A derogation is for individual cases.
#   source: LED art 38
advise contains "derogations_frequent" if {
	input.claimed.transfer_basis in lib.derogations
	input.facts.derogations_this_year >= 10
}

# METADATA
# title: A recipient that is no authority
# custom:
#   rule: R27
#   code: led39_incomplete
#   text:
#     en: The recipient is not a competent authority, and the five conditions of a direct transfer are not all stated.
#   fix:
#     en: Send to the competent authority of that country, or state all five conditions of led39.
#   source: LED art 39
met contains "R27" if {
	input.recipient.type in {
		"spoc", "designated_lea", "competent_lea", "eu_agency",
		"intl_org", "advisory_mission",
	}
}

met contains "R27" if {
	input.claimed.transfer_basis == "led39"
	input.claimed.led39.specific_case == true
	input.claimed.led39.strictly_necessary == true
	input.claimed.led39.rights_balanced == true
	input.claimed.led39.authority_ineffective == true
	input.claimed.led39.authority_informed == true
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
met contains "R28" if input.facts.route == "foreign"

met contains "R28" if input.recipient.tier in {"t0", "t1", "t2", "t3"}

met contains "R28" if input.claimed.transfer_basis in {"led38_1a", "led38_1c", "europol_25_5"}

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
pend contains "head_of_authority" if {
	lib.tier4
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
oblige contains {"code": "approve_within", "params": {"hours": 24}} if {
	lib.tier4
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
oblige contains "dpo_notice" if lib.tier4

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
met contains "R29" if input.facts.route in {"inside", "foreign"}

met contains "R29" if input.derived.accused == false

met contains "R29" if {
	lib.no_death_penalty
	lib.no_inhuman_treatment
}

# METADATA
# title: Political, military, religious and racial matters
# custom:
#   rule: R30
#   code: interpol_article_3
#   text:
#     en: Matters of a political, military, religious or racial character do not go through INTERPOL.
#   fix:
#     en: Do not use this channel.
#   source: Constitution of INTERPOL art 3
met contains "R30" if input.recipient.jurisdiction != "interpol"

met contains "R30" if input.claimed.sensitive_matter == "none"

# METADATA
# title: Such matters are looked at before they leave
# custom:
#   rule: R30
#   code: sensitive_matter_review
#   text:
#     en: A political, military, religious or racial matter waits for the sender's head of duty before it leaves for a third country.
#   fix:
#     en: Let the head of duty approve.
#   source: LED art 35(3)
pend contains "sensitive_matter_review" if {
	input.claimed.sensitive_matter in {"political", "military", "religious", "racial"}
	input.facts.route in {"outside", "europol_outside"}
	input.derived.imminent == false
}

# METADATA
# title: The channel is justified
# custom:
#   rule: R38
#   code: channel_missing
#   text:
#     en: Between member states SIENA is the channel, and no reason for another one is stated.
#   fix:
#     en: State channel_justification, or use SIENA.
#   source: Directive (EU) 2023/977 art 13
met contains "R38" if input.facts.channel_rule == false

met contains "R38" if input.claimed.channel_justification in {"third_party_involved", "urgency", "siena_incident", "out_of_scope"}

# METADATA
# title: The channel will have to be justified
# custom:
#   rule: R38
#   code: channel_justification_advised
#   text:
#     en: State why this channel is used; between member states it will be asked.
#   source: Directive (EU) 2023/977 art 13
advise contains "channel_justification_advised" if {
	input.sender.dir977_bound == true
	input.recipient.dir977_bound == true
	input.facts.channel_rule == false
	input.claimed.channel_justification == "none"
}

# METADATA
# title: Advisory missions receive no data of persons
# custom:
#   rule: R40
#   code: advisory_mission_subjects
#   text:
#     en: An advisory mission is no competent authority and receives no data of persons.
#   fix:
#     en: Send a strategic or statistical package without subjects.
#   source: LED art 35(1)(b)
met contains "R40" if {
	input.recipient.type in {
		"spoc", "designated_lea", "competent_lea", "eu_agency",
		"intl_org", "private",
	}
}

met contains "R40" if input.derived.personal == false

# METADATA
# title: A notice goes to those whom it concerns
# custom:
#   rule: S6
#   code: relation_foreign
#   text:
#     en: A notice that no jurisdiction can stop goes only to a party of the package that it is about.
#   fix:
#     en: Name the package in relates_to, and send only to its sender or its recipients.
#   source: LED art 7(3), 16
met contains "S6" if input.facts.class in {"full", "correction"}

met contains "S6" if input.facts.counterpart == true

met contains "S6" if input.message_type == "breach_notice"
