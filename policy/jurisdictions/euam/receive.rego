# METADATA
# title: What the mission receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.euam.receive

import data.liaison.archetype.advisory_mission.receive as base

default allow := false

allow if {
	base.allow
	input.recipient.jurisdiction == "euam"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# METADATA
# title: Languages
# custom:
#   rule: euam-3
#   code: language_not_accepted
#   text:
#     en: The mission reads English and Ukrainian.
#   fix:
#     en: Write in English.
#   source: Council Decision 2014/486/CFSP (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"en", "uk"}

# METADATA
# title: From those who do not take part in the aggression
# custom:
#   rule: euam-4
#   code: counterpart_not_accepted
#   text:
#     en: The mission exchanges nothing with this country.
#   fix:
#     en: None.
#   source: Council Decision 2014/486/CFSP (sample)
deny contains "counterpart_not_accepted" if input.sender.jurisdiction in {"by", "ru"}

# METADATA
# title: Nothing classified
# custom:
#   rule: euam-5
#   code: classification_not_accepted
#   text:
#     en: The mission takes nothing that is marked.
#   fix:
#     en: Send an unmarked version.
#   source: Council Decision 2014/486/CFSP (sample)
deny contains "classification_not_accepted" if input.claimed.classification != "none"
