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
