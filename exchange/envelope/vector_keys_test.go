package envelope

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// key adds a public key.
func (b *table) key(name, about, reason, base, old, new string) *vector {
	f := &forge{t: b.t}
	return b.text("public-key", name, about, reason, f.replace(old, new)(base))
}

func (b *table) keysOfAgencies() {
	k := b.keys.es256
	sig := string(must2(k.Public().MarshalJWK(nil)))
	edd := string(must2(b.keys.eddsa.Public().MarshalJWK([][]byte{[]byte("not looked into here")})))
	enc := string(must2(b.keys.enc["lv/vp"].Public().MarshalJWK(nil)))
	x, y := k.public.fields.x, k.public.fields.y
	bare := `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","use":"policy"}`
	key := b.key
	key("accept-es256", "P-256 for signatures", "", sig, "{", "{")
	key("accept-eddsa", "Ed25519, with a chain", "", edd, "{", "{")
	key("accept-enc", "P-256 for encryption", "", enc, "{", "{")
	key("accept-least", "without kid and alg", "", bare, "{", "{")
	key("accept-approve", "a key for approvals", "", bare, "policy", "approve")
	key("accept-ed25519-policy", "an Ed25519 key for policies, without kid and alg", "", `{"use":"policy","x":"`+b.keys.eddsa.public.fields.x+`","crv":"Ed25519","kty":"OKP"}`, "{", "{")
	key("accept-order", "members in another order, with white space", "", "\n{ \"use\":\"sig\",\t\"y\":\""+y+"\",\r\n\"crv\":\"P-256\",\"x\":\""+x+"\",\"kty\":\"EC\" } ", "{", "{")
	key("accept-escapes", "escapes in names and values", "", sig, `"kty":"EC"`, `"\u006bty":"E\u0043"`)
	for name, at := range map[string]int{"x": 1, "y": 33} {
		zero := derivedUntil(UseSign, ES256, name+" zero", func(k PrivateKey) bool {
			return must2(k.public.key.(interface{ Bytes() ([]byte, error) }).Bytes())[at] == 0
		})
		raw := string(must2(zero.Public().MarshalJWK(nil)))
		key("accept-"+name+"-zero", "J27: "+name+" begins with a zero byte, which stands", "", raw, "{", "{")
		whole := map[string]string{"x": zero.public.fields.x, "y": zero.public.fields.y}[name]
		bytes, _ := decode64([]byte(whole))
		key(name+"-zero-dropped", "J27: 32 bytes, a zero byte at the front not dropped (RFC 7518 section 6.2.1.2)", ReasonBase64, raw, whole, encode64(bytes[1:]))
	}
	key("private", "no private half", ReasonUnknownMember, must3(k), "{", "{").legal("a published key has no private half")
	key("key-ops", "use instead of key_ops", ReasonUnknownMember, sig, "{", `{"key_ops":["verify"],`).legal("use says what a key is for (RFC 7517 section 4.3: not both)")
	for name, member := range map[string]string{"x5t": `"x5t":"AAAA"`, "ext": `"ext":true`, "exp": `"exp":1`, "iat": `"iat":1`, "case": `"Use":"sig"`, "proto": `"__proto__":{}`, "empty": `"":0`} {
		key("unknown-"+name, "exactly the members of the specification", ReasonUnknownMember, sig, "{", "{"+member+",").legal("a key has exactly the members of the specification; RFC 7517 section 4 would have it ignored")
	}
	key("x5u", "exactly the members of the specification", ReasonUnknownMember, sig, "{", `{"x5u":"http://127.0.0.1/",`).legal("nothing is fetched because a key says so")
	for _, member := range []string{"kty", "crv", "x", "use", "kid", "alg"} {
		key("twice-"+member, "J14: no member twice", ReasonDuplicateMember, sig, "{", "{"+memberText(sig, member))
	}
	for _, member := range []string{"kty", "crv", "x", "use"} {
		v := b.text("public-key", "no-"+member, "required", ReasonMissingMember, dropped(sig, member))
		if member == "use" {
			v.legal("a key says what it is for; RFC 7517 section 4.2 leaves it open")
		}
	}
	key("no-y", "both coordinates", ReasonValue, sig, `"y":"`+y+`",`, "")
	key("off-curve", "J27: not a point", ReasonCurve, sig, `"x":"`+x, `"x":"`+forgeSalt)
	key("swapped", "J27: x and y in each other's place", ReasonCurve, bare, `"x":"`+x+`","y":"`+y, `"x":"`+y+`","y":"`+x)
	key("infinity", "J27: not a point", ReasonCurve, bare, `"x":"`+x+`","y":"`+y, `"x":"`+encode64(make([]byte, 32))+`","y":"`+encode64(make([]byte, 32)))
	key("not-reduced", "J27: a coordinate beyond the prime", ReasonCurve, bare, `"x":"`+x, `"x":"`+encode64(slices.Repeat([]byte{0xff}, 32)))
	key("x-33", "J27: 32 bytes", ReasonBase64, bare, `"x":"`+x, `"x":"AA`+x)
	key("x-padded", "J19: no padding", ReasonBase64, bare, x, x+"=")
	key("x-bits", "J19: unused bits are zero", ReasonBase64, bare, x, trailingBits(x))
	key("x-standard", "J19: the alphabet of base64url", ReasonBase64, bare, x, "+/"+x[2:])
	key("x-number", "a string", ReasonType, bare, `"x":"`+x+`"`, `"x":1`)
	key("x-null", "a string", ReasonType, bare, `"x":"`+x+`"`, `"x":null`)
	key("kid", "kid is the thumbprint", ReasonKeyMismatch, sig, k.Kid(), forgeSalt).legal("kid is the RFC 7638 thumbprint of the key; RFC 7517 section 4.5 leaves it open")
	key("kid-name", "kid is the thumbprint", ReasonBase64, sig, k.Kid(), "key-1").legal("kid is the RFC 7638 thumbprint of the key; RFC 7517 section 4.5 leaves it open")
	key("kid-empty", "kid is the thumbprint", ReasonBase64, sig, k.Kid(), "").legal("kid is the RFC 7638 thumbprint of the key; RFC 7517 section 4.5 leaves it open")
	key("kid-with-use", "the thumbprint is over the required members alone (RFC 7638 section 3.2)", ReasonKeyMismatch, sig, k.Kid(), digest64([]byte(`{"crv":"P-256","kty":"EC","use":"sig","x":"`+x+`","y":"`+y+`"}`))).
		legal("kid is the RFC 7638 thumbprint of the key; RFC 7517 section 4.5 leaves it open")
	const algs = "alg is that of the key and its use; RFC 7517 section 4.4 leaves it open"
	key("alg", "alg is the key's", ReasonKeyMismatch, sig, ES256, EdDSA).legal(algs)
	key("alg-of-enc", "alg is the key's", ReasonKeyMismatch, sig, ES256, algEncrypt).legal(algs)
	key("alg-es384", "alg is the key's", ReasonValue, sig, ES256, "ES384").legal(algs)
	key("alg-ed25519", "alg is EdDSA; RFC 9864 names it Ed25519 as well", ReasonValue, edd, EdDSA, "Ed25519").legal(algs)
	key("alg-null", "a string", ReasonType, sig, `"ES256"`, "null")
	key("use", "a known use", ReasonValue, sig, `"sig"`, `"tls"`).legal("use is sig, enc, approve or policy; RFC 7517 section 4.2 leaves it open")
	key("use-upper", "a known use", ReasonValue, sig, `"sig"`, `"SIG"`).legal("use is sig, enc, approve or policy; RFC 7517 section 4.2 leaves it open")
	key("use-list", "a string", ReasonType, sig, `"sig"`, `["sig"]`)
	key("eddsa-enc", "no encryption with Ed25519", ReasonValue, `{"kty":"OKP","crv":"Ed25519","x":"`+b.keys.eddsa.public.fields.x+`","use":"sig"}`, `"sig"`, `"enc"`).legal("Ed25519 signs, it encrypts nothing")
	key("ed25519-y", "Ed25519 has no y", ReasonValue, `{"kty":"OKP","crv":"Ed25519","x":"`+b.keys.eddsa.public.fields.x+`","use":"sig"}`, `"use"`, `"y":"`+y+`","use"`).legal("Ed25519 has no y; RFC 7517 section 4 would have it ignored")
	key("crossed", "EC goes with P-256, OKP with Ed25519", ReasonValue, bare, "P-256", "Ed25519")
	key("crossed-okp", "EC goes with P-256, OKP with Ed25519", ReasonValue, bare, `"EC"`, `"OKP"`)
	b.otherKinds(bare)
	b.chains(sig)
	b.smallOrders()
	for name, text := range map[string]string{"empty": "", "null": "null", "list": "[" + sig + "]", "string": `"x"`, "pem": "-----BEGIN PUBLIC KEY-----"} {
		b.text("public-key", "is-"+name, "one JWK", ReasonType, text)
	}
	b.text("public-key", "trailing", "nothing after", ReasonJSON, sig+sig)
}

