package envelope

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

const (
	forgeJTI  = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"
	forgeJTI2 = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e"
	forgeSalt = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// forge makes a package from texts, so that a vector has exactly one flaw:
// whatever is changed before it is signed is signed.
type forge struct {
	t       testing.TB
	keys    *forgeKeys
	aud     []string
	copied  bool
	signer  PrivateKey // signs manifest and statement
	second  PrivateKey // signs the statement, if set
	message string
	retired map[string]bool   // agencies whose encryption key is retired
	owner   map[string]string // agencies whose encryption key is registered for another

	manifestHeader, manifestPayload   string
	statementHeader, statementPayload string
	content                           string

	// After signing.
	rawManifest, rawStatement, rawContent func(string) string
}

// forgeKeys are the keys that the vectors of one run share.
type forgeKeys struct {
	es256, eddsa, stranger, approve PrivateKey
	enc                             map[string]PrivateKey
}

func newForgeKeys(t testing.TB) *forgeKeys {
	gen := func(use Use, alg string) PrivateKey {
		k, err := Generate(use, alg)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := &forgeKeys{
		es256: gen(UseSign, ES256), eddsa: gen(UseSign, EdDSA), stranger: gen(UseSign, ES256),
		approve: gen(UseApprove, ES256), enc: map[string]PrivateKey{},
	}
	for _, a := range append(manyAgencies(32), "ee/pbgb", "lv/vp", "ua/npu", "it/dcpc") {
		k.enc[a] = gen(UseEncrypt, "")
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
		t: t, keys: keys, aud: aud, signer: keys.es256,
		message:          `{"salt":"` + forgeSalt + `","subject":"Sighting","text":"Two persons, one car."}`,
		manifestPayload:  manifestTemplate,
		statementPayload: statementTemplate,
	}
	f.headers()
	return f
}

// headers sets the headers for the signer.
func (f *forge) headers() {
	h := `{"alg":"` + f.signer.public.alg + `","kid":"` + f.signer.Kid() + `","typ":"`
	f.manifestHeader, f.statementHeader = h+TypManifest+`"}`, h+TypStatement+`"}`
}

// compact signs any header and payload with any key, without a look at them.
func compact(k PrivateKey, header, payload string) string {
	input := encode64([]byte(header)) + "." + encode64([]byte(payload))
	return input + "." + encode64(rawSignature(k, input))
}

func rawSignature(k PrivateKey, input string) []byte {
	switch p := k.private.(type) {
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, p, sum[:])
		if err != nil {
			panic(err)
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	case ed25519.PrivateKey:
		return ed25519.Sign(p, []byte(input))
	}
	panic("no such key")
}

func (f *forge) encryptionKeys() (keys []PublicKey) {
	for _, a := range f.aud {
		keys = append(keys, f.keys.enc[a].Public())
	}
	if f.copied {
		keys = append(keys, f.keys.enc["ee/pbgb"].Public())
	}
	return keys
}

// encrypted makes the content, once, so that it can be changed before build.
func (f *forge) encrypted() string {
	if f.content == "" {
		f.content = string(must2(encrypt([]byte(f.message), f.encryptionKeys(), "ee/pbgb", f.aud, forgeJTI)))
	}
	return f.content
}

func apply(change func(string) string, s string) string {
	if change == nil {
		return s
	}
	return change(s)
}

// build makes the three parts.
func (f *forge) build() (manifest, statement, content string) {
	content = f.encrypted()
	k := f.signer
	if !f.second.IsZero() {
		k = f.second
	}
	statement = compact(k, f.statementHeader, f.statementPayload)
	payload := strings.NewReplacer(
		"@AUD@", string(must2(json.Marshal(f.aud))), "@STATEMENT@", digest64([]byte(statement)), "@CONTENT@", digest64([]byte(content)),
		"@SIZE@", strconv.Itoa(len(content)), "@PLAIN@", digest64([]byte(f.message)), "@META@", strings.ReplaceAll(testMeta, "\n", ""),
	).Replace(f.manifestPayload)
	manifest = compact(f.signer, f.manifestHeader, payload)
	return apply(f.rawManifest, manifest), apply(f.rawStatement, statement), apply(f.rawContent, content)
}

func (f *forge) put(v *vector, name, part string) {
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

// vector makes the vector of a whole package.
func (f *forge) vector(v *vector) {
	v.Kind, v.Exchange = "package", testExchange
	if v.Now == 0 {
		v.Now = testNow.Unix()
	}
	manifest, statement, content := f.build()
	f.put(v, "manifest", manifest)
	f.put(v, "statement", statement)
	f.put(v, "content", content)
	f.directory(v)
	if v.Expect == "accept" {
		v.Message = json.RawMessage(f.message)
		readers := f.aud
		if f.copied {
			readers = append([]string{"ee/pbgb"}, readers...)
		}
		for _, a := range readers {
			v.Private = append(v.Private, vectorSecret{a, must2(f.keys.enc[a].MarshalPrivate())})
		}
	}
}

// directory lists the keys that a vector needs.
func (f *forge) directory(v *vector) {
	add := func(agency string, usable bool, k PublicKey) {
		v.Directory = append(v.Directory, vectorKey{agency, usable, must2(k.MarshalJWK(nil))})
	}
	add("ee/pbgb", true, f.keys.es256.Public())
	add("ee/pbgb", true, f.keys.eddsa.Public())
	add("ee/pbgb", true, f.keys.approve.Public())
	add("it/dcpc", true, f.keys.stranger.Public())
	for _, a := range append([]string{"ee/pbgb", "ua/npu"}, f.aud...) {
		if _, _, k := v.key(f.t, f.keys.enc[a].Kid()); k.IsZero() {
			owner := a
			if o := f.owner[a]; o != "" {
				owner = o
			}
			add(owner, !f.retired[a], f.keys.enc[a].Public())
		}
	}
}

// protectedHeader changes the JSON of the protected header of the content.
func (f *forge) protectedHeader(change func(string) string) {
	var j struct {
		Protected string `json:"protected"`
	}
	if err := json.Unmarshal([]byte(f.encrypted()), &j); err != nil {
		f.t.Fatal(err)
	}
	header, ok := decode64([]byte(j.Protected))
	if !ok {
		f.t.Fatal("protected header")
	}
	f.content = strings.Replace(f.content, j.Protected, encode64([]byte(change(string(header)))), 1)
}

// member returns the JSON of a member of the content.
func (f *forge) member(name string) string {
	var j map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.encrypted()), &j); err != nil {
		f.t.Fatal(err)
	}
	return string(j[name])
}

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

// sharedAlg encrypts with alg in the protected header, for all recipients.
func (f *forge) sharedAlg() {
	options := (&jose.EncrypterOptions{}).WithType(TypContent).WithContentType(CtyMessage).
		WithHeader("iss", "ee/pbgb").WithHeader("aud", f.aud).WithHeader("jti", forgeJTI).WithHeader("alg", algEncrypt)
	var recipients []jose.Recipient
	for _, k := range f.encryptionKeys() {
		recipients = append(recipients, jose.Recipient{Algorithm: jose.ECDH_ES_A256KW, Key: k.key, KeyID: k.kid})
	}
	obj := must2(must2(jose.NewMultiEncrypter(jose.A256GCM, recipients, options)).Encrypt([]byte(f.message)))
	text := string(must2(general([]byte(obj.FullSerialize()))))
	f.content = strings.ReplaceAll(text, `"alg":"`+algEncrypt+`",`, "")
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
