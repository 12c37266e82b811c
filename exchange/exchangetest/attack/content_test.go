package attack_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestContent: the form of the ciphertext, which the exchange checks without
// opening anything (J14, J19, J24 to J29, J36, J39, J40). The manifest names
// the content as it is sent, so that its digest is never the flaw.
func TestContent(t *testing.T) {
	t.Parallel()
	a := enter(t)
	a.run(each(3, contentHeaders(a))...)
	a.run(each(2, ephemeralKeys())...)
	a.run(each(5, truncations(a))...)
	a.run(each(3, contentForms(a))...)
	a.accepted()
}

// bad is an attack by content.
func bad(row, name, reason string, edit func(f *forgery)) attack {
	return attack{row: row, name: "content: " + name, want: malformed("content:" + reason), make: post(edit)}
}

// member returns a member of the content, as JSON.
func (f *forgery) member(name string) string {
	var all map[string]json.RawMessage
	must(json.Unmarshal([]byte(f.content), &all))
	return string(all[name])
}

// put replaces a member of the content.
func (f *forgery) put(name, value string) {
	in(&f.content, quote(name)+":"+f.member(name), quote(name)+":"+value)
}

// header changes the protected header of the content.
func (f *forgery) header(change func(h string) string) {
	h := decode(strings.Trim(f.member("protected"), `"`))
	f.put("protected", quote(encode(change(h))))
}

// swap returns a change of a text that must have what it replaces.
func swap(old, with string) func(string) string {
	return func(s string) string {
		in(&s, old, with)
		return s
	}
}