// must3 is a private key as a JWK.
func must3(k PrivateKey) string { return string(must2(k.MarshalPrivate())) }

// otherKinds are keys that JOSE has and Liaison has not.
func (b *table) otherKinds(bare string) {
	const only = "keys are P-256 or Ed25519"
	coordinates := func(c ecdh.Curve, size int) string {
		k := must2(c.NewPrivateKey(slices.Concat([]byte{0}, derived("curve"), derived("curve 2"), derived("curve 3"))[:size])).PublicKey()
		return strings.TrimSuffix(epkJSON(k), "}") + `,"use":"enc"}`
	}
	for name, c := range map[string]struct {
		jwk    string
		reason string
	}{
		"p384":      {coordinates(ecdh.P384(), 48), ReasonValue},
		"p521":      {coordinates(ecdh.P521(), 66), ReasonValue},
		"x25519":    {coordinates(ecdh.X25519(), 32), ReasonValue},
		"secp256k1": {`{"kty":"EC","crv":"secp256k1","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg","use":"sig"}`, ReasonValue},
		"ed448":     {`{"kty":"OKP","crv":"Ed448","x":"` + encode64(make([]byte, 57)) + `","use":"sig"}`, ReasonValue},
		"oct":       {`{"kty":"oct","k":"` + forgeSalt + `","use":"sig"}`, ReasonValue},
		"rsa":       {`{"kty":"RSA","n":"` + encode64(slices.Repeat([]byte{0xc5}, 256)) + `","e":"AQAB","use":"sig"}`, ReasonValue},
		"akp":       {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","use":"sig"}`, ReasonValue},
	} {
		v := b.text("public-key", "kind-"+name, "J3, J27: another kind of key", c.reason, c.jwk)
		v.Reason = Reason(v.run(b.t))
		v.legal(only)
	}
	b.key("p384", "another curve in name", ReasonValue, bare, "P-256", "P-384")
}

// chains are lists of certificates. Their contents are not looked into.
func (b *table) chains(sig string) {
	one := `"` + base64.StdEncoding.EncodeToString([]byte("not looked into here")) + `"`
	x5c := func(list string) string { return `{"x5c":` + list + "," }
	b.key("accept-x5c-8", "as many certificates as there may be", "", sig, "{", x5c("["+repeated(one, 8)+"]"))
	b.key("x5c-9", "at most 8 certificates", ReasonCount, sig, "{", x5c("["+repeated(one, 9)+"]"))
	b.key("x5c-url", "x5c is standard base64", ReasonBase64, sig, "{", x5c(`["__-_"]`))
	b.key("x5c-empty", "x5c has a certificate", ReasonCount, sig, "{", x5c("[]"))
	b.key("x5c-empty-string", "a certificate", ReasonBase64, sig, "{", x5c(`[""]`))
	b.key("x5c-no-padding", "x5c is standard base64, with padding", ReasonBase64, sig, "{", x5c(`["AAA"]`))
	b.key("x5c-bits", "unused bits are zero", ReasonBase64, sig, "{", x5c(`["AAB="]`))
	b.key("x5c-newline", "no line break inside", ReasonCharacters, sig, "{", x5c(`["AAAA\nAAAA"]`))
	b.key("x5c-string", "a list", ReasonType, sig, "{", x5c(one))
	b.key("x5c-null", "a list", ReasonType, sig, "{", x5c("null"))
	b.key("accept-x5c-12288-bytes", "the longest certificate, 16384 characters", "", sig, "{", x5c(`["`+strings.Repeat("A", maxCertLen)+`"]`))
	b.key("x5c-12291-bytes", "a certificate of at most 16384 characters", ReasonBase64, sig, "{", x5c(`["`+strings.Repeat("A", maxCertLen+4)+`"]`))
}

// smallOrders are points of Ed25519 that no key may be.
func (b *table) smallOrders() {
	point := func(name, about string, raw []byte) *vector {
		return b.text("public-key", name, about, ReasonCurve, `{"kty":"OKP","crv":"Ed25519","x":"`+encode64(raw)+`","use":"sig"}`)
	}
	const weak = "under a key of small order one signature fits many messages"
	for i, y := range smallOrder {
		raw := must2(hex.DecodeString(y))
		point("small-order-"+strconv.Itoa(i), "J17: a point of small order", raw).legal(weak)
		raw[31] |= 0x80
		point("small-order-signed-"+strconv.Itoa(i), "J17: a point of small order", raw).legal(weak)
	}
	for i := range 19 { // the encodings of y from the prime to 2^255-1
		raw := slices.Concat([]byte{byte(0xed + i)}, slices.Repeat([]byte{0xff}, 30), []byte{0x7f})
		point("beyond-prime-"+strconv.Itoa(i), "J17: y beyond the prime", raw)
	}
	point("beyond-prime-signed", "J17: y beyond the prime", slices.Concat([]byte{0xee}, slices.Repeat([]byte{0xff}, 31)))
	point("not-a-point", "J17: no x for this y", append([]byte{2}, make([]byte, 31)...))
}

func (b *table) privateKeys() {
	private := must3(b.keys.es256)
	edd := must3(b.keys.eddsa)
	key := func(name, about, reason, text string) *vector {
		return b.text("private-key", name, about, reason, text)
	}
	key("accept", "P-256", "", private)
	key("accept-eddsa", "Ed25519", "", edd)
	key("accept-enc", "P-256 for encryption", "", must3(b.keys.enc["lv/vp"]))
	key("accept-approve", "P-256 for approvals", "", must3(b.keys.approve))
	zero := must2(newPrivateKey(must2(parseScalar(append([]byte{0}, derived("small scalar")[1:]...))), UseSign))
	key("accept-d-zero", "d begins with a zero byte, which stands", "", must3(zero))
	key("accept-d-1", "d is 1", "", must3(must2(newPrivateKey(must2(parseScalar(append(make([]byte, 31), 1))), UseSign))))
	key("public", "d is required", ReasonMissingMember, string(must2(b.keys.es256.Public().MarshalJWK(nil)))).legal("a private key is asked for")
	key("other-d", "d belongs to x and y", ReasonKeyMismatch, withD(private, forgeSalt))
	key("other-d-eddsa", "d belongs to x", ReasonKeyMismatch, withD(edd, forgeSalt))
	key("zero-d", "d is a scalar", ReasonKeyMismatch, withD(private, encode64(make([]byte, 32))))
	key("d-n", "d is less than the order", ReasonKeyMismatch, withD(private, encode64(elliptic.P256().Params().N.Bytes())))
	key("d-ff", "d is less than the order", ReasonKeyMismatch, withD(private, encode64(slices.Repeat([]byte{0xff}, 32))))
	key("d-31", "d is 32 bytes (RFC 7518 section 6.2.2.1)", ReasonBase64, withD(must3(zero), encode64(zero.scalar[1:])))
	key("d-33", "d is 32 bytes", ReasonBase64, withD(private, encode64(append([]byte{0}, b.keys.es256.scalar...))))
	key("d-64-eddsa", "d is the seed of 32 bytes (RFC 8037 section 2)", ReasonBase64, withD(edd, encode64(slices.Concat(b.keys.eddsa.scalar, derived("x")))))
	key("d-bits", "J19: unused bits are zero", ReasonBase64, withD(private, trailingBits(encode64(b.keys.es256.scalar))))
	key("d-empty", "d is 32 bytes", ReasonBase64, withD(private, ""))
	key("d-number", "a string", ReasonType, strings.Replace(private, `"d":"`+encode64(b.keys.es256.scalar)+`"`, `"d":1`, 1))
	key("d-twice", "J14: no member twice", ReasonDuplicateMember, strings.Replace(private, "{", `{"d":"`+forgeSalt+`",`, 1))
	key("x5c", "a private key brings no chain", ReasonUnknownMember, strings.Replace(private, "{", `{"x5c":["AAAA"],`, 1))
	key("key-ops", "use instead of key_ops", ReasonUnknownMember, strings.Replace(private, "{", `{"key_ops":["sign"],`, 1)).legal("use says what a key is for (RFC 7517 section 4.3: not both)")
	key("no-use", "a key says what it is for", ReasonMissingMember, dropped(private, "use")).legal("a key says what it is for; RFC 7517 section 4.2 leaves it open")
}

// withD replaces the private half of a JWK.
func withD(jwk, d string) string {
	start := strings.Index(jwk, `"d":"`) + len(`"d":"`)
	return jwk[:start] + d + jwk[start+strings.IndexByte(jwk[start:], '"'):]
}

func (b *table) keySets() {
	sig := string(must2(b.keys.es256.Public().MarshalJWK(nil)))
	edd := string(must2(b.keys.eddsa.Public().MarshalJWK(nil)))
	enc := string(must2(b.keys.enc["lv/vp"].Public().MarshalJWK(nil)))
	private := must3(b.keys.es256)
	b.text("key-set", "accept", "three keys", "", `{"keys":[`+sig+","+edd+","+enc+`]}`)
	b.text("key-set", "accept-empty", "no key", "", `{"keys":[]}`)
	b.text("key-set", "accept-white-space", "white space between tokens", "", spaced(`{"keys":[`+sig+","+enc+`]}`))
	b.text("key-set", "accept-256", "as many keys as there may be", "", `{"keys":[`+bareKeys(maxKeys)+`]}`)
	b.text("key-set", "257", "at most 256 keys", ReasonCount, `{"keys":[`+bareKeys(maxKeys+1)+`]}`).legal("a set has at most 256 keys")
	b.text("key-set", "twice", "J38: each key once", ReasonDuplicateValue, `{"keys":[`+sig+","+enc+","+sig+`]}`).legal("each key stands once")
	b.text("key-set", "twice-other-use", "J38: each key once, whatever its use", ReasonDuplicateValue, `{"keys":[`+sig+","+strings.Replace(sig, `"sig"`, `"approve"`, 1)+`]}`).legal("each key stands once, for one use")
	b.text("key-set", "private", "no private half", ReasonUnknownMember, `{"keys":[`+private+`]}`).legal("a published key has no private half")
	b.text("key-set", "bare-key", "a set, not a key", ReasonUnknownMember, sig)
	b.text("key-set", "bare-list", "a set is an object", ReasonType, "["+sig+"]")
	b.text("key-set", "no-keys", "keys is required", ReasonMissingMember, "{}")
	b.text("key-set", "null-keys", "a list", ReasonType, `{"keys":null}`)
	b.text("key-set", "null-key", "keys", ReasonType, `{"keys":[null]}`)
	b.text("key-set", "keys-twice", "J14: no member twice", ReasonDuplicateMember, `{"keys":[`+sig+`],"keys":[]}`)
	b.text("key-set", "unknown", "keys alone", ReasonUnknownMember, `{"keys":[],"next":"x"}`).legal("a set has keys alone; RFC 7517 section 5 would have the rest ignored")
	b.text("key-set", "one-bad", "one bad key spoils the set (RFC 7517 section 5 would have it ignored)", ReasonCurve, `{"keys":[`+enc+","+strings.Replace(sig, `"x":"`+b.keys.es256.public.fields.x, `"x":"`+forgeSalt, 1)+`]}`)
	set := func(name, about, reason, text string) *vector {
		return b.text("private-key-set", name, about, reason, text)
	}
	set("accept", "two keys", "", `{"keys":[`+must3(b.keys.enc["lv/vp"])+","+must3(b.keys.enc["ua/npu"])+`]}`)
	set("accept-empty", "no key", "", `{"keys":[]}`)
	set("public", "private keys", ReasonMissingMember, `{"keys":[`+enc+`]}`).legal("private keys are asked for")
	set("twice", "J38: each key once", ReasonDuplicateValue, `{"keys":[`+private+","+private+`]}`).legal("each key stands once")
	set("other-d", "d belongs to x and y", ReasonKeyMismatch, `{"keys":[`+withD(private, forgeSalt)+`]}`)
}

// bareKeys are n keys of the least form.
func bareKeys(n int) string {
	list := make([]string, 0, n)
	for i := range n {
		f := derivedKey(UseSign, ES256, "bare "+strconv.Itoa(i)).public.fields
		list = append(list, `{"kty":"EC","crv":"P-256","x":"`+f.x+`","y":"`+f.y+`","use":"sig"}`)
	}
	return strings.Join(list, ",")
}
