// Package witness is both ends of the protocol by which agencies watch a ledger (c2sp.org/tlog-witness): a Witness runs at an
// agency and cosigns a head only if it extends the newest one that it cosigned before; a Collector runs beside the ledger, asks its
// witnesses in turn, and knows the newest head that enough of them have cosigned.
//
// What an agency's witness proves to all others: whoever shows them a head with its cosignature shows them the one history that
// this witness has seen. It sees heads only, nothing of any entry.
package witness
