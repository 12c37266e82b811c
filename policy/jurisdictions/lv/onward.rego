# METADATA
# title: What others may pass on of Latvia's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.lv.onward

default allow := false

allow if input.recipient.led_bound == true

allow if input.recipient.tier in {"t1", "t2"}

# METADATA
# title: Only for the purpose of Latvia
# custom:
#   rule: lv-6
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Law on Police (sample)
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
