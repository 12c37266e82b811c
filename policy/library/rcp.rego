# METADATA
# title: The baseline for a recipient
# description: What depends on who receives. Asked once for each recipient of a package.
package liaison.common.rcp

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
