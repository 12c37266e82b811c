package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestBegin: what a policy begins with is activated as it is, for every archetype and whatever the jurisdiction is called.
func TestBegin(t *testing.T) {
	in := Samples()
	names := Archetypes(in)
	if len(names) == 0 {
		t.Fatal("no archetypes")
	}
	for i, archetype := range names {
		j := []string{"fi", "eu-body", "zz"}[i%3]
		files, err := Begin(Start{Jurisdiction: j, Archetype: archetype}, in)
		if err != nil {
			t.Fatal(err)
		}
		delete(files, "README.md")
		d := NewDesk(&Bundle{Jurisdiction: j, Files: files}, in, draftDay)
		found, err := d.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.ID != "facts-missing" {
				t.Errorf("%s: %s", archetype, f.Text(j))
			}
		}
		r, err := d.Test(t.Context(), nil)
		if err != nil || len(r.Tests) < 5 || r.Coverage.Percent < 100 {
			t.Errorf("%s: %v %+v", archetype, err, r.Coverage)
		}
	}
}

// TestBeginWithADeclaration: a declaration that is there already is taken as it is, and a name in it does no harm.
func TestBeginWithADeclaration(t *testing.T) {
	in := Samples()
	d, err := ParseDeclared(in.Declared["ee"].Files[declaredFile])
	if err != nil {
		t.Fatal(err)
	}
	d.Name = "  \"Estonia\": # a\u2028comment"
	text, err := json.Marshal(d) // in a form of its own
	if err != nil {
		t.Fatal(err)
	}
	files, err := Begin(Start{Jurisdiction: "ee", Declared: text}, in)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files[declaredFile], text) {
		t.Errorf("it is written otherwise: %s", files[declaredFile])
	}
	delete(files, "README.md")
	found, err := NewDesk(&Bundle{Jurisdiction: "ee", Files: files}, in, draftDay).Check(t.Context())
	if err != nil || len(found) > 0 {
		t.Errorf("%v %v", err, found)
	}
	if !strings.Contains(string(files["lib.rego"]), `{"en", "et"}`) {
		t.Errorf("other languages: %s", files["lib.rego"])
	}
	for _, s := range []Start{{Jurisdiction: "lv", Declared: text}, {Jurisdiction: "ee", Declared: []byte(`{"v": 1}`)}, {Jurisdiction: "FI"}, {Jurisdiction: "../x"}, {Jurisdiction: "common"}, {Jurisdiction: "fi", Archetype: "kingdom"}} {
		if _, err := Begin(s, in); err == nil {
			t.Errorf("%s began", s.Jurisdiction)
		}
	}
}
