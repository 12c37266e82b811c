# METADATA
# title: What an advisory mission sends
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.advisory_mission.send

default allow := false

allow if input.sender.type == "advisory_mission"

# METADATA
# title: No data of persons
# custom:
#   rule: advisory-mission-1
#   code: advisory_mission_subjects
#   text:
#     en: An advisory mission has no police powers and holds no data of persons that it could send.
#   fix:
#     en: Send a strategic or statistical package without subjects.
#   source: LED art 3(7), 35(1)(b)
#   evidence: V
deny contains "advisory_mission_subjects" if input.derived.personal == true

# METADATA
# title: Strategic and statistical only
# custom:
#   rule: advisory-mission-2
#   code: operational_not_accepted
#   text:
#     en: An advisory mission exchanges strategic and statistical information only.
#   fix:
#     en: Mark the content as strategic or statistical, and send none of a case.
#   source: Mandate of the mission
#   evidence: P
deny contains "operational_not_accepted" if input.claimed.content_kind == "operational"
