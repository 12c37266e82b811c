package envelope

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"errors"
	"strconv"
	"strings"
	"testing"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxe "github.com/lestrrat-go/jwx/v3/jwe"
)

// Targets that get past the encryption: header and message are mutated, then
// encrypted, with keys, content key and nonce that are the same in every run.

// fuzzCipher encrypts as RFC 7516 and RFC 7518 section 4.6 say, whatever the
// headers are.
type fuzzCipher struct {
	ephemeral  PrivateKey
	recipients []PrivateKey
}

func newFuzzCipher(t testing.TB) *fuzzCipher {
	t.Helper()
	key := func(scalar byte) PrivateKey { return fuzzKey(t, UseEncrypt, "", scalar) }
	return &fuzzCipher{ephemeral: key(9), recipients: []PrivateKey{key(5), key(6)}}
}

func (f *fuzzCipher) epk() string {
	k := f.ephemeral.public.fields
	return `{"kty":"EC","crv":"P-256","x":"` + k.x + `","y":"` + k.y + `"}`
}

// shared is a protected header with what all recipients share.
func (f *fuzzCipher) shared(aud, more string) []byte {
	return []byte(`{"enc":"A256GCM","typ":"` + TypContent + `","cty":"` + CtyMessage + `","iss":"ee/pbgb","aud":` + aud + `,"jti":"` + forgeJTI + `"` + more + `}`)
}

// own are the parameters of one recipient, in either header.
func (f *fuzzCipher) own(i int) string {
	return `"alg":"` + algEncrypt + `","kid":"` + f.recipients[i].Kid() + `","epk":` + f.epk()
}

// pieces are the binary parts of a JWE.
type pieces struct{ key1, key2, iv, ciphertext, tag []byte }

func (f *fuzzCipher) encrypt(protected, plaintext []byte) pieces {
	cek, iv := bytes.Repeat([]byte{0x11}, 32), bytes.Repeat([]byte{0x22}, ivSize)
	gcm := must2(cipher.NewGCM(must2(aes.NewCipher(cek))))
	sealed := gcm.Seal(nil, iv, plaintext, []byte(encode64(protected)))
	wrap := func(k PrivateKey) []byte {
		kek := josecipher.DeriveECDHES(algEncrypt, nil, nil, f.ephemeral.private.(*ecdsa.PrivateKey), k.public.key.(*ecdsa.PublicKey), 32)
		return must2(josecipher.KeyWrap(must2(aes.NewCipher(kek)), cek))
	}
	n := len(sealed) - tagSize
	return pieces{wrap(f.recipients[0]), wrap(f.recipients[1]), iv, sealed[:n], sealed[n:]}
}

// spoil XORs a mask over one of the pieces.
func (p *pieces) spoil(where uint8, mask []byte) {
	b := [][]byte{p.key1, p.key2, p.iv, p.ciphertext, p.tag}[where%5]
	for i := range b[:min(len(mask), len(b))] {
		b[i] ^= mask[i]
	}
}

// json writes a JWE, flattened if there is only a first per-recipient header.
func (p *pieces) json(protected, own1, own2 []byte) []byte {
	recipient := func(own, key []byte) string {
		if len(own) == 0 {
			return `"encrypted_key":"` + encode64(key) + `"`
		}
		return `"header":` + string(own) + `,"encrypted_key":"` + encode64(key) + `"`
	}
	recipients := recipient(own1, p.key1)
	if len(own2) > 0 {
		recipients = `"recipients":[{` + recipients + `},{` + recipient(own2, p.key2) + `}]`
	}
	return []byte(`{"protected":"` + encode64(protected) + `",` + recipients + `,"iv":"` + encode64(p.iv) + `","ciphertext":"` +
		encode64(p.ciphertext) + `","tag":"` + encode64(p.tag) + `"}`)
}

