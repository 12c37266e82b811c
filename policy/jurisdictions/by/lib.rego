# METADATA
# title: What the rules of Belarus share
package jurisdiction.by.lib

# METADATA
# title: A life, or public security, is at stake
vital if input.claimed.transfer_basis in {"led38_1a", "led38_1c"}

vital if {
	input.claimed.transfer_basis == "europol_25_5"
	input.claimed.urgency.ground in {"life", "public_security"}
}

vital if input.derived.imminent == true

vital if input.claimed.purpose == "missing_person"
