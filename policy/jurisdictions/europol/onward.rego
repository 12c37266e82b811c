# METADATA
# title: What others may pass on of Europol's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.europol.onward

default allow := false

allow if input.recipient.led_bound == true

allow if input.recipient.tier in {"t1", "t2"}
