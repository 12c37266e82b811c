package envelope

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// withSignature replaces the signature of a compact JWS.
func withSignature(change func([]byte) []byte) func(string) string {
	return func(s string) string {
		dot := strings.LastIndexByte(s, '.')
		sig, _ := decode64([]byte(s[dot+1:]))
		return s[:dot+1] + encode64(change(sig))
	}
}

func (b *table) signatures() {
	reject := func(name, about, reason string, change func(*forge)) {
		b.whole("reject-"+name, about, "rejected", reason, change)
	}
	reject("stranger", "signed with a key of another agency", ReasonKid, func(f *forge) { f.signer = f.keys.stranger; f.headers() })
	reject("kid-of-stranger", "the kid of another agency", ReasonKid, func(f *forge) { swap(&f.manifestHeader, f, f.signer.Kid(), f.keys.stranger.Kid()) })
	reject("approval-key", "signed with a key of use approve", ReasonKeyUse, func(f *forge) { f.signer = f.keys.approve; f.headers() })
	reject("encryption-key", "the kid of an encryption key", ReasonKeyUse, func(f *forge) { swap(&f.manifestHeader, f, f.signer.Kid(), f.keys.enc["ee/pbgb"].Kid()) })
	reject("signed-by-stranger", "the right kid, signed with another key", ReasonSignature, func(f *forge) { f.signer = f.keys.stranger })
	reject("alg-eddsa-key-p256", "J4: EdDSA named, an EC key registered", ReasonKeyAlg, func(f *forge) { swap(&f.manifestHeader, f, "ES256", "EdDSA") })
	reject("alg-es256-key-ed25519", "J4: the other way round", ReasonKeyAlg, func(f *forge) {
		f.signer = f.keys.eddsa
		f.headers()
		swap(&f.manifestHeader, f, "EdDSA", "ES256")
	})
	order := elliptic.P256().Params().N.Bytes()
	for name, change := range map[string]func([]byte) []byte{
		"flipped": func(s []byte) []byte { s[7] ^= 1; return s },
		"r-0":     func(s []byte) []byte { return append(make([]byte, 32), s[32:]...) },
		"s-0":     func(s []byte) []byte { return append(s[:32:32], make([]byte, 32)...) },
		"r-n":     func(s []byte) []byte { return append(slices.Clone(order), s[32:]...) },
		"s-n":     func(s []byte) []byte { return append(s[:32:32], order...) },
		"zero":    func(s []byte) []byte { return make([]byte, 64) },
		"swapped": func(s []byte) []byte { return append(slices.Clone(s[32:]), s[:32]...) },
	} {
		reject("es256-"+name, "J18: not a signature of these bytes", ReasonSignature, func(f *forge) { f.rawManifest = withSignature(change) })
	}
	reject("eddsa-s-plus-l", "J17: S not reduced", ReasonSignature, func(f *forge) {
		f.signer = f.keys.eddsa
		f.headers()
		f.rawManifest = withSignature(plusL)
	})
	reject("eddsa-flipped", "J17: not a signature of these bytes", ReasonSignature, func(f *forge) {
		f.signer = f.keys.eddsa
		f.headers()
		f.rawManifest = withSignature(func(s []byte) []byte { s[0] ^= 1; return s })
	})
	reject("payload-flipped", "the signature of another payload", ReasonSignature, func(f *forge) {
		f.rawManifest = func(s string) string {
			p := strings.Split(s, ".")
			payload, _ := decode64([]byte(p[1]))
			return p[0] + "." + encode64([]byte(f.replace("1797904345", "1797904346")(string(payload)))) + "." + p[2]
		}
	})
	reject("header-reordered", "the header is signed as it is written", ReasonSignature, func(f *forge) {
		f.rawManifest = func(s string) string {
			return encode64([]byte(`{"typ":"`+TypManifest+`","alg":"ES256","kid":"`+f.signer.Kid()+`"}`)) + s[strings.IndexByte(s, '.'):]
		}
	})
	reject("statement-other-key", "the statement signed with another key of the sender", ReasonPairKey, func(f *forge) {
		f.second = f.keys.eddsa
		swap(&f.statementHeader, f, f.signer.Kid(), f.second.Kid())
		swap(&f.statementHeader, f, ES256, EdDSA)
	})
	reject("statement-flipped", "the statement's signature does not hold", ReasonSignature, func(f *forge) {
		f.rawStatement = withSignature(func(s []byte) []byte { s[40] ^= 1; return s })
	})
	reject("statement-of-other-sender", "J32: another iss in the statement", ReasonKid, func(f *forge) { swap(&f.statementPayload, f, "ee/pbgb", "it/dcpc") })
}

