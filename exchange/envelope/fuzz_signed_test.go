package envelope

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	jwxs "github.com/lestrrat-go/jwx/v3/jws"
)

// Targets that get past the signature: what is mutated stands inside the JWS
// and is signed again, with keys that are the same in every run.

// fuzzKey is a key of a fixed scalar.
func fuzzKey(t testing.TB, use Use, alg string, scalar byte) PrivateKey {
	t.Helper()
	seed := bytes.Repeat([]byte{scalar}, 32)
	var k crypto.Signer = ed25519.NewKeyFromSeed(seed)
	if alg != EdDSA {
		e, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed)
		if err != nil {
			t.Fatal(err)
		}
		k = e
	}
	p, err := newPrivateKey(k, use)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// deterministic signs any header and payload; the same ones give the same JWS
// (RFC 6979, RFC 8032).
func deterministic(t testing.TB, k PrivateKey, header, payload []byte) []byte {
	t.Helper()
	input := encode64(header) + "." + encode64(payload)
	if e, ok := k.private.(ed25519.PrivateKey); ok {
		return []byte(input + "." + encode64(ed25519.Sign(e, []byte(input))))
	}
	sum := sha256.Sum256([]byte(input))
	var noRandom io.Reader
	der, err := k.private.Sign(noRandom, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, signatureSize)
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return []byte(input + "." + encode64(raw))
}

// signedKind is one kind of JWS as the target sees it.
type signedKind struct {
	name, typ string
	use       Use
	parse     func([]byte) (JWS, any, error)
}

var signedKinds = []signedKind{
	{"manifest", TypManifest, UseSign, func(b []byte) (JWS, any, error) {
		m, err := ParseManifest(b)
		if err != nil {
			return JWS{}, nil, err
		}
		return m.JWS, m.Manifest, nil
	}},
	{"statement", TypStatement, UseSign, func(b []byte) (JWS, any, error) {
		s, err := ParseStatement(b)
		if err != nil {
			return JWS{}, nil, err
		}
		return s.JWS, s.Statement, nil
	}},
	{"acknowledgement", TypAcknowledgement, UseSign, func(b []byte) (JWS, any, error) {
		a, err := ParseAcknowledgement(b)
		if err != nil {
			return JWS{}, nil, err
		}
		return a.JWS, a.Acknowledgement, nil
	}},
	{"approval", TypApproval, UseApprove, func(b []byte) (JWS, any, error) {
		a, err := ParseApproval(b)
		if err != nil {
			return JWS{}, nil, err
		}
		return a.JWS, a.Approval, nil
	}},
}

func fuzzHeader(k PrivateKey, typ string) []byte {
	return []byte(`{"alg":"` + k.public.alg + `","kid":"` + k.Kid() + `","typ":"` + typ + `"}`)
}

