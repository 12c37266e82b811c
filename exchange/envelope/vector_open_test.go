package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"encoding/json"
	"slices"
	"strings"
)

// open adds what a recipient is served, seen by the one who holds the first of
// the private keys.
func (b *table) open(name, about, expect, reason string, change func(*forge), edit func(*vector), aud ...string) *vector {
	f := b.forge(change, aud...)
	v := &vector{About: about, Expect: expect, Reason: reason}
	f.vector(v)
	v.Kind = "open"
	delete(v.Parts, "statement")
	v.Now = 0
	if edit != nil {
		edit(v)
	}
	return b.add("open-"+name, v)
}

// opened: what only the holder of a private key sees.
func (b *table) opened() {
	reject := func(name, about, reason string, change func(*forge), aud ...string) *vector {
		return b.open(name, about, "rejected", reason, change, nil, aud...)
	}
	b.open("accept", "a package for one", "accept", "", nil, nil)
	b.open("accept-second", "the second of two recipients", "accept", "", nil, func(v *vector) { v.Private = v.Private[1:] }, "lv/vp", "ua/npu")
	b.open("accept-copy", "the sender opens its copy", "accept", "", func(f *forge) { f.copied = true }, func(v *vector) { v.Private = v.Private[1:] })
	b.open("accept-expired", "a recipient does not judge times: the exchange did", "accept", "", func(f *forge) { swap(&f.manifestPayload, f, `"exp":1797904345`, `"exp":1`) }, nil)
	const altered = "J30: altered, whatever part of it: one and the same refusal"
	for _, which := range []string{"ciphertext", "tag", "iv", "encrypted_key"} {
		for name, at := range map[string]int{"first": 0, "last": -1} {
			reject("altered-"+which+"-"+name, altered, ReasonUnopenable, func(f *forge) {
				f.encrypted()
				raw, _ := decode64([]byte(f.text(which)))
				i := at
				if i < 0 {
					i += len(raw)
				}
				raw[i] ^= 1
				swap(&f.content, f, f.member(which), `"`+encode64(raw)+`"`)
			})
		}
	}
	reject("altered-header", "the protected header is authenticated as it stands", ReasonUnopenable, func(f *forge) {
		f.encrypted()
		swap(&f.content, f, f.text("protected"), encode64([]byte(" "+f.protectedText())))
	})
	reject("ciphertext-cut", altered, ReasonUnopenable, func(f *forge) {
		f.encrypted()
		raw, _ := decode64([]byte(f.text("ciphertext")))
		swap(&f.content, f, f.member("ciphertext"), `"`+encode64(raw[:len(raw)-1])+`"`)
	})
	reject("epk-of-another", "another point in the place of the ephemeral key", ReasonUnopenable, func(f *forge) {
		other := epkJSON(must2(ecdh.P256().NewPrivateKey(derived("another"))).PublicKey())
		f.box.protect = func(h string) string { return f.replace(memberText(h, "epk"), `"epk":`+other+",")(h) }
	})
	reject("epk-negated", "the ephemeral key with -y: the shared secret is x alone and the same, the header is not", ReasonUnopenable, func(f *forge) {
		f.encrypted()
		swap(&f.content, f, f.text("protected"), encode64([]byte(negatedEPK(f, f.protectedText()))))
	})
	b.open("accept-epk-negated", "the ephemeral key with -y, encrypted under: the shared secret is x alone (RFC 7518 section 4.6)", "accept", "", func(f *forge) {
		f.box.protect = func(h string) string { return negatedEPK(f, h) }
	}, nil)
	kdf := func(name, about string, change func(*box)) {
		reject("kdf-"+name, about, ReasonUnopenable, func(f *forge) { change(&f.box) })
	}
	kdf("apu", "PartyUInfo is empty in the key derivation", func(x *box) { x.apu = []byte("ee/pbgb") })
	kdf("apv", "PartyVInfo is empty in the key derivation", func(x *box) { x.apv = []byte("lv/vp") })
	kdf("z-reversed", "the shared secret is hashed as it is, big endian", func(x *box) { x.z = func(z []byte) []byte { slices.Reverse(z); return z } })
	kdf("z-padded", "the shared secret is 32 bytes", func(x *box) { x.z = func(z []byte) []byte { return append([]byte{0}, z...) } })
	for name, alg := range map[string]string{"a128kw": "ECDH-ES+A128KW", "direct": "A256GCM", "empty": "", "kw": "A256KW"} {
		reject("kdf-algorithm-"+name, "AlgorithmID is ECDH-ES+A256KW (RFC 7518 section 4.6.2)", ReasonUnopenable, func(f *forge) { f.rewrapped(alg) })
	}
	reject("names-swapped", "the kid of two recipients in each other's place: who reads must be who is named", ReasonUnopenable, func(f *forge) {
		lv, ua := f.keys.enc["lv/vp"].Kid(), f.keys.enc["ua/npu"].Kid()
		f.box.to = func(i int, kid string) (string, *ecdh.PublicKey) {
			other := map[string]string{lv: "ua/npu", ua: "lv/vp"}[kid]
			return kid, must2(f.keys.enc[other].public.key.(*ecdsa.PublicKey).ECDH())
		}
	}, "lv/vp", "ua/npu").legal("kid names who reads; to RFC 7516 it is a hint")
	reject("plaintext-digest", "J33: plaintext_sha256 is that of another message: the key does not commit, the digest does", ReasonPlaintext, func(f *forge) { swap(&f.manifestPayload, f, "@PLAIN@", forgeSalt) })
	inside := func(name, about, message string) {
		reject("message-"+name, about, ReasonPlaintext, func(f *forge) { f.message = message })
	}
	inside("no-salt", "the message inside has no salt", `{"text":"x"}`)
	inside("unknown", "the message inside has an unknown member", `{`+saltMember+`,"html":"x"}`)
	inside("twice", "the message inside has a member twice", `{`+saltMember+`,"text":"a","text":"b"}`)
	inside("text", "what is inside is no object", `Two persons, one car.`)
	inside("utf8", "what is inside is no UTF-8", "{"+saltMember+",\"text\":\"\xff\"}")
	inside("path", "the message inside names a path", b.attached("scan.pdf", "../x"))
	reject("attachments-more", "the message lists an attachment that the manifest does not", ReasonPlaintext, func(f *forge) { f.message = b.attached() })
	reject("attachments-fewer", "the manifest lists an attachment that the message does not", ReasonPlaintext, func(f *forge) { f.attach(2, 1) })
	b.notForUs()
}

