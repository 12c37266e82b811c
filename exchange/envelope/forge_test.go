package envelope

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	forgeJTI  = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"
	forgeJTI2 = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e"
	forgeSalt = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// forge makes a package from texts, so that a vector has exactly one flaw:
// whatever is changed before it is signed or encrypted is signed and encrypted.
// It uses nothing of what it tests, and no chance: the same forge makes the same
// bytes for ever.
type forge struct {
	t       testing.TB
	keys    *forgeKeys
	aud     []string
	copied  bool
	to      []string   // agencies to which the content is encrypted, if not those of aud
	sender  string     // agency of the sender
	signer  PrivateKey // signs manifest and statement
	second  PrivateKey // signs the statement, if set
	message string
	retired map[string]bool   // agencies whose encryption key is retired
	owner   map[string]string // agencies whose encryption key is registered for another

	manifestHeader, manifestPayload   string
	statementHeader, statementPayload string

	box     box    // how the content is made
	content string // the content, once made
	padding int    // spaces after the content

	// After signing.
	rawManifest, rawStatement, rawContent func(string) string
}

// forgeKeys are the keys that all vectors share.
type forgeKeys struct {
	es256, eddsa, stranger, approve, approveEd PrivateKey
	enc                                        map[string]PrivateKey
}

// derived is a secret that everybody can compute.
func derived(label string) []byte {
	sum := sha256.Sum256([]byte("liaison vectors: " + label))
	return sum[:]
}

// derivedKey is a key for a use; alg is that of a signature, or "" for use enc.
func derivedKey(use Use, alg, label string) PrivateKey {
	if alg == EdDSA {
		return must2(newPrivateKey(ed25519.NewKeyFromSeed(derived(label)), use))
	}
	return must2(newPrivateKey(must2(ecdsa.ParseRawPrivateKey(elliptic.P256(), derived(label))), use))
}

// derivedUntil is the first key for a use, of a numbered label, that fits.
func derivedUntil(use Use, alg, label string, fits func(PrivateKey) bool) PrivateKey {
	for i := 0; ; i++ {
		if k := derivedKey(use, alg, label+" "+strconv.Itoa(i)); fits(k) {
			return k
		}
	}
}

func newForgeKeys(testing.TB) *forgeKeys {
	k := &forgeKeys{
		es256: derivedKey(UseSign, ES256, "es256"), eddsa: derivedKey(UseSign, EdDSA, "eddsa"), stranger: derivedKey(UseSign, ES256, "stranger"),
		approve: derivedKey(UseApprove, ES256, "approve"), approveEd: derivedKey(UseApprove, EdDSA, "approve eddsa"), enc: map[string]PrivateKey{},
	}
	for _, a := range append(manyAgencies(32), "ee/pbgb", "lv/vp", "ua/npu", "it/dcpc") {
		k.enc[a] = derivedKey(UseEncrypt, "", "enc "+a)
	}
	return k
}

func manyAgencies(n int) (out []string) {
	for i := range n {
		out = append(out, "xx/agency-"+strconv.Itoa(i))
	}
	return out
}

const manifestTemplate = `{"exchange":"demo.liaison.example/ledger","iss":"ee/pbgb","aud":@AUD@,"jti":"` + forgeJTI + `","iat":1795312345,"exp":1797904345,` +
	`"statement_sha256":"@STATEMENT@","content":{"sha256":"@CONTENT@","size":@SIZE@,"plaintext_sha256":"@PLAIN@"},"meta":@META@}`

const statementTemplate = `{"iss":"ee/pbgb","jti":"` + forgeJTI + `","officer":"officer-17","justification":"Two suspects of case EE-2026-0117 were seen in Riga.",` +
	`"approvals":[{"approver":"officer-3","role":"head_of_duty","at":1795312000}],"subject_refs":["` + forgeSalt + `"],"texts":{"urgency":"They may leave today."}}`

func newForge(t testing.TB, keys *forgeKeys, aud ...string) *forge {
	f := &forge{
		t: t, keys: keys, aud: aud, sender: "ee/pbgb", signer: keys.es256,
		message:          `{"salt":"` + forgeSalt + `","subject":"Sighting","text":"Two persons, one car."}`,
		manifestPayload:  manifestTemplate,
		statementPayload: statementTemplate,
		box:              box{alg: algEncrypt, enc: "A256GCM"},
	}
	f.headers()
	return f
}

// headers sets the headers for the signer.
func (f *forge) headers() {
	f.manifestHeader, f.statementHeader = headerOf(f.signer, TypManifest), headerOf(f.signer, TypStatement)
}

func headerOf(k PrivateKey, typ string) string {
	return `{"alg":"` + k.public.alg + `","kid":"` + k.Kid() + `","typ":"` + typ + `"}`
}

// compact signs any header and payload with any key, without a look at them.
func compact(k PrivateKey, header, payload string) string {
	input := encode64([]byte(header)) + "." + encode64([]byte(payload))
	return input + "." + encode64(rawSignature(k, input))
}

func rawSignature(k PrivateKey, input string) []byte {
	if p, ok := k.private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(p, []byte(input))
	}
	return signES256(k.scalar, input, 0)
}

