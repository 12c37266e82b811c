// Package audit is the provable log of an exchange: entries, their commitments, the ledger's tree, its signed heads, receipts, and
// the verifier that needs nobody's word for them. It does arithmetic and parsing only.
package audit
