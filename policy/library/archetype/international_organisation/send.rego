# METADATA
# title: What an international organisation of police sends
# description: An archetype. Rules of a jurisdiction inherit it and add their own.
package liaison.archetype.international_organisation.send

default allow := false

allow if input.sender.type == "intl_org"

# METADATA
# title: The source keeps control
# custom:
#   rule: international-organisation-1
#   code: onward_with_authorisation
#   text:
#     en: Passing on only with the authorisation of the organisation, which asks the source.
#   source: Rules on the Processing of Data (INTERPOL) art 54 to 58
#   evidence: K
oblige contains "onward_with_authorisation" if input.derived.personal == true

# METADATA
# title: Political and like matters are no matter of it
# custom:
#   rule: international-organisation-2
#   code: interpol_article_3
#   text:
#     en: The organisation does not act in matters of a political, military, religious or racial character.
#   fix:
#     en: Do not use this channel.
#   source: Constitution of INTERPOL art 3
#   evidence: K
deny contains "interpol_article_3" if input.claimed.sensitive_matter != "none"