// signES256 makes the n-th of the many signatures of one input (FIPS 186-5
// section 6.4.1, with a nonce that is computed).
func signES256(scalar []byte, input string, n int) []byte {
	order := elliptic.P256().Params().N
	sum := sha256.Sum256([]byte(input))
	nonce := derived("nonce " + strconv.Itoa(n) + encode64(scalar) + encode64(sum[:]))
	point := must2(must2(ecdsa.ParseRawPrivateKey(elliptic.P256(), nonce)).PublicKey.Bytes())
	r := new(big.Int).SetBytes(point[1:33])
	r.Mod(r, order)
	s := new(big.Int).Mul(r, new(big.Int).SetBytes(scalar))
	s.Add(s, new(big.Int).SetBytes(sum[:]))
	s.Mul(s, new(big.Int).ModInverse(new(big.Int).SetBytes(nonce), order)).Mod(s, order)
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

func apply(change func(string) string, s string) string {
	if change == nil {
		return s
	}
	return change(s)
}

// build makes the three parts. The manifest names the content as it is sent,
// spaces included.
func (f *forge) build() (manifest, statement, content string) {
	content = f.encrypted()
	k := f.signer
	if !f.second.IsZero() {
		k = f.second
	}
	statement = compact(k, f.statementHeader, f.statementPayload)
	sent := content + strings.Repeat(" ", f.padding)
	payload := strings.NewReplacer(
		"@AUD@", string(must2(json.Marshal(f.aud))), "@STATEMENT@", digest64([]byte(statement)), "@CONTENT@", digest64([]byte(sent)),
		"@SIZE@", strconv.Itoa(len(sent)), "@PLAIN@", digest64([]byte(f.message)), "@META@", flatMeta,
	).Replace(f.manifestPayload)
	manifest = compact(f.signer, f.manifestHeader, payload)
	return apply(f.rawManifest, manifest), apply(f.rawStatement, statement), apply(f.rawContent, content)
}

var flatMeta = strings.ReplaceAll(testMeta, "\n", "")

func (v *vector) put(name, part string) {
	if utf8.ValidString(part) {
		if v.Parts == nil {
			v.Parts = map[string]string{}
		}
		v.Parts[name] = part
		return
	}
	if v.PartsBase64 == nil {
		v.PartsBase64 = map[string]string{}
	}
	v.PartsBase64[name] = base64.StdEncoding.EncodeToString([]byte(part))
}

// pad says that spaces follow a part.
func (v *vector) pad(name string, spaces int) {
	if spaces > 0 {
		v.Padding = map[string]int{name: spaces}
	}
}

// vector makes the vector of a whole package.
func (f *forge) vector(v *vector) {
	v.Kind, v.Exchange = "package", testExchange
	if v.Now == 0 {
		v.Now = testNow.Unix()
	}
	manifest, statement, content := f.build()
	v.put("manifest", manifest)
	v.put("statement", statement)
	v.put("content", content)
	v.pad("content", f.padding)
	f.directory(v)
	f.encryptionDirectory(v)
	f.secrets(v)
	if v.Expect == "accept" {
		v.Message = json.RawMessage(f.message)
	}
}

// secrets lists the private keys to which the content is encrypted.
func (f *forge) secrets(v *vector) {
	if f.box.readers != nil {
		v.Private = f.box.readers
		return
	}
	for _, a := range f.addressees() {
		v.Private = append(v.Private, vectorSecret{a, must2(f.keys.enc[a].MarshalPrivate())})
	}
}

// directory lists the keys that verify.
func (f *forge) directory(v *vector) {
	v.register(f.sender, true, f.keys.es256.Public())
	v.register(f.sender, true, f.keys.eddsa.Public())
	v.register(f.sender, true, f.keys.approve.Public())
	v.register("it/dcpc", true, f.keys.stranger.Public())
	if !f.hasSigner(v) {
		v.register(f.sender, true, f.signer.Public())
	}
}

func (f *forge) hasSigner(v *vector) bool {
	_, _, k := v.key(f.t, f.signer.Kid())
	return !k.IsZero()
}

func (v *vector) register(agency string, usable bool, k PublicKey) {
	v.Directory = append(v.Directory, vectorKey{agency, usable, must2(k.MarshalJWK(nil))})
}

// encryptionDirectory lists the keys of the agencies that there are.
func (f *forge) encryptionDirectory(v *vector) {
	for _, a := range slices.Concat([]string{"ee/pbgb", "ua/npu"}, f.aud, f.to) {
		if _, _, k := v.key(f.t, f.keys.enc[a].Kid()); k.IsZero() {
			owner := a
			if o := f.owner[a]; o != "" {
				owner = o
			}
			v.register(owner, !f.retired[a], f.keys.enc[a].Public())
		}
	}
}

// replace returns a change of a text that must contain old.
func (f *forge) replace(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			f.t.Fatalf("nothing to replace: %q", old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

// replaceAll makes one change of several pairs of old and new.
func (f *forge) replaceAll(pairs ...string) func(string) string {
	return func(s string) string {
		for i := 0; i < len(pairs); i += 2 {
			s = f.replace(pairs[i], pairs[i+1])(s)
		}
		return s
	}
}

func swap(s *string, f *forge, old, new string) { *s = f.replace(old, new)(*s) }

// negateY is -y in the field of P-256.
func negateY(y []byte) []byte {
	return new(big.Int).Sub(elliptic.P256().Params().P, new(big.Int).SetBytes(y)).FillBytes(make([]byte, 32))
}

// parseScalar is the P-256 key of a scalar.
func parseScalar(d []byte) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
}
