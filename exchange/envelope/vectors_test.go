package envelope

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
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
	Now         int64             `json:"now,omitempty"`
	Exchange    string            `json:"exchange,omitempty"`
	Directory   []vectorKey       `json:"directory,omitempty"`
	Private     []vectorSecret    `json:"private,omitempty"`
	Parts       map[string]string `json:"parts,omitempty"`
	PartsBase64 map[string]string `json:"parts_base64,omitempty"`
	Message     json.RawMessage   `json:"message,omitempty"`
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
		return []byte(s)
	}
	b, err := base64.StdEncoding.DecodeString(v.PartsBase64[name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v *vector) key(t testing.TB, kid string) (agency string, usable bool, key PublicKey) {
	t.Helper()
	for _, d := range v.Directory {
		k, err := ParsePublicJWK(d.JWK)
		if err != nil {
			t.Fatal(err)
		}
		if k.Kid() == kid {
			return d.Agency, d.Usable, k.PublicKey
		}
	}
	return "", false, PublicKey{}
}

// signer is the key that a part names, if it is one of iss.
func (v *vector) signer(t testing.TB, iss, kid string) PublicKey {
	agency, _, key := v.key(t, kid)
	if agency != iss {
		return PublicKey{}
	}
	return key
}

func (v *vector) owner(t testing.TB) func(string) (string, bool) {
	return func(kid string) (string, bool) {
		agency, usable, _ := v.key(t, kid)
		return agency, usable
	}
}

// run does with a vector what the exchange does.
func (v *vector) run(t testing.TB) error {
	t.Helper()
	now := time.Unix(v.Now, 0)
	switch v.Kind {
	case "package":
		return v.runPackage(t, now)
	case "acknowledgement":
		a, err := ParseAcknowledgement(v.part(t, "acknowledgement"))
		if err != nil {
			return err
		}
		return first(a.VerifySignature(v.signer(t, a.Iss, a.Kid)), a.CheckTime(now), a.CheckExchange(v.Exchange))
	case "approval":
		a, err := ParseApproval(v.part(t, "approval"))
		if err != nil {
			return err
		}
		return first(a.VerifySignature(v.signer(t, a.Iss, a.Kid)), a.CheckTime(now), a.CheckExchange(v.Exchange))
	}
	parsers := map[string]func([]byte) error{
		"manifest":    func(b []byte) error { _, err := ParseManifest(b); return err },
		"statement":   func(b []byte) error { _, err := ParseStatement(b); return err },
		"content":     func(b []byte) error { _, err := ParseContent(b); return err },
		"meta":        func(b []byte) error { _, err := ParseMeta(b); return err },
		"message":     func(b []byte) error { _, err := ParseMessage(b); return err },
		"public-key":  func(b []byte) error { _, err := ParsePublicJWK(b); return err },
		"private-key": func(b []byte) error { _, err := ParsePrivateJWK(b); return err },
		"key-set":     func(b []byte) error { _, err := ParseKeySet(b); return err },
	}
	parse, ok := parsers[v.Kind]
	if !ok {
		t.Fatalf("unknown kind %q", v.Kind)
	}
	return parse(v.part(t, v.Kind))
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

// TestVectors runs every published vector and opens every accepted package.
func TestVectors(t *testing.T) {
	for name, v := range loadVectors(t) {
		t.Run(name, func(t *testing.T) {
			err := v.run(t)
			if verdict(err) != v.Expect || Reason(err) != v.Reason {
				t.Fatalf("%s (%s): %v, want %s (%s)", verdict(err), Reason(err), err, v.Expect, v.Reason)
			}
			if v.Kind == "package" && v.Expect == "accept" {
				v.openAll(t)
			}
		})
	}
}

// openAll opens an accepted package with every private key of the vector.
func (v *vector) openAll(t *testing.T) {
	t.Helper()
	if len(v.Private) == 0 {
		t.Fatal("an accepted package that nobody can open")
	}
	for _, p := range v.Private {
		k, err := ParsePrivateJWK(p.JWK)
		if err != nil {
			t.Fatal(err)
		}
		message, _, err := Open(OpenInput{
			Exchange: v.Exchange, Self: p.Agency, Manifest: v.part(t, "manifest"), Content: v.part(t, "content"),
			SenderKey:     func(iss, kid string) (PublicKey, error) { return v.signer(t, iss, kid), nil },
			RecipientKeys: v.owner(t), Decrypt: []PrivateKey{k},
		})
		if err != nil {
			t.Fatalf("%s: %v", p.Agency, err)
		}
		want, err := ParseMessage(v.Message)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := marshal(message); string(got) != string(must2(marshal(want))) {
			t.Fatalf("%s reads %s", p.Agency, got)
		}
	}
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestVectorsAreTheTable: every case of the table has its file and the other way round.
func TestVectorsAreTheTable(t *testing.T) {
	var want, got []string
	for _, c := range vectorCases(t) {
		want = append(want, c.name)
	}
	for name := range loadVectors(t) {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Fatalf("files and table differ; run go test -run TestWriteVectors -update ./exchange/envelope\nwant %q\ngot  %q", want, got)
	}
	if n := len(slices.Compact(want)); n != len(got) {
		t.Fatalf("%d names for %d cases", n, len(got))
	}
}

// TestWriteVectors adds the files that are missing and removes those that the
// table no longer has, when asked to. A published file does not change by itself.
func TestWriteVectors(t *testing.T) {
	cases := vectorCases(t)
	for _, c := range cases {
		if err := c.vector.run(t); verdict(err) != c.vector.Expect || Reason(err) != c.vector.Reason {
			t.Errorf("%s: %v, want %s (%s)", c.name, err, c.vector.Expect, c.vector.Reason)
		}
	}
	if !*update || t.Failed() {
		return
	}
	stale := loadVectors(t)
	for _, c := range cases {
		_, there := stale[c.name]
		delete(stale, c.name)
		if there {
			continue
		}
		raw, err := json.MarshalIndent(c.vector, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile(c.name), append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range stale {
		if err := os.Remove(vectorFile(name)); err != nil {
			t.Fatal(err)
		}
	}
}

func vectorFile(name string) string { return filepath.Join("testdata", "vectors", name+".json") }
