package envelope

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
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
	reject := func(name, about, reason string, change func(*forge)) *vector {
		return b.whole("reject-"+name, about, "rejected", reason, change)
	}
	const holds = "the signature holds, but its key "
	reject("stranger", "signed with a key of another agency", ReasonKid, func(f *forge) { f.signer = f.keys.stranger; f.headers() }).
		legal(holds + "is not one of iss (RFC 8725 section 3.8)")
	reject("kid-of-stranger", "the kid of another agency", ReasonKid, func(f *forge) { swap(&f.manifestHeader, f, f.signer.Kid(), f.keys.stranger.Kid()) })
	reject("approval-key", "signed with a key of use approve", ReasonKeyUse, func(f *forge) { f.signer = f.keys.approve; f.headers() }).
		legal(holds + "is of another use")
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
		"zero":    func(s []byte) []byte { return make([]byte, 64) }, // CVE-2022-21449
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
	b.whole("reject-statement-of-other-agency", "J38: the statement of another agency that shares the key", "rejected", ReasonPairIssuer, func(f *forge) {
		swap(&f.statementPayload, f, "ee/pbgb", "it/dcpc")
	}).register("it/dcpc", true, b.keys.es256.Public())
	reject("statement-flipped", "the statement's signature does not hold", ReasonSignature, func(f *forge) {
		f.rawStatement = withSignature(func(s []byte) []byte { s[40] ^= 1; return s })
	})
	reject("statement-of-other-sender", "J32: another iss in the statement", ReasonKid, func(f *forge) { swap(&f.statementPayload, f, "ee/pbgb", "it/dcpc") }).
		legal(holds + "is not one of iss (RFC 8725 section 3.8)")
}

// plusL adds the order of the group to S, which verifies where S is not checked.
func plusL(sig []byte) []byte {
	s := fromLittleEndian(sig[32:])
	return append(slices.Clone(sig[:32]), littleEndian(s.Add(s, edOrder))...)
}

// signature is a manifest whose signature is changed or made anew.
func (b *table) signature(name, about, reason string, signer PrivateKey, sign func(input string, sig []byte) []byte) *vector {
	f := b.forge(func(f *forge) {
		f.signer = signer
		f.headers()
		f.rawManifest = func(s string) string {
			input := s[:strings.LastIndexByte(s, '.')]
			sig, _ := decode64([]byte(s[len(input)+1:]))
			return input + "." + encode64(sign(input, sig))
		}
	})
	m, _, _ := f.build()
	v := b.part(f, "manifest", "signature-"+name, about, reason, m)
	if reason != "" {
		v.Expect = "rejected"
	}
	return v
}

// es256Edges are signatures of ECDSA at the edges (FIPS 186-5 section 6.4.2).
func (b *table) es256Edges() {
	k := b.keys.es256
	start := 0
	search := func(name, about string, fits func(sig []byte) bool) {
		start += 1000 // so that no two find the same signature
		b.signature("accept-es256-"+name, about, "", k, func(input string, _ []byte) []byte {
			for n := start; ; n++ {
				if sig := signES256(k.scalar, input, n); fits(sig) {
					return sig
				}
			}
		})
	}
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	high := func(sig []byte) bool { return new(big.Int).SetBytes(sig[32:]).Cmp(half) > 0 }
	search("r-zero-byte", "J18: r begins with a zero byte, which stands", func(sig []byte) bool { return sig[0] == 0 })
	search("s-zero-byte", "J18: s begins with a zero byte, which stands", func(sig []byte) bool { return sig[32] == 0 })
	search("high-s", "J16: s in the upper half", high)
	search("low-s", "J16: s in the lower half", func(sig []byte) bool { return !high(sig) })
	search("r-high-bit", "J18: r begins with a bit that DER would pad", func(sig []byte) bool { return sig[0] >= 0x80 && sig[32] >= 0x80 })
	order := elliptic.P256().Params().N.Bytes()
	one := append(make([]byte, 31), 1)
	ones := slices.Repeat([]byte{0xff}, 32)
	for name, sig := range map[string]func(sig []byte) []byte{
		"r-ff": func(s []byte) []byte { return slices.Concat(ones, s[32:]) }, "s-ff": func(s []byte) []byte { return slices.Concat(s[:32], ones) }, "n-n": func([]byte) []byte { return slices.Concat(order, order) },
		"1-1": func([]byte) []byte { return slices.Concat(one, one) }, "0-1": func([]byte) []byte { return slices.Concat(make([]byte, 32), one) }, "1-0": func([]byte) []byte { return slices.Concat(one, make([]byte, 32)) },
		"ff-ff": func([]byte) []byte { return slices.Concat(ones, ones) }, "r-prime": func(s []byte) []byte { return slices.Concat(elliptic.P256().Params().P.Bytes(), s[32:]) },
		"n-minus-r": func(s []byte) []byte { return slices.Concat(negateS(slices.Concat(s[32:], s[:32]))[32:], s[32:]) },
		"little-endian": func(s []byte) []byte {
			slices.Reverse(s[:32])
			slices.Reverse(s[32:])
			return s
		},
		"last-bit": func(s []byte) []byte { s[63] ^= 1; return s }, "first-bit": func(s []byte) []byte { s[0] ^= 0x80; return s },
	} {
		b.signature("es256-"+name, "J18: not a signature of these bytes", ReasonSignature, k, func(_ string, s []byte) []byte { return sig(s) })
	}
	for name, other := range map[string]func(input string) string{
		"payload-only": func(s string) string { return s[strings.IndexByte(s, '.')+1:] }, "decoded": func(s string) string {
			p := strings.Split(s, ".")
			header, _ := decode64([]byte(p[0]))
			payload, _ := decode64([]byte(p[1]))
			return string(header) + "." + string(payload)
		},
		"digest": func(s string) string { sum := sha256.Sum256([]byte(s)); return string(sum[:]) }, "with-dot": func(s string) string { return s + "." }, "empty": func(string) string { return "" },
	} {
		b.signature("es256-of-"+name, "a signature of other bytes than header, dot, payload as they are sent", ReasonSignature, k, func(input string, _ []byte) []byte { return signES256(k.scalar, other(input), 0) })
	}
	b.signature("es256-of-stranger", "a signature of another key", ReasonSignature, k, func(input string, _ []byte) []byte { return rawSignature(b.keys.stranger, input) })
	b.signature("eddsa-of-stranger", "a signature of another key", ReasonSignature, b.keys.eddsa, func(input string, _ []byte) []byte { return rawSignature(b.keys.es256, input) })
}

