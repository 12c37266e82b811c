package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestSubjectRefs: one person has one reference however the name is spelt, and
// nobody else has it; another key gives another.
func TestSubjectRefs(t *testing.T) {
	key := SubjectKey{1}
	ref := func(s string) string {
		t.Helper()
		subject, err := ParseSubject(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		return key.Ref(subject)
	}
	want := ref("Jaan-Erik Tamm|1980-02-29")
	if want != "X_gMDmLc7fMvfuVqKCyA3VL2OyA4UOBa6fTIkWWHV7o" { // as the documentation describes it
		t.Errorf("%s", want)
	}
	for _, same := range []string{"TAMM, Jaan Erik|1980-02-29", " jaan  erik\ttamm | 1980-02-29", "Ｊａａｎ Erik Tamm|1980-02-29", "Jaan Erik Tamm.|1980-02-29"} {
		if ref(same) != want {
			t.Errorf("%q is another person", same)
		}
	}
	if ref("Großmann|") != ref("GROSSMANN") || ref("Žižka") != ref("Z\u030ci\u017eka") || ref("Ёлкин|1999-01-01") != ref("ёлкин|1999-01-01") {
		t.Error("spellings differ")
	}
	for _, other := range []string{"Jaan Erik Tamm|1980-03-01", "Jaan Erik Tamm|", "Jaan Tamm|1980-02-29", "Jään Erik Tamm|1980-02-29", "JaanErik Tamm|1980-02-29"} {
		if ref(other) == want {
			t.Errorf("%q is the same person", other)
		}
	}
	if (SubjectKey{2}).Ref(Subject{Name: "Jaan Erik Tamm", Birth: "1980-02-29"}) == want {
		t.Error("another agency makes the same reference")
	}
	for _, bad := range []string{"", "|1980-02-29", " - |", "Tamm|29.2.1980", "Tamm|1981-02-29", "Tamm|1980-02-29|x", "Tamm|80"} {
		if s, err := ParseSubject(bad); !errors.Is(err, ErrSubject) {
			t.Errorf("%q: %+v, %v", bad, s, err)
		}
	}
}

func TestSubjectKeys(t *testing.T) {
	p := &Profile{Dir: t.TempDir()}
	if keys, err := p.SubjectKeys(); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
	made := SubjectKeys{2025: NewSubjectKey(), 2026: NewSubjectKey()}
	for year, k := range made {
		if _, err := p.WriteSubjectKey(year, k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.SubjectKeys()
	if err != nil || len(got) != 2 || got[2025] != made[2025] || got[2026] != made[2026] || got.Years()[0] != 2026 {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := p.WriteSubjectKey(2026, NewSubjectKey()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was replaced: %v", err)
	}
	path := filepath.Join(p.Dir, DirSubjects, "2026.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SubjectKeys(); err == nil {
		t.Error("a key that others may read was taken")
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("short\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SubjectKeys(); !errors.Is(err, ErrSubjectKey) {
		t.Errorf("%v", err)
	}
}