// plusL adds the order of the group to S, which verifies where S is not checked.
func plusL(sig []byte) []byte {
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	n := new(big.Int).SetBytes(s)
	n.Add(n, l).FillBytes(s)
	slices.Reverse(s)
	return append(slices.Clone(sig[:32]), s...)
}

func (b *table) told() {
	invalid := func(name, about, reason string, change func(*forge), aud ...string) {
		b.whole("invalid-"+name, about, "invalid", reason, change, aud...)
	}
	payload := func(name, about, reason, old, new string) {
		invalid(name, about, reason, func(f *forge) { swap(&f.manifestPayload, f, old, new) })
	}
	payload("statement-digest", "the digest of another statement", ReasonStatementDigest, "@STATEMENT@", forgeSalt)
	payload("content-digest", "the digest of another content", ReasonContentDigest, "@CONTENT@", forgeSalt)
	payload("content-size", "another size", ReasonContentSize, "@SIZE@", "1@SIZE@")
	payload("exchange", "meant for another exchange", ReasonExchange, testExchange, "other.example/ledger")
	payload("iat-early", "J35: more than 5 minutes early", ReasonIAT, "1795312345", "1795312044")
	payload("iat-late", "J35: more than 5 minutes late", ReasonIAT, "1795312345", "1795312646")
	payload("exp-before-iat", "J35: exp before iat", ReasonEXP, "1797904345", "1795312344")
	payload("exp-is-iat", "J35: exp not after iat", ReasonEXP, "1797904345", "1795312345")
	payload("exp-91-days", "J35: more than 90 days", ReasonEXP, "1797904345", "1803088346")
	payload("exp-100-years", "J35: more than 90 days", ReasonEXP, "1797904345", "4951072345")
	invalid("expired", "exp is in the past", ReasonExpired, func(f *forge) {
		swap(&f.manifestPayload, f, "1795312345", "1795312100")
		swap(&f.manifestPayload, f, "1797904345", "1795312345")
	})
	invalid("statement-jti", "the statement of another package", ReasonPairJTI, func(f *forge) { swap(&f.statementPayload, f, forgeJTI, forgeJTI2) })
	invalid("content-jti", "J32: the content of another package", ReasonContentJTI, func(f *forge) { f.protectedHeader(f.replace(forgeJTI, forgeJTI2)) })
	invalid("content-iss", "J33: the content of another sender", ReasonContentIss, func(f *forge) { f.protectedHeader(f.replace("ee/pbgb", "it/dcpc")) })
	invalid("content-aud", "J32: other recipients in the content", ReasonContentAud, func(f *forge) { f.protectedHeader(f.replace(`["lv/vp"]`, `["lv/vp","ua/npu"]`)) })
	invalid("content-aud-order", "the recipients in another order", ReasonContentAud, func(f *forge) {
		f.protectedHeader(f.replace(`["lv/vp","ua/npu"]`, `["ua/npu","lv/vp"]`))
	}, "lv/vp", "ua/npu")
	invalid("manifest-aud", "J32: other recipients in the manifest", ReasonContentAud, func(f *forge) { swap(&f.manifestPayload, f, "@AUD@", `["ua/npu"]`) })
	invalid("recipient-missing", "an agency of aud without a JWE recipient", ReasonRecipientMissing, func(f *forge) {
		f.aud = []string{"lv/vp"}
		f.encrypted()
		f.aud = []string{"lv/vp", "ua/npu"}
		f.protectedHeader(f.replace(`["lv/vp"]`, `["lv/vp","ua/npu"]`))
	}, "lv/vp", "ua/npu")
	invalid("recipient-extra", "J29: a JWE recipient that is not in aud", ReasonRecipientExtra, func(f *forge) {
		f.aud = []string{"lv/vp", "ua/npu"}
		f.encrypted()
		f.aud = []string{"lv/vp"}
		f.protectedHeader(f.replace(`["lv/vp","ua/npu"]`, `["lv/vp"]`))
	}, "lv/vp")
	invalid("recipient-unknown", "a key that nobody has registered", ReasonRecipientUnknown, func(f *forge) {
		kid := f.keys.enc["lv/vp"].Kid()
		f.protectedHeader(f.replace(kid, forgeSalt))
	})
	invalid("recipient-signing-key", "the kid of nobody's encryption key", ReasonRecipientExtra, func(f *forge) {
		f.protectedHeader(f.replace(f.keys.enc["lv/vp"].Kid(), f.keys.stranger.Kid()))
	})
	invalid("recipient-retired", "J37: a retired key", ReasonRecipientRetired, func(f *forge) { f.retired = map[string]bool{"lv/vp": true} })
	twice := func(f *forge, owner string) {
		f.aud = []string{"lv/vp", "ua/npu"}
		f.copied = owner == "ee/pbgb"
		f.encrypted()
		f.aud = []string{"lv/vp"}
		f.owner = map[string]string{"ua/npu": owner}
		f.protectedHeader(f.replace(`["lv/vp","ua/npu"]`, `["lv/vp"]`))
	}
	invalid("recipient-twice", "J29: two keys of one agency", ReasonRecipientTwice, func(f *forge) { twice(f, "lv/vp") })
	invalid("copy-twice", "J29: two keys of the sender", ReasonRecipientTwice, func(f *forge) { twice(f, "ee/pbgb") })
	invalid("only-copy", "a copy for the sender instead of the recipient", ReasonRecipientMissing, func(f *forge) {
		f.protectedHeader(f.replace(f.keys.enc["lv/vp"].Kid(), f.keys.enc["ee/pbgb"].Kid()))
	})
}

