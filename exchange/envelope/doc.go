// Package envelope is the format of what agencies exchange: manifest, statement,
// content, attachments, acknowledgement, approval, and their keys. It seals and
// opens packages, checks their form and signatures, and knows nothing of
// transport, registry or policy.
//
// This comment is the specification, version 1. Everything is JOSE (RFC 7515,
// 7516, 7517, 7518, 7638, 8037), so that any JOSE library makes and opens a
// package. A new version of a part is a new typ. The published vectors under
// testdata/vectors hold an accepted or refused case for every sentence below.
//
// # Text
//
// base64url is RFC 4648 section 5 without padding: only A-Z a-z 0-9 - _, a length
// that some bytes have, unused bits zero. Encoding the decoded bytes yields the
// same characters. No white space and no line break stands inside or around.
//
// JSON is RFC 8259 in UTF-8 without byte order mark. Member names are
// case-sensitive and unique in their object, compared after escapes. An object
// has exactly the members named here, in any order. Objects and lists nest at
// most 16 deep. Strings hold no control character (U+0000 to U+001F, U+007F to
// U+009F), no U+2028 to U+202E, U+2066 to U+2069 or U+FEFF, no noncharacter that
// ends a plane, no lone surrogate, escaped or not. Numbers are integers within
// 2^53, without fraction, exponent, leading zero or minus zero. White space
// between tokens is free. In a message (below) strings may also hold escaped tab,
// line feed and carriage return and U+2028 to U+202E, U+2066 to U+2069; where any
// value may stand, numbers may be those of RFC 8259 with at most 64 characters.
//
// A digest is base64url of the SHA-256 of the exact bytes of a part as sent. A
// code is 1 to 64 of A-Z a-z 0-9 . _ : / -. An agency id is jurisdiction/agency,
// 1 to 32 and 1 to 64 of a-z 0-9 -. A package id is a UUIDv7 (RFC 9562) in lower
// case. A time is an integer of seconds since 1970-01-01T00:00:00Z. An origin is 1
// to 255 of A-Z a-z 0-9 . _ : / -: the name in the verifier key of a ledger.
//
// # Keys
//
// A key is a JWK: EC with P-256, or OKP with Ed25519. Members: kty, crv, x, y (EC
// only), use; optionally kid, alg and, in public keys, x5c; private keys have d. use
// is sig, enc (EC only), approve or policy; there is no key_ops. kid is the SHA-256
// thumbprint of RFC 7638; alg is ES256, EdDSA or, for enc, ECDH-ES+A256KW.
// Coordinates are 32 bytes, on the curve, reduced; an Ed25519 point of small order
// is refused. x5c is 1 to 8 certificates in canonical standard base64 (RFC 4648
// section 4, with padding) of at most 16384 characters each. A key has at most 128
// KiB. A set is an object with exactly keys, a list of at most 256 keys, at most 4
// MiB; it has each kid once.
//
// # Signed parts
//
// Manifest, statement, acknowledgement and approval are JWS in compact
// serialization, no other. The protected header (at most 4 KiB) has exactly alg
// (ES256 or EdDSA), kid and typ. A signature is 64 bytes: r and s for ES256, RFC
// 8032 for Ed25519, where the equation of section 5.1.7 holds without cofactor and R
// is not of small order. The key is one of iss with that kid, that alg, and use sig,
// for an approval use approve.
//
// An ES256 signature has a twin (n-s for s) that verifies as well; it is not
// refused. Therefore identity never comes from a serialization: a repeat has the
// same iss, jti and payload bytes.
//
// # Manifest
//
// typ liaison-manifest+jwt, payload at most 24 KiB:
//
//	exchange          origin of the exchange's ledger
//	iss               agency that sends
//	aud               1 to 31 distinct agencies, never iss
//	jti               package id
//	iat               time; within 5 minutes of the exchange's clock at first sight
//	exp               time; after iat and now, at most 90 days after iat
//	statement_sha256  digest of the statement
//	content           sha256: digest of the content; size: its bytes, 1 to 8388608;
//	                  plaintext_sha256: digest of the message inside
//	attachments       may be absent; at most 64 of sha256 and size (at least 56)
//	meta              at most 16 KiB as it stands; by meta.v1.schema.json (MetaSchema)
//
// # Statement
//
// typ liaison-statement+jwt, payload at most 6 KiB, signed with the key of the
// manifest. iss and jti are the manifest's. officer is 1 to 64 of A-Z a-z 0-9 . _ -;
// justification is 20 to 500 characters; approvals is a list of at most 16 of
// approver (as officer), role (code) and at (time); subject_refs is a list of at
// most 100 distinct base64url strings of 16 to 64 bytes; texts is an object of at
// most 32 names (1 to 64 of a-z 0-9 _) with texts of 1 to 2000 characters. All are
// required; lists and texts may be empty.
//
// # Content
//
// A JWE in JSON serialization, flattened (one JWE recipient) or general, at most
// 8 MiB. Members: protected, iv (12 bytes), ciphertext, tag (16 bytes), and either
// encrypted_key (40 bytes) with or without header, or recipients, a list of 1 to 32
// of encrypted_key with or without header. The two do not mix. There is no
// unprotected and no aad.
//
// The protected header (at most 4 KiB) has enc = A256GCM, typ =
// liaison-content+jwe, cty = application/vnd.liaison.message+json, and iss, aud and
// jti as in the manifest, aud in its order. Each of alg = ECDH-ES+A256KW, kid
// (thumbprint of an encryption key) and epk (exactly kty, crv, x, y; a point of
// P-256) stands for each recipient in exactly one of the protected and the
// per-recipient header; a per-recipient header is not empty and has nothing else.
// apu and apv are absent, so PartyUInfo and PartyVInfo are empty in the key
// derivation. Each agency in aud has exactly one JWE recipient; one more may be a
// key of iss.
//
// # Message
//
// The plaintext of the content, by digest plaintext_sha256, is a JSON object. salt
// (base64url of 32 random bytes) is required. Optional: subject (at most 1000
// characters), text, structured (format: code; body: any value), counts (at most 256
// codes to integers from 0), attachments: as many as in the manifest, in its order,
// of name, media_type, key (base64url of 32 bytes), size (bytes of the plaintext) and
// sha256 (digest of the plaintext). A name is that of a file: 1 to 255 bytes without /
// and \, not . or .., and only characters that a signed part may hold. A media_type
// is type/subtype without parameters, each 1 to 127 of A-Z a-z 0-9 ! # $ & ^ _ . + -.
// A message has at most 8 MiB.
//
// # Attachments
//
// Tink's AES256-GCM-HKDF streaming AEAD: a header of one byte 40, 32 bytes of salt
// and 7 bytes of nonce prefix; HKDF-SHA256 of key, salt and associated data gives
// the segment key of 32 bytes; ciphertext segments of 1 MiB, the first shorter by the
// header; nonce = prefix, segment number in 4 bytes big endian, one byte that is 1
// for the last segment. The associated data is <jti>/<index>, index from 0.
//
// # Acknowledgement and approval
//
// typ liaison-ack+jwt, at most 16 KiB: exchange, iss (the recipient), sub (package
// id), iat (as above), manifest_sha256 (digest of the compact manifest), decision (code),
// obligations: at most 64 of code and params (an object), those of the descriptor
// in its order.
//
// typ liaison-approval+jwt, at most 4 KiB, by a key of use approve: exchange, iss, sub,
// iat, manifest_sha256, recipient (agency id), codes (1 to 16 distinct codes),
// verdict (granted or refused).
//
// # Worked example
//
// Lines are folded here; the parts have no line breaks. testdata/example.json holds
// the same bytes, and a test compares. The sender's signing key and the
// recipient's decryption key:
//
//	{"kty":"EC","crv":"P-256","x":"XPSsMn2EWaKi-KJv1hkRXYaGCw12LMUVFbTV1Zksbu0","y":"uZlxCOU
//	DBPOY4Bxf9Omuofs27II9My3_fQWxXPKVuso","d":"8K0uI6pgNKFWc4o03SPmaediGr6DQNeNOoxZbmbotBg",
//	"kid":"jyik9OHDP1eJ4JTGnB7pA4u6d6uhT2e5TxYlr-Fyu7E","use":"sig","alg":"ES256"}
//
//	{"kty":"EC","crv":"P-256","x":"qHmxh9x8ysWnaH_nNZ7_LTXkwKQToKj8qwjIafYnxzc","y":"reeDCXm
//	9BASBlAnvH4FWTvkgAehLewhMQiX-fn_HWQ4","d":"X7DWWYfovvxx-5IDqJmXRWIgNCAoyoHHM63G9kKfCqE",
//	"kid":"Kl_msJwwnGdCNV-hz6PipZ8koNRHsuimJ7sCqBsPnm4","use":"enc","alg":"ECDH-ES+A256KW"}
//
// The message, whose digest is the manifest's plaintext_sha256:
//
//	{"salt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","subject":"Sighting","text":"Two p
//	ersons, one car."}
//
// The protected header of the content. This library puts alg, kid and epk of a
// single recipient into it:
//
//	{"alg":"ECDH-ES+A256KW","aud":["lv/vp"],"cty":"application/vnd.liaison.message+json","en
//	c":"A256GCM","epk":{"kty":"EC","crv":"P-256","x":"VGi6EiWF2utDhapA-aVcwISNc6gvVzbO18IoyP
//	GtnM4","y":"JQuQZvFGY8Lyr-OfYz2v9trEGaMFnLtI6T_WLs_SZs0"},"iss":"ee/pbgb","jti":"0199f3a
//	2-7c1e-7b3a-9d52-3f1c2a4b5c6d","kid":"Kl_msJwwnGdCNV-hz6PipZ8koNRHsuimJ7sCqBsPnm4","typ"
//	:"liaison-content+jwe"}
//
// The content, 802 bytes:
//
//	{"protected":"eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImF1ZCI6WyJsdi92cCJdLCJjdHkiOiJhcHBsaWNhdG
//	lvbi92bmQubGlhaXNvbi5tZXNzYWdlK2pzb24iLCJlbmMiOiJBMjU2R0NNIiwiZXBrIjp7Imt0eSI6IkVDIiwiY3
//	J2IjoiUC0yNTYiLCJ4IjoiVkdpNkVpV0YydXREaGFwQS1hVmN3SVNOYzZndlZ6Yk8xOElveVBHdG5NNCIsInkiOi
//	JKUXVRWnZGR1k4THlyLU9mWXoydjl0ckVHYU1Gbkx0STZUX1dMc19TWnMwIn0sImlzcyI6ImVlL3BiZ2IiLCJqdG
//	kiOiIwMTk5ZjNhMi03YzFlLTdiM2EtOWQ1Mi0zZjFjMmE0YjVjNmQiLCJraWQiOiJLbF9tc0p3d25HZENOVi1oej
//	ZQaXBaOGtvTlJIc3VpbUo3c0NxQnNQbm00IiwidHlwIjoibGlhaXNvbi1jb250ZW50K2p3ZSJ9","encrypted_k
//	ey":"CLgDBzWCg7CB-IEe55ry0GnNHP6cdEc-TZN4Ybd1Z8gSOA-Upu_Jlg","iv":"YH1lcCz8MlnkgeX0","ci
//	phertext":"6_EGS-K7DPL7Y1TZ-SZWwXNvOujaWItM53nVyOmgO977cBePjZKrmvjKDdgGNm0H1AGKR7TaGxn8s
//	lAN3v8Ut9i9qkEtHxwwxxCRMRgjdK8umYjfRiNZy9rtTKT_GlhrGNFl4b4xjD2Z4A","tag":"etdU2wMEInr5Hi
//	b_uAbgPg"}
//
// Header and payload of the statement, and the statement:
//
//	{"alg":"ES256","kid":"jyik9OHDP1eJ4JTGnB7pA4u6d6uhT2e5TxYlr-Fyu7E","typ":"liaison-statem
//	ent+jwt"}
//
//	{"iss":"ee/pbgb","jti":"0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d","officer":"officer-17","ju
//	stification":"Two suspects of case EE-2026-0117 were seen in Riga.","approvals":[],"subj
//	ect_refs":[],"texts":{}}
//
//	eyJhbGciOiJFUzI1NiIsImtpZCI6Imp5aWs5T0hEUDFlSjRKVEduQjdwQTR1NmQ2dWhUMmU1VHhZbHItRnl1N0Ui
//	LCJ0eXAiOiJsaWFpc29uLXN0YXRlbWVudCtqd3QifQ.eyJpc3MiOiJlZS9wYmdiIiwianRpIjoiMDE5OWYzYTItN
//	2MxZS03YjNhLTlkNTItM2YxYzJhNGI1YzZkIiwib2ZmaWNlciI6Im9mZmljZXItMTciLCJqdXN0aWZpY2F0aW9uI
//	joiVHdvIHN1c3BlY3RzIG9mIGNhc2UgRUUtMjAyNi0wMTE3IHdlcmUgc2VlbiBpbiBSaWdhLiIsImFwcHJvdmFsc
//	yI6W10sInN1YmplY3RfcmVmcyI6W10sInRleHRzIjp7fX0.wDD5uNqsOEmVlfteyj0jOD4giMunIpjPDCcYqs4hL
//	A9eNTVKxMYbFpJ66HvhhCmBsTmFkIboEUFRCkXB1PvOVQ
//
// Header and payload of the manifest, and the manifest:
//
//	{"alg":"ES256","kid":"jyik9OHDP1eJ4JTGnB7pA4u6d6uhT2e5TxYlr-Fyu7E","typ":"liaison-manife
//	st+jwt"}
//
//	{"exchange":"demo.liaison.example/ledger","iss":"ee/pbgb","aud":["lv/vp"],"jti":"0199f3a
//	2-7c1e-7b3a-9d52-3f1c2a4b5c6d","iat":1795312345,"exp":1797904345,"statement_sha256":"3Ed
//	_uNGGKtwegT29VjIPd1pI7ONX_Sx4Z0d24POroaA","content":{"sha256":"FLMQeGWWEFDsLooHky79r6FkQ
//	RjsYySPGUQ63Hs220Q","size":802,"plaintext_sha256":"SJbKzoo9rDXpXcEI9i99B6Q54DQ7K6tXB2ZEY
//	8Uobuo"},"meta":{"v":1,"message_type":"spontaneous","content_kind":"strategic","case_ref
//	":"EE-2026-0117","purpose":"prevention","legal_basis":[{"instrument":"i","article":"1","
//	jurisdiction":"ee"}],"transfer_basis":"internal_eu","crime_areas":["fraud"],"subjects":[
//	],"assertion_type":"mixed","handling":{"code":"H0"},"classification":"none","originator"
//	:["ee/pbgb"],"retention":{},"urgency":{"level":"routine"},"language":"en"}}
//
//	eyJhbGciOiJFUzI1NiIsImtpZCI6Imp5aWs5T0hEUDFlSjRKVEduQjdwQTR1NmQ2dWhUMmU1VHhZbHItRnl1N0Ui
//	LCJ0eXAiOiJsaWFpc29uLW1hbmlmZXN0K2p3dCJ9.eyJleGNoYW5nZSI6ImRlbW8ubGlhaXNvbi5leGFtcGxlL2x
//	lZGdlciIsImlzcyI6ImVlL3BiZ2IiLCJhdWQiOlsibHYvdnAiXSwianRpIjoiMDE5OWYzYTItN2MxZS03YjNhLTl
//	kNTItM2YxYzJhNGI1YzZkIiwiaWF0IjoxNzk1MzEyMzQ1LCJleHAiOjE3OTc5MDQzNDUsInN0YXRlbWVudF9zaGE
//	yNTYiOiIzRWRfdU5HR0t0d2VnVDI5VmpJUGQxcEk3T05YX1N4NFowZDI0UE9yb2FBIiwiY29udGVudCI6eyJzaGE
//	yNTYiOiJGTE1RZUdXV0VGRHNMb29Ia3k3OXI2RmtRUmpzWXlTUEdVUTYzSHMyMjBRIiwic2l6ZSI6ODAyLCJwbGF
//	pbnRleHRfc2hhMjU2IjoiU0piS3pvbzlyRFhwWGNFSTlpOTlCNlE1NERRN0s2dFhCMlpFWThVb2J1byJ9LCJtZXR
//	hIjp7InYiOjEsIm1lc3NhZ2VfdHlwZSI6InNwb250YW5lb3VzIiwiY29udGVudF9raW5kIjoic3RyYXRlZ2ljIiw
//	iY2FzZV9yZWYiOiJFRS0yMDI2LTAxMTciLCJwdXJwb3NlIjoicHJldmVudGlvbiIsImxlZ2FsX2Jhc2lzIjpbeyJ
//	pbnN0cnVtZW50IjoiaSIsImFydGljbGUiOiIxIiwianVyaXNkaWN0aW9uIjoiZWUifV0sInRyYW5zZmVyX2Jhc2l
//	zIjoiaW50ZXJuYWxfZXUiLCJjcmltZV9hcmVhcyI6WyJmcmF1ZCJdLCJzdWJqZWN0cyI6W10sImFzc2VydGlvbl9
//	0eXBlIjoibWl4ZWQiLCJoYW5kbGluZyI6eyJjb2RlIjoiSDAifSwiY2xhc3NpZmljYXRpb24iOiJub25lIiwib3J
//	pZ2luYXRvciI6WyJlZS9wYmdiIl0sInJldGVudGlvbiI6e30sInVyZ2VuY3kiOnsibGV2ZWwiOiJyb3V0aW5lIn0
//	sImxhbmd1YWdlIjoiZW4ifX0.HIQhJv25WwYZqt_MbDjpnjR6Bjlm5nlnieg_EB0PYW61uXCiKkFYCzoVbtueEHu
//	2i9gWUUe7F_tJEoS57nF9Cw
//
// manifest_sha256 in the recipient's acknowledgement:
//
//	ULx8gHgd0CyqL5fVOw6EaYarAidLY8cuOEcYit_vnt4
package envelope
