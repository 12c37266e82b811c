package envelope

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// protected adds a content whose protected header is changed before the message
// is encrypted under it.
func (b *table) protected(name, about, reason, old, new string, aud ...string) *vector {
	return b.content(name, about, reason, func(f *forge) { f.box.protect = f.replace(old, new) }, aud...)
}

// contentHeaders are members that a protected header may not have, or twice, or
// has to have.
func (b *table) contentHeaders() {
	const allowed = "the protected header has exactly the members of the specification; RFC 7516 section 4 would have it ignored"
	extra := func(name, member string) *vector {
		return b.protected("header-"+name, "J25: header members are exactly those of the specification", ReasonUnknownMember, `"enc"`, member+`,"enc"`)
	}
	for name, member := range map[string]string{"p2c": `"p2c":2147483648`, "exp": `"exp":1`, "case": `"Enc":"A256GCM"`, "x5t": `"x5t":"AAAA"`, "iat": `"iat":1`, "tag": `"tag":"AAAA"`, "iv": `"iv":"AAAA"`, "proto": `"__proto__":{}`, "sub": `"sub":"x"`} {
		extra(name, member).legal(allowed)
	}
	const fetched = "nothing is fetched because a header says so (RFC 8725 section 3.10)"
	extra("jku", `"jku":"http://127.0.0.1/"`).legal(fetched)
	extra("x5u", `"x5u":"http://127.0.0.1/"`).legal(fetched)
	extra("jwk", `"jwk":{}`)
	extra("x5c", `"x5c":[]`)
	extra("crit", `"crit":["x"]`)
	extra("crit-empty", `"crit":[]`)
	extra("crit-exp", `"exp":1,"crit":["exp"]`)
	extra("apu-unused", `"apu":"AAAA"`)
	for _, name := range []string{"apu", "apv", "apu-and-apv"} {
		b.content("header-"+name, "J25: apu and apv are refused; here they stand in the key derivation as well", ReasonUnknownMember, func(f *forge) {
			member := ""
			if strings.Contains(name, "apu") {
				f.box.apu = []byte("sender")
				member += `"apu":"` + encode64(f.box.apu) + `",`
			}
			if strings.Contains(name, "apv") {
				f.box.apv = []byte("recipient")
				member += `"apv":"` + encode64(f.box.apv) + `",`
			}
			f.box.protect = f.replace(`"enc"`, member+`"enc"`)
		}).legal("PartyUInfo and PartyVInfo are empty; the header binds sender and recipients")
	}
	b.content("header-zip", "J25: no compression, truly compressed (CVE-2024-28180, CVE-2024-28122)", ReasonUnknownMember, func(f *forge) {
		f.box.zip = true
		f.box.protect = f.replace(`"enc"`, `"zip":"DEF","enc"`)
	}).legal("nothing is compressed before it is encrypted (RFC 8725 section 3.6)")
	b.protected("header-zip-only", "J25: no compression, named only", ReasonUnknownMember, `"enc"`, `"zip":"DEF","enc"`)
	const twice = "J14: no member twice (RFC 7516 section 4)"
	b.protected("header-twice", twice, ReasonDuplicateMember, `"enc"`, `"\u0065nc":"A256GCM","enc"`)
	b.protected("header-twice-jti", twice, ReasonDuplicateMember, `"jti"`, `"jti":"`+forgeJTI2+`","jti"`)
	b.protected("header-twice-aud", twice, ReasonDuplicateMember, `"aud"`, `"aud":["ua/npu"],"a\u0075d"`)
	b.protected("header-twice-kid", twice, ReasonDuplicateMember, `"kid"`, `"kid":"`+forgeSalt+`","kid"`)
	for _, member := range []string{"enc", "typ", "cty", "iss", "aud", "jti", "alg", "kid", "epk"} {
		v := b.content("no-"+member, "every member is required", ReasonMissingMember, func(f *forge) { f.box.protect = func(h string) string { return dropped(h, member) } })
		switch member {
		case "typ", "cty":
			v.legal(member + " tells what is inside (RFC 8725 section 3.11)")
		case "kid":
			v.legal("the recipient is found by kid")
		}
	}
}

