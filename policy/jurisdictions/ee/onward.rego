# METADATA
# title: What others may pass on of Estonia's data
# description: Sample rules, written by this project. They are not the law of anybody.
package jurisdiction.ee.onward

import data.jurisdiction.ee.lib

default allow := false

allow if input.recipient.registered == true

# METADATA
# title: Nothing of Estonia's goes to a closed country
# custom:
#   rule: ee-7
#   code: onward_not_allowed
#   text:
#     en: Estonia does not let its data be passed on to this country.
#   fix:
#     en: Leave the data of Estonia out.
#   source: Police and Border Guard Act (sample)
deny contains "onward_not_allowed" if input.recipient.jurisdiction in lib.closed
