# METADATA
# title: What others may pass on of the data of NAME
# description: Begun with the archetype ARCHETYPE, which speaks first; what NAME adds can only be stricter.
package PACKAGE.onward

import data.liaison.archetype.ARCHETYPE.onward as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise
