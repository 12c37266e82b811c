package envelope

import (
	"strconv"
	"strings"
	"testing"
)

// vectorCase is one row of the table of vectors: <part>-<what>.
type vectorCase struct {
	name   string
	vector *vector
}

// table collects cases. Its methods make one case each.
type table struct {
	t     testing.TB
	keys  *forgeKeys
	cases []vectorCase
}

func vectorCases(t testing.TB) []vectorCase {
	b := &table{t: t, keys: newForgeKeys(t)}
	b.acceptedPackages()
	b.acceptedContents()
	b.jwsHeaders()
	b.jwsEncodings()
	b.manifestJSON()
	b.manifestValues()
	b.metaValues()
	b.statements()
	b.signatures()
	b.told()
	b.contentHeaders()
	b.contentForms()
	b.acknowledgements()
	b.approvals()
	b.keysAndSets()
	b.messages()
	return b.cases
}

func (b *table) add(name string, v *vector) {
	b.cases = append(b.cases, vectorCase{name, v})
}

// whole is a case of a whole package for lv/vp, or for the agencies of aud.
func (b *table) whole(name, about, expect, reason string, change func(*forge), aud ...string) {
	if len(aud) == 0 {
		aud = []string{"lv/vp"}
	}
	f := newForge(b.t, b.keys, aud...)
	if change != nil {
		change(f)
	}
	v := &vector{About: about, Expect: expect, Reason: reason}
	f.vector(v)
	b.add("package-"+name, v)
}

func (b *table) accept(name, about string, change func(*forge), aud ...string) {
	b.whole("accept-"+name, about, "accept", "", change, aud...)
}

// manifest is a manifest that is refused for its form.
func (b *table) manifest(name, about, reason string, change func(*forge)) {
	f := newForge(b.t, b.keys, "lv/vp")
	change(f)
	m, _, _ := f.build()
	v := &vector{About: about, Kind: "manifest", Expect: "malformed", Reason: reason}
	f.put(v, "manifest", m)
	b.add("manifest-"+name, v)
}

// content is a content that is refused for its form.
func (b *table) content(name, about, reason string, change func(*forge), aud ...string) {
	if len(aud) == 0 {
		aud = []string{"lv/vp"}
	}
	f := newForge(b.t, b.keys, aud...)
	f.encrypted()
	change(f)
	v := &vector{About: about, Kind: "content", Expect: "malformed", Reason: reason}
	f.put(v, "content", apply(f.rawContent, f.content))
	b.add("content-"+name, v)
}

// text is a case of a part that is one text: meta, message, keys.
func (b *table) text(kind, name, about, reason, text string) {
	v := &vector{About: about, Kind: kind, Expect: "malformed", Reason: reason}
	if reason == "" {
		v.Expect = "accept"
	}
	(&forge{}).put(v, kind, text)
	b.add(kind+"-"+name, v)
}

func swap(s *string, f *forge, old, new string) { *s = f.replace(old, new)(*s) }

func (b *table) acceptedPackages() {
	b.accept("es256", "one recipient: flattened JWE", nil)
	b.accept("eddsa", "signed with Ed25519", func(f *forge) { f.signer = f.keys.eddsa; f.headers() })
	b.accept("two-recipients", "general JWE", nil, "lv/vp", "ua/npu")
	b.accept("copy-for-sender", "one more JWE recipient: a key of iss", func(f *forge) { f.copied = true })
	b.accept("31-recipients-and-copy", "as many recipients as there may be", func(f *forge) { f.copied = true }, manyAgencies(31)...)
	b.accept("header-order", "header members in another order, with white space", func(f *forge) {
		f.manifestHeader = "{ \"typ\" : \"" + TypManifest + "\",\n\t\"kid\":\"" + f.signer.Kid() + "\",\r\n\"alg\":\"ES256\" }"
	})
	b.accept("header-escaped-name", "a header member written with an escape, once", func(f *forge) {
		swap(&f.manifestHeader, f, `"alg"`, `"\u0061lg"`)
	})
	b.accept("payload-white-space", "JSON white space between tokens", func(f *forge) {
		f.manifestPayload = strings.NewReplacer(`,"`, ",\r\n\t \"").Replace(f.manifestPayload)
	})
	b.accept("payload-escapes", "escapes in names and values", func(f *forge) {
		swap(&f.manifestPayload, f, `"iss":"ee/pbgb"`, `"\u0069ss":"ee\/pbgb"`)
	})
	b.accept("empty-attachments", "an empty list of attachments", func(f *forge) {
		swap(&f.manifestPayload, f, `"meta"`, `"attachments":[],"meta"`)
	})
	b.accept("attachment", "one attachment in both lists", func(f *forge) {
		swap(&f.manifestPayload, f, `"meta"`, `"attachments":[{"sha256":"`+digest64([]byte("x"))+`","size":56}],"meta"`)
		swap(&f.message, f, `}`, `,"attachments":[{"name":"scan.pdf","media_type":"application/pdf","key":"`+forgeSalt+`","size":0,"sha256":"`+digest64(nil)+`"}]}`)
	})
	b.accept("exp-90-days", "the longest lifetime", func(f *forge) { swap(&f.manifestPayload, f, "1797904345", "1803088345") })
	b.whole("accept-iat-5-minutes-early", "iat at the edge of the window", "accept", "", func(f *forge) { swap(&f.manifestPayload, f, "1795312345", "1795312045") })
	b.whole("accept-iat-5-minutes-late", "iat at the edge of the window", "accept", "", func(f *forge) { swap(&f.manifestPayload, f, "1795312345", "1795312645") })
	b.accept("justification-20", "the shortest justification; characters are counted, not bytes", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects of case EE-2026-0117 were seen in Riga.", strings.Repeat("õ", 20))
	})
	b.accept("justification-500", "the longest justification", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects of case EE-2026-0117 were seen in Riga.", strings.Repeat("ж", 500))
	})
	b.accept("surrogate-pair", "an escaped character beyond the first plane", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects", `Two suspects \ud83d\ude94`)
	})
	b.accept("empty-lists", "no approvals, references and texts", func(f *forge) {
		swap(&f.statementPayload, f, `[{"approver":"officer-3","role":"head_of_duty","at":1795312000}]`, "[]")
		swap(&f.statementPayload, f, `["`+forgeSalt+`"]`, "[]")
		swap(&f.statementPayload, f, `{"urgency":"They may leave today."}`, "{}")
	})
	b.accept("prose", "line breaks, fractions and any characters but controls in a message", func(f *forge) {
		f.message = `{"salt":"` + forgeSalt + `","text":"a\r\n\tb שלום Жук 🚔","structured":{"format":"umf:2.0","body":{"lat":59.437,"n":-1.5e3,"x":[null,true]}},"counts":{"suspects":2}}`
	})
	b.accept("salt-only", "the least message", func(f *forge) { f.message = `{"salt":"` + forgeSalt + `"}` })
	b.accept("malleated", "J16: ES256 with n-s for s: accepted, since a repeat is judged by iss, jti and payload", func(f *forge) { f.rawManifest = malleate })
}

func (b *table) acceptedContents() {
	b.accept("general-of-one", "the general form with one recipient", func(f *forge) {
		f.content = `{"protected":` + f.memberOf("protected") + `,"recipients":[{"encrypted_key":` + f.memberOf("encrypted_key") + `}],"iv":` +
			f.memberOf("iv") + `,"ciphertext":` + f.memberOf("ciphertext") + `,"tag":` + f.memberOf("tag") + `}`
	})
	b.accept("flattened-header", "the flattened form with alg, kid and epk in the per-recipient header", func(f *forge) {
		f.copied = true // two recipients, so that their headers stand apart
		f.encrypted()
		f.copied = false
		header, key := f.recipientJSON(0)
		f.content = `{"protected":` + f.memberOf("protected") + `,"header":` + header + `,"encrypted_key":` + key + `,"iv":` +
			f.memberOf("iv") + `,"ciphertext":` + f.memberOf("ciphertext") + `,"tag":` + f.memberOf("tag") + `}`
	})
	b.accept("shared-alg", "alg once in the protected header, kid and epk per recipient", func(f *forge) { f.sharedAlg() }, "lv/vp", "ua/npu")
	b.accept("content-white-space", "white space around the members of the JWE", func(f *forge) {
		f.content = "\n " + strings.ReplaceAll(f.encrypted(), `,"`, ",\r\n\t\"") + "\n"
	})
	b.accept("content-escapes", "escapes in a base64url member", func(f *forge) {
		tag := f.memberOf("tag")
		swap(&f.content, f, tag, `"\u00`+hexOf(tag[1])+tag[2:])
	})
}