// contentHeaders: the protected header of the content.
func contentHeaders(a *arena) (all []attack) {
	header := func(row, name, reason string, change func(h string) string) {
		all = append(all, bad(row, "header "+name, reason, func(f *forgery) { f.header(change) }))
	}
	// DESIGN 4.3: one algorithm of each kind, whatever others there are.
	for _, alg := range []string{"dir", "none", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A256GCMKW", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "HPKE-0", "ECDH-1PU", "ecdh-es+a256kw", ""} {
		header("J26", "alg "+alg, "alg", swap(`"alg":"ECDH-ES+A256KW"`, `"alg":`+quote(alg)))
	}
	for _, enc := range []string{"A128GCM", "A192GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "C20P", "XC20P", "none", "a256gcm", "A256GCM ", ""} {
		header("J26", "enc "+enc, "alg", swap(`"enc":"A256GCM"`, `"enc":`+quote(enc)))
	}
	for row, members := range map[string][]string{
		"J25": {`"zip":"DEF"`, `"zip":"GZIP"`, `"zip":"none"`, `"zip":""`, `"zip":null`, `"Zip":"DEF"`},
		"J26": {`"p2c":2147483648`, `"p2s":"AAAA"`, `"p2s":"AAAA","p2c":2147483648`, `"iv":"AAAA"`, `"tag":"AAAA"`, `"apu":"AAAA"`, `"apv":"AAAA"`},
		"J12": {`"crit":[]`, `"crit":["zip"]`, `"crit":["x"],"x":1`, `"b64":false`},
		"J7":  {`"x5c":[]`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`},
		"J5":  {`"jwk":{}`},
		"J15": {`"ENC":"A256GCM"`, `"Alg":"dir"`, `"EPK":{}`, `"sub":"x"`, `"exp":1`, `"nbf":1`, `"":1`},
	} {
		for _, member := range members {
			header(row, "with "+member, "unknown-member", swap(`"enc":`, member+`,"enc":`))
		}
	}
	for _, url := range bait.urls() {
		for _, name := range []string{"jku", "x5u"} {
			header("J6", "with "+name+" "+url, "unknown-member", swap(`"enc":`, quote(name)+":"+quote(url)+`,"enc":`))
		}
	}
	for _, name := range []string{"alg", "enc", "typ", "cty", "iss", "jti", "kid"} {
		value := func(h string) string {
			var m map[string]json.RawMessage
			must(json.Unmarshal([]byte(h), &m))
			return string(m[name])
		}
		header("J14", name+" twice", "duplicate-member", func(h string) string { return "{" + quote(name) + ":" + value(h) + "," + h[1:] })
		header("J14", name+" twice, escaped", "duplicate-member", func(h string) string { return fmt.Sprintf(`{"\u%04x%s":%s,`, name[0], name[1:], value(h)) + h[1:] })
		header("J14", name+" null", "type", func(h string) string { return swap(quote(name)+":"+value(h), quote(name)+":null")(h) })
		header("J15", name+" in upper case", "unknown-member", swap(quote(name)+":", quote(strings.ToUpper(name))+":"))
		header("J26", "without "+name, "missing-member", func(h string) string {
			return strings.NewReplacer(quote(name)+":"+value(h)+",", "", ","+quote(name)+":"+value(h), "").Replace(h)
		})
	}
	for _, typ := range []string{envelope.TypManifest, envelope.TypStatement, "JWE", "JWT", "", "application/" + envelope.TypContent, strings.ToUpper(envelope.TypContent)} {
		header("J36", "typ "+typ, "typ", swap(`"typ":"`+envelope.TypContent+`"`, `"typ":`+quote(typ)))
	}
	for _, cty := range []string{"JWE", "JWT", "json", "application/json", envelope.TypContent, strings.ToUpper(envelope.CtyMessage), ""} {
		header("J39", "cty "+cty, "typ", swap(`"cty":"`+envelope.CtyMessage+`"`, `"cty":`+quote(cty)))
	}
	lv := a.DecryptKeys("lv/vp")[0].Kid()
	for _, kid := range []string{"", "lv-key-1", "../x", "' OR 1=1", lv + "=", lv[:42], lv + "A", lv[:42] + "B"} {
		header("J8", "kid "+kid, "value", swap(quote(lv), quote(kid)))
	}
	for _, text := range []string{"", "null", "[]", `"x"`, "{", "{}x", "{},", "\xff", "\x00", "{\"a\"}"} {
		reason := "*"
		if text == "" {
			reason = "base64url"
		}
		header("J24", fmt.Sprintf("%q", text), reason, func(string) string { return text })
	}
	header("J23", "of more than 4 KiB", "too-large", func(h string) string { return h + strings.Repeat(" ", 4<<10) })
	header("J23", "of a deep member", "unknown-member", swap(`"enc":`, `"x":`+strings.Repeat("[", 1000)+`,"enc":`))
	header("J24", "aud with a control character", "characters", swap(`"aud":["`, `"aud":["\u0000`))
	header("J29", "aud empty", "count", swap(`"aud":["lv/vp"]`, `"aud":[]`))
	header("J29", "aud twice", "duplicate-value", swap(`"aud":["lv/vp"]`, `"aud":["lv/vp","lv/vp"]`))
	header("J29", "aud of 32", "count", swap(`"aud":["lv/vp"]`, `"aud":[`+agencies(32)+`]`))
	header("J29", "aud of 150", "count", swap(`"aud":["lv/vp"]`, `"aud":[`+agencies(150)+`]`))
	header("J29", "aud a string", "type", swap(`"aud":["lv/vp"]`, `"aud":"lv/vp"`))
	header("J32", "jti in upper case", "value", func(h string) string { return swap(quote(a.jti), quote(strings.ToUpper(a.jti)))(h) })
	return all
}

// agencies are n names of agencies, as members of a list.
func agencies(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = `"xx/a` + strconv.Itoa(i) + `"`
	}
	return strings.Join(names, ",")
}

// ephemeralKeys: what is no point of P-256, or is spelt otherwise (J27).
func ephemeralKeys() (all []attack) {
	epk := func(name, reason string, change func(x, y string) string) {
		all = append(all, bad("J27", "epk "+name, reason, func(f *forgery) {
			f.header(func(h string) string {
				var head struct{ EPK struct{ X, Y string } }
				must(json.Unmarshal([]byte(h), &head))
				start := strings.Index(h, `"epk":{`) + len(`"epk":`)
				end := start + strings.IndexByte(h[start:], '}') + 1
				return h[:start] + change(head.EPK.X, head.EPK.Y) + h[end:]
			})
		}))
	}
	jwk := func(kty, crv, x, y string) string {
		return `{"kty":` + quote(kty) + `,"crv":` + quote(crv) + `,"x":` + quote(x) + `,"y":` + quote(y) + `}`
	}
	ec := func(x, y string) string { return jwk("EC", "P-256", x, y) }
	octets := func(b []byte) string { return encode(string(b)) }
	prime, _ := new(big.Int).SetString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16)
	plus := func(n string, d *big.Int) string {
		v := new(big.Int).SetBytes([]byte(decode(n)))
		return octets(v.Add(v, d).FillBytes(make([]byte, 33))[1:])
	}
	for name, change := range map[string]func(x, y string) string{
		"x twice": func(x, _ string) string { return ec(x, x) }, "y twice": func(_, y string) string { return ec(y, y) }, "swapped": func(x, y string) string { return ec(y, x) },
		"infinity": func(_, _ string) string { return ec(octets(make([]byte, 32)), octets(make([]byte, 32))) }, "x 0": func(_, y string) string { return ec(octets(make([]byte, 32)), y) },
		"y 0": func(x, _ string) string { return ec(x, octets(make([]byte, 32))) }, "x+1": func(x, y string) string { return ec(plus(x, big.NewInt(1)), y) },
		"x is p": func(_, y string) string { return ec(octets(prime.Bytes()), y) }, "ones": func(_, y string) string { return ec(octets(slices.Repeat([]byte{0xff}, 32)), y) },
		// The invalid-curve attack on the twist of P-256: y² = x³ - 3x + b' with another b'.
		"of another curve": func(x, y string) string { return ec(x, plus(y, big.NewInt(7))) },
	} {
		epk(name, "curve", change)
	}
	for name, change := range map[string]func(x, y string) string{
		"x short": func(x, y string) string { return ec(x[:42], y) }, "x long": func(x, y string) string { return ec(x+"A", y) }, "x of 31 bytes": func(x, y string) string { return ec(octets([]byte(decode(x))[:31]), y) },
		"x of 33 bytes": func(x, y string) string { return ec(octets([]byte("\x00"+decode(x))), y) }, "x empty": func(_, y string) string { return ec("", y) }, "x padded": func(x, y string) string { return ec(x+"=", y) },
		"x in standard base64": func(_, y string) string { return ec(strings.Repeat("+/", 21)+"+", y) }, "x with a line": func(x, y string) string { return ec(x[:20]+"~"+x[21:], y) },
		"bits that are not zero": func(x, y string) string { return ec(nextLast(x), y) },
		"P-384 as P-256": func(_, _ string) string {
			raw := newKey(ecdh.P384())
			return ec(octets(raw[1:49]), octets(raw[49:]))
		},
		"P-521 as P-256": func(_, _ string) string {
			raw := newKey(ecdh.P521())
			return ec(octets(raw[1:67]), octets(raw[67:]))
		},
	} {
		epk(name, "base64url", change)
	}
	for name, change := range map[string]func(x, y string) string{
		"P-384": func(_, _ string) string {
			raw := newKey(ecdh.P384())
			return jwk("EC", "P-384", octets(raw[1:49]), octets(raw[49:]))
		},
		"P-521": func(x, y string) string { return jwk("EC", "P-521", x, y) }, "secp256k1": func(x, y string) string { return jwk("EC", "secp256k1", x, y) }, "p-256": func(x, y string) string { return jwk("EC", "p-256", x, y) },
		"kty OKP": func(x, y string) string { return jwk("OKP", "P-256", x, y) }, "kty RSA": func(x, y string) string { return jwk("RSA", "P-256", x, y) }, "kty oct": func(x, y string) string { return jwk("oct", "P-256", x, y) },
		"X25519":              func(x, y string) string { return jwk("EC", "X25519", x, y) },
		"X25519 of low order": func(_, _ string) string { return `{"kty":"OKP","crv":"X25519","x":"` + octets(make([]byte, 32)) + `"}` },
	} {
		epk(name, "value", change)
	}
	for _, member := range []string{`"d":"AAAA"`, `"kid":"x"`, `"use":"enc"`, `"alg":"ECDH-ES"`, `"x5c":[]`, `"key_ops":[]`, `"X":"AAAA"`, `"n":"AQAB","e":"AQAB"`} {
		epk("with "+member, "unknown-member", func(x, y string) string { return `{` + member + "," + ec(x, y)[1:] })
	}
	epk("x twice in its JSON", "duplicate-member", func(x, y string) string { return `{"x":` + quote(x) + "," + ec(x, y)[1:] })
	epk("without y", "missing-member", func(x, _ string) string { return `{"kty":"EC","crv":"P-256","x":` + quote(x) + `}` })
	epk("without kty", "missing-member", func(x, y string) string { return `{"crv":"P-256","x":` + quote(x) + `,"y":` + quote(y) + `}` })
	for _, value := range []string{"null", "[]", `"x"`, "1"} {
		epk(value, "type", func(_, _ string) string { return value })
	}
	epk("{}", "missing-member", func(_, _ string) string { return "{}" })
	return all
}

// newKey is a fresh point of a curve, uncompressed.
func newKey(c ecdh.Curve) []byte {
	k, err := c.GenerateKey(rand.Reader)
	must(err)
	return k.PublicKey().Bytes()
}

// truncations: the binary members at every length that they must not have
// (J28), and in every spelling (J19).
func truncations(a *arena) (all []attack) {
	for _, m := range []struct {
		name      string
		size, max int
	}{{"encrypted_key", 40, 80}, {"iv", 12, 32}, {"tag", 16, 40}} {
		for n := range m.max + 1 {
			if n == m.size {
				continue
			}
			reason := "value"
			if n == 0 {
				reason = "base64url"
			}
			all = append(all, bad("J28", fmt.Sprintf("%s of %d bytes", m.name, n), reason, func(f *forgery) {
				old := decode(strings.Trim(f.member(m.name), `"`))
				f.put(m.name, quote(encode((old + strings.Repeat("\x01", m.max))[:n])))
			}))
		}
	}
	for _, name := range []string{"protected", "encrypted_key", "iv", "tag", "ciphertext"} {
		for _, defect := range []string{"=", "+", "/", " ", "~", "%", "\u00e9", "."} {
			for place, where := range places {
				all = append(all, bad("J19", fmt.Sprintf("%q in %s, %s", defect, name, where), "base64url", func(f *forgery) {
					f.put(name, quote(put(strings.Trim(f.member(name), `"`), defect, place)))
				}))
			}
		}
		for _, escape := range []string{`\n`, `\r`, `\t`, `\u0000`, `\u200b`} {
			all = append(all, bad("J19", fmt.Sprintf("%s in %s", escape, name), "*", func(f *forgery) {
				f.put(name, `"`+put(strings.Trim(f.member(name), `"`), escape, 1)+`"`)
			}))
		}
		for _, value := range []string{"null", "1", "[]", "{}", "true"} {
			all = append(all, bad("J28", name+" is "+value, "type", func(f *forgery) { f.put(name, value) }))
		}
		if name == "iv" { // its length leaves no bits over
			continue
		}
		all = append(all, bad("J19", "bits that are not zero in "+name, "base64url", func(f *forgery) {
			text := strings.Trim(f.member(name), `"`)
			if name == "protected" || name == "ciphertext" {
				text = "AAA"
			}
			f.put(name, quote(nextLast(text)))
		}))
	}
	all = append(all, bad("J28", "no ciphertext", "base64url", func(f *forgery) { f.put("ciphertext", `""`) }))
	return all
}

// contentForms: the JSON serialization itself.
func contentForms(a *arena) (all []attack) {
	f := a.forge()
	as := func(row, name, reason string, change func(s string) string) {
		all = append(all, bad(row, name, reason, func(f *forgery) { f.content = change(f.content) }))
	}
	for row, members := range map[string][]string{
		"J10": {`"unprotected":{}`, `"unprotected":{"alg":"dir"}`, `"unprotected":{"kid":"x"}`, `"unprotected":null`, `"UNPROTECTED":{}`}, "J15": {`"aad":"AAAA"`, `"aad":""`, `"AAD":"AAAA"`, `"payload":"AAAA"`, `"signature":"AAAA"`, `"IV":"AAAA"`, `"Tag":"AAAA"`, `"":{}`, `"zip":"DEF"`},
	} {
		for _, member := range members {
			as(row, "with "+member, "unknown-member", func(s string) string { return "{" + member + "," + s[1:] })
		}
	}
	for _, name := range []string{"protected", "encrypted_key", "iv", "ciphertext", "tag"} {
		member := quote(name) + ":" + f.member(name)
		as("J14", name+" twice", "duplicate-member", func(s string) string { return "{" + member + "," + s[1:] })
		as("J14", name+" twice, escaped", "duplicate-member", func(s string) string {
			return fmt.Sprintf(`{"\u%04x%s:%s,`, name[0], name[1:]+`"`, f.member(name)) + s[1:]
		})
		as("J15", name+" in upper case", "unknown-member", swap(quote(name)+":", quote(strings.ToUpper(name))+":"))
		as("J28", "without "+name, "missing-member", func(s string) string { return strings.NewReplacer(member+",", "", ","+member, "").Replace(s) })
	}
	as("J10", "alg in both headers", "duplicate-member", func(s string) string { return `{"header":{"alg":"ECDH-ES+A256KW"},` + s[1:] })
	as("J10", "kid in both headers", "duplicate-member", func(s string) string {
		return `{"header":{"kid":` + quote(a.DecryptKeys("lv/vp")[0].Kid()) + `},` + s[1:]
	})
	as("J10", "an empty header", "missing-member", func(s string) string { return `{"header":{},` + s[1:] })
	as("J10", "another member of the header", "unknown-member", func(s string) string { return `{"header":{"x":1},` + s[1:] })
	as("J10", "alg of the header", "alg", func(s string) string { return `{"header":{"alg":"dir"},` + s[1:] })
	one := `{"encrypted_key":` + f.member("encrypted_key") + `}`
	general := func(list string) func(string) string {
		return func(s string) string {
			return swap(`"encrypted_key":`+f.member("encrypted_key"), `"recipients":`+list)(s)
		}
	}
	as("J29", "both forms", "unknown-member", func(s string) string { return `{"recipients":[` + one + `],` + s[1:] })
	as("J29", "no recipient", "count", general("[]"))
	as("J29", "recipients null", "type", general("null"))
	as("J29", "one kid for two", "duplicate-value", general("["+one+","+one+"]"))
	as("J29", "33 recipients", "count", general("["+strings.TrimSuffix(strings.Repeat(one+",", 33), ",")+"]"))
	as("J29", "1000 recipients", "count", general("["+strings.TrimSuffix(strings.Repeat(one+",", 1000), ",")+"]"))
	as("J29", "a recipient of nothing", "missing-member", general("[{}]"))
	as("J29", "a recipient with another member", "unknown-member", general(`[{"iv":"AAAA",`+one[1:]+`]`))
	for _, text := range []string{"{}", "null", "[]", `"x"`, "{", "a.b.c.d.e", "\x00", "\xff"} {
		as("J40", fmt.Sprintf("%q", text), "*", func(string) string { return text })
	}
	for _, tail := range []string{"{}", "x", ",", "\x00", "\ufeff", "[]"} {
		as("J40", fmt.Sprintf("with %q behind it", tail), "json", func(s string) string { return s + tail })
		if tail != "{}" && tail != "[]" {
			as("J40", fmt.Sprintf("with %q before it", tail), "type", func(s string) string { return tail + s })
		}
	}
	as("J40", "in a list", "type", func(s string) string { return "[" + s + "]" })
	as("J40", "as a string", "type", quote)
	as("J40", "two of it", "json", func(s string) string { return s + s })
	as("J40", "compact", "*", func(string) string {
		var p []string
		for _, name := range []string{"protected", "encrypted_key", "iv", "ciphertext", "tag"} {
			p = append(p, strings.Trim(f.member(name), `"`))
		}
		return strings.Join(p, ".")
	})
	as("J39", "a JWE in place of the encrypted key", "value", func(s string) string { return swap(f.member("encrypted_key"), quote(encode(s)))(s) })
	as("J19", "base64 of the whole", "*", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })
	all = append(all, attack{row: "J40", name: "a content of another media type", want: malformed("part-type"), make: post(func(f *forgery) {
		f.parts = func(p []exchangetest.Part) []exchangetest.Part { p[2].Media = "application/json"; return p }
	})})
	return all
}