// eddsaEdges are signatures of Ed25519 at the edges: the equation of RFC 8032
// section 5.1.7 without cofactor, R not of small order, S reduced.
func (b *table) eddsaEdges() {
	k := b.keys.eddsa
	raw, _ := decode64([]byte(k.public.fields.x))
	made := func(name, about, reason string, r []byte, log *big.Int) *vector {
		return b.signature("eddsa-"+name, about, reason, k, func(input string, _ []byte) []byte { return edSign(k, raw, r, log, input) })
	}
	nonce := new(big.Int).SetBytes(derived("ed25519 nonce"))
	nonce.Mod(nonce, edOrder)
	point := edDecode(edBase).times(nonce)
	small := edDecode(edOrder8)
	made("accept-any-nonce", "R of any nonce: it need not be the one of RFC 8032 section 5.1.6", "", point.encode(), nonce)
	made("r-identity", "J17: R of small order, for which the equation holds", ReasonSignature, edPoint{big.NewInt(0), big.NewInt(1)}.encode(), new(big.Int)).
		legal("R is of small order; the equation of RFC 8032 section 5.1.7 holds")
	for name, r := range map[string]string{
		"identity-signed": "0100000000000000000000000000000000000000000000000000000000000080", "identity-beyond": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"identity-beyond-signed": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "order-2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order-4": "0000000000000000000000000000000000000000000000000000000000000000", "order-4-beyond": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order-8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "no-point": "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		made("r-"+name, "J17: R of small order, not canonical or no point", ReasonSignature, must2(hex.DecodeString(r)), new(big.Int))
	}
	made("r-mixed", "J17: R with a part of small order: the equation holds with cofactor only", ReasonSignature, point.add(small).encode(), nonce)
	for name, sig := range map[string]func(sig []byte) []byte{
		"zero": func([]byte) []byte { return make([]byte, 64) }, "s-zero": func(s []byte) []byte { return slices.Concat(s[:32], make([]byte, 32)) }, "s-l": func(s []byte) []byte { return slices.Concat(s[:32], littleEndian(edOrder)) },
		"s-ff": func(s []byte) []byte { return slices.Concat(s[:32], slices.Repeat([]byte{0xff}, 32)) }, "s-high-bit": func(s []byte) []byte { s[63] |= 0x80; return s }, "s-bit-253": func(s []byte) []byte { s[63] |= 0x20; return s },
		"s-plus-l": plusL, "s-plus-8-l": func(s []byte) []byte {
			for range 8 {
				s = plusL(s)
			}
			return s
		},
		"r-sign": func(s []byte) []byte { s[31] ^= 0x80; return s }, "swapped": func(s []byte) []byte { return slices.Concat(s[32:], s[:32]) }, "last-bit": func(s []byte) []byte { s[32] ^= 1; return s },
		"s-negated": func(s []byte) []byte {
			return slices.Concat(s[:32], littleEndian(new(big.Int).Sub(edOrder, fromLittleEndian(s[32:]))))
		},
	} {
		b.signature("eddsa-"+name, "J17: not a signature of these bytes, or S not reduced", ReasonSignature, k, func(_ string, s []byte) []byte { return sig(s) })
	}
	for name, options := range map[string]*ed25519.Options{"ph": {Hash: crypto.SHA512}, "ctx": {Context: "liaison"}} {
		b.signature("eddsa-"+name, "Ed25519"+name+" is another algorithm (RFC 8032 section 5.1)", ReasonSignature, k, func(input string, _ []byte) []byte {
			message := []byte(input)
			if options.Hash != 0 {
				sum := sha512.Sum512(message)
				message = sum[:]
			}
			return must2(k.private.Sign(nil, message, options))
		})
	}
	b.mixedKeys(k, small, nonce)
}

