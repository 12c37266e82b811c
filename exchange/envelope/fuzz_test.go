package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// seeds adds the parts of that kind in the published vectors.
func seeds(f *testing.F, kind string) {
	f.Helper()
	n := 0
	for _, v := range loadVectors(f) {
		if _, ok := v.Parts[kind]; ok || v.PartsBase64[kind] != "" {
			if b := v.part(f, kind); len(b) < 6000 {
				f.Add(b)
				n++
			}
		}
	}
	if n == 0 {
		f.Fatalf("no vectors of kind %s", kind)
	}
}

// checkError: whatever is wrong is an ErrMalformed whose reason is in the
// vocabulary and whose detail holds nothing of the input.
func checkError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrMalformed) || Reason(err) == ReasonOther || Reason(err) == "" {
		t.Fatalf("error out of place: %v", err)
	}
	for _, c := range Detail(err) {
		if c < ' ' || c > '~' {
			t.Fatalf("detail %q", Detail(err))
		}
	}
}

// checkStrict: accepted JSON is JSON to encoding/json too, in valid UTF-8, and
// no string in it holds a control character.
func checkStrict(t *testing.T, raw []byte, prose bool) {
	t.Helper()
	v, err := decodeJSON(raw)
	if err != nil || !utf8.Valid(raw) {
		t.Fatalf("accepted %q: %v", raw, err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			for _, c := range v {
				if unicode.IsControl(c) && !(prose && strings.ContainsRune("\t\n\r", c)) {
					t.Fatalf("control character in %q", v)
				}
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				walk(k)
				walk(e)
			}
		}
	}
	walk(v)
}

// checkJWS: an accepted JWS is canonical: encoding its parts again yields it.
func checkJWS(t *testing.T, raw []byte, j JWS, claims any) {
	t.Helper()
	p := bytes.Split(raw, []byte{'.'})
	for _, s := range p {
		b, ok := decode64(s)
		if !ok || encode64(b) != string(s) {
			t.Fatalf("not canonical: %q", s)
		}
	}
	if len(p) != 3 || !bytes.Equal(j.Raw, raw) || j.SHA256 != digest64(raw) {
		t.Fatal("raw or digest differ")
	}
	checkStrict(t, j.Payload, false)
	again, err := marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(again, &a) != nil || json.Unmarshal(j.Payload, &b) != nil {
		t.Fatal("claims do not marshal")
	}
	dropEmpty(b, "attachments")
	if string(must2(json.Marshal(a))) != string(must2(json.Marshal(b))) {
		t.Fatalf("claims lost something:\n%s\n%s", again, j.Payload)
	}
}

// dropEmpty removes an empty list, which the typed form does not keep.
func dropEmpty(v any, name string) {
	if m, ok := v.(map[string]any); ok {
		if l, ok := m[name].([]any); ok && len(l) == 0 {
			delete(m, name)
		}
	}
}

func FuzzManifest(f *testing.F) {
	seeds(f, "manifest")
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkJWS(t, raw, m.JWS, m.Manifest)
	})
}

// FuzzManifestPayload reaches behind base64url.
func FuzzManifestPayload(f *testing.F) {
	for _, v := range loadVectors(f) {
		if p := strings.Split(v.Parts["manifest"], "."); len(p) == 3 && len(p[1]) < 6000 {
			if b, ok := decode64([]byte(p[1])); ok {
				f.Add(b)
			}
		}
	}
	header := encode64([]byte(`{"alg":"ES256","kid":"`+forgeSalt+`","typ":"`+TypManifest+`"}`)) + "."
	signature := "." + encode64(make([]byte, 64))
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw := []byte(header + encode64(payload) + signature)
		m, err := ParseManifest(raw)
		_, _, draft := ParseManifestDraft(payload)
		if err != nil {
			checkError(t, err)
			return
		}
		if draft != nil {
			t.Fatalf("a manifest that is no draft: %v", draft)
		}
		checkJWS(t, raw, m.JWS, m.Manifest)
	})
}

func FuzzStatement(f *testing.F) {
	seeds(f, "statement")
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseStatement(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkJWS(t, raw, s.JWS, s.Statement)
	})
}

func FuzzAcknowledgement(f *testing.F) {
	seeds(f, "acknowledgement")
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseAcknowledgement(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkJWS(t, raw, a.JWS, a.Acknowledgement)
	})
}

