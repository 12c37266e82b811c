# The data in the package: persons, evaluation, quality, time limits, conditions.
package liaison.common.pkg

# METADATA
# title: A second officer looks at sensitive data
# custom:
#   rule: R6
#   code: second_officer
#   text:
#     en: Special categories of data, or data of minors, wait for a second officer of the sender.
#   fix:
#     en: Let a second officer approve.
#   source: LED art 10, 4(4)
#   evidence: P
pend contains "second_officer" if {
	input.derived.sensitive == true
	input.derived.imminent == false
}

# METADATA
# title: With an imminent threat the second look comes afterwards
# custom:
#   rule: R6
#   code: approve_within
#   text:
#     en: Sent at once because of an imminent threat; a second officer of the sender approves within the stated hours.
#   source: LED art 10, 4(4)
#   evidence: P
oblige contains {"code": "approve_within", "params": {"hours": 24}} if {
	input.derived.sensitive == true
	input.derived.imminent == true
}

# METADATA
# title: The officer for data protection hears of it
# custom:
#   rule: R6
#   code: dpo_notice
#   text:
#     en: The sender's data protection officer is told of this package.
#   source: LED art 34
#   evidence: P
oblige contains "dpo_notice" if {
	input.derived.sensitive == true
	input.derived.imminent == true
}

# METADATA
# title: Suspects who are children are looked at one by one
# description: From what age a child answers for an offence differs. A jurisdiction may deny what it does not accept.
# custom:
#   rule: R11
#   code: under_15_review
#   text:
#     en: Data of suspects or potential offenders under 15 wait for the sender's head of duty.
#   fix:
#     en: Let the head of duty approve, or send without these persons.
#   source: LED art 4(1)(c), 6; practice of the supervisory authorities
#   evidence: K
pend contains "under_15_review" if {
	input.derived.under_15_suspect == true
	input.derived.imminent == false
}

# METADATA
# title: Every subject has a category
# custom:
#   rule: R7
#   code: subject_category_unexplained
#   text:
#     en: A group of subjects is of unknown category without a reason.
#   fix:
#     en: State the category, or why it is not known yet.
#   source: LED art 6
#   evidence: V
met contains "R7" if input.derived.unknown_unexplained == false

# METADATA
# title: An unknown category is clarified later
# custom:
#   rule: R7
#   code: clarify_category
#   text:
#     en: The category of some subjects is unknown; send a correction as soon as it is established.
#   source: LED art 6, 7(3)
#   evidence: V
advise contains "clarify_category" if input.derived.category_unknown == true

# METADATA
# title: No contacts of contacts beyond the type of link
# custom:
#   rule: R9
#   code: contact_of_contact
#   text:
#     en: Data of contacts of contacts go beyond the type of their link.
#   fix:
#     en: Leave them out, or send the type of link only and say so.
#   source: Regulation (EU) 2016/794 annex II B(3)(d)
#   evidence: V
met contains "R9" if input.derived.contact_of_contact == false

# METADATA
# title: Information that nobody evaluated
# custom:
#   rule: R12
#   code: treat_as_x4
#   text:
#     en: Not evaluated by the sender. Treat source and information as of unknown reliability.
#   source: LED art 7(2); Regulation (EU) 2016/794 art 29(4)
#   evidence: V
oblige contains "treat_as_x4" if input.claimed.evaluation.scheme == "none"

# METADATA
# title: An assessment of unknown reliability
# custom:
#   rule: R13
#   code: corroborate_first
#   text:
#     en: An assessment that rests on an unreliable source. Corroborate it before any measure against a person.
#   source: LED art 7(1); Recommendation R(87)15 principle 3.2
#   evidence: K
oblige contains "corroborate_first" if {
	input.claimed.assertion_type == "assessment"
	input.claimed.evaluation.information == "4"
	input.claimed.evaluation.source in {"C", "X"}
}

# METADATA
# title: Data that were not verified lately
# custom:
#   rule: R14
#   code: verify_before_use
#   text:
#     en: Not verified within 30 days, of unknown date, or with known issues. Verify before use.
#   source: LED art 7(2)
#   evidence: P
oblige contains "verify_before_use" if input.derived.doubtful == true

# METADATA
# title: Special categories have a ground
# custom:
#   rule: R15
#   code: art10_ground_missing
#   text:
#     en: Special categories of data without a ground, or without the reason of strict necessity.
#   fix:
#     en: State art10_ground and strict_necessity and explain the necessity, or leave these data out.
#   source: LED art 10
#   evidence: V
met contains "R15" if input.derived.special == false

met contains "R15" if {
	input.claimed.art10_ground in {"authorised_by_law", "vital_interests", "manifestly_public"}
	input.derived.necessity_explained == true
}

# METADATA
# title: Safeguards for special categories
# custom:
#   rule: R15
#   code: special_category_safeguards
#   text:
#     en: Contains special categories of data. Only named officers of the case may read it, and no profile may rest on it alone.
#   source: LED art 10, 11
#   evidence: V
oblige contains "special_category_safeguards" if input.derived.special == true

