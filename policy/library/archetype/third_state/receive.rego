# METADATA
# title: What any other third state receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.third_state.receive

import data.liaison.lib

default allow := false

allow if {
	input.recipient.led_bound == false
	input.recipient.type in lib.police
}

# METADATA
# title: Not any further
# custom:
#   rule: third-3
#   code: no_onward
#   text:
#     en: No passing on.
#   source: LED art 35(1)(e), 37(1)(b), 38
#   evidence: V
oblige contains "no_onward" if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: For the stated purpose alone
# custom:
#   rule: third-4
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: LED art 9(3), 37(1)(b)
#   evidence: V
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if {
	lib.leaves
	input.derived.personal == true
}

# METADATA
# title: Not in bulk
# custom:
#   rule: third-5
#   code: too_many_subjects
#   text:
#     en: More than a hundred subjects in one package for a country without any instrument.
#   fix:
#     en: Send packages for single cases.
#   source: LED art 4(1)(c), 38
#   evidence: P
deny contains "too_many_subjects" if {
	lib.leaves
	input.derived.subjects > 100
}
