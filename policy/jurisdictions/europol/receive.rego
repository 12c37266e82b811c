# METADATA
# title: What Europol receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.receive

import data.liaison.archetype.eu_agency.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "europol"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: europol-3
#   code: language_not_accepted
#   text:
#     en: Europol reads English; a translation comes with the package.
#   fix:
#     en: Write in English.
#   source: Regulation (EU) 2016/794 art 64 (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"en"}

# METADATA
# title: Large sets are categorised first
# custom:
#   rule: europol-4
#   code: too_many_subjects
#   text:
#     en: More than 1000 subjects in one package are a large data set, which comes by another way.
#   fix:
#     en: Send it as a large data set, or in packages for single cases.
#   source: Regulation (EU) 2016/794 art 18(6a), 18a
deny contains "too_many_subjects" if input.derived.subjects > 1000

# METADATA
# title: X4 until graded
# custom:
#   rule: europol-5
#   code: treat_as_x4
#   text:
#     en: Not evaluated by the sender. Treat source and information as of unknown reliability.
#   source: Regulation (EU) 2016/794 art 29(4)
oblige contains "treat_as_x4" if input.claimed.evaluation.scheme != "4x4"