// contentHeaderValues are values of the protected header.
func (b *table) contentHeaderValues() {
	const tells = "it tells what is inside (RFC 8725 section 3.11)"
	for name, typ := range map[string]string{"": TypManifest, "-jwe": "JOSE+JSON", "-upper": strings.ToUpper(TypContent), "-application": "application/" + TypContent, "-empty": ""} {
		b.protected("typ"+name, "J36: its own typ", ReasonTyp, TypContent, typ).legal("typ: " + tells)
	}
	for name, cty := range map[string]string{"": "JWT", "-short": strings.TrimPrefix(CtyMessage, "application/"), "-upper": strings.ToUpper(CtyMessage), "-parameter": CtyMessage + ";charset=utf-8"} {
		b.protected("cty"+name, "a message", ReasonTyp, CtyMessage, cty).legal("cty: " + tells)
	}
	const thumbprint = "kid is the RFC 7638 thumbprint of the key"
	kid := b.keys.enc["lv/vp"].Kid()
	for name, other := range map[string]string{"": "lv-key-1", "-bits": kid[:42] + "B", "-empty": "", "-padded": kid + "="} {
		if strings.HasSuffix(other, kid[42:]) && name == "-bits" {
			other = kid[:42] + "C"
		}
		b.protected("kid"+name, "J8: a thumbprint", ReasonValue, kid, other).legal(thumbprint)
	}
	for name, iss := range map[string]string{"upper": "EE/pbgb", "empty": "", "one-segment": "ee"} {
		b.protected("iss-"+name, "an agency id", ReasonValue, `"iss":"ee/pbgb"`, `"iss":"`+iss+`"`)
	}
	b.protected("iss-number", "a string", ReasonType, `"iss":"ee/pbgb"`, `"iss":1`)
	b.protected("iss-null", "a string", ReasonType, `"iss":"ee/pbgb"`, `"iss":null`)
	b.protected("aud-32", "1 to 31 recipients", ReasonCount, `["lv/vp"]`, quoted(manyAgencies(32)))
	b.protected("aud-empty", "1 to 31 recipients", ReasonCount, `["lv/vp"]`, `[]`)
	b.protected("aud-string", "a list, of one too (RFC 7519 section 4.1.3 would let it be a string)", ReasonType, `["lv/vp"]`, `"lv/vp"`)
	b.protected("aud-twice", "distinct recipients", ReasonDuplicateValue, `["lv/vp"]`, `["lv/vp","lv/vp"]`)
	b.protected("aud-null", "a list", ReasonType, `["lv/vp"]`, `null`)
	b.protected("aud-number", "agency ids", ReasonType, `["lv/vp"]`, `[1]`)
	b.protected("aud-upper", "agency ids", ReasonValue, `["lv/vp"]`, `["LV/vp"]`)
	b.protected("jti-upper", "a UUIDv7 in lower case", ReasonValue, forgeJTI, strings.ToUpper(forgeJTI))
	b.protected("jti-v4", "a UUIDv7 in lower case", ReasonValue, forgeJTI, "0199f3a2-7c1e-4b3a-9d52-3f1c2a4b5c6d")
	b.protected("jti-null", "a string", ReasonType, `"`+forgeJTI+`"`, "null")
	whole := func(name, about, reason string, change func(h string) string) *vector {
		return b.content("protected-"+name, about, reason, func(f *forge) { f.box.protect = change })
	}
	whole("trailing", "nothing after the header", ReasonJSON, func(h string) string { return h + "{}" })
	whole("comma", "no comma at the end", ReasonJSON, func(h string) string { return strings.TrimSuffix(h, "}") + ",}" })
	whole("bom", "J19: no byte order mark", ReasonType, func(h string) string { return "\ufeff" + h })
	whole("list", "an object", ReasonType, func(h string) string { return "[" + h + "]" })
	whole("null", "an object", ReasonType, func(string) string { return "null" })
	whole("utf8", "J24: valid UTF-8", ReasonCharacters, func(h string) string { return strings.Replace(h, `"kid":"`, "\"kid\":\"\xff", 1) })
	whole("surrogate", "J24: no lone surrogate", ReasonJSON, func(h string) string { return strings.Replace(h, `"kid":"`, `"kid":"\ud800`, 1) })
	whole("deep", "J23: at most 16 levels", ReasonUnknownMember, func(h string) string {
		return strings.TrimSuffix(h, "}") + `,"x":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + "}"
	}).legal("the protected header has exactly the members of the specification")
	whole("long", "J23: at most 4 KiB: one byte more", ReasonTooLarge, func(h string) string { return h + strings.Repeat(" ", maxHeader+1-len(h)) }).legal("a header has at most 4 KiB")
}

// contentAlgorithms are algorithms that are not allowed. Those that can be done
// with the keys of the vectors are done; the others are named only.
func (b *table) contentAlgorithms() {
	const one = "one algorithm, ECDH-ES+A256KW on P-256 with A256GCM"
	for _, alg := range []string{"dir", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A128KW", "A256KW", "A256GCMKW", "PBES2-HS256+A128KW", "HPKE-0", "ECDH-1PU+A256KW", "none", "ecdh-es+a256kw"} {
		name := strings.ToLower(alg)
		if name == alg && alg != "dir" && alg != "none" {
			name += "-lower"
		}
		b.protected("alg-"+name, "J26: ECDH-ES+A256KW only; named only", ReasonAlg, algEncrypt, alg)
	}
	b.protected("alg-pbes2-p2c", "J26: a password hashed 2^31 times (CVE-2023-49290, GHSA-2c7c-3mj9-8fqh)", ReasonAlg, `"`+algEncrypt+`"`, `"PBES2-HS512+A256KW","p2s":"AAAAAAAAAAA","p2c":2147483648`)
	for _, alg := range []string{"ECDH-ES+A128KW", "ECDH-ES+A192KW"} {
		b.content("alg-"+strings.ToLower(alg), "J26: ECDH-ES+A256KW only; truly done", ReasonAlg, func(f *forge) { f.box.alg = alg }).legal(one)
	}
	b.content("alg-ecdh-es", "J26: ECDH-ES+A256KW only; truly done, without encrypted_key", ReasonAlg, func(f *forge) {
		f.box.alg = "ECDH-ES"
		f.box.apart, f.box.flat = true, true
	}).legal(one)
	for _, enc := range []string{"A128GCM", "A192GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"} {
		v := b.content("enc-"+strings.ToLower(enc), "J26: A256GCM only; truly done", "", func(f *forge) { f.box.enc = enc })
		v.Expect, v.Message = "malformed", nil
		v.Reason = Reason(v.run(b.t)) // lengths differ as well, and are met first
		v.legal(one)
	}
	for _, enc := range []string{"XC20P", "A256GCMKW", "none", "a256gcm", ""} {
		b.protected("enc-"+strconv.Itoa(len(enc))+strings.ToLower(enc), "J26: A256GCM only; named only", ReasonAlg, "A256GCM", enc)
	}
	for name, curve := range map[string]ecdh.Curve{"p384": ecdh.P384(), "p521": ecdh.P521(), "x25519": ecdh.X25519()} {
		v := b.content("curve-"+name, "J27: a recipient on another curve; truly done", "", func(f *forge) { f.onCurve(curve) })
		v.Expect, v.Message = "malformed", nil
		v.Reason = Reason(v.run(b.t))
		v.legal(one)
	}
}

// onCurve encrypts to a key on another curve, which the vector's private key opens.
func (f *forge) onCurve(c ecdh.Curve) {
	secret := func(label string) *ecdh.PrivateKey {
		size := map[ecdh.Curve]int{ecdh.P384(): 48, ecdh.P521(): 66, ecdh.X25519(): 32}[c]
		raw := slices.Concat(derived(label), derived(label+" 2"), derived(label+" 3"))[:size]
		raw[0] = 0 // below any order
		return must2(c.NewPrivateKey(raw))
	}
	to := secret("other curve")
	f.box.to = func(_ int, kid string) (string, *ecdh.PublicKey) { return kid, to.PublicKey() }
	f.box.epk = func(int) *ecdh.PrivateKey { return secret("other curve, ephemeral") }
	jwk := strings.TrimSuffix(epkJSON(to.PublicKey()), "}") + `,"d":"` + encode64(to.Bytes()) + `"}`
	f.box.readers = []vectorSecret{{"lv/vp", json.RawMessage(jwk)}}
}

// ephemeralKeys are forms and points of epk.
func (b *table) ephemeralKeys() {
	epk := func(name, about, reason string, change func(f *forge, epk map[string]string) string) *vector {
		return b.content("epk-"+name, about, reason, func(f *forge) {
			f.box.protect = func(h string) string {
				old := strings.TrimPrefix(strings.TrimSuffix(memberText(h, "epk"), ","), `"epk":`)
				var m map[string]string
				if err := json.Unmarshal([]byte(old), &m); err != nil {
					b.t.Fatal(err)
				}
				return f.replace(old, change(f, m))(h)
			}
		})
	}
	set := func(k, v string) func(*forge, map[string]string) string {
		return func(_ *forge, m map[string]string) string { m[k] = v; return string(must2(json.Marshal(m))) }
	}
	without := func(k string) func(*forge, map[string]string) string {
		return func(_ *forge, m map[string]string) string { delete(m, k); return string(must2(json.Marshal(m))) }
	}
	at := func(k string, change func(b []byte) []byte) func(*forge, map[string]string) string {
		return func(f *forge, m map[string]string) string {
			raw, _ := decode64([]byte(m[k]))
			return set(k, encode64(change(raw)))(f, m)
		}
	}
	epk("off-curve", "J27: not a point", ReasonCurve, func(f *forge, m map[string]string) string { return set("y", m["x"])(f, m) })
	epk("infinity", "J27: not a point", ReasonCurve, func(f *forge, m map[string]string) string {
		m["x"] = encode64(make([]byte, 32))
		return set("y", m["x"])(f, m)
	})
	epk("x-0", "J27: x is 0, y is no root", ReasonCurve, set("x", encode64(make([]byte, 32))))
	epk("y-0", "J27: no point of P-256 has y 0", ReasonCurve, set("y", encode64(make([]byte, 32))))
	epk("last-bit", "J27: a bit beside the curve", ReasonCurve, at("y", func(b []byte) []byte { b[31] ^= 1; return b }))
	epk("not-reduced", "J27: a coordinate beyond the prime", ReasonCurve, set("x", encode64(slices.Repeat([]byte{0xff}, 32))))
	epk("y-not-reduced", "J27: a coordinate beyond the prime", ReasonCurve, set("y", encode64(slices.Repeat([]byte{0xff}, 32))))
	epk("swapped", "J27: x and y in each other's place", ReasonCurve, func(f *forge, m map[string]string) string {
		m["x"], m["y"] = m["y"], m["x"]
		return string(must2(json.Marshal(m)))
	})
	epk("twist", "J27: a point of the twist", ReasonCurve, func(f *forge, m map[string]string) string {
		return set("x", encode64(append(make([]byte, 31), 2)))(f, m)
	})
	p384 := must2(ecdh.P384().NewPrivateKey(slices.Concat([]byte{0}, derived("p384"), derived("p384 2"))[:48])).PublicKey()
	epk("p384", "J27: another curve", ReasonValue, func(*forge, map[string]string) string { return epkJSON(p384) })
	epk("p384-as-p256", "J27: coordinates of another curve", ReasonBase64, func(*forge, map[string]string) string {
		return strings.Replace(epkJSON(p384), "P-384", "P-256", 1)
	})
	epk("secp256k1", "J27: another curve", ReasonValue, set("crv", "secp256k1"))
	epk("p256-upper-kty", "kty is EC", ReasonValue, set("kty", "ec"))
	epk("crv-lower", "crv is P-256", ReasonValue, set("crv", "p-256"))
	epk("x25519", "J27: another kind", ReasonValue, func(_ *forge, m map[string]string) string { return `{"kty":"OKP","crv":"X25519","x":"` + m["x"] + `"}` })
	epk("oct", "J27: another kind", ReasonValue, func(_ *forge, m map[string]string) string { return `{"kty":"oct","k":"` + m["x"] + `"}` })
	epk("x-31", "J27: 32 bytes", ReasonBase64, at("x", func(b []byte) []byte { return b[:31] }))
	epk("x-33", "J27: 32 bytes, no zero before them", ReasonBase64, at("x", func(b []byte) []byte { return append([]byte{0}, b...) }))
	epk("y-31", "J27: 32 bytes", ReasonBase64, at("y", func(b []byte) []byte { return b[1:] }))
	epk("short", "J27: 32 bytes", ReasonBase64, set("x", "AAAA"))
	epk("empty", "J27: 32 bytes", ReasonBase64, set("x", ""))
	epk("padded", "canonical base64url", ReasonBase64, func(f *forge, m map[string]string) string { return set("x", m["x"]+"=")(f, m) })
	epk("private", "J27: no private half", ReasonUnknownMember, set("d", forgeSalt))
	for member, value := range map[string]string{"kid": "x", "alg": algEncrypt, "use": "enc", "ext": "x"} {
		epk(member, "exactly kty, crv, x, y", ReasonUnknownMember, set(member, value)).legal("epk has exactly kty, crv, x and y; RFC 7518 section 4.6.1.1 says it should have no more")
	}
	epk("null", "an object", ReasonType, func(*forge, map[string]string) string { return "null" })
	epk("string", "an object", ReasonType, func(*forge, map[string]string) string { return `"P-256"` })
	epk("twice-x", "J14: no member twice", ReasonDuplicateMember, func(_ *forge, m map[string]string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + m["y"] + `","x":"` + m["x"] + `","y":"` + m["y"] + `"}`
	})
	for _, member := range []string{"kty", "crv", "x", "y"} {
		epk("no-"+member, "exactly kty, crv, x, y", ReasonMissingMember, without(member))
	}
	epk("bits", "canonical base64url", ReasonBase64, func(f *forge, m map[string]string) string { return set("x", trailingBits(m["x"]))(f, m) })
	b.content("epk-x-zero-dropped", "J27: 32 bytes, a zero byte at the front not dropped (RFC 7518 section 6.2.1.2)", ReasonBase64, func(f *forge) {
		for i := 0; ; i++ {
			k := must2(ecdh.P256().NewPrivateKey(derived("ephemeral zero " + strconv.Itoa(i))))
			raw := k.PublicKey().Bytes()
			if raw[1] != 0 {
				continue
			}
			f.box.epk = func(int) *ecdh.PrivateKey { return k }
			f.box.protect = f.replace(encode64(raw[1:33]), encode64(raw[2:33]))
			return
		}
	})
}