// mixedKeys: a public key with a part of small order, which is not refused: the
// equation without cofactor decides.
func (b *table) mixedKeys(k PrivateKey, small edPoint, nonce *big.Int) {
	raw, _ := decode64([]byte(k.public.fields.x))
	mixed := edKey(k, edDecode(raw).add(small))
	public := mixed.public.key.(ed25519.PublicKey)
	sign := func(fits func(h int64) bool) func(string, []byte) []byte {
		return func(input string, _ []byte) []byte {
			for n := new(big.Int).Set(nonce); ; n.Add(n, big.NewInt(1)) {
				r := edDecode(edBase).times(n).encode()
				if h := edChallenge(r, public, input); fits(new(big.Int).And(h, big.NewInt(7)).Int64()) {
					return edSign(k, public, r, n, input)
				}
			}
		}
	}
	b.signature("eddsa-accept-key-mixed", "J17: a key with a part of small order that the hash cancels", "", mixed, sign(func(h int64) bool { return h == 0 }))
	b.signature("eddsa-key-mixed", "J17: a key with a part of small order: the equation holds with cofactor only", ReasonSignature, mixed, sign(func(h int64) bool { return h != 0 }))
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
	invalid("content-jti", "J32: the content of another package", ReasonContentJTI, func(f *forge) { f.box.protect = f.replace(forgeJTI, forgeJTI2) })
	invalid("content-iss", "J33: the content of another sender", ReasonContentIss, func(f *forge) { f.box.protect = f.replace("ee/pbgb", "it/dcpc") })
	invalid("content-aud", "J32: other recipients in the content", ReasonContentAud, func(f *forge) { f.box.protect = f.replace(`["lv/vp"]`, `["lv/vp","ua/npu"]`) })
	invalid("content-aud-order", "the recipients in another order", ReasonContentAud, func(f *forge) {
		f.box.protect = f.replace(`["lv/vp","ua/npu"]`, `["ua/npu","lv/vp"]`)
	}, "lv/vp", "ua/npu")
	invalid("manifest-aud", "J32: other recipients in the manifest", ReasonContentAud, func(f *forge) { swap(&f.manifestPayload, f, "@AUD@", `["ua/npu"]`) })
	invalid("recipient-missing", "an agency of aud without a JWE recipient", ReasonRecipientMissing, func(f *forge) { f.to = []string{"lv/vp"}; f.box.apart = true }, "lv/vp", "ua/npu")
	invalid("recipient-extra", "J29: a JWE recipient that is not in aud", ReasonRecipientExtra, func(f *forge) { f.to = []string{"lv/vp", "ua/npu"} })
	named := func(kid string) func(f *forge) {
		return func(f *forge) {
			f.box.to = func(int, string) (string, *ecdh.PublicKey) {
				return kid, must2(f.keys.enc["lv/vp"].public.key.(*ecdsa.PublicKey).ECDH())
			}
		}
	}
	invalid("recipient-unknown", "a key that nobody has registered", ReasonRecipientUnknown, named(forgeSalt))
	invalid("recipient-signing-key", "the kid of a signing key is nobody's encryption key", ReasonRecipientUnknown, named(b.keys.stranger.Kid()))
	invalid("recipient-own-signing-key", "the kid of the sender's signing key", ReasonRecipientUnknown, named(b.keys.es256.Kid()))
	invalid("recipient-retired", "J37: a retired key", ReasonRecipientRetired, func(f *forge) { f.retired = map[string]bool{"lv/vp": true} })
	invalid("copy-retired", "J37: a retired key of the sender for its copy", ReasonRecipientRetired, func(f *forge) { f.copied = true; f.retired = map[string]bool{"ee/pbgb": true} })
	invalid("recipient-retired-second", "J37: a retired key among others", ReasonRecipientRetired, func(f *forge) { f.retired = map[string]bool{"ua/npu": true} }, "lv/vp", "ua/npu")
	twice := func(f *forge, owner string) {
		f.to = []string{"lv/vp", "ua/npu"}
		if owner == "ee/pbgb" {
			f.to = append(f.to, owner)
		}
		f.owner = map[string]string{"ua/npu": owner}
	}
	invalid("recipient-twice", "J29: two keys of one agency", ReasonRecipientTwice, func(f *forge) { twice(f, "lv/vp") })
	invalid("copy-twice", "J29: two keys of the sender", ReasonRecipientTwice, func(f *forge) { twice(f, "ee/pbgb") })
	invalid("recipient-twice-other-missing", "J29: two keys of one agency of aud, none of the other", ReasonRecipientTwice, func(f *forge) { f.owner = map[string]string{"ua/npu": "lv/vp"} }, "lv/vp", "ua/npu")
	invalid("only-copy", "a copy for the sender instead of the recipient", ReasonRecipientMissing, func(f *forge) { f.to = []string{"ee/pbgb"} })
}

