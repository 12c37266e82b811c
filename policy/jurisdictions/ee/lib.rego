# METADATA
# title: What the rules of Estonia share
package jurisdiction.ee.lib

# METADATA
# title: Languages in which Estonia reads and writes
languages := {"et", "en"}

# METADATA
# title: Countries with which Estonia exchanges nothing
closed := {"by", "ru"}
