package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is one file of testdata/vectors; its README says what the members mean.
type vector struct {
	About       string            `json:"about"`
	Kind        string            `json:"kind"`
	Expect      string            `json:"expect"`
	Reason      string            `json:"reason,omitempty"`
	Layer       string            `json:"layer,omitempty"`
	LegalJOSE   string            `json:"legal_jose,omitempty"`
	Now         int64             `json:"now,omitempty"`
	Exchange    string            `json:"exchange,omitempty"`
	Directory   []vectorKey       `json:"directory,omitempty"`
	Private     []vectorSecret    `json:"private,omitempty"`
	Parts       map[string]string `json:"parts,omitempty"`
	PartsBase64 map[string]string `json:"parts_base64,omitempty"`
	Padding     map[string]int    `json:"padding,omitempty"`
	Message     json.RawMessage   `json:"message,omitempty"`

	parsed []PublicKey // of the directory, in its order
}

type vectorKey struct {
	Agency string          `json:"agency"`
	Usable bool            `json:"usable"`
	JWK    json.RawMessage `json:"jwk"`
}

type vectorSecret struct {
	Agency string          `json:"agency"`
	JWK    json.RawMessage `json:"jwk"`
}

func (v *vector) part(t testing.TB, name string) []byte {
	t.Helper()
	if s, ok := v.Parts[name]; ok {
		return append([]byte(s), bytes.Repeat([]byte{' '}, v.Padding[name])...)
	}
	b, err := base64.StdEncoding.DecodeString(v.PartsBase64[name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keys are the keys of the directory, in its order, each parsed once.
func (v *vector) keys(t testing.TB) []PublicKey {
	t.Helper()
	for _, d := range v.Directory[len(v.parsed):] {
		k, err := ParsePublicJWK(d.JWK)
		if err != nil {
			t.Fatal(err)
		}
		v.parsed = append(v.parsed, k.PublicKey)
	}
	return v.parsed
}

func (v *vector) key(t testing.TB, kid string) (agency string, usable bool, key PublicKey) {
	t.Helper()
	for i, k := range v.keys(t) {
		if k.Kid() == kid {
			return v.Directory[i].Agency, v.Directory[i].Usable, k
		}
	}
	return "", false, PublicKey{}
}

// signer is the key that a part names, if it is one of iss.
func (v *vector) signer(t testing.TB, iss, kid string) PublicKey {
	t.Helper()
	for i, k := range v.keys(t) {
		if v.Directory[i].Agency == iss && k.Kid() == kid {
			return k
		}
	}
	return PublicKey{}
}

// owner says whose encryption key a kid is.
func (v *vector) owner(t testing.TB) func(string) (string, bool) {
	return func(kid string) (string, bool) {
		agency, usable, key := v.key(t, kid)
		if key.Use() != UseEncrypt {
			return "", false
		}
		return agency, usable
	}
}

// run does with a vector what the exchange does; kind open is what a recipient
// does.
func (v *vector) run(t testing.TB) error {
	t.Helper()
	now := time.Unix(v.Now, 0)
	switch v.Kind {
	case "package":
		return v.runPackage(t, now)
	case "open":
		return v.runOpen(t)
	case "manifest":
		m, err := ParseManifest(v.part(t, "manifest"))
		if err != nil {
			return err
		}
		return first(m.VerifySignature(v.signer(t, m.Iss, m.Kid)), m.CheckExchange(v.Exchange), m.CheckTimes(now))
	case "statement":
		s, err := ParseStatement(v.part(t, "statement"))
		if err != nil {
			return err
		}
		return s.VerifySignature(v.signer(t, s.Iss, s.Kid))
	case "acknowledgement":
		a, err := ParseAcknowledgement(v.part(t, "acknowledgement"))
		if err != nil {
			return err
		}
		return first(a.VerifySignature(v.signer(t, a.Iss, a.Kid)), a.CheckExchange(v.Exchange), a.CheckTime(now))
	case "approval":
		a, err := ParseApproval(v.part(t, "approval"))
		if err != nil {
			return err
		}
		return first(a.VerifySignature(v.signer(t, a.Iss, a.Kid)), a.CheckExchange(v.Exchange), a.CheckTime(now))
	}
	parse, ok := texts[v.Kind]
	if !ok {
		t.Fatalf("unknown kind %q", v.Kind)
	}
	return parse(v.part(t, v.Kind))
}

// texts are the kinds that are judged by their form alone.
var texts = map[string]func([]byte) error{
	"content":         func(b []byte) error { _, err := ParseContent(b); return err },
	"meta":            func(b []byte) error { _, err := ParseMeta(b); return err },
	"message":         func(b []byte) error { _, err := ParseMessage(b); return err },
	"public-key":      func(b []byte) error { _, err := ParsePublicJWK(b); return err },
	"private-key":     func(b []byte) error { _, err := ParsePrivateJWK(b); return err },
	"key-set":         func(b []byte) error { _, err := ParseKeySet(b); return err },
	"private-key-set": func(b []byte) error { _, err := ParsePrivateSet(b); return err },
}

// runOpen opens as the first of the private keys.
func (v *vector) runOpen(t testing.TB) error {
	_, _, err := Open(v.openInput(t, v.Private[0]))
	return err
}

func (v *vector) openInput(t testing.TB, p vectorSecret) OpenInput {
	t.Helper()
	k, err := ParsePrivateJWK(p.JWK)
	if err != nil {
		t.Fatal(err)
	}
	return OpenInput{
		Exchange: v.Exchange, Self: p.Agency, Manifest: v.part(t, "manifest"), Content: v.part(t, "content"),
		SenderKey:     func(iss, kid string) (PublicKey, error) { return v.signer(t, iss, kid), nil },
		RecipientKeys: v.owner(t), Decrypt: []PrivateKey{k},
	}
}

func (v *vector) runPackage(t testing.TB, now time.Time) error {
	m, err := ParseManifest(v.part(t, "manifest"))
	if err != nil {
		return err
	}
	s, err := ParseStatement(v.part(t, "statement"))
	if err != nil {
		return err
	}
	c, err := ParseContent(v.part(t, "content"))
	if err != nil {
		return err
	}
	return first(
		m.VerifySignature(v.signer(t, m.Iss, m.Kid)), s.VerifySignature(v.signer(t, s.Iss, s.Kid)), CheckPair(m, s),
		m.CheckExchange(v.Exchange), m.CheckTimes(now), c.Check(m, v.owner(t)),
	)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// verdict names the kind of an error as the vectors do.
func verdict(err error) string {
	var invalid *InvalidError
	switch {
	case err == nil:
		return "accept"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrRejected):
		return "rejected"
	case errors.As(err, &invalid):
		return "invalid"
	}
	return "error"
}

func loadVectors(t testing.TB) map[string]*vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	out := make(map[string]*vector, len(files))
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		v := new(vector)
		if err := json.Unmarshal(raw, v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = v
	}
	return out
}

// TestVectors runs every published vector and opens every accepted content.
func TestVectors(t *testing.T) {
	vectors := loadVectors(t)
	t.Attr("vectors", strconv.Itoa(len(vectors)))
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			err := v.run(t)
			if verdict(err) != v.Expect || Reason(err) != v.Reason {
				t.Fatalf("%s (%s): %v, want %s (%s)", verdict(err), Reason(err), err, v.Expect, v.Reason)
			}
			if v.Expect == "accept" {
				v.openAll(t)
			}
		})
	}
}

