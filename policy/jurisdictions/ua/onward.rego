# METADATA
# title: What others may pass on of Ukraine's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ua.onward

default allow := false

allow if input.recipient.led_bound == true

allow if input.recipient.tier in {"t1", "t2"}

# METADATA
# title: Not to countries that take part in the aggression
# custom:
#   rule: ua-5
#   code: onward_not_allowed
#   text:
#     en: Ukraine does not let its data be passed on to this country.
#   fix:
#     en: Leave the data of Ukraine out.
#   source: Law on the National Police (sample)
deny contains "onward_not_allowed" if input.recipient.jurisdiction in {"by", "ru"}
