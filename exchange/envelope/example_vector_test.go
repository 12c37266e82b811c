package envelope

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestWorkedExample: the example of the package comment is testdata/example.json,
// it is accepted, it opens, and every line of it is true.
func TestWorkedExample(t *testing.T) {
	raw, err := os.ReadFile("testdata/example.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(vector)
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
	if err := v.run(t); err != nil {
		t.Fatal(err)
	}
	v.openAll(t)
	m := must2(ParseManifest(v.part(t, "manifest")))
	s := must2(ParseStatement(v.part(t, "statement")))
	var content struct {
		Protected string `json:"protected"`
	}
	if err := json.Unmarshal(v.part(t, "content"), &content); err != nil {
		t.Fatal(err)
	}
	protected, _ := decode64([]byte(content.Protected))
	decrypt := must2(ParsePrivateJWK(v.Private[0].JWK))
	shown := map[string]string{
		"manifest": string(m.Raw), "manifest payload": string(m.Payload), "manifest digest": m.SHA256,
		"statement": string(s.Raw), "statement payload": string(s.Payload),
		"content": string(v.part(t, "content")), "protected header": string(protected),
		"decryption key": string(must2(decrypt.MarshalPrivate())), "signing key": m.Kid,
	}
	for part, raw := range map[string][]byte{"manifest header": m.Raw, "statement header": s.Raw} {
		header, _ := decode64(raw[:strings.IndexByte(string(raw), '.')])
		shown[part] = string(header)
	}
	doc := exampleBlocks(t)
	for what, text := range shown {
		if !strings.Contains(doc, text) {
			t.Errorf("the package comment does not show the %s", what)
		}
	}
}

// exampleBlocks returns the indented lines of the worked example, unfolded.
func exampleBlocks(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(source), "// # Worked example")
	if !ok {
		t.Fatal("no worked example")
	}
	var b strings.Builder
	for line := range strings.Lines(example) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			b.WriteString(strings.TrimSuffix(text, "\n"))
		} else {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