// openAll opens an accepted content with every private key of the vector.
func (v *vector) openAll(t *testing.T) {
	t.Helper()
	switch {
	case v.Kind != "package" && v.Kind != "content" && v.Kind != "open":
		return
	case len(v.Private) == 0:
		t.Fatal("an accepted content that nobody can open")
	}
	want, err := ParseMessage(v.Message)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Private {
		if got, _ := marshal(v.opened(t, p)); string(got) != string(must2(marshal(want))) {
			t.Fatalf("%s reads %s", p.Agency, got)
		}
	}
}

func (v *vector) opened(t *testing.T, p vectorSecret) *Message {
	t.Helper()
	if v.Kind != "content" {
		m, _, err := Open(v.openInput(t, p))
		if err != nil {
			t.Fatalf("%s: %v", p.Agency, err)
		}
		return m
	}
	plaintext, err := must2(ParseContent(v.part(t, "content"))).decrypt([]PrivateKey{must2(ParsePrivateJWK(p.JWK))})
	if err != nil {
		t.Fatalf("%s: %v", p.Agency, err)
	}
	return must2(ParseMessage(plaintext))
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestVectorsAreTheTable: the files are what the table makes, byte for byte, no
// more and no fewer. With -update they are written.
func TestVectorsAreTheTable(t *testing.T) {
	files := map[string][]byte{}
	for _, c := range vectorCases(t) {
		if files[c.name] != nil {
			t.Errorf("%s: two cases of one name", c.name)
		}
		files[c.name] = c.vector.file(t, c.name)
	}
	stale := loadVectors(t)
	for name, want := range files {
		delete(stale, name)
		switch got, err := os.ReadFile(vectorFile(name)); {
		case err == nil && bytes.Equal(got, want):
		case *update && !t.Failed():
			if err := os.WriteFile(vectorFile(name), want, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: the file is not what the table makes", name)
		}
	}
	for name := range stale {
		if !*update {
			t.Errorf("%s: no case makes this file", name)
		} else if err := os.Remove(vectorFile(name)); err != nil {
			t.Fatal(err)
		}
	}
	if t.Failed() {
		t.Log("run go test -run TestVectorsAreTheTable -update ./exchange/envelope, and say in the commit why published vectors change")
	}
}

// file checks that a case is what it says, and returns its file.
func (v *vector) file(t *testing.T, name string) []byte {
	t.Helper()
	err := v.run(t)
	if verdict(err) != v.Expect || Reason(err) != v.Reason {
		t.Errorf("%s: %v, want %s (%s)", name, err, v.Expect, v.Reason)
	}
	v.Layer = v.layerOf(t, err)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestNoVectorTwice: no two files ask the same question.
func TestNoVectorTwice(t *testing.T) {
	seen := map[string]string{}
	for name, v := range loadVectors(t) {
		question := *v
		question.About, question.Expect, question.Reason, question.Layer, question.LegalJOSE, question.Message = "", "", "", "", "", nil
		key := string(must2(json.Marshal(question)))
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s have the same inputs", name, other)
		}
		seen[key] = name
	}
}

func vectorFile(name string) string { return filepath.Join("testdata", "vectors", name+".json") }
