package envelope

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"hash"
	"slices"
	"strings"
)

// box is a JWE in the making (RFC 7516 section 5.1, RFC 7518 sections 4.6 and
// 5), by the standard library's ciphers alone. What a header is changed to say is
// done, where it can be done, so that a content that is refused for its form is
// nonetheless one that its recipient could open.
type box struct {
	alg, enc string
	apu, apv []byte // of the key derivation; a header has to say so
	zip      bool
	aad      string // JWE AAD, as it stands
	cekSize  int    // of another length than enc wants

	protect func(string) string                               // change of the protected header, before it is encrypted under
	headers func(i int, header, key string) (h, k string)     // change of a recipient: JSON of header ("" for none) and encrypted_key
	epk     func(i int) *ecdh.PrivateKey                      // another ephemeral key
	to      func(i int, kid string) (string, *ecdh.PublicKey) // another key
	flat    bool                                              // flattened though the headers stand apart
	apart   bool                                              // alg, kid and epk in the per-recipient header, of one recipient too
	general bool                                              // general though there is one recipient
	z       func([]byte) []byte                               // change of the shared secret
	readers []vectorSecret                                    // other private keys that open it
}

// addressees are the agencies that can open the content, in the order of the
// JWE recipients.
func (f *forge) addressees() []string {
	switch {
	case f.to != nil:
		return f.to
	case f.copied:
		return append(slices.Clone(f.aud), f.sender)
	}
	return f.aud
}

func (f *forge) encryptionKeys() (keys []PublicKey) {
	for _, a := range f.addressees() {
		keys = append(keys, f.keys.enc[a].Public())
	}
	return keys
}

// encrypted makes the content, once, so that it can be changed before build.
func (f *forge) encrypted() string {
	if f.content == "" {
		f.content = f.box.seal(f)
	}
	return f.content
}

// recipientText is a JWE recipient in the making.
type recipientText struct{ header, key string }

func (b *box) seal(f *forge) string {
	cek := b.contentKey()
	keys := f.encryptionKeys()
	inOne := len(keys) == 1 && !b.apart
	var recipients []recipientText
	for i, k := range keys {
		kid, to := k.kid, must2(k.key.(*ecdsa.PublicKey).ECDH())
		if b.to != nil {
			kid, to = b.to(i, kid)
		}
		epk := f.ephemeral(i)
		if b.epk != nil {
			epk = b.epk(i)
		}
		r := recipientText{`{"alg":"` + b.alg + `","epk":` + epkJSON(epk.PublicKey()) + `,"kid":"` + kid + `"}`, ""}
		kek, direct := b.derive(epk, to)
		if direct {
			cek = kek
		} else {
			r.key = `"` + encode64(wrap(kek, cek)) + `"`
		}
		if b.headers != nil {
			r.header, r.key = b.headers(i, r.header, r.key)
		}
		recipients = append(recipients, r)
	}
	protected := `{"aud":` + string(must2(json.Marshal(f.aud))) + `,"cty":"` + CtyMessage + `","enc":"` + b.enc + `","iss":"` + f.sender + `","jti":"` + forgeJTI + `","typ":"` + TypContent + `"}`
	if inOne && recipients[0].header != "" {
		protected = strings.TrimSuffix(recipients[0].header, "}") + "," + protected[1:]
		recipients[0].header = ""
	}
	protected = apply(b.protect, protected)
	iv, ciphertext, tag := b.encrypt(cek, encode64([]byte(protected)), f.message)
	head := `{"protected":"` + encode64([]byte(protected)) + `",`
	tail := `"iv":"` + encode64(iv) + `","ciphertext":"` + encode64(ciphertext) + `","tag":"` + encode64(tag) + `"}`
	if b.aad != "" {
		tail = `"aad":"` + b.aad + `",` + tail
	}
	if !b.general && (inOne || b.flat) {
		return head + recipients[0].members() + "," + tail
	}
	list := make([]string, 0, len(recipients))
	for _, r := range recipients {
		list = append(list, "{"+r.members()+"}")
	}
	return head + `"recipients":[` + strings.Join(list, ",") + `],` + tail
}

func (r recipientText) members() string {
	var m []string
	if r.header != "" {
		m = append(m, `"header":`+r.header)
	}
	if r.key != "" {
		m = append(m, `"encrypted_key":`+r.key)
	}
	return strings.Join(m, ",")
}

// ephemeral is the ephemeral key for recipient i.
func (f *forge) ephemeral(i int) *ecdh.PrivateKey {
	return must2(ecdh.P256().NewPrivateKey(derived("ephemeral " + f.addressees()[i])))
}

func epkJSON(k *ecdh.PublicKey) string {
	names := map[ecdh.Curve]string{ecdh.P256(): "P-256", ecdh.P384(): "P-384", ecdh.P521(): "P-521"}
	raw := k.Bytes()
	crv, ok := names[k.Curve()]
	if !ok {
		return `{"kty":"OKP","crv":"X25519","x":"` + encode64(raw) + `"}`
	}
	n := (len(raw) - 1) / 2
	return `{"kty":"EC","crv":"` + crv + `","x":"` + encode64(raw[1:1+n]) + `","y":"` + encode64(raw[1+n:]) + `"}`
}

