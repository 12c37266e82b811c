# METADATA
# title: What NAME sends
# description: Begun with the archetype ARCHETYPE, which speaks first; what NAME adds can only be stricter.
package PACKAGE.send

import data.liaison.archetype.ARCHETYPE.send as base

default allow := false

allow if {
	base.allow
	input.sender.jurisdiction == "JURISDICTION"
}

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise

# Rules of NAME go here. Each code that it says has a text, and a denial has a fix.
