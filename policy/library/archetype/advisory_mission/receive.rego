# METADATA
# title: What an advisory mission receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.advisory_mission.receive

default allow := false

allow if input.recipient.type == "advisory_mission"

# METADATA
# title: Strategic and statistical only
# custom:
#   rule: advisory-mission-3
#   code: operational_not_accepted
#   text:
#     en: An advisory mission exchanges strategic and statistical information only.
#   fix:
#     en: Send a strategic or statistical package without subjects.
#   source: Mandate of the mission; LED art 35(1)(b)
#   evidence: P
deny contains "operational_not_accepted" if input.claimed.content_kind == "operational"

# METADATA
# title: No data of persons
# custom:
#   rule: advisory-mission-4
#   code: advisory_mission_subjects
#   text:
#     en: An advisory mission is no competent authority and receives no data of persons.
#   fix:
#     en: Send a strategic or statistical package without subjects.
#   source: LED art 35(1)(b)
#   evidence: V
deny contains "advisory_mission_subjects" if input.derived.personal == true
