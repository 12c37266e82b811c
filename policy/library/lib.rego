# METADATA
# title: Helpers that every jurisdiction may use
package liaison.lib

# METADATA
# title: The package is about persons who are accused of something
accused if input.derived.accused == true

# METADATA
# title: The package leaves the area in which Directive (EU) 2016/680 is bound
leaves if input.facts.route in {"outside", "europol_outside"}

# METADATA
# title: The package comes from outside that area
arrives if input.facts.route == "foreign"

# METADATA
# title: The languages of the neighbours and of European police cooperation
working_languages := {"en", "fr", "de"}

# METADATA
# title: Types of agencies that do police work
police := {"spoc", "designated_lea", "competent_lea"}

# METADATA
# title: Life or dignity may be at risk where the recipient is, and its country has itself given no assurance
unassured if {
	input.recipient.death_penalty == true
	not "no_death_penalty" in input.recipient.assurances
}

unassured if {
	input.recipient.ill_treatment == true
	not "no_inhuman_treatment" in input.recipient.assurances
}

# METADATA
# title: The sender states assurances against both
assurances_stated if {
	"no_death_penalty" in input.claimed.assurances
	"no_inhuman_treatment" in input.claimed.assurances
}