// memberOf is member, with f encrypted first.
func (f *forge) memberOf(name string) string { f.encrypted(); return f.member(name) }

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

func (b *table) jwsHeaders() {
	for i, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES384", "ES512", "ES256K", "Ed25519", "ML-DSA-65", "es256"} {
		b.manifest("alg-"+strconv.Itoa(i)+"-"+strings.ToLower(alg), "J1 to J3: only ES256 and EdDSA", ReasonAlg, func(f *forge) { swap(&f.manifestHeader, f, `"ES256"`, `"`+alg+`"`) })
	}
	for name, extra := range map[string]string{
		"jwk": `"jwk":{"kty":"EC"}`, "jku": `"jku":"http://127.0.0.1/"`, "x5u": `"x5u":"file:///etc/passwd"`, "x5c": `"x5c":[]`, "x5t": `"x5t":"AAAA"`,
		"x5t-s256": `"x5t#S256":"AAAA"`, "crit-empty": `"crit":[]`, "crit-exp": `"crit":["exp"]`, "crit-alg": `"crit":["alg"]`, "b64": `"b64":false`,
		"zip": `"zip":"DEF"`, "cty": `"cty":"JWT"`, "kid-upper": `"KID":"x"`, "alg-upper": `"Alg":"ES256"`, "empty-name": `"":1`, "iss": `"iss":"ee/pbgb"`,
	} {
		b.manifest("header-"+name, "J5 to J7, J12, J13, J15: header members are exactly alg, kid, typ", ReasonUnknownMember, func(f *forge) {
			swap(&f.manifestHeader, f, "}", ","+extra+"}")
		})
	}
	for name, dup := range map[string]string{"alg": `"alg":"ES256"`, "alg-escaped": `"\u0061lg":"ES256"`, "typ": `"typ":"` + TypManifest + `"`, "kid": `"kid":"` + forgeSalt + `"`} {
		b.manifest("header-twice-"+name, "J14: no member twice, escaped or not", ReasonDuplicateMember, func(f *forge) { swap(&f.manifestHeader, f, "}", ","+dup+"}") })
	}
	for name, kid := range map[string]string{
		"path": "../../etc/passwd", "sql": "' OR 1=1 --", "short": forgeSalt[:42], "long": forgeSalt + "A", "bits": forgeSalt[:42] + "9", "padded": forgeSalt[:42] + "=", "empty": "",
	} {
		b.manifest("kid-"+name, "J8: kid is the base64url of 32 bytes", ReasonValue, func(f *forge) { swap(&f.manifestHeader, f, f.signer.Kid(), kid) })
	}
	for name, typ := range map[string]string{"statement": TypStatement, "ack": TypAcknowledgement, "approval": TypApproval, "jwt": "JWT", "upper": "LIAISON-MANIFEST+JWT", "application": "application/" + TypManifest} {
		b.manifest("typ-"+name, "J36: each part has its own typ", ReasonTyp, func(f *forge) { swap(&f.manifestHeader, f, TypManifest, typ) })
	}
	b.manifest("header-no-alg", "alg is required", ReasonMissingMember, func(f *forge) { swap(&f.manifestHeader, f, `"alg":"ES256",`, "") })
	b.manifest("header-no-kid", "kid is required", ReasonMissingMember, func(f *forge) { swap(&f.manifestHeader, f, `"kid":"`+f.signer.Kid()+`",`, "") })
	b.manifest("header-no-typ", "typ is required", ReasonMissingMember, func(f *forge) { swap(&f.manifestHeader, f, `,"typ":"`+TypManifest+`"`, "") })
	b.manifest("header-number", "alg is a string", ReasonType, func(f *forge) { swap(&f.manifestHeader, f, `"ES256"`, "256") })
	b.manifest("header-list", "a header is an object", ReasonType, func(f *forge) { f.manifestHeader = "[]" })
	b.manifest("header-not-json", "a header is JSON", ReasonType, func(f *forge) { f.manifestHeader = "alg" })
	b.manifest("header-trailing", "nothing after the header", ReasonJSON, func(f *forge) { f.manifestHeader += "{}" })
	b.manifest("header-comma", "no comma at the end", ReasonJSON, func(f *forge) { swap(&f.manifestHeader, f, "}", ",}") })
	b.manifest("header-long", "J23: at most 4 KiB", ReasonTooLarge, func(f *forge) { f.manifestHeader += strings.Repeat(" ", maxHeader) })
	b.manifest("header-utf8", "J24: valid UTF-8", ReasonCharacters, func(f *forge) { swap(&f.manifestHeader, f, `"ES256"`, "\"ES256\xff\"") })
}