// contentKey is a key for enc.
func (b *box) contentKey() []byte {
	size := map[string]int{"A128GCM": 16, "A192GCM": 24, "A128CBC-HS256": 32, "A192CBC-HS384": 48, "A256CBC-HS512": 64}[b.enc]
	if size == 0 {
		size = 32
	}
	if b.cekSize != 0 {
		size = b.cekSize
	}
	return slices.Concat(derived("content key"), derived("content key 2"))[:size]
}

// derive is the Concat KDF of RFC 7518 section 4.6.2; direct says that the
// result is the content key.
func (b *box) derive(epk *ecdh.PrivateKey, to *ecdh.PublicKey) (key []byte, direct bool) {
	id, size := b.alg, 32
	switch b.alg {
	case "ECDH-ES":
		id, size, direct = b.enc, len(b.contentKey()), true
	case "ECDH-ES+A128KW":
		size = 16
	case "ECDH-ES+A192KW":
		size = 24
	}
	z := must2(epk.ECDH(to))
	if b.z != nil {
		z = b.z(z)
	}
	return concatKDF(z, id, b.apu, b.apv, size), direct
}

func concatKDF(z []byte, id string, apu, apv []byte, size int) []byte {
	var out []byte
	for round := uint32(1); len(out) < size; round++ {
		in := binary.BigEndian.AppendUint32(nil, round)
		in = append(in, z...)
		for _, part := range [][]byte{[]byte(id), apu, apv} {
			in = append(binary.BigEndian.AppendUint32(in, uint32(len(part))), part...)
		}
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(in, uint32(8*size)))
		out = append(out, sum[:]...)
	}
	return out[:size]
}

// wrap is AES Key Wrap (RFC 3394 section 2.2.1).
func wrap(kek, key []byte) []byte {
	block := must2(aes.NewCipher(kek))
	out := append(bytes.Repeat([]byte{0xa6}, 8), key...)
	buf := make([]byte, 16)
	for j := range 6 {
		for i := 8; i < len(out); i += 8 {
			copy(buf, out[:8])
			copy(buf[8:], out[i:i+8])
			block.Encrypt(buf, buf)
			step := uint64(len(key)/8*j + i/8)
			binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(buf)^step)
			copy(out[i:], buf[8:])
		}
	}
	return out
}

// encrypt encrypts a message under the protected header as it stands.
func (b *box) encrypt(cek []byte, protected, message string) (iv, ciphertext, tag []byte) {
	plaintext := []byte(message)
	if b.zip {
		var z bytes.Buffer
		w := must2(flate.NewWriter(&z, flate.BestCompression))
		must2(w.Write(plaintext))
		if err := w.Close(); err != nil {
			panic(err)
		}
		plaintext = z.Bytes()
	}
	aad := protected
	if b.aad != "" {
		aad += "." + b.aad
	}
	switch b.enc {
	case "A128CBC-HS256":
		return encryptCBC(cek, sha256.New, plaintext, aad)
	case "A192CBC-HS384":
		return encryptCBC(cek, sha512.New384, plaintext, aad)
	case "A256CBC-HS512":
		return encryptCBC(cek, sha512.New, plaintext, aad)
	}
	iv = derived("initialization vector")[:12]
	sealed := must2(cipher.NewGCM(must2(aes.NewCipher(cek)))).Seal(nil, iv, plaintext, []byte(aad))
	return iv, sealed[:len(sealed)-16], sealed[len(sealed)-16:]
}

// encryptCBC is AES_CBC_HMAC_SHA2 (RFC 7518 section 5.2.2).
func encryptCBC(key []byte, h func() hash.Hash, plaintext []byte, aad string) (iv, ciphertext, tag []byte) {
	half := len(key) / 2
	iv = derived("initialization vector")[:16]
	n := 16 - len(plaintext)%16
	ciphertext = append(slices.Clone(plaintext), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(must2(aes.NewCipher(key[half:])), iv).CryptBlocks(ciphertext, ciphertext)
	mac := hmac.New(h, key[:half])
	mac.Write([]byte(aad))
	mac.Write(iv)
	mac.Write(ciphertext)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(8*len(aad))))
	return iv, ciphertext, mac.Sum(nil)[:half]
}

// member returns the JSON of a member of the content.
func (f *forge) member(name string) string {
	var j map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.encrypted()), &j); err != nil {
		f.t.Fatal(err)
	}
	return string(j[name])
}

// text returns a member of the content that is a string.
func (f *forge) text(name string) string { return strings.Trim(f.member(name), `"`) }

// recipientJSON returns JWE recipient i of a general content.
func (f *forge) recipientJSON(i int) (header, key string) {
	var list []struct {
		Header json.RawMessage `json:"header"`
		Key    json.RawMessage `json:"encrypted_key"`
	}
	if err := json.Unmarshal([]byte(f.member("recipients")), &list); err != nil {
		f.t.Fatal(err)
	}
	return string(list[i].Header), string(list[i].Key)
}
