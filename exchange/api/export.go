package api

// RouteAuditExport writes entries of one's own agency's log: each line an
// AuditItem, or a table.
const RouteAuditExport = "/v1/audit/export"

// Headers of an export.
const (
	// HeaderExportLast is the number of the last entry that is looked at. An
	// export that was cut off goes on with `after`, the last entry that came
	// whole, and `last`, this number.
	HeaderExportLast = "Liaison-Export-Last"
	// HeaderReceipt is a trailer: the receipt of the export's entry, which has
	// count and digest of the whole file, in base64.
	HeaderReceipt = "Liaison-Receipt"
)