func (b *table) jwsEncodings() {
	segment := func(i int, change func(string) string) func(string) string {
		return func(s string) string {
			parts := strings.Split(s, ".")
			parts[i] = change(parts[i])
			return strings.Join(parts, ".")
		}
	}
	raw := func(name, about, reason string, change func(string) string) {
		b.manifest(name, about, reason, func(f *forge) { f.rawManifest = change })
	}
	for i, part := range []string{"header", "payload", "signature"} {
		raw("base64-"+part+"-padding", "J19: no padding", ReasonBase64, segment(i, func(s string) string { return s + strings.Repeat("=", 4-len(s)%4) }))
		raw("base64-"+part+"-plus", "J19: the alphabet of base64url", ReasonBase64, segment(i, func(s string) string { return "+" + s[1:] }))
		raw("base64-"+part+"-slash", "J19: the alphabet of base64url", ReasonBase64, segment(i, func(s string) string { return s[:8] + "/" + s[9:] }))
		raw("base64-"+part+"-newline", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\n" + s[4:] }))
		raw("base64-"+part+"-crlf", "J19: nothing inside, whatever the length", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\r\n\r\n" + s[4:] }))
		raw("base64-"+part+"-space", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + " " + s[4:] }))
		raw("base64-"+part+"-nul", "J19: nothing inside", ReasonBase64, segment(i, func(s string) string { return s[:4] + "\x00" + s[5:] }))
		raw("parts-empty-"+part, "J20, J22: no empty part", ReasonParts, segment(i, func(string) string { return "" }))
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
	raw("parts-dots", "J20: many dots", ReasonParts, func(string) string { return strings.Repeat(".", 5000) })
	raw("parts-none", "J20: nothing at all", ReasonParts, func(string) string { return "" })
	raw("signature-63", "J18: 64 bytes", ReasonSignatureLength, segment(2, func(string) string { return encode64(make([]byte, 63)) }))
	raw("signature-65", "J18: 64 bytes", ReasonSignatureLength, segment(2, func(string) string { return encode64(make([]byte, 65)) }))
	raw("signature-der", "J18: not the DER form", ReasonSignatureLength, segment(2, func(s string) string {
		return encode64(append([]byte{0x30, 0x44, 2, 32}, append(make([]byte, 32), append([]byte{2, 32}, make([]byte, 32)...)...)...))
	}))
	raw("json-flattened", "J10, J11, J21: the compact serialization only", ReasonParts, func(s string) string {
		p := strings.Split(s, ".")
		return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
	})
	raw("json-general", "J21: the compact serialization only", ReasonParts, func(s string) string {
		p := strings.Split(s, ".")
		return `{"payload":"` + p[1] + `","signatures":[{"header":{"alg":"ES256"},"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`
	})
	b.manifest("payload-long", "at most 24 KiB", ReasonTooLarge, func(f *forge) { f.manifestPayload += strings.Repeat(" ", maxManifest) })
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