// FuzzSealed compares with a second JOSE library: what we open, it opens to
// the same bytes; what we cannot open with a key that the content names, it
// cannot open either.
func FuzzSealed(f *testing.F) {
	c := newFuzzCipher(f)
	message := []byte(`{"salt":"` + forgeSalt + `","text":"Two persons, one car."}`)
	header := func(i int) []byte { return []byte("{" + c.own(i) + "}") }
	f.Add(c.shared(`["lv/vp"]`, ","+c.own(0)), []byte{}, []byte{}, message, uint8(0), []byte{})
	f.Add(c.shared(`["lv/vp"]`, ""), header(0), []byte{}, message, uint8(3), []byte{1})
	f.Add(c.shared(`["lv/vp","ua/npu"]`, ""), header(0), header(1), message, uint8(1), []byte{1})
	f.Add(c.shared(`["lv/vp","ua/npu"]`, `,"alg":"`+algEncrypt+`","epk":`+c.epk()), []byte(`{"kid":"`+c.recipients[0].Kid()+`"}`), []byte(`{"kid":"`+c.recipients[1].Kid()+`"}`), message, uint8(0), []byte{})
	f.Add(c.shared(`["lv/vp"]`, `,"kid":"`+c.recipients[0].Kid()+`","epk":`+c.epk()), []byte{}, []byte{}, message, uint8(0), []byte{})
	f.Add(c.shared(`["lv/vp"]`, `,"zip":"DEF",`+c.own(0)), []byte{}, []byte{}, []byte{}, uint8(2), []byte{0xff})
	f.Fuzz(func(t *testing.T, protected, own1, own2, plaintext []byte, where uint8, mask []byte) {
		p := c.encrypt(protected, plaintext)
		p.spoil(where, mask)
		raw := p.json(protected, own1, own2)
		content, err := ParseContent(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkStrict(t, raw, false)
		for _, k := range c.recipients {
			i, _ := content.match([]PrivateKey{k})
			ours, err := content.decrypt([]PrivateKey{k})
			if err != nil && Reason(err) != ReasonUnopenable {
				t.Fatalf("error out of place: %v", err)
			}
			if err == nil && !bytes.Equal(ours, plaintext) {
				t.Fatalf("%q opened to %q", plaintext, ours)
			}
			if i < 0 { // jwx tries all recipients, whatever kid says
				continue
			}
			theirs, jerr := jwxe.Decrypt(raw, jwxe.WithKey(jwa.ECDH_ES_A256KW(), k.private))
			if (err == nil) != (jerr == nil) || err == nil && !bytes.Equal(ours, theirs) {
				t.Fatalf("we: %q, %v; jwx: %q, %v\n%s", ours, err, theirs, jerr, raw)
			}
		}
	})
}

// FuzzOpen builds a whole package around a fuzzed manifest, protected header and message.
// What a recipient opens, the exchange would have taken, and opens to that message only.
func FuzzOpen(f *testing.F) {
	c := newFuzzCipher(f)
	signer := fuzzKey(f, UseSign, EdDSA, 4)
	message := `{"salt":"` + forgeSalt + `","subject":"Sighting","structured":{"format":"umf:1","body":{"a":[1.5]}},"counts":{"persons":2}}`
	manifest := strings.NewReplacer("@AUD@", `["lv/vp"]`, "@META@", strings.ReplaceAll(testMeta, "\n", "")).Replace(manifestTemplate)
	for _, text := range []string{manifest, strings.Replace(manifest, "@SIZE@", "1", 1), strings.Replace(manifest, "@PLAIN@", forgeSalt, 1), strings.Replace(manifest, forgeJTI, forgeJTI2, 1)} {
		f.Add([]byte(text), c.shared(`["lv/vp"]`, ","+c.own(0)), []byte(message))
	}
	f.Add([]byte(manifest), c.shared(`["lv/vp"]`, ","+c.own(0)), []byte(`{"salt":"x"}`))
	owner := func(kid string) (string, bool) {
		return map[string]string{c.recipients[0].Kid(): "lv/vp", c.recipients[1].Kid(): "ee/pbgb"}[kid], true
	}
	f.Fuzz(func(t *testing.T, manifest, protected, plaintext []byte) {
		p := c.encrypt(protected, plaintext)
		content := p.json(protected, nil, nil)
		payload := strings.NewReplacer("@STATEMENT@", forgeSalt, "@CONTENT@", digest64(content), "@SIZE@", strconv.Itoa(len(content)),
			"@PLAIN@", digest64(plaintext)).Replace(string(manifest))
		raw := deterministic(t, signer, fuzzHeader(signer, TypManifest), []byte(payload))
		in := OpenInput{Exchange: testExchange, Self: "lv/vp", Manifest: raw, Content: content, SenderKey: keyOf(signer), RecipientKeys: owner, Decrypt: c.recipients[:1]}
		opened, m, err := Open(in)
		if err != nil {
			if _, invalid := errors.AsType[*InvalidError](err); !invalid && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRejected) {
				t.Fatalf("error out of place: %v", err)
			}
			return
		}
		parsed, cerr := ParseContent(content)
		want, merr := ParseMessage(plaintext)
		if cerr != nil || merr != nil || parsed.Check(m, owner) != nil || m.VerifySignature(signer.public) != nil {
			t.Fatalf("opened what the exchange refuses: %v, %v", cerr, merr)
		}
		if string(must2(marshal(opened))) != string(must2(marshal(want))) || digest64(plaintext) != m.Content.PlaintextSHA256 {
			t.Fatalf("%q opened to %+v", plaintext, opened)
		}
		in.Self = "it/dcpc"
		if _, _, err := Open(in); !errors.Is(err, ErrRejected) {
			t.Fatalf("opened by an agency that it is not for: %v", err)
		}
	})
}

