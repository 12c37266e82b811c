# METADATA
# title: What an international organisation of police receives
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.international_organisation.receive

default allow := false

allow if input.recipient.type == "intl_org"

# METADATA
# title: For the stated purpose alone
# custom:
#   rule: international-organisation-3
#   code: purposes_only
#   text:
#     en: Use only for the stated purposes.
#   source: Rules on the Processing of Data (INTERPOL) art 10; LED art 9(3)
#   evidence: K
oblige contains {"code": "purposes_only", "params": {"purposes": [input.claimed.purpose]}} if input.derived.personal == true