// contentForms are members of the JWE and forms of its JSON.
func (b *table) contentForms() {
	surgery := func(name, about, reason string, change func(f *forge), aud ...string) *vector {
		return b.content(name, about, reason, func(f *forge) { f.encrypted(); change(f) }, aud...)
	}
	member := func(name, about, reason, which, value string) *vector {
		return surgery(name, about, reason, func(f *forge) { swap(&f.content, f, f.member(which), value) })
	}
	beside := func(name, text string) *vector {
		return surgery("member-"+name, "exactly the members of the specification", ReasonUnknownMember, func(f *forge) { swap(&f.content, f, `"iv"`, text+`,"iv"`) })
	}
	const exactly = "a content has exactly the members of the specification; RFC 7516 section 7.2.1 would have it ignored"
	beside("unprotected-empty", `"unprotected":{}`)
	beside("unprotected", `"unprotected":{"x":1}`).legal("there is no shared unprotected header")
	beside("case", `"IV":"AAAA"`).legal(exactly)
	beside("payload", `"payload":"AAAA","signature":"AAAA"`)
	beside("comment", `"comment":"x"`).legal(exactly)
	beside("proto", `"__proto__":{}`).legal(exactly)
	beside("aad-unused", `"aad":"AAAA"`)
	b.content("member-aad", "aad is refused; here it is authenticated as well", ReasonUnknownMember, func(f *forge) { f.box.aad = encode64([]byte("x")) }).legal("there is no aad: the protected header binds")
	surgery("member-unprotected-alg", "alg in the shared unprotected header", ReasonUnknownMember, func(f *forge) {
		f.content = ""
		f.box.protect = f.replace(`"alg":"`+algEncrypt+`",`, "")
		f.encrypted()
		swap(&f.content, f, `"iv"`, `"unprotected":{"alg":"`+algEncrypt+`"},"iv"`)
	}).legal("there is no shared unprotected header")
	surgery("member-twice", "J14: no member twice", ReasonDuplicateMember, func(f *forge) { swap(&f.content, f, `"iv"`, `"\u0069v":`+f.member("iv")+`,"iv"`) })
	surgery("member-twice-protected", "J14: no member twice", ReasonDuplicateMember, func(f *forge) {
		swap(&f.content, f, `"iv"`, `"protected":"e30","iv"`)
	})
	member("protected-standard", "J19: the alphabet of base64url", ReasonBase64, "protected", `"`+base64.StdEncoding.EncodeToString([]byte(">>>???"))+`"`)
	member("protected-empty", "a protected header", ReasonBase64, "protected", `""`)
	member("protected-object", "base64url of a header", ReasonType, "protected", `{"enc":"A256GCM"}`)
	for _, name := range []string{"protected", "iv", "ciphertext", "tag"} {
		surgery("no-member-"+name, "every member is required", ReasonMissingMember, func(f *forge) { f.content = dropped(f.content, name) })
		member("null-"+name, "a string", ReasonType, name, "null")
	}
	surgery("no-recipient", "encrypted_key or recipients", ReasonMissingMember, func(f *forge) { swap(&f.content, f, `"encrypted_key":`+f.member("encrypted_key")+",", "") })
	surgery("compact", "the JSON serialization only", ReasonType, func(f *forge) {
		f.content = strings.Join([]string{f.text("protected"), f.text("encrypted_key"), f.text("iv"), f.text("ciphertext"), f.text("tag")}, ".")
	}).legal("a content is a JWE in JSON serialization")
	surgery("jws", "J40: a JWS is no content", ReasonType, func(f *forge) { f.content, _, _ = f.build() })
	surgery("jws-flattened", "J40: a JWS is no content", ReasonUnknownMember, func(f *forge) {
		m, _, _ := f.build()
		p := strings.Split(m, ".")
		f.content = `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
	})
	b.content("empty", "not empty", ReasonType, func(f *forge) { f.rawContent = func(string) string { return "" } })
	b.content("spaces", "not empty", ReasonType, func(f *forge) { f.rawContent = func(string) string { return " \n" } })
	surgery("null", "an object", ReasonType, func(f *forge) { f.content = "null" })
	surgery("list", "one JWE", ReasonType, func(f *forge) { f.content = "[" + f.content + "]" })
	surgery("trailing", "nothing after", ReasonJSON, func(f *forge) { f.content += "{}" })
	surgery("trailing-nul", "nothing after", ReasonJSON, func(f *forge) { f.content += "\x00" })
	surgery("comma", "no comma at the end", ReasonJSON, func(f *forge) { f.content = strings.TrimSuffix(f.content, "}") + ",}" })
	surgery("bom", "J19: no byte order mark", ReasonType, func(f *forge) { f.content = "\ufeff" + f.content })
	surgery("utf8", "J24: valid UTF-8", ReasonCharacters, func(f *forge) { swap(&f.content, f, `"iv"`, "\"\xff\":1,\"iv\"") })
	surgery("nested", "J39: no JWE in a JWE's place", ReasonType, func(f *forge) { swap(&f.content, f, f.member("ciphertext"), f.content) })
	b.content("long", "at most 8 MiB: one byte more", ReasonTooLarge, func(f *forge) { f.padding = MaxContent + 1 - len(f.encrypted()) }).legal("a content has at most 8 MiB")
	b.content("accept-8-mib", "the largest content, by white space", "", func(f *forge) { f.padding = MaxContent - len(f.encrypted()) })
}

// contentLengths are lengths and forms of what is base64url.
func (b *table) contentLengths() {
	member := func(name, about, reason, which, value string) {
		b.content(name, about, reason, func(f *forge) { f.encrypted(); swap(&f.content, f, f.member(which), value) })
	}
	zeros := func(n int) string { return `"` + encode64(make([]byte, n)) + `"` }
	for which, sizes := range map[string][]int{"encrypted_key": {0, 1, 8, 16, 24, 32, 39, 41, 48, 72}, "iv": {0, 1, 8, 11, 13, 16, 24}, "tag": {0, 1, 4, 8, 12, 15, 17, 32}} {
		for _, n := range sizes {
			reason := ReasonValue
			if n == 0 {
				reason = ReasonBase64
			}
			name := map[string]string{"encrypted_key": "key", "iv": "iv", "tag": "tag"}[which]
			member(name+"-"+strconv.Itoa(n), map[bool]string{true: "J28: 40 bytes (CVE-2026-34986)", false: "J28: 12 and 16 bytes"}[name == "key"], reason, which, zeros(n))
		}
		member("number-"+which, "a string", ReasonType, which, "1")
	}
	cut := func(f *forge, which string, keep int) string {
		raw, _ := decode64([]byte(f.text(which)))
		return `"` + encode64(raw[:keep]) + `"`
	}
	for which, keep := range map[string]int{"encrypted_key": 39, "iv": 11, "tag": 15} {
		b.content("cut-"+which, "J28: cut by a byte (CVE-2026-34986 for encrypted_key)", ReasonValue, func(f *forge) { f.encrypted(); swap(&f.content, f, f.member(which), cut(f, which, keep)) })
	}
	b.content("key-of-16", "J28: a content key of 128 bits, truly wrapped", ReasonValue, func(f *forge) { f.box.cekSize = 16 })
	member("ciphertext-empty", "not empty", ReasonBase64, "ciphertext", `""`)
	member("ciphertext-newline", "J19: nothing inside", ReasonBase64, "ciphertext", `"AAAA AAAA"`)
	member("ciphertext-padded", "J19: no padding", ReasonBase64, "ciphertext", `"AAA="`)
	member("ciphertext-bits", "J19: unused bits are zero", ReasonBase64, "ciphertext", `"AAB"`)
	member("ciphertext-number", "a string", ReasonType, "ciphertext", `1`)
	loose := func(name, about string, change func(string) string) *vector {
		return b.content("base64-"+name, about, ReasonBase64, func(f *forge) {
			f.encrypted()
			swap(&f.content, f, f.text("ciphertext"), change(f.text("ciphertext")))
		})
	}
	loose("padding", "J19: no padding", func(s string) string { return s + strings.Repeat("=", 4-len(s)%4) })
	loose("space", "J19: nothing inside", func(s string) string { return s[:4] + " " + s[4:] })
	loose("bits", "J19: unused bits are zero", func(s string) string {
		if len(s)%4 == 0 {
			b.t.Fatal("no unused bits")
		}
		return trailingBits(s)
	})
	loose("plus", "J19: the alphabet of base64url", func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) })
	loose("length", "J19: a length that no bytes have", func(s string) string { return s[:len(s)/4*4-3] })
	b.content("base64-newline", "J19: nothing inside, escaped or not", ReasonCharacters, func(f *forge) {
		f.encrypted()
		s := f.text("ciphertext")
		swap(&f.content, f, s, s[:4]+`\n`+s[4:])
	})
}

// recipients are lists of JWE recipients and the two headers.
func (b *table) recipients() {
	two := []string{"lv/vp", "ua/npu"}
	surgery := func(name, about, reason string, change func(f *forge), aud ...string) *vector {
		return b.content(name, about, reason, func(f *forge) { f.encrypted(); change(f) }, aud...)
	}
	one := func(f *forge, i int) string {
		header, key := f.recipientJSON(i)
		return `{"header":` + header + `,"encrypted_key":` + key + `}`
	}
	list := func(name, about, reason string, change func(f *forge) string) *vector {
		return surgery(name, about, reason, func(f *forge) { swap(&f.content, f, f.member("recipients"), change(f)) }, two...)
	}
	list("recipients-0", "at least one", ReasonCount, func(*forge) string { return "[]" })
	list("recipients-33", "J29: at most 32", ReasonCount, func(f *forge) string { return "[" + repeated(one(f, 0), 33) + "]" }).legal("a content has at most 32 recipients")
	list("recipients-1000", "J29: at most 32", ReasonCount, func(f *forge) string { return "[" + repeated(one(f, 0), 1000) + "]" }).legal("a content has at most 32 recipients")
	list("recipients-null", "a list", ReasonType, func(*forge) string { return "null" })
	list("recipients-object", "a list", ReasonType, func(f *forge) string { return one(f, 0) })
	list("recipients-null-element", "objects", ReasonType, func(f *forge) string { return "[" + one(f, 0) + ",null]" })
	list("recipients-empty-element", "encrypted_key", ReasonMissingMember, func(f *forge) string { return "[" + one(f, 0) + ",{}]" })
	list("recipient-twice", "J29: distinct kid", ReasonDuplicateValue, func(f *forge) string { return "[" + one(f, 0) + "," + one(f, 0) + "]" }).legal("each kid stands once")
	list("recipient-unknown", "no other members", ReasonUnknownMember, func(f *forge) string {
		return "[" + one(f, 0) + "," + strings.Replace(one(f, 1), "{", `{"protected":"e30",`, 1) + "]"
	}).legal("a recipient has exactly header and encrypted_key; RFC 7516 section 7.2.1 would have the rest ignored")
	list("recipient-no-key", "encrypted_key", ReasonMissingMember, func(f *forge) string {
		header, _ := f.recipientJSON(1)
		return "[" + one(f, 0) + `,{"header":` + header + "}]"
	}).legal("each recipient has its encrypted_key")
	list("recipient-no-header", "alg, kid and epk", ReasonMissingMember, func(f *forge) string {
		_, key := f.recipientJSON(1)
		return "[" + one(f, 0) + `,{"encrypted_key":` + key + "}]"
	})
	b.content("accept-recipients-32", "32 JWE recipients: 31 agencies and the copy", "", func(f *forge) { f.copied = true }, manyAgencies(31)...)
	surgery("key-beside-recipients", "RFC 7516 section 7.2: the forms do not mix", ReasonUnknownMember, func(f *forge) {
		_, key := f.recipientJSON(0)
		swap(&f.content, f, `"iv"`, `"encrypted_key":`+key+`,"iv"`)
	}, two...)
	surgery("header-beside-recipients", "RFC 7516 section 7.2: the forms do not mix", ReasonUnknownMember, func(f *forge) {
		header, _ := f.recipientJSON(0)
		swap(&f.content, f, `"iv"`, `"header":`+header+`,"iv"`)
	}, two...)
	for _, name := range []string{"alg", "kid", "epk"} {
		surgery("both-headers-"+name, "RFC 7516 section 7.2.1: a parameter in one header only", ReasonDuplicateMember, func(f *forge) {
			swap(&f.content, f, `"iv"`, `"header":{`+strings.TrimSuffix(memberText(f.protectedText(), name), ",")+`},"iv"`)
		})
		v := b.content("recipient-no-"+name, "each recipient has alg, kid and epk", ReasonMissingMember, func(f *forge) {
			f.box.headers = func(i int, header, key string) (string, string) {
				if i == 1 {
					header = dropped(header, name)
				}
				return header, key
			}
		}, two...)
		if name == "kid" {
			v.legal("the recipient is found by kid")
		}
	}
	surgery("empty-header", "RFC 7516 section 7.2.1: no empty header", ReasonMissingMember, func(f *forge) { swap(&f.content, f, `"iv"`, `"header":{},"iv"`) })
	headers := func(name, about, reason string, change func(header string) string) *vector {
		return b.content("recipient-header-"+name, about, reason, func(f *forge) {
			f.box.headers = func(i int, header, key string) (string, string) {
				if i == 1 {
					header = change(header)
				}
				return header, key
			}
		}, two...)
	}
	add := func(member string) func(string) string {
		return func(h string) string { return strings.Replace(h, "{", "{"+member+",", 1) }
	}
	const nothing = "a per-recipient header has alg, kid and epk at most"
	headers("enc", "enc stands in the protected header", ReasonUnknownMember, add(`"enc":"A256GCM"`))
	headers("typ", "typ stands in the protected header", ReasonUnknownMember, add(`"typ":"`+TypContent+`"`))
	headers("iss", "iss stands in the protected header", ReasonUnknownMember, add(`"iss":"ee/pbgb"`))
	headers("zip", "zip is refused", ReasonUnknownMember, add(`"zip":"DEF"`))
	headers("crit", "crit is refused", ReasonUnknownMember, add(`"crit":["x"]`))
	headers("x", "no other members", ReasonUnknownMember, add(`"x":1`)).legal(nothing)
	headers("jku", "jku is refused", ReasonUnknownMember, add(`"jku":"http://127.0.0.1/"`)).legal(nothing)
	headers("apu", "apu and apv are refused", ReasonUnknownMember, add(`"apu":"AAAA"`)).legal(nothing)
	headers("twice", "J14: no member twice", ReasonDuplicateMember, add(`"alg":"`+algEncrypt+`"`))
	headers("alg", "J26: ECDH-ES+A256KW only", ReasonAlg, func(h string) string { return strings.Replace(h, algEncrypt, "ECDH-ES+A128KW", 1) }).legal("one algorithm; the first recipient is not touched")
	headers("null", "an object", ReasonType, func(string) string { return "null" })
	headers("list", "an object", ReasonType, func(string) string { return "[]" })
	b.content("accept-recipients-white-space", "white space around the per-recipient headers", "", func(f *forge) {
		f.box.headers = func(_ int, header, key string) (string, string) { return " " + header + "\n", key }
	}, two...)
}