// epkOf is a fresh public JWK on a curve, under a name.
func epkOf(c ecdh.Curve, crv string) string {
	raw := must2(c.GenerateKey(rand.Reader)).PublicKey().Bytes()
	n := (len(raw) - 1) / 2
	return `{"kty":"EC","crv":"` + crv + `","x":"` + encode64(raw[1:1+n]) + `","y":"` + encode64(raw[1+n:]) + `"}`
}

func (b *table) contentHeaders() {
	header := func(name, about, reason string, change func(f *forge, h string) string) {
		b.content(name, about, reason, func(f *forge) { f.protectedHeader(func(h string) string { return change(f, h) }) })
	}
	with := func(old, new string) func(*forge, string) string {
		return func(f *forge, h string) string { return f.replace(old, new)(h) }
	}
	for _, alg := range []string{"dir", "RSA1_5", "RSA-OAEP-256", "A256KW", "ECDH-ES", "ECDH-ES+A128KW", "PBES2-HS256+A128KW", "HPKE-0"} {
		header("alg-"+strings.ToLower(alg), "J26: ECDH-ES+A256KW only", ReasonAlg, with(algEncrypt, alg))
	}
	for _, enc := range []string{"A128GCM", "A128CBC-HS256", "A256CBC-HS512", "XC20P"} {
		header("enc-"+strings.ToLower(enc), "J26: A256GCM only", ReasonAlg, with("A256GCM", enc))
	}
	for name, extra := range map[string]string{
		"zip": `"zip":"DEF"`, "crit": `"crit":["x"]`, "jku": `"jku":"http://127.0.0.1/"`, "jwk": `"jwk":{}`, "x5u": `"x5u":"http://127.0.0.1/"`, "x5c": `"x5c":[]`,
		"apu": `"apu":"AAAA"`, "apv": `"apv":"AAAA"`, "p2c": `"p2c":2147483648`, "exp": `"exp":1`, "case": `"Enc":"A256GCM"`,
	} {
		header("header-"+name, "J25: header members are exactly those of the specification", ReasonUnknownMember, with(`"enc"`, extra+`,"enc"`))
	}
	header("header-twice", "J14: no member twice", ReasonDuplicateMember, with(`"enc"`, `"\u0065nc":"A256GCM","enc"`))
	header("typ", "J36: its own typ", ReasonTyp, with(TypContent, TypManifest))
	header("cty", "a message", ReasonTyp, with(CtyMessage, "JWT"))
	header("no-cty", "cty is required", ReasonMissingMember, with(`"cty":"`+CtyMessage+`",`, ""))
	header("no-iss", "iss is required", ReasonMissingMember, with(`"iss":"ee/pbgb",`, ""))
	header("no-kid", "kid is required", ReasonMissingMember, func(f *forge, h string) string {
		return f.replace(`"kid":"`+f.keys.enc["lv/vp"].Kid()+`",`, "")(h)
	})
	header("kid", "a thumbprint", ReasonValue, func(f *forge, h string) string { return f.replace(f.keys.enc["lv/vp"].Kid(), "lv-key-1")(h) })
	epk := func(name, about, reason string, change func(epk map[string]string) string) {
		header("epk-"+name, about, reason, func(f *forge, h string) string {
			var j struct {
				EPK map[string]string `json:"epk"`
			}
			if err := json.Unmarshal([]byte(h), &j); err != nil {
				b.t.Fatal(err)
			}
			start := strings.Index(h, `"epk":{`) + len(`"epk":`)
			end := start + strings.IndexByte(h[start:], '}') + 1
			return h[:start] + change(j.EPK) + h[end:]
		})
	}
	set := func(k, v string) func(map[string]string) string {
		return func(m map[string]string) string { m[k] = v; return string(must2(json.Marshal(m))) }
	}
	epk("off-curve", "J27: not a point", ReasonCurve, func(m map[string]string) string { return set("y", m["x"])(m) })
	epk("infinity", "J27: not a point", ReasonCurve, func(m map[string]string) string { m["x"] = encode64(make([]byte, 32)); return set("y", m["x"])(m) })
	epk("not-reduced", "J27: a coordinate beyond the prime", ReasonCurve, func(m map[string]string) string { return set("x", encode64(slices.Repeat([]byte{0xff}, 32)))(m) })
	epk("p384", "J27: another curve", ReasonValue, func(map[string]string) string { return epkOf(ecdh.P384(), "P-384") })
	epk("p384-as-p256", "J27: coordinates of another curve", ReasonBase64, func(map[string]string) string { return epkOf(ecdh.P384(), "P-256") })
	epk("x25519", "J27: another kind", ReasonValue, func(m map[string]string) string { return `{"kty":"OKP","crv":"X25519","x":"` + m["x"] + `"}` })
	epk("short", "J27: 32 bytes", ReasonBase64, set("x", "AAAA"))
	epk("private", "no private half", ReasonUnknownMember, set("d", forgeSalt))
	epk("kid", "exactly kty, crv, x, y", ReasonUnknownMember, set("kid", "x"))
	epk("no-y", "exactly kty, crv, x, y", ReasonMissingMember, func(m map[string]string) string { delete(m, "y"); return string(must2(json.Marshal(m))) })
	epk("bits", "canonical base64url", ReasonBase64, set("x", forgeSalt[:42]+"9"))
	header("aud-32", "1 to 31 recipients", ReasonCount, with(`["lv/vp"]`, string(must2(json.Marshal(manyAgencies(32))))))
	header("header-long", "J23: at most 4 KiB", ReasonTooLarge, func(_ *forge, h string) string { return h + strings.Repeat(" ", maxHeader) })
}

