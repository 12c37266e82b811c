# METADATA
# title: What the rules of NAME share
package PACKAGE.lib

# METADATA
# title: Languages that NAME reads
languages := {LANGUAGES}