// FuzzSigned signs any header and payload as any kind of part, spoils the
// signature with a mask, and compares with a second JOSE library: what we
// accept, it accepts with the same header and payload; what we refuse because
// of the signature, it refuses.
func FuzzSigned(f *testing.F) {
	keys := map[Use][]PrivateKey{}
	for _, use := range []Use{UseSign, UseApprove} {
		keys[use] = []PrivateKey{fuzzKey(f, use, ES256, 3), fuzzKey(f, use, EdDSA, 4)}
	}
	addSigned(f, keys)
	f.Fuzz(func(t *testing.T, kind, which uint8, header, payload, mask []byte) {
		p := signedKinds[int(kind)%len(signedKinds)]
		k := keys[p.use][which%2]
		raw := spoil(deterministic(t, k, header, payload), mask)
		j, claims, err := p.parse(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkJWS(t, raw, j, claims)
		ours := j.VerifySignature(k.public)
		if ours != nil && !errors.Is(ours, ErrRejected) {
			t.Fatalf("error out of place: %v", ours)
		}
		if whole := len(bytes.Trim(mask, "\x00")) == 0; whole && ours != nil && Reason(ours) == ReasonSignature {
			t.Fatalf("a good signature is refused: %v", ours)
		}
		sameVerdictAsJWX(t, raw, j, k, ours)
	})
}

// spoil XORs a mask over the signature of a JWS; only its first 64 bytes count.
func spoil(raw, mask []byte) []byte {
	dot := bytes.LastIndexByte(raw, '.')
	signature, _ := decode64(raw[dot+1:])
	for i := range signature[:min(len(mask), len(signature))] {
		signature[i] ^= mask[i]
	}
	return append(bytes.Clone(raw[:dot+1]), encode64(signature)...)
}

// sameVerdictAsJWX: jwx is told the key and its algorithm and does not look at
// kid and use, so these two reasons of ours it does not have.
func sameVerdictAsJWX(t *testing.T, raw []byte, j JWS, k PrivateKey, ours error) {
	t.Helper()
	payload, theirs := jwxs.Verify(raw, jwxs.WithKey(jwxAlg(t, k.public.alg), k.public.key))
	switch Reason(ours) {
	case "":
		if theirs != nil || !bytes.Equal(payload, j.Payload) {
			t.Fatalf("accepted here, and by jwx: %v, %q", theirs, payload)
		}
		sameHeaderAsJWX(t, raw, j)
	case ReasonSignature, ReasonKeyAlg:
		if theirs == nil {
			t.Fatalf("refused here (%v), accepted by jwx", ours)
		}
	}
}

func sameHeaderAsJWX(t *testing.T, raw []byte, j JWS) {
	t.Helper()
	message, err := jwxs.Parse(raw)
	if err != nil || len(message.Signatures()) != 1 {
		t.Fatalf("jwx parses %v, %v", message, err)
	}
	h := message.Signatures()[0].ProtectedHeaders()
	alg, _ := h.Algorithm()
	kid, _ := h.KeyID()
	if alg.String() != j.Alg || kid != j.Kid || len(h.Keys()) != 3 {
		t.Fatalf("jwx reads the header %v", h)
	}
}

// addSigned adds parts of every kind and key, good and with a flaw in header,
// payload or signature.
func addSigned(f *testing.F, keys map[Use][]PrivateKey) {
	f.Helper()
	manifest := strings.NewReplacer("@AUD@", `["lv/vp"]`, "@STATEMENT@", forgeSalt, "@CONTENT@", forgeSalt, "@SIZE@", "802", "@PLAIN@", forgeSalt,
		"@META@", strings.ReplaceAll(testMeta, "\n", "")).Replace(manifestTemplate)
	common := `"exchange":"demo.liaison.example/ledger","iss":"lv/vp","sub":"` + forgeJTI + `","iat":1795312345,"manifest_sha256":"` + forgeSalt + `",`
	payloads := []string{
		manifest, statementTemplate,
		`{` + common + `"decision":"0199f3a2","obligations":[{"code":"no_judicial_use","params":{"days":[1,null,"\u00e9"]}}]}`,
		`{` + common + `"recipient":"ua/npu","codes":["a","b"],"verdict":"granted"}`,
	}
	for kind, p := range signedKinds {
		for which, k := range keys[p.use] {
			header := fuzzHeader(k, p.typ)
			f.Add(uint8(kind), uint8(which), header, []byte(payloads[kind]), []byte{})
			f.Add(uint8(kind), uint8(which), header, []byte(payloads[kind]), []byte{1})
			f.Add(uint8(kind), uint8(1-which), header, []byte(payloads[kind]), []byte{})
			f.Add(uint8(kind), uint8(which), bytes.Replace(header, []byte("{"), []byte(`{"b64":false,"crit":["b64"],`), 1), []byte(payloads[kind]), []byte{})
		}
	}
}

// FuzzDraft: a dry run reads payloads that nobody has signed, by the same rules.
func FuzzDraft(f *testing.F) {
	f.Add([]byte(statementTemplate))
	f.Add([]byte(`{"exchange":"o","iss":"ee/pbgb","aud":["lv/vp"],"jti":"` + forgeJTI + `","iat":1,"exp":2,"meta":` + testMeta + `}`))
	k := fuzzKey(f, UseSign, EdDSA, 4)
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := ParseStatementDraft(payload)
		signed, serr := ParseStatement(deterministic(t, k, fuzzHeader(k, TypStatement), payload))
		if (err == nil) != (serr == nil) || err == nil && string(must2(marshal(s))) != string(must2(marshal(signed.Statement))) {
			t.Fatalf("statement: %v as a draft, %v signed", err, serr)
		}
		m, meta, err := ParseManifestDraft(payload)
		if err != nil {
			checkError(t, err)
			return
		}
		if again, err := ParseMeta(m.Meta); err != nil || string(must2(marshal(again))) != string(must2(marshal(meta))) {
			t.Fatalf("meta of the draft: %v", err)
		}
		if len(m.Aud) < 1 || len(m.Aud) > MaxRecipients || len(m.Attachments) > MaxAttachments || len(payload) > maxManifest {
			t.Fatalf("beyond the limits: %+v", m)
		}
	})
}