func (b *table) contentForms() {
	member := func(name, about, reason, which, value string) {
		b.content(name, about, reason, func(f *forge) { swap(&f.content, f, f.member(which), value) })
	}
	for name, m := range map[string]string{"unprotected": `"unprotected":{}`, "aad": `"aad":"AAAA"`, "case": `"IV":"AAAA"`, "payload": `"payload":"AAAA","signature":"AAAA"`} {
		b.content("member-"+name, "no other members", ReasonUnknownMember, func(f *forge) { swap(&f.content, f, `"iv"`, m+`,"iv"`) })
	}
	b.content("member-twice", "J14: no member twice", ReasonDuplicateMember, func(f *forge) { swap(&f.content, f, `"iv"`, `"\u0069v":`+f.member("iv")+`,"iv"`) })
	for n, size := range map[string]int{"0": 0, "39": 39, "41": 41, "32": 32} {
		reason := ReasonValue
		if size == 0 {
			reason = ReasonBase64
		}
		member("key-"+n, "J28: 40 bytes", reason, "encrypted_key", `"`+encode64(make([]byte, size))+`"`)
	}
	for n, size := range map[string]int{"11": 11, "13": 13, "16": 16} {
		member("iv-"+n, "J28: 12 bytes", ReasonValue, "iv", `"`+encode64(make([]byte, size))+`"`)
	}
	for n, size := range map[string]int{"4": 4, "15": 15, "17": 17} {
		member("tag-"+n, "J28: 16 bytes", ReasonValue, "tag", `"`+encode64(make([]byte, size))+`"`)
	}
	member("iv-empty", "J28: 12 bytes", ReasonBase64, "iv", `""`)
	member("tag-empty", "J28: 16 bytes", ReasonBase64, "tag", `""`)
	member("ciphertext-empty", "not empty", ReasonBase64, "ciphertext", `""`)
	member("ciphertext-newline", "J19: nothing inside", ReasonBase64, "ciphertext", `"AAAA AAAA"`)
	member("ciphertext-padded", "J19: no padding", ReasonBase64, "ciphertext", `"AAA="`)
	member("ciphertext-bits", "J19: unused bits are zero", ReasonBase64, "ciphertext", `"AAB"`)
	member("ciphertext-number", "a string", ReasonType, "ciphertext", `1`)
	member("protected-standard", "J19: the alphabet of base64url", ReasonBase64, "protected", `"`+base64.StdEncoding.EncodeToString([]byte(">>>???"))+`"`)
	b.content("no-tag", "every member is required", ReasonMissingMember, func(f *forge) { swap(&f.content, f, `,"tag":`+f.member("tag"), "") })
	b.content("no-recipient", "encrypted_key or recipients", ReasonMissingMember, func(f *forge) { swap(&f.content, f, `"encrypted_key":`+f.member("encrypted_key")+",", "") })
	b.content("recipients-0", "at least one", ReasonCount, func(f *forge) { swap(&f.content, f, f.member("recipients"), "[]") }, "lv/vp", "ua/npu")
	b.content("recipients-33", "J29: at most 32", ReasonCount, func(f *forge) {
		header, key := f.recipientJSON(0)
		one := `{"header":` + header + `,"encrypted_key":` + key + `}`
		swap(&f.content, f, f.member("recipients"), "["+strings.Repeat(one+",", 32)+one+"]")
	}, "lv/vp", "ua/npu")
	b.content("recipient-twice", "J29: distinct kid", ReasonDuplicateValue, func(f *forge) {
		header, key := f.recipientJSON(0)
		one := `{"header":` + header + `,"encrypted_key":` + key + `}`
		swap(&f.content, f, f.member("recipients"), "["+one+","+one+"]")
	}, "lv/vp", "ua/npu")
	b.content("key-beside-recipients", "RFC 7516 section 7.2: the forms do not mix", ReasonUnknownMember, func(f *forge) {
		_, key := f.recipientJSON(0)
		swap(&f.content, f, `"iv"`, `"encrypted_key":`+key+`,"iv"`)
	}, "lv/vp", "ua/npu")
	b.content("header-beside-recipients", "RFC 7516 section 7.2: the forms do not mix", ReasonUnknownMember, func(f *forge) {
		header, _ := f.recipientJSON(0)
		swap(&f.content, f, `"iv"`, `"header":`+header+`,"iv"`)
	}, "lv/vp", "ua/npu")
	b.content("both-headers", "RFC 7516 section 7.2.1: a parameter in one header only", ReasonDuplicateMember, func(f *forge) {
		swap(&f.content, f, `"iv"`, `"header":{"alg":"`+algEncrypt+`"},"iv"`)
	})
	b.content("empty-header", "RFC 7516 section 7.2.1: no empty header", ReasonMissingMember, func(f *forge) { swap(&f.content, f, `"iv"`, `"header":{},"iv"`) })
	b.content("recipient-header-enc", "enc stands in the protected header", ReasonUnknownMember, func(f *forge) {
		header, _ := f.recipientJSON(0)
		swap(&f.content, f, header, strings.Replace(header, "{", `{"enc":"A256GCM",`, 1))
	}, "lv/vp", "ua/npu")
	b.content("recipient-header-apu", "apu and apv are refused", ReasonUnknownMember, func(f *forge) {
		header, _ := f.recipientJSON(1)
		swap(&f.content, f, header, strings.Replace(header, "{", `{"apu":"AAAA",`, 1))
	}, "lv/vp", "ua/npu")
	b.content("recipient-no-epk", "each recipient has its epk", ReasonMissingMember, func(f *forge) {
		header, _ := f.recipientJSON(1)
		start := strings.Index(header, `"epk":{`)
		end := start + strings.IndexByte(header[start:], '}') + 2
		swap(&f.content, f, header, header[:start]+header[end:])
	}, "lv/vp", "ua/npu")
	b.content("compact", "the JSON serialization only", ReasonType, func(f *forge) {
		f.content = strings.Trim(f.member("protected"), `"`) + "." + strings.Trim(f.member("encrypted_key"), `"`) + "." + strings.Trim(f.member("iv"), `"`) + "." +
			strings.Trim(f.member("ciphertext"), `"`) + "." + strings.Trim(f.member("tag"), `"`)
	})
	b.content("jws", "J40: a JWS is no content", ReasonType, func(f *forge) { f.content, _, _ = f.build() })
	b.content("empty", "not empty", ReasonType, func(f *forge) { f.content = ""; f.rawContent = nil })
	b.content("trailing", "nothing after", ReasonJSON, func(f *forge) { f.content += "{}" })
	b.content("utf8", "J24: valid UTF-8", ReasonCharacters, func(f *forge) { swap(&f.content, f, `"iv"`, "\"\xff\":1,\"iv\"") })
	b.content("nested", "J39: no JWE in a JWE's place", ReasonType, func(f *forge) { swap(&f.content, f, f.member("ciphertext"), f.content) })
}

