# METADATA
# title: What Belarus receives
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.receive

default allow := false

allow if {
	input.recipient.jurisdiction == "by"
	input.recipient.type == "spoc"
}

# METADATA
# title: Languages
# custom:
#   rule: by-2
#   code: language_not_accepted
#   text:
#     en: Belarus reads Belarusian, Russian and English.
#   fix:
#     en: Write in English.
#   source: Law on operative and search activity (sample)
deny contains "language_not_accepted" if not input.claimed.language in {"be", "ru", "en"}
