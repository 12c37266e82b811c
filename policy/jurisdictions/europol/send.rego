# METADATA
# title: What Europol sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.send

import data.liaison.archetype.eu_agency.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "europol"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: The purpose of the provider
# custom:
#   rule: europol-1
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Regulation (EU) 2016/794 art 19(1), 23(6)
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true

# METADATA
# title: A grade is there
# custom:
#   rule: europol-2
#   code: evaluation_not_accepted
#   text:
#     en: Europol grades what it sends by 4x4; what nobody graded is X4.
#   fix:
#     en: State the evaluation by 4x4, X4 where there is no grade and no agreement of the provider.
#   source: Regulation (EU) 2016/794 art 29
deny contains "evaluation_not_accepted" if {
	input.derived.personal == true
	input.claimed.evaluation.scheme != "4x4"
}