func (b *table) acknowledgements() {
	const text = `{"exchange":"` + testExchange + `","iss":"ee/pbgb","sub":"` + forgeJTI + `","iat":1795312345,"manifest_sha256":"` + forgeSalt + `",` +
		`"decision":"` + forgeJTI2 + `","obligations":[{"code":"no_judicial_use","params":{}},{"code":"erase_after","params":{"days":30}}]}`
	b.signed("acknowledgement", text, TypAcknowledgement, b.keys.es256, []signedCase{
		{"accept", "two obligations", "accept", "", "", ""},
		{"accept-none", "no obligation", "accept", "", `[{"code":"no_judicial_use","params":{}},{"code":"erase_after","params":{"days":30}}]`, `[]`},
		{"no-params", "params is required, if only {}", "malformed", ReasonMissingMember, `,"params":{}`, ``},
		{"params-list", "params is an object", "malformed", ReasonType, `"params":{}`, `"params":[]`},
		{"params-fraction", "integers only", "malformed", ReasonNumber, `{"days":30}`, `{"days":30.0}`},
		{"params-twice", "J14: no member twice", "malformed", ReasonDuplicateMember, `{"days":30}`, `{"days":30,"days":1}`},
		{"officer", "officer and justification are not in it", "malformed", ReasonUnknownMember, `"iat"`, `"officer":"x","iat"`},
		{"no-obligations", "every member is required", "malformed", ReasonMissingMember, `,"obligations":[{"code":"no_judicial_use","params":{}},{"code":"erase_after","params":{"days":30}}]`, ``},
		{"digest", "base64url of 32 bytes", "malformed", ReasonValue, forgeSalt, "x"},
		{"sub", "a package id", "malformed", ReasonValue, `"sub":"` + forgeJTI, `"sub":"x`},
		{"iat", "within 5 minutes", "invalid", ReasonIAT, `1795312345`, `1795311345`},
		{"exchange", "another exchange", "invalid", ReasonExchange, testExchange, "other.example/ledger"},
		{"other-agency", "the key of another agency", "rejected", ReasonKid, "ee/pbgb", "lv/vp"},
	})
}