// FuzzAttachment: what Tink sealed opens to the same plaintext, here and by
// the words of the specification, and nothing of it can be changed or cut.
func FuzzAttachment(f *testing.F) {
	f.Add([]byte("scan"), uint32(60), byte(1), uint16(0), uint8(0))
	f.Add([]byte{}, uint32(0), byte(0), uint16(16), uint8(1))
	f.Add(bytes.Repeat([]byte{7}, 5000), uint32(41), byte(0), uint16(0), uint8(2))
	key := bytes.Repeat([]byte{7}, attachmentKeySize)
	f.Fuzz(func(t *testing.T, plain []byte, at uint32, flip byte, cut uint16, index uint8) {
		var b bytes.Buffer
		in, ref, err := EncryptAttachment(&b, bytes.NewReader(plain), key, forgeJTI, int(index))
		if err != nil || ref.Size != int64(b.Len()) || ref.Size < minAttachment {
			t.Fatalf("%+v, %v", ref, err)
		}
		sealed := b.Bytes()
		whole, err := openBySpecification(sealed, key, forgeJTI+"/"+strconv.Itoa(int(index)))
		if err != nil || !bytes.Equal(whole, plain) {
			t.Fatalf("by the specification: %v", err)
		}
		changed := bytes.Clone(sealed[:len(sealed)-int(cut)%(len(sealed)+1)])
		if len(changed) > 0 {
			changed[int(at)%len(changed)] ^= flip
		}
		var out bytes.Buffer
		got, _, err := DecryptAttachment(&out, bytes.NewReader(changed), key, forgeJTI, int(index))
		if same := bytes.Equal(changed, sealed); same != (err == nil) || same && (got != in || !bytes.Equal(out.Bytes(), plain)) {
			t.Fatalf("the same: %v; %v", same, err)
		}
		if err != nil && Reason(err) != ReasonAttachment {
			t.Fatalf("error out of place: %v", err)
		}
		if _, _, err := DecryptAttachment(&out, bytes.NewReader(sealed), key, forgeJTI, int(index)+1); Reason(err) != ReasonAttachment {
			t.Fatalf("opened in another place: %v", err)
		}
	})
}