// FuzzJSON: what our strict reader takes, encoding/json takes and reads to the
// same value; what only we refuse, we refuse for a reason that is ours.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2,{"b":null}],"c":"\u00e9\ud83d\ude00\/"}`, `[1e400,-0,0.5]`, `"\ud800"`, `{"a":1,"\u0061":2}`, "\"\u202e\"",
		`9007199254740993`, strings.Repeat("[", 17) + strings.Repeat("]", 17), ` { } `, `{"":""}`, `"\n\t"`, `[true,false]x`} {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, message bool) {
		d := signedDialect
		if message {
			d = messageDialect
		}
		var raw json.RawMessage
		err := readAll(text, d, anyValue, &raw)
		lenient, lerr := decodeJSON(text)
		if err != nil {
			checkError(t, err)
			switch Reason(err) {
			case ReasonType:
				if lerr == nil {
					t.Fatalf("%q: %v, but it is a JSON value", text, err)
				}
			case ReasonJSON:
				if lerr == nil && !bytes.Contains(bytes.ToLower(text), []byte(`\ud`)) {
					t.Fatalf("%q: %v, but it is JSON without surrogates", text, err)
				}
			}
			return
		}
		if lerr != nil {
			t.Fatalf("%q is accepted here and refused by encoding/json: %v", text, lerr)
		}
		r := reader{data: text, dialect: d}
		if tree := r.tree(); r.end() != nil || string(must2(json.Marshal(tree))) != string(must2(json.Marshal(lenient))) {
			t.Fatalf("%q reads as %v here and as %v there", text, tree, lenient)
		}
		if again, err := decodeJSON(raw); err != nil || string(must2(json.Marshal(again))) != string(must2(json.Marshal(lenient))) {
			t.Fatalf("%q is kept as %q", text, raw)
		}
	})
}

// decodeJSON is one JSON value as encoding/json reads it, numbers as they are
// written.
func decodeJSON(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// tree reads any value with the steps of which shapes are made.
func (r *reader) tree() any {
	switch r.peek() {
	case '{':
		out := map[string]any{}
		r.enter('{', "")
		for n := 0; r.more('}', n); n++ {
			name := string(r.name())
			if _, twice := out[name]; twice {
				r.fail(ReasonDuplicateMember, "found by the test")
			}
			out[name] = r.tree()
		}
		return out
	case '[':
		out := []any{}
		r.enter('[', "")
		for n := 0; r.more(']', n); n++ {
			out = append(out, r.tree())
		}
		return out
	case '"':
		return string(r.str())
	case 't', 'f':
		return r.boolean()
	case 'n':
		r.literal("null")
		return nil
	}
	text, _ := r.number()
	return json.Number(text)
}