func (b *table) approvals() {
	const text = `{"exchange":"` + testExchange + `","iss":"ee/pbgb","sub":"` + forgeJTI + `","iat":1795312345,"manifest_sha256":"` + forgeSalt + `",` +
		`"recipient":"lv/vp","codes":["originator_consent","R31"],"verdict":"granted"}`
	b.signed("approval", text, TypApproval, b.keys.approve, []signedCase{
		{"accept", "granted", "accept", "", "", ""},
		{"accept-refused", "refused", "accept", "", "granted", "refused"},
		{"verdict", "granted or refused", "malformed", ReasonValue, "granted", "maybe"},
		{"codes-empty", "at least one code", "malformed", ReasonCount, `["originator_consent","R31"]`, `[]`},
		{"codes-twice", "each once", "malformed", ReasonDuplicateValue, `"R31"`, `"R31","R31"`},
		{"no-recipient", "every member is required", "malformed", ReasonMissingMember, `"recipient":"lv/vp",`, ``},
		{"unknown", "no unknown members", "malformed", ReasonUnknownMember, `"iat"`, `"exp":1,"iat"`},
		{"iat", "within 5 minutes", "invalid", ReasonIAT, `1795312345`, `1795313345`},
	})
	b.signed("approval", text, TypApproval, b.keys.es256, []signedCase{{"signing-key", "a key of use sig", "rejected", ReasonKeyUse, "", ""}})
	b.signed("approval", text, TypAcknowledgement, b.keys.approve, []signedCase{{"typ", "J36: the typ of another part", "malformed", ReasonTyp, "", ""}})
}