// notForUs: what a recipient refuses before it decrypts.
func (b *table) notForUs() {
	reader := func(agency string) func(v *vector) {
		return func(v *vector) {
			v.Private = []vectorSecret{{agency, must2(b.keys.enc[agency].MarshalPrivate())}}
		}
	}
	b.open("not-in-aud", "J31: a package for others, though our key would open it", "rejected", ReasonNotForUs, nil, func(v *vector) { v.Private[0].Agency = "it/dcpc" })
	b.open("other-exchange", "J31: a package of another exchange", "rejected", ReasonNotForUs, func(f *forge) { swap(&f.manifestPayload, f, testExchange, "other.example/ledger") }, nil)
	b.open("other-key", "none of the JWE recipients is ours", "rejected", ReasonUnopenable, nil, func(v *vector) { reader("it/dcpc")(v); v.Private[0].Agency = "lv/vp" })
	b.open("no-copy", "the sender has no copy", "rejected", ReasonUnopenable, nil, reader("ee/pbgb"))
	b.open("re-encrypted", "J31: the message encrypted again, to others, under the sender's name", "invalid", ReasonContentDigest, nil, func(v *vector) {
		other := b.forge(nil, "ua/npu")
		other.box.protect = other.replace(`["ua/npu"]`, `["lv/vp"]`)
		v.Parts["content"] = other.encrypted()
	})
	b.open("signature", "the signature is checked again", "rejected", ReasonSignature, func(f *forge) { f.rawManifest = withSignature(func(s []byte) []byte { s[3] ^= 1; return s }) }, nil)
	b.open("stranger", "the key of the sender is checked again", "rejected", ReasonKid, func(f *forge) { f.signer = f.keys.stranger; f.headers() }, nil).
		legal("the signature holds, but its key is not one of iss (RFC 8725 section 3.8)")
	b.open("content-jti", "J33: the content of another package", "invalid", ReasonContentJTI, func(f *forge) { f.box.protect = f.replace(forgeJTI, forgeJTI2) }, nil)
	b.open("content-iss", "J33: the content of another sender, signed anew", "invalid", ReasonContentIss, func(f *forge) { f.box.protect = f.replace("ee/pbgb", "it/dcpc") }, nil)
	b.open("recipient-extra", "J29: one who is not in aud reads as well", "invalid", ReasonRecipientExtra, func(f *forge) { f.to = []string{"lv/vp", "ua/npu"} }, nil)
}

// negatedEPK is a protected header whose epk has -y for y.
func negatedEPK(f *forge, header string) string {
	member := strings.TrimSuffix(memberText(header, "epk"), ",")
	var m struct{ Kty, Crv, X, Y string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(member, `"epk":`)), &m); err != nil {
		f.t.Fatal(err)
	}
	y, _ := decode64([]byte(m.Y))
	return f.replace(m.Y, encode64(negateY(y)))(header)
}

// rewrapped wraps the content key under a key that was derived for another
// algorithm than the header says.
func (f *forge) rewrapped(algorithm string) {
	to := must2(f.keys.enc["lv/vp"].public.key.(*ecdsa.PublicKey).ECDH())
	z := must2(f.ephemeral(0).ECDH(to))
	key := encode64(wrap(concatKDF(z, algorithm, nil, nil, 32), f.box.contentKey()))
	f.box.headers = func(_ int, header, _ string) (string, string) { return header, `"` + key + `"` }
}