func FuzzApproval(f *testing.F) {
	seeds(f, "approval")
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseApproval(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkJWS(t, raw, a.JWS, a.Approval)
	})
}

func FuzzContent(f *testing.F) {
	seeds(f, "content")
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseContent(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkStrict(t, raw, false)
		if c.SHA256 != digest64(raw) || c.Size != int64(len(raw)) || len(c.Recipients) < 1 || len(c.Recipients) > 32 {
			t.Fatalf("%+v", c)
		}
		if _, err := c.decrypt(nil); !errors.Is(err, ErrRejected) {
			t.Fatalf("opened without a key: %v", err)
		}
	})
}

func FuzzMessage(f *testing.F) {
	seeds(f, "message")
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMessage(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		checkStrict(t, raw, true)
		again := must2(marshal(m))
		back, err := ParseMessage(again)
		if err != nil {
			t.Fatalf("%s does not parse again: %v", again, err)
		}
		if twice := must2(marshal(back)); !bytes.Equal(twice, again) || len(m.Attachments) > MaxAttachments {
			t.Fatalf("%s became %s", again, twice)
		}
	})
}

func FuzzPublicJWK(f *testing.F) {
	seeds(f, "public-key")
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParsePublicJWK(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		again, err := ParsePublicJWK(must2(k.MarshalJSON()))
		if err != nil || !again.Equal(k.PublicKey) || again.Kid() != k.Kid() {
			t.Fatalf("%v, %v", again, err)
		}
		if k.Use() == UseSign || k.Use() == UseEncrypt { // the uses that jwx knows
			jwxSameKey(t, raw, k.PublicKey)
		}
	})
}

func FuzzPrivateJWK(f *testing.F) {
	seeds(f, "private-key")
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParsePrivateJWK(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		again, err := ParsePrivateJWK(must2(k.MarshalPrivate()))
		if err != nil || !again.Public().Equal(k.Public()) {
			t.Fatalf("%v, %v", again, err)
		}
		if k.Use() == UseSign || k.Use() == UseEncrypt { // the uses that jwx knows
			jwxSameKey(t, raw, k.Public())
		}
	})
}

func FuzzKeySet(f *testing.F) {
	seeds(f, "key-set")
	f.Add(must2(MarshalPrivateSet([]PrivateKey{fuzzKey(f, UseEncrypt, "", 5), fuzzKey(f, UseSign, EdDSA, 4)})))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if private, err := ParsePrivateSet(raw); err != nil {
			checkError(t, err)
		} else if again, err := ParsePrivateSet(must2(MarshalPrivateSet(private))); err != nil || len(again) != len(private) || len(private) > maxKeys {
			t.Fatalf("%v, %v", again, err)
		}
		s, err := ParseKeySet(raw)
		if err != nil {
			checkError(t, err)
			return
		}
		if again, err := ParseKeySet(must2(json.Marshal(s))); err != nil || len(again) != len(s) {
			t.Fatalf("%v, %v", again, err)
		}
		if _, err := ParsePrivateSet(raw); err == nil && len(s) > 0 || len(s) > maxKeys {
			t.Fatal("a public set read as a private one, or too long")
		}
	})
}

// compiledMetaSchema is the published schema, as another implementation runs it.
func compiledMetaSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(MetaSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("meta.v1.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("meta.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameVerdict: ParseMeta accepts what reads as strict JSON and fulfils the
// published schema, and nothing else.
func sameVerdict(t testing.TB, s *jsonschema.Schema, raw []byte) {
	t.Helper()
	_, err := ParseMeta(raw)
	var lexical json.RawMessage
	strict := readAll(raw, signedDialect, anyValue, &lexical) == nil && len(raw) <= maxMeta
	valid := false
	if strict {
		doc, jerr := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if jerr != nil {
			t.Fatalf("strict JSON that another parser refuses: %v: %s", jerr, raw)
		}
		valid = s.Validate(doc) == nil
	}
	if (err == nil) != valid {
		t.Fatalf("ParseMeta: %v, schema says valid: %v: %s", err, valid, raw)
	}
}

func FuzzMeta(f *testing.F) {
	seeds(f, "meta")
	s := compiledMetaSchema(f)
	f.Fuzz(func(t *testing.T, raw []byte) { sameVerdict(t, s, raw) })
}