type signedCase struct{ name, about, expect, reason, old, new string }

func (b *table) signed(kind, text, typ string, k PrivateKey, cases []signedCase) {
	for _, c := range cases {
		f := newForge(b.t, b.keys, "lv/vp")
		payload := text
		if c.old != "" {
			swap(&payload, f, c.old, c.new)
		}
		v := &vector{About: c.about, Kind: kind, Expect: c.expect, Reason: c.reason, Exchange: testExchange, Now: testNow.Unix()}
		f.directory(v)
		f.put(v, kind, compact(k, `{"alg":"`+k.public.alg+`","kid":"`+k.Kid()+`","typ":"`+typ+`"}`, payload))
		b.add(kind+"-"+c.name, v)
	}
}

func (b *table) keysAndSets() {
	f := &forge{t: b.t}
	sig := string(must2(b.keys.es256.Public().MarshalJWK(nil)))
	edd := string(must2(b.keys.eddsa.Public().MarshalJWK([][]byte{[]byte("not looked into here")})))
	enc := string(must2(b.keys.enc["lv/vp"].Public().MarshalJWK(nil)))
	private := string(must2(b.keys.es256.MarshalPrivate()))
	key := func(name, about, reason, base, old, new string) {
		b.text("public-key", name, about, reason, f.replace(old, new)(base))
	}
	x := b.keys.es256.public.fields.x
	key("accept-es256", "P-256 for signatures", "", sig, "{", "{")
	key("accept-eddsa", "Ed25519, with a chain", "", edd, "{", "{")
	key("accept-enc", "P-256 for encryption", "", enc, "{", "{")
	key("accept-least", "without kid and alg", "", `{"kty":"EC","crv":"P-256","x":"`+x+`","y":"`+b.keys.es256.public.fields.y+`","use":"policy"}`, "{", "{")
	key("private", "no private half", ReasonUnknownMember, private, "{", "{")
	key("key-ops", "use instead of key_ops", ReasonUnknownMember, sig, "{", `{"key_ops":["verify"],`)
	key("off-curve", "J27: not a point", ReasonCurve, sig, `"x":"`+x, `"x":"`+forgeSalt)
	key("p384", "another curve", ReasonValue, sig, "P-256", "P-384")
	key("no-y", "both coordinates", ReasonValue, sig, `"y":"`+b.keys.es256.public.fields.y+`",`, "")
	key("kid", "kid is the thumbprint", ReasonKeyMismatch, sig, b.keys.es256.Kid(), forgeSalt)
	key("alg", "alg is the key's", ReasonKeyMismatch, sig, ES256, EdDSA)
	key("use", "a known use", ReasonValue, sig, `"sig"`, `"tls"`)
	key("no-use", "use is required", ReasonMissingMember, sig, `"use":"sig",`, "")
	key("eddsa-enc", "no encryption with Ed25519", ReasonValue, f.replace(`"alg":"EdDSA",`, "")(edd), `"sig"`, `"enc"`)
	key("x5c-url", "x5c is standard base64", ReasonBase64, sig, "{", `{"x5c":["__-_"],`)
	key("x5c-empty", "x5c has a certificate", ReasonCount, sig, "{", `{"x5c":[],`)
	for i, y := range smallOrder {
		point, _ := new(big.Int).SetString(y, 16)
		raw := point.FillBytes(make([]byte, 32))
		key("small-order-"+string(rune('0'+i)), "J17: a point of small order", ReasonCurve, `{"kty":"OKP","crv":"Ed25519","x":"`+encode64(raw)+`","use":"sig"}`, "{", "{")
		raw[31] |= 0x80
		key("small-order-signed-"+string(rune('0'+i)), "J17: a point of small order", ReasonCurve, `{"kty":"OKP","crv":"Ed25519","x":"`+encode64(raw)+`","use":"sig"}`, "{", "{")
	}
	beyond := append([]byte{0xf0}, slices.Repeat([]byte{0xff}, 31)...)
	beyond[31] = 0x7f
	key("not-canonical", "J17: y beyond the prime", ReasonCurve, `{"kty":"OKP","crv":"Ed25519","x":"`+encode64(beyond)+`","use":"sig"}`, "{", "{")
	key("not-a-point", "J17: no x for this y", ReasonCurve, `{"kty":"OKP","crv":"Ed25519","x":"`+encode64(append([]byte{2}, make([]byte, 31)...))+`","use":"sig"}`, "{", "{")
	b.text("private-key", "accept", "P-256", "", private)
	b.text("private-key", "accept-eddsa", "Ed25519", "", string(must2(b.keys.eddsa.MarshalPrivate())))
	b.text("private-key", "public", "d is required", ReasonMissingMember, sig)
	b.text("private-key", "other-d", "d belongs to x and y", ReasonKeyMismatch, withD(private, forgeSalt))
	b.text("private-key", "zero-d", "d is a scalar", ReasonKeyMismatch, withD(private, encode64(make([]byte, 32))))
	b.text("key-set", "accept", "three keys", "", `{"keys":[`+sig+","+edd+","+enc+`]}`)
	b.text("key-set", "accept-empty", "no key", "", `{"keys":[]}`)
	b.text("key-set", "twice", "J38: each key once", ReasonDuplicateValue, `{"keys":[`+sig+","+enc+","+sig+`]}`)
	b.text("key-set", "private", "no private half", ReasonUnknownMember, `{"keys":[`+private+`]}`)
	b.text("key-set", "bare-key", "a set, not a key", ReasonUnknownMember, sig)
}

