package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
)

// header adds a manifest whose header is changed before it is signed.
func (b *table) header(name, about, reason, old, new string) *vector {
	return b.manifest(name, about, reason, func(f *forge) { swap(&f.manifestHeader, f, old, new) })
}

// jwsHeaders are members that a header may not have.
func (b *table) jwsHeaders() {
	const about = "J5 to J7, J12, J13, J15: header members are exactly alg, kid, typ"
	extra := func(name, member string) *vector {
		return b.header("header-"+name, about, ReasonUnknownMember, "}", ","+member+"}")
	}
	own := string(must2(b.keys.es256.Public().MarshalJWK(nil)))
	const allowed = "a header has exactly alg, kid and typ; RFC 7515 section 4 would have it ignored"
	for name, member := range map[string]string{
		"x5t": `"x5t":"AAAA"`, "x5t-s256": `"x5t#S256":"` + forgeSalt + `"`, "zip": `"zip":"DEF"`, "cty": `"cty":"JWT"`, "kid-upper": `"KID":"x"`, "alg-upper": `"Alg":"ES256"`,
		"empty-name": `"":1`, "iss": `"iss":"ee/pbgb"`, "enc": `"enc":"A256GCM"`, "epk": `"epk":{}`, "nonce": `"nonce":"x"`, "url": `"url":"https://example.org/"`, "proto": `"__proto__":{"alg":"none"}`,
		"to-string": `"toString":"x"`, "typ-upper": `"TYP":"JWT"`, "ppt": `"ppt":"shaken"`, "svt": `"svt":"x"`, "p2c": `"p2c":2147483648`,
	} {
		extra(name, member).legal(allowed)
	}
	extra("jku", `"jku":"http://127.0.0.1/"`).legal("nothing is fetched because a header says so (RFC 8725 section 3.10)")
	extra("x5u", `"x5u":"file:///etc/passwd"`).legal("nothing is fetched because a header says so (RFC 8725 section 3.10)")
	extra("jwk-own", `"jwk":`+own).legal("a key comes from the registry alone (RFC 8725 section 3.10)")
	extra("jwk", `"jwk":{"kty":"EC"}`)
	extra("x5c", `"x5c":[]`)
	extra("b64-true", `"b64":true`).legal(allowed)
	extra("b64", `"b64":false`)
	extra("b64-crit", `"crit":["b64"],"b64":false`)
	extra("crit-b64-true", `"crit":["b64"],"b64":true`).legal("extensions of RFC 7797 are not used")
	for name, crit := range map[string]string{"empty": `[]`, "exp": `["exp"]`, "alg": `["alg"]`, "string": `"exp"`, "null": `null`, "twice": `["x","x"]`} {
		extra("crit-"+name, `"crit":`+crit)
	}
	extra("crit-known", `"exp":1,"crit":["exp"]`)
	b.manifest("header-jwk-attacker", "J5: signed with a key that the header brings", ReasonUnknownMember, func(f *forge) {
		f.signer = derivedKey(UseSign, ES256, "attacker")
		f.manifestHeader = strings.Replace(headerOf(f.signer, TypManifest), "}", `,"jwk":`+string(must2(f.signer.Public().MarshalJWK(nil)))+"}", 1)
		f.signer = f.keys.es256
		f.rawManifest = func(s string) string {
			p := strings.Split(s, ".")
			return p[0] + "." + p[1] + "." + encode64(rawSignature(derivedKey(UseSign, ES256, "attacker"), p[0]+"."+p[1]))
		}
	})
	for name, dup := range map[string]string{"alg": `"alg":"ES256"`, "alg-escaped": `"\u0061lg":"ES256"`, "alg-none": `"alg":"none"`, "typ": `"typ":"` + TypManifest + `"`, "kid": `"kid":"` + forgeSalt + `"`} {
		b.header("header-twice-"+name, "J14: no member twice, escaped or not (RFC 7515 section 4)", ReasonDuplicateMember, "}", ","+dup+"}")
	}
	b.header("header-none-twice", "J14: no member twice: the first alg is none, and is met first", ReasonAlg, "{", `{"\u0061\u006c\u0067":"none",`)
}