# METADATA
# title: There is a time limit
# custom:
#   rule: R16
#   code: retention_missing
#   text:
#     en: Neither a date of review nor a date of erasure.
#   fix:
#     en: Set retention.review_by or retention.erase_by.
#   source: LED art 5
#   evidence: V
met contains "R16" if input.derived.retention == "set"

# METADATA
# title: The time limit lies ahead
# custom:
#   rule: R16
#   code: retention_past
#   text:
#     en: A date of review or erasure has passed.
#   fix:
#     en: Do not send what is due for erasure; otherwise set the date that holds.
#   source: LED art 5
#   evidence: V
deny contains "retention_past" if input.derived.retention == "past"

# METADATA
# title: The recipient erases
# custom:
#   rule: R16
#   code: erase_by
#   text:
#     en: Erase by the stated date.
#   source: LED art 5; Regulation (EU) 2024/982 art 51(4)(b)
#   evidence: V
oblige contains {"code": "erase_by", "params": {"date": input.claimed.retention.erase_by}} if {
	input.claimed.retention.erase_by != ""
}

# METADATA
# title: The recipient reviews
# custom:
#   rule: R16
#   code: review_by
#   text:
#     en: Review by the stated date whether the data are still needed.
#   source: LED art 5
#   evidence: V
oblige contains {"code": "review_by", "params": {"date": input.claimed.retention.review_by}} if {
	input.claimed.retention.review_by != ""
}

# METADATA
# title: Conditions of the sender become obligations
# custom:
#   rule: R17
#   codes:
#     no_judicial_use:
#       text:
#         en: No use in judicial proceedings without the permission of the sender.
#     no_onward:
#       text:
#         en: No passing on.
#     consult_originator:
#       text:
#         en: Consult the originator before any measure.
#     named_recipients_only:
#       text:
#         en: Only for the officers named by the sender.
#     no_automated_matching:
#       text:
#         en: No automated comparison.
#     no_contact_with_subject:
#       text:
#         en: No contact with the subjects.
#     covert_only:
#       text:
#         en: Covert use only.
#     sanitise_first:
#       text:
#         en: Sanitise before any further use.
#     eu_only:
#       text:
#         en: Not to leave the area in which Directive (EU) 2016/680 is bound.
#   source: LED art 9(3); Regulation (EU) 2016/794 art 19(2)
#   evidence: V
oblige contains c if {
	input.derived.conditioned == true
	some c in input.derived.conditions
}

# METADATA
# title: Handling code H1
# custom:
#   rule: R19
#   code: no_judicial_use
#   text:
#     en: No use in judicial proceedings without the permission of the sender.
#   source: LED art 9(3); Europol handling code H1
#   evidence: S
oblige contains "no_judicial_use" if input.claimed.handling.code == "H1"

# METADATA
# title: Handling code H2
# custom:
#   rule: R19
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the sender.
#   source: LED art 9(3), 35(1)(e); Europol handling code H2
#   evidence: S
oblige contains "onward_with_authorisation" if input.claimed.handling.code == "H2"

# METADATA
# title: Restrictions that no machine can read
# custom:
#   rule: R19
#   code: handling_review
#   text:
#     en: Restricted handling without a condition that a machine can read waits for the sender's head of duty.
#   fix:
#     en: Add the conditions as codes, or let the head of duty approve.
#   source: LED art 9(3); Europol handling code H3
#   evidence: K
pend contains "handling_review" if {
	input.claimed.handling.code == "H3"
	count(input.claimed.handling.conditions) == 0
	input.derived.imminent == false
}

pend contains "handling_review" if {
	input.claimed.handling.gb == "C"
	count(input.claimed.handling.conditions) == 0
	input.derived.imminent == false
}

# METADATA
# title: Restrictions of an imminent case are read by people
# custom:
#   rule: R19
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: LED art 9(3); Europol handling code H3
#   evidence: S
oblige contains "consult_originator" if {
	input.claimed.handling.code == "H3"
	count(input.claimed.handling.conditions) == 0
}

# METADATA
# title: "Passing on: not at all"
# custom:
#   rule: R22
#   code: no_onward
#   text:
#     en: No passing on.
#   source: LED art 35(1)(e); Regulation (EU) 2016/794 art 23(7)
#   evidence: V
oblige contains "no_onward" if input.claimed.onward.rule == "none"

# METADATA
# title: "Passing on: when authorised"
# custom:
#   rule: R22
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the sender.
#   source: LED art 35(1)(e)
#   evidence: V
oblige contains "onward_with_authorisation" if input.claimed.onward.rule == "with_authorisation"

# METADATA
# title: "Passing on: inside"
# custom:
#   rule: R22
#   code: eu_only
#   text:
#     en: Not to leave the area in which Directive (EU) 2016/680 is bound.
#   source: LED art 35(1)(e)
#   evidence: V
oblige contains "eu_only" if input.claimed.onward.rule == "eu_only"

# METADATA
# title: "Passing on: to those listed"
# custom:
#   rule: R22
#   code: onward_listed
#   text:
#     en: Passing on only to the stated jurisdictions.
#   source: LED art 35(1)(e)
#   evidence: V
oblige contains {"code": "onward_listed", "params": {"jurisdictions": input.claimed.onward.listed}} if {
	input.claimed.onward.rule == "listed"
}