// withD replaces the private half of a JWK.
func withD(jwk, d string) string {
	start := strings.Index(jwk, `"d":"`) + len(`"d":"`)
	return jwk[:start] + d + jwk[start+strings.IndexByte(jwk[start:], '"'):]
}

func (b *table) messages() {
	salt := `"salt":"` + forgeSalt + `"`
	attachment := func(name string) string {
		return `{` + salt + `,"attachments":[{"name":"` + name + `","media_type":"application/pdf","key":"` + forgeSalt + `","size":1,"sha256":"` + forgeSalt + `"}]}`
	}
	b.text("message", "no-salt", "salt is required", ReasonMissingMember, `{"text":"x"}`)
	b.text("message", "salt-short", "32 bytes", ReasonBase64, `{"salt":"AAAA"}`)
	b.text("message", "unknown", "no unknown members", ReasonUnknownMember, `{`+salt+`,"html":"x"}`)
	b.text("message", "twice", "no member twice", ReasonDuplicateMember, `{`+salt+`,"structured":{"format":"x","body":{"a":1,"a":2}}}`)
	b.text("message", "nul", "no control character", ReasonCharacters, `{`+salt+`,"text":"\u0000"}`)
	b.text("message", "raw-newline", "a line break is escaped", ReasonCharacters, "{"+salt+",\"text\":\"a\nb\"}")
	b.text("message", "name-path", "a name, no path", ReasonValue, attachment("../x"))
	b.text("message", "name-backslash", "a name, no path", ReasonValue, attachment(`a\\b`))
	b.text("message", "name-dots", "a name", ReasonValue, attachment(".."))
	b.text("message", "name-bidi", "no control of the writing direction", ReasonValue, attachment("a\u202efdp.exe"))
	b.text("message", "name-newline", "no control character", ReasonValue, attachment(`a\nb`))
	b.text("message", "name-empty", "a name", ReasonValue, attachment(""))
	b.text("message", "counts-fraction", "counts are integers", ReasonNumber, `{`+salt+`,"counts":{"a":1.5}}`)
	b.text("message", "number-long", "a number of at most 64 characters", ReasonNumber, `{`+salt+`,"structured":{"format":"x","body":`+strings.Repeat("9", 65)+`}}`)
	b.text("message", "depth", "at most 16 levels", ReasonDepth, `{`+salt+`,"structured":{"format":"x","body":`+strings.Repeat("[", 15)+strings.Repeat("]", 15)+`}}`)
	b.text("message", "accept-depth", "16 levels", "", `{`+salt+`,"structured":{"format":"x","body":`+strings.Repeat("[", 14)+strings.Repeat("]", 14)+`}}`)
}
