package envelope

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// node is the program that runs the second implementation. Where
// LIAISON_TEST_REQUIRE asks for it, it must be there.
func node(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err == nil {
		return program
	}
	wanted := strings.Split(os.Getenv("LIAISON_TEST_REQUIRE"), ",")
	if slices.Contains(wanted, "all") || slices.Contains(wanted, "node") {
		t.Fatal("node is missing: apt-get install nodejs, or run .ci/run")
	}
	t.Skip("node is missing: the second implementation is not run")
	return ""
}

// TestSecondImplementation: run.mjs, which shares nothing with this package,
// agrees on every vector. It is given copies without the answers.
func TestSecondImplementation(t *testing.T) {
	program := node(t)
	questions := t.TempDir()
	vectors := loadVectors(t)
	for name, v := range vectors {
		q := *v
		q.About, q.Expect, q.Reason, q.Layer, q.LegalJOSE = "", "", "", "", ""
		if err := os.WriteFile(filepath.Join(questions, name+".json"), must2(json.Marshal(q)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join("testdata", "vectors", "run.mjs"), questions)
	var verdicts, why bytes.Buffer
	cmd.Stdout, cmd.Stderr = &verdicts, &why
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 { // it expects nothing, so it agrees with nothing
		t.Fatalf("%v: %s", err, why.Bytes())
	}
	seen := 0
	for line := range strings.Lines(verdicts.String()) {
		verdict, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, known := vectors[name]
		if !known {
			t.Fatalf("a verdict on %q", name)
		}
		seen++
		if verdict != v.Expect {
			t.Errorf("%s: %s, want %s (%s)\n%s", name, verdict, v.Expect, v.Reason, about(why.String(), name))
		}
	}
	if seen != len(vectors) {
		t.Errorf("%d verdicts on %d vectors", seen, len(vectors))
	}
}

// about finds the line on a vector.
func about(text, name string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+".json: ") {
			return line
		}
	}
	return ""
}