// toldEdges: what binds the parts to each other and to now, one step beyond.
func (b *table) toldEdges() {
	invalid := func(name, about, reason string, change func(*forge), aud ...string) {
		b.whole("invalid-"+name, about, "invalid", reason, change, aud...)
	}
	for name, origin := range map[string]string{"case": "Demo.liaison.example/ledger", "slash": testExchange + "/", "prefix": strings.TrimSuffix(testExchange, "r"), "port": "demo.liaison.example:443/ledger", "one": "x"} {
		invalid("exchange-"+name, "an origin is compared byte for byte", ReasonExchange, func(f *forge) { swap(&f.manifestPayload, f, testExchange, origin) })
	}
	for name, times := range map[string][3]string{
		"iat-0": {"0", "1", ReasonIAT}, "iat-most": {"9007199254740991", "9007199254740991", ReasonIAT}, "iat-milliseconds": {"1795312345000", "1797904345000", ReasonIAT}, "exp-0": {"1795312345", "0", ReasonEXP},
		"exp-most": {"1795312345", "9007199254740991", ReasonEXP}, "exp-milliseconds": {"1795312345", "1797904345000", ReasonEXP}, "exp-now": {"1795312045", "1795312345", ReasonExpired},
	} {
		invalid(name, "J35: times, one step beyond or in another unit", times[2], func(f *forge) {
			swap(&f.manifestPayload, f, `"iat":1795312345,"exp":1797904345`, `"iat":`+times[0]+`,"exp":`+times[1])
		})
	}
	b.accept("exp-next-second", "exp one second after now", func(f *forge) { swap(&f.manifestPayload, f, "1797904345", "1795312346") })
	b.accept("exp-90-days-of-early-iat", "90 days from iat, not from now", func(f *forge) {
		swap(&f.manifestPayload, f, `"iat":1795312345,"exp":1797904345`, `"iat":1795312645,"exp":1803088645`)
	})
	size := func(f *forge, d int) { swap(&f.manifestPayload, f, "@SIZE@", strconv.Itoa(len(f.encrypted())+d)) }
	invalid("content-size-less", "one byte less than the content has", ReasonContentSize, func(f *forge) { size(f, -1) })
	invalid("content-size-more", "one byte more than the content has", ReasonContentSize, func(f *forge) { size(f, 1) })
	invalid("content-space-after", "one space after the content that was hashed", ReasonContentDigest, func(f *forge) { f.rawContent = func(s string) string { return s + " " } })
	invalid("content-reordered", "the members of the content in another order than it was hashed", ReasonContentDigest, func(f *forge) {
		f.rawContent = func(s string) string {
			tag := `,"tag":` + f.member("tag")
			return "{" + tag[1:] + "," + f.replace(tag, "")(s)[1:]
		}
	})
	invalid("statement-malleated", "J16: the statement's digest is that of the statement as sent, its twin has another", ReasonStatementDigest, func(f *forge) { f.rawStatement = malleate })
	invalid("statement-digest-of-payload", "the digest of the statement's payload is not that of the statement", ReasonStatementDigest, func(f *forge) {
		swap(&f.manifestPayload, f, "@STATEMENT@", digest64([]byte(f.statementPayload)))
	})
	invalid("content-digest-of-ciphertext", "the digest of the ciphertext is not that of the content", ReasonContentDigest, func(f *forge) {
		f.encrypted()
		ciphertext, _ := decode64([]byte(f.text("ciphertext")))
		swap(&f.manifestPayload, f, "@CONTENT@", digest64(ciphertext))
	})
	invalid("content-aud-fewer", "J32: fewer recipients in the content", ReasonContentAud, func(f *forge) { f.box.protect = f.replace(`["lv/vp","ua/npu"]`, `["lv/vp"]`) }, "lv/vp", "ua/npu")
	invalid("content-swapped", "J32: the content of another package of the same sender", ReasonContentJTI, func(f *forge) {
		swap(&f.manifestPayload, f, forgeJTI, forgeJTI2)
		swap(&f.statementPayload, f, forgeJTI, forgeJTI2)
	})
}
