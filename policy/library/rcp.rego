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
#   evidence: V
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
#   evidence: V
met contains "R1" if {
	input.recipient.active == true
	input.facts.recipient_competent == true
}

met contains "R1" if {
	input.recipient.active == true
	input.facts.recipient_kind in {"mission", "private"}
}

# METADATA
# title: "Data categories: those of the subject's category"
# description: |
#   Binds what goes under Directive (EU) 2023/977, and to and from Europol. Suspects, convicted persons, potential
#   offenders, contacts and associates may be described by all categories of the annex.
# custom:
#   rule: R8
#   code: data_categories_exceeded
#   text:
#     en: Victims, witnesses or informants are described by more than the categories (a) to (c) of the annex, and it is not said why their role in the case needs it.
#   fix:
#     en: Leave these data out, or set strict_necessity and explain in the statement what the case needs them for.
#   source: Directive (EU) 2023/977 art 10(b); Regulation (EU) 2016/794 annex II B(2), (4) to (6)
#   evidence: K
met contains "R8" if input.derived.beyond_annex == false

met contains "R8" if input.facts.annex_binds == false

met contains "R8" if input.derived.necessity_explained == true

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
#   evidence: V
met contains "R10" if input.derived.protected == false

met contains "R10" if input.facts.route == "foreign"

met contains "R10" if {
	input.facts.route == "inside"
	input.recipient.jurisdiction != "europol"
}

met contains "R10" if input.derived.necessity_explained == true

# METADATA
# title: Protected persons inside
# custom:
#   rule: R10
#   code: strict_necessity_only
#   text:
#     en: Contains data of victims, witnesses, informants or minors. Use them only where strictly necessary for the case.
#   source: LED art 6, 9(4)
#   evidence: V
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
#   evidence: V
advise contains "domestic_equivalent" if {
	input.facts.route == "inside"
	input.derived.unequal_conditions == true
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
#   evidence: V
met contains "R20" if input.permissions.state == "own"

met contains "R20" if input.permissions.state in {"granted", "pending"}

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
#   evidence: V
pend contains {"code": "prior_authorisation", "by": "originator", "jurisdiction": o.jurisdiction} if {
	input.permissions.state == "pending"
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
#   evidence: V
advise contains "external_evidence" if input.permissions.external == true

# METADATA
# title: "Imminent threat: the originator is told at once"
# custom:
#   rule: R21
#   code: notify_originator
#   text:
#     en: Sent without prior authorisation because of an immediate and serious threat; the originators are told at once.
#   source: LED art 35(2)
#   evidence: P
oblige contains {"code": "notify_originator", "params": {"originators": [o.agency]}} if {
	input.permissions.emergency == true
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
#   evidence: P
oblige contains {"code": "approve_within", "params": {"hours": 24}} if input.permissions.emergency == true

# METADATA
# title: "Imminent threat: the officer for data protection hears of it"
# custom:
#   rule: R21
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: LED art 34, 35(2)
#   evidence: P
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
#   evidence: V
met contains "R27" if input.facts.recipient_kind == "authority"

met contains "R27" if input.facts.recipient_kind == "mission"

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
#   evidence: K
met contains "R30" if input.claimed.sensitive_matter == "none"

met contains "R30" if input.recipient.jurisdiction != "interpol"

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
#   evidence: P
pend contains "sensitive_matter_review" if {
	input.facts.leaves == true
	input.claimed.sensitive_matter in {"political", "military", "religious", "racial"}
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
#   evidence: K
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
#   evidence: K
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
#   evidence: P
met contains "R40" if input.facts.recipient_kind == "authority"

met contains "R40" if input.facts.recipient_kind == "private"

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
#   evidence: P
met contains "S6" if input.facts.class == "full"

met contains "S6" if input.facts.class == "correction"

met contains "S6" if input.facts.counterpart == true

met contains "S6" if input.message_type == "breach_notice"
