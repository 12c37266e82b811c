# METADATA
# title: What Belarus sends
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.by.send

default allow := false

allow if {
	input.sender.jurisdiction == "by"
	input.sender.type == "spoc"
}

# METADATA
# title: Only when asked
# custom:
#   rule: by-1
#   code: national_limit
#   text:
#     en: Belarus answers requests and sends nothing of its own accord.
#   fix:
#     en: Send it as an answer to a request.
#   source: Law on operative and search activity (sample)
deny contains "national_limit" if input.message_type == "spontaneous"
