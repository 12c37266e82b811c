# METADATA
# title: What others may pass on of what an advisory mission wrote
# description: An archetype. Asked when the jurisdiction is an originator and no party; whether it has authorised the transfer is a rule of common.
package liaison.archetype.advisory_mission.onward

default allow := false

allow if input.derived.personal == false

# METADATA
# title: Consult it
# custom:
#   rule: advisory-mission-5
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Mandate of the mission
#   evidence: P
oblige contains "consult_originator" if input.claimed.content_kind in {"strategic", "statistical"}