// jwsHeaderValues are values, types and forms of the three members.
func (b *table) jwsHeaderValues() {
	const thumbprint = "kid is the RFC 7638 thumbprint of the key; RFC 7515 section 4.1.4 leaves it open"
	for name, kid := range map[string]string{
		"path": "../../etc/passwd", "sql": "' OR 1=1 --", "short": forgeSalt[:42], "long": forgeSalt + "A", "bits": forgeSalt[:42] + "9", "padded": forgeSalt[:42] + "=", "empty": "",
		"urn": "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + forgeSalt, "hex": strings.Repeat("0", 64), "plus": "+" + forgeSalt[1:], "unicode": "а" + forgeSalt[1:], "log4j": "${jndi:ldap://127.0.0.1/}",
	} {
		b.header("kid-"+name, "J8: kid is the base64url of 32 bytes", ReasonValue, b.keys.es256.Kid(), kid).legal(thumbprint)
	}
	const tells = "typ tells the parts apart (RFC 8725 section 3.11)"
	for name, typ := range map[string]string{"jwt": "JWT", "upper": "LIAISON-MANIFEST+JWT", "application": "application/" + TypManifest, "empty": "", "jose": "JOSE", "v2": "liaison-manifest-v2+jwt", "space": TypManifest + " ", "content": TypContent} {
		b.header("typ-"+name, "J36: each part has its own typ, compared byte for byte", ReasonTyp, TypManifest, typ).legal(tells)
	}
	b.header("header-no-alg", "alg is required (RFC 7515 section 4.1.1)", ReasonMissingMember, `"alg":"ES256",`, "")
	b.header("header-no-kid", "kid is required", ReasonMissingMember, `"kid":"`+b.keys.es256.Kid()+`",`, "").legal("the key is found by kid")
	b.header("header-no-typ", "typ is required", ReasonMissingMember, `,"typ":"`+TypManifest+`"`, "").legal(tells)
	b.header("header-number", "alg is a string", ReasonType, `"ES256"`, "256")
	b.header("header-null", "alg is a string", ReasonType, `"ES256"`, "null")
	b.header("header-alg-list", "alg is a string", ReasonType, `"ES256"`, `["ES256"]`)
	b.header("header-kid-number", "kid is a string", ReasonType, `"`+b.keys.es256.Kid()+`"`, `1`)
	b.header("header-kid-null", "kid is a string", ReasonType, `"`+b.keys.es256.Kid()+`"`, `null`)
	b.header("header-typ-null", "typ is a string", ReasonType, `"`+TypManifest+`"`, "null")
	b.header("header-typ-object", "typ is a string", ReasonType, `"`+TypManifest+`"`, "{}")
	whole := func(name, about, reason, header string) *vector {
		return b.manifest(name, about, reason, func(f *forge) { f.manifestHeader = header })
	}
	whole("header-list", "a header is an object", ReasonType, "[]")
	whole("header-empty-object", "alg is required", ReasonMissingMember, "{}")
	whole("header-null-text", "a header is an object", ReasonType, "null")
	whole("header-not-json", "a header is JSON", ReasonType, "alg")
	whole("header-space", "a header is an object", ReasonType, " ")
	good := headerOf(b.keys.es256, TypManifest)
	whole("header-bom", "J19: no byte order mark", ReasonType, "\ufeff"+good)
	whole("header-trailing", "nothing after the header", ReasonJSON, good+"{}")
	whole("header-trailing-nul", "nothing after the header", ReasonJSON, good+"\x00")
	whole("header-comma", "no comma at the end", ReasonJSON, strings.Replace(good, "}", ",}", 1))
	whole("header-cut", "a whole object", ReasonJSON, strings.TrimSuffix(good, "}"))
	whole("header-utf8", "J24: valid UTF-8", ReasonCharacters, strings.Replace(good, `"ES256"`, "\"ES256\xff\"", 1))
	whole("header-kid-bidi", "J24: no control of the writing direction", ReasonCharacters, strings.Replace(good, `"kid":"`, `"kid":"\u202e`, 1)).legal("such a kid looks like another")
	whole("header-kid-nul", "J24: no NUL", ReasonCharacters, strings.Replace(good, `"kid":"`, `"kid":"\u0000`, 1)).legal("no string holds a control character")
	whole("header-deep", "J23: at most 16 levels", ReasonUnknownMember, strings.Replace(good, "}", `,"x":`+strings.Repeat("[", 700)+strings.Repeat("]", 700)+"}", 1)).legal("a header has exactly alg, kid and typ")
	whole("accept-header-4-kib", "the longest header, by white space", "", "{"+strings.Repeat(" ", maxHeader-len(good))+good[1:])
	whole("header-long", "J23: at most 4 KiB: one byte more", ReasonTooLarge, "{"+strings.Repeat(" ", maxHeader+1-len(good))+good[1:]).legal("a header has at most 4 KiB")
	whole("accept-header-white-space", "white space within a header", "", strings.NewReplacer("{", "{\n", ":", " :\t", ",", "\r,", "}", " }").Replace(good))
	whole("accept-header-white-space-around", "white space before and after a header: what is signed is the text as it stands", "", "\r\n\t "+good+"\n")
	whole("accept-header-escapes", "every name and value of a header escaped", "", escapeAll(good))
	b.manifest("accept-eddsa", "a manifest signed with Ed25519", "", func(f *forge) { f.signer = f.keys.eddsa; f.headers() })
}

// escapeAll writes each letter in a string of JSON as an escape, hexadecimal
// digits in both cases.
func escapeAll(text string) string {
	var out strings.Builder
	quoted := false
	for i, c := range []byte(text) {
		hex := hexOf(c)
		if i%2 == 0 {
			hex = strings.ToUpper(hex)
		}
		switch {
		case c == '"':
			quoted = !quoted
			out.WriteByte(c)
		case quoted:
			out.WriteString(`\u00` + hex)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// jwsAlgorithms are algorithms that are not allowed, with signatures of their own
// where one can be made of the keys that there are.
func (b *table) jwsAlgorithms() {
	for i, alg := range []string{
		"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES384", "ES512", "ES256K", "Ed25519", "ML-DSA-65", "es256",
		"eddsa", "Ed448", "ESP256", "RS384", "RS512", "PS384", "PS512", "A256KW", "ML-DSA-44",
	} {
		b.header("alg-"+strconv.Itoa(i)+"-"+strings.ToLower(alg), "J1 to J3: only ES256 and EdDSA, byte for byte", ReasonAlg, `"ES256"`, `"`+alg+`"`)
	}
	for name, alg := range map[string]string{"space": "ES256 ", "space-before": " ES256", "prefix": "ES25", "suffix": "ES2560", "wide": "ＥＳ256", "list": "ES256,EdDSA"} {
		b.header("alg-with-"+name, "J3: only ES256 and EdDSA, byte for byte", ReasonAlg, `"ES256"`, `"`+alg+`"`)
	}
	b.manifest("alg-ed25519-of-ed25519", "RFC 9864: the algorithm by its full name, truly signed", ReasonAlg, func(f *forge) {
		f.signer = f.keys.eddsa
		f.headers()
		swap(&f.manifestHeader, f, EdDSA, "Ed25519")
	}).legal("one key has one name of its algorithm, EdDSA; RFC 9864 names it Ed25519 as well")
	b.manifest("alg-none-empty", "J1: none, with the empty signature that belongs to it (RFC 7515 section 6)", ReasonParts, func(f *forge) {
		swap(&f.manifestHeader, f, "ES256", "none")
		f.rawManifest = func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }
	})
	public := b.keys.es256.public
	der := must2(x509.MarshalPKIXPublicKey(public.key))
	x, _ := decode64([]byte(public.fields.x))
	y, _ := decode64([]byte(public.fields.y))
	for name, secret := range map[string][]byte{
		"der": der, "pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "jwk": must2(public.MarshalJWK(nil)), "point": append(append([]byte{4}, x...), y...), "empty": nil, "kid": []byte(public.kid),
	} {
		b.manifest("alg-hs256-"+name, "J2: a MAC keyed with the public key", ReasonSignatureLength, func(f *forge) {
			swap(&f.manifestHeader, f, "ES256", "HS256")
			f.rawManifest = func(s string) string {
				input := s[:strings.LastIndexByte(s, '.')]
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(input))
				return input + "." + encode64(mac.Sum(nil))
			}
		})
	}
}

// typMatrix (J36): no part passes for another.
func (b *table) typMatrix() {
	typs := map[string]string{"manifest": TypManifest, "statement": TypStatement, "acknowledgement": TypAcknowledgement, "approval": TypApproval}
	for kind := range typs {
		for other, typ := range typs {
			if other == kind {
				continue
			}
			f := b.forge(nil)
			k, payload := b.keys.es256, b.payloadOf(f, kind)
			if kind == "approval" {
				k = b.keys.approve
			}
			b.part(f, kind, "typ-of-"+other, "J36: a part with the typ of another", ReasonTyp, compact(k, headerOf(k, typ), payload)).
				legal("typ tells the parts apart (RFC 8725 section 3.11)")
			k = b.keys.es256
			if other == "approval" {
				k = b.keys.approve
			}
			b.part(f, kind, "is-"+other, "J36: one part in the place of another, whole", ReasonTyp, compact(k, headerOf(k, typ), b.payloadOf(f, other))).
				legal("typ tells the parts apart (RFC 8725 section 3.11)")
			k = b.keys.es256
			if kind == "approval" {
				k = b.keys.approve
			}
			v := b.part(f, kind, "payload-of-"+other, "J36: one part with the payload of another", ReasonUnknownMember, compact(k, headerOf(k, typs[kind]), b.payloadOf(f, other)))
			if v.run(b.t) != nil {
				v.Reason = Reason(v.run(b.t)) // which member is met first is not the point
			}
		}
	}
}

// payloadOf is a good payload of a kind.
func (b *table) payloadOf(f *forge, kind string) string {
	switch kind {
	case "manifest":
		m, _, _ := f.build()
		payload, _ := decode64([]byte(strings.Split(m, ".")[1]))
		return string(payload)
	case "statement":
		return f.statementPayload
	case "acknowledgement":
		return acknowledgementText
	}
	return approvalText
}

func (b *table) jwsEncodings() {
	segment := func(i int, change func(string) string) func(string) string {
		return func(s string) string {
			parts := strings.Split(s, ".")
			parts[i] = change(parts[i])
			return strings.Join(parts, ".")
		}
	}
	raw := func(name, about, reason string, change func(string) string) *vector {
		return b.manifest(name, about, reason, func(f *forge) { f.rawManifest = change })
	}
	for i, part := range []string{"header", "payload", "signature"} {
		raw("base64-"+part+"-padding", "J19: no padding", ReasonBase64, segment(i, func(s string) string { return s + strings.Repeat("=", 4-len(s)%4) }))
		raw("base64-"+part+"-plus", "J19: the alphabet of base64url", ReasonBase64, segment(i, func(s string) string { return "+" + s[1:] }))
		raw("base64-"+part+"-slash", "J19: the alphabet of base64url", ReasonBase64, segment(i, func(s string) string { return s[:8] + "/" + s[9:] }))
		raw("base64-"+part+"-newline", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\n" + s[4:] }))
		raw("base64-"+part+"-crlf", "J19: nothing inside, whatever the length", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\r\n\r\n" + s[4:] }))
		raw("base64-"+part+"-space", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + " " + s[4:] }))
		raw("base64-"+part+"-nul", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\x00" + s[5:] }))
		raw("parts-empty-"+part, "J20, J22: no empty part, no detached payload (RFC 7515 appendix F)", ReasonParts, segment(i, func(string) string { return "" }))
	}
	raw("base64-signature-bits", "J19: unused bits are zero", ReasonBase64, segment(2, trailingBits))
	b.manifest("base64-payload-bits", "J19: unused bits are zero", ReasonBase64, func(f *forge) {
		f.rawManifest = func(s string) string {
			p := strings.Split(s, ".")
			payload, _ := decode64([]byte(p[1]))
			for len(payload)%3 == 0 {
				payload = append(payload, ' ')
			}
			return p[0] + "." + trailingBits(encode64(payload)) + "." + p[2]
		}
	})
	raw("base64-length", "J19: a length that no bytes have", ReasonBase64, segment(0, func(s string) string { return s[:len(s)/4*4-3] }))
	raw("leading-space", "J19: nothing before", ReasonBase64, func(s string) string { return " " + s })
	raw("trailing-newline", "J19: nothing after", ReasonBase64, func(s string) string { return s + "\n" })
	raw("bom", "J19: no byte order mark", ReasonBase64, func(s string) string { return "\ufeff" + s })
	raw("parts-two", "J20: three parts", ReasonParts, func(s string) string { return s[:strings.LastIndexByte(s, '.')] })
	raw("parts-four", "J20: three parts", ReasonParts, func(s string) string { return s + ".AAAA" })
	raw("parts-five", "J20: three parts", ReasonParts, func(s string) string { return s + ".AAAA.AAAA" })
	raw("parts-dots", "J20: many dots (CVE-2025-27144)", ReasonParts, func(string) string { return strings.Repeat(".", 5000) })
	raw("parts-none", "J20: nothing at all", ReasonParts, func(string) string { return "" })
	raw("signature-63", "J18: 64 bytes", ReasonSignatureLength, segment(2, func(string) string { return encode64(make([]byte, 63)) }))
	raw("signature-65", "J18: 64 bytes", ReasonSignatureLength, segment(2, func(string) string { return encode64(make([]byte, 65)) }))
	raw("signature-der", "J18: the DER form of a good signature", ReasonSignatureLength, segment(2, func(s string) string {
		sig, _ := decode64([]byte(s))
		r, t := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		return encode64(must2(asn1.Marshal(struct{ R, S *big.Int }{r, t})))
	}))
	raw("signature-hex", "J18: 64 bytes, not their hexadecimal form", ReasonSignatureLength, segment(2, func(s string) string {
		sig, _ := decode64([]byte(s))
		return encode64([]byte(hex.EncodeToString(sig)))
	}))
	raw("signature-trailing-zero", "J18: 64 bytes, nothing after them", ReasonSignatureLength, segment(2, func(s string) string {
		sig, _ := decode64([]byte(s))
		return encode64(append(sig, 0))
	}))
	raw("signature-leading-zero", "J18: 64 bytes, nothing before them", ReasonSignatureLength, segment(2, func(s string) string {
		sig, _ := decode64([]byte(s))
		return encode64(append([]byte{0}, sig...))
	}))
	for _, n := range []int{1, 32, 48, 96, 128, 132} {
		raw("signature-"+strconv.Itoa(n), "J18: 64 bytes", ReasonSignatureLength, segment(2, func(string) string { return encode64(make([]byte, n)) }))
	}
	raw("json-flattened", "J10, J11, J21: the compact serialization only", ReasonParts, func(s string) string {
		p := strings.Split(s, ".")
		return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
	})
	raw("json-general", "J21: the compact serialization only", ReasonParts, func(s string) string {
		p := strings.Split(s, ".")
		return `{"payload":"` + p[1] + `","signatures":[{"header":{"alg":"ES256"},"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`
	})
	raw("json-polyglot", "J40: a compact JWS in a JSON string", ReasonBase64, func(s string) string { return `"` + s + `"` })
	raw("json-unprotected", "J10, J11: alg and kid in an unprotected header, nothing protected (CVE-2024-21664)", ReasonParts, func(s string) string {
		p := strings.Split(s, ".")
		return `{"payload":"` + p[1] + `","header":` + headerOf(b.keys.es256, TypManifest) + `,"signature":"` + p[2] + `"}`
	})
	raw("unencoded", "J13: no unencoded payload (RFC 7797)", ReasonBase64, segment(1, func(s string) string {
		payload, _ := decode64([]byte(s))
		return strings.ReplaceAll(string(payload), ".", "")
	}))
	raw("percent", "J19: no other encoding around it", ReasonBase64, func(s string) string { return strings.Replace(s, "A", "%41", 1) })
	raw("tilde", "J19: nothing after it, no disclosures", ReasonBase64, func(s string) string { return s + "~" })
	raw("trailing-space", "J19: nothing after", ReasonBase64, func(s string) string { return s + " " })
	raw("trailing-crlf", "J19: nothing after", ReasonBase64, func(s string) string { return s + "\r\n" })
	raw("trailing-nul", "J19: nothing after", ReasonBase64, func(s string) string { return s + "\x00" })
	raw("dot-after", "J20: three parts", ReasonParts, func(s string) string { return s + "." })
	raw("dot-before", "J20: three parts", ReasonParts, func(s string) string { return "." + s })
	raw("dot-wide", "J20: dots are U+002E", ReasonParts, func(s string) string { return strings.ReplaceAll(s, ".", "\uff0e") })
	raw("scheme", "J19: nothing before", ReasonBase64, func(s string) string { return "Bearer " + s })
	raw("two", "J20: one JWS", ReasonParts, func(s string) string { return s + "\n" + s })
	raw("jwe-compact", "J20: five parts are a JWE", ReasonParts, func(s string) string { return s + "." + strings.Repeat("A", 16) + "." + strings.Repeat("A", 22) })
	b.manifest("accept-payload-24-kib", "the longest payload, by white space", "", func(f *forge) { f.padManifest(maxManifest) })
	b.manifest("payload-long", "at most 24 KiB: one byte more", ReasonTooLarge, func(f *forge) { f.padManifest(maxManifest + 1) }).legal("a manifest has at most 24 KiB")
	raw("nested", "J39: a JWS is not a payload", ReasonType, func(s string) string {
		return compact(b.keys.es256, `{"alg":"ES256","kid":"`+b.keys.es256.Kid()+`","typ":"`+TypManifest+`"}`, s)
	})
}

// trailingBits sets an unused bit of a segment that has some.
func trailingBits(s string) string {
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last|1])
}

// malleate replaces s by n-s.
func malleate(s string) string {
	dot := strings.LastIndexByte(s, '.')
	sig, _ := decode64([]byte(s[dot+1:]))
	return s[:dot+1] + encode64(negateS(sig))
}

// padManifest brings the payload of a manifest to a size, by white space.
func (f *forge) padManifest(size int) {
	m, _, _ := f.build()
	payload, _ := decode64([]byte(strings.Split(m, ".")[1]))
	f.manifestPayload = string(payload) + strings.Repeat(" ", size-len(payload))
}
