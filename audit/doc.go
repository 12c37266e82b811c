// Package audit is the provable log of an exchange: entries, their commitments, the ledger's tree, its signed heads, receipts, and
// the verifier that needs nobody's word for them. It does arithmetic and parsing only: no database, no network, no clock.
//
// # Entry
//
// An entry is one JSON object in UTF-8, at most 16384 bytes: type Entry says its members. The bytes as they were written are what is
// stored, hashed and shown; nobody ever encodes an entry again. A reader refuses repeated, unknown and differently spelled members,
// null, and text that is not valid Unicode. Each entry belongs to one agency, its owner. The owner's entries are numbered from 1
// without a gap (seq), and each names the commitment of the one before it (prev; 32 zero bytes in the first):
//
//	{"owner":"ee/pbgb","seq":1,"prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","exchange":"exchange.example/ledger","time":"2026-11-22T10:00:00.000Z","operation":"disclosure","action":"package.send","outcome":"delivered","officer":"o-17","recipients":["lv/vp"]}
//
// # Commitment and leaf
//
// The ledger knows of an entry only a commitment: HMAC-SHA-256 (RFC 2104) with a random salt of 32 bytes as key and the entry as
// message. Salt and entry are kept together and erased together; then nothing about the entry can be learnt or guessed, and tree and
// chain are as whole as before. With the salt 0x20, 0x21 … 0x3f (base64url, as everything inside an entry and an API answer):
//
//	ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8
//
// the commitment of the entry above is
//
//	p5g4pVi4XltWghO2OWY209KXXDAevZK3kZCsjpRDzwM
//
// The 32 bytes of the commitment are the leaf's data in a Merkle tree as in RFC 6962 section 2.1, so the leaf hash is
// SHA-256(0x00 || commitment) and a node's hash SHA-256(0x01 || left || right). Here the leaf hash (base64, as everything outside) is
//
//	L2WFUpJ1I5EmMXhGCJBDVHW6wQZAGuVHONAU6jZ7loQ=
//
// and with a second leaf, whose commitment is 32 bytes 0xff, the root is
//
//	v/ywGJATNF20J+5oZzh0nV2c5fgGmDbwrIi15yrXa3M=
//
// The tree is served as tiles of height 8 and entry bundles (c2sp.org/tlog-tiles); a bundle holds commitments, never entries.
//
// # Checkpoint
//
// The ledger's head is a signed note (c2sp.org/signed-note, Ed25519) as in c2sp.org/tlog-checkpoint: origin, size, root, each on a
// line, no extension lines, no time. The origin is the name of the verifier key. For the private key 0x00, 0x01 … 0x1f:
//
//	exchange.example/ledger+e27205c9+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4
//
// Witnesses add cosignatures (c2sp.org/tlog-cosignature, Ed25519). An Ed25519 signature is a function of key and message: a
// checkpoint that was lost in a crash can be made again, byte for byte.
//
// # Receipt
//
// A receipt is a c2sp.org/tlog-proof@v1 file with these lines, each ended by one line feed and each in the one form shown:
//
//   - c2sp.org/tlog-proof@v1
//   - "extra ", then the base64 of {"entry":"…","salt":"…"}, two base64url texts and no space
//   - "index ", then the index of the leaf in decimal
//   - the hashes of the leaf's audit path (RFC 6962 section 2.1.1) from the bottom up, base64, one a line
//   - an empty line, then the signed checkpoint
//
// base64 is RFC 4648 section 4 with padding, base64url section 5 without. The receipt of the entry above:
//
//	c2sp.org/tlog-proof@v1
//	extra eyJlbnRyeSI6ImV5SnZkMjVsY2lJNkltVmxMM0JpWjJJaUxDSnpaWEVpT2pFc0luQnlaWFlpT2lKQlFVRkJRVUZCUVVGQlFVRkJRVUZCUVVGQlFVRkJRVUZCUVVGQlFVRkJRVUZCUVVGQlFVRkJRVUZCSWl3aVpYaGphR0Z1WjJVaU9pSmxlR05vWVc1blpTNWxlR0Z0Y0d4bEwyeGxaR2RsY2lJc0luUnBiV1VpT2lJeU1ESTJMVEV4TFRJeVZERXdPakF3T2pBd0xqQXdNRm9pTENKdmNHVnlZWFJwYjI0aU9pSmthWE5qYkc5emRYSmxJaXdpWVdOMGFXOXVJam9pY0dGamEyRm5aUzV6Wlc1a0lpd2liM1YwWTI5dFpTSTZJbVJsYkdsMlpYSmxaQ0lzSW05bVptbGpaWElpT2lKdkxURTNJaXdpY21WamFYQnBaVzUwY3lJNld5SnNkaTkyY0NKZGZRIiwic2FsdCI6IklDRWlJeVFsSmljb0tTb3JMQzB1THpBeE1qTTBOVFkzT0RrNk96dzlQajgifQ==
//	index 0
//	XhbTFuzVdz5Qw7AnN9QkGSsC8ltCRYIgeRgcVXqv2n0=
//
//	exchange.example/ledger
//	2
//	v/ywGJATNF20J+5oZzh0nV2c5fgGmDbwrIi15yrXa3M=
//
//	— exchange.example/ledger 4nIFyXqR7jPjZgZHQxaOzC0Yhk4+gf2FgluC3wU2QFWiZZm5z6UD4fmaAC0fiVzdTIHnD6KglaDIJAR+OVECiGFY7wA=
//
// To verify it: check the note's signature; commit to entry and salt; hash the commitment as a leaf; climb the path from the index to
// the root of the checkpoint; read the entry and compare its exchange with the checkpoint's origin. The vectors are in testdata/vectors.
package audit
