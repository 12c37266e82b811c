# METADATA
# title: What the rules of Estonia share
package jurisdiction.ee.lib

# METADATA
# title: Languages in which Estonia reads and writes
languages := {"et", "en"}

# METADATA
# title: Countries with which Estonia exchanges nothing but where life or public security is at stake
closed := {"by", "ru"}

# METADATA
# title: A basis for vital interests and for an immediate and serious threat
vital if input.claimed.transfer_basis in {"led38_1a", "led38_1c"}
