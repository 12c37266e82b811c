# METADATA
# title: What others may pass on of Belarus's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.onward

default allow := false

allow if input.claimed.purpose in {"investigation", "prosecution", "missing_person"}

# METADATA
# title: With its consent alone
# custom:
#   rule: by-3
#   code: consult_originator
#   text:
#     en: Consult the originator before any measure.
#   source: Law on operative and search activity (sample)
oblige contains "consult_originator" if input.derived.personal == true
