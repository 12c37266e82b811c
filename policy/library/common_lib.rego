# METADATA
# title: Helpers of the baseline
package liaison.common.lib

# METADATA
# title: Data that a second officer looks at
sensitive if input.derived.special == true

sensitive if input.derived.minors == true

# METADATA
# title: A request that does not state everything that an answer needs
incomplete if input.claimed.request.what == false

incomplete if input.claimed.request.purpose_facts == false

incomplete if input.claimed.request.availability_reason == false

incomplete if input.claimed.request.person_link == false

# METADATA
# title: Bases that hold for a single case
derogations := {"led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "europol_25_5", "europol_25_6"}

# METADATA
# title: The package leaves for a country with which cooperation is suspended
tier4 if {
	input.recipient.tier == "t4"
	input.facts.route in {"outside", "europol_outside"}
}

# METADATA
# title: There is no death penalty to fear
no_death_penalty if input.recipient.death_penalty == false

no_death_penalty if "no_death_penalty" in input.claimed.assurances

no_death_penalty if "no_death_penalty" in input.recipient.assurances

# METADATA
# title: There is no inhuman treatment to fear
no_inhuman_treatment if input.recipient.ill_treatment == false

no_inhuman_treatment if "no_inhuman_treatment" in input.claimed.assurances

no_inhuman_treatment if "no_inhuman_treatment" in input.recipient.assurances
