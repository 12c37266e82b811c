package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPolicyDocs follows docs/policy.md to the letter: each block of commands runs, in order and in one directory, and
// every line of what the page shows of its output is in it. What the page has in a terminal of its own runs beside them.
func TestPolicyDocs(t *testing.T) { followPage(t, "policy.md", 10) }

// TestAuditDocs does the same with the handbook of data-protection officers.
func TestAuditDocs(t *testing.T) { followPage(t, "audit.md", 5) }

func followPage(t *testing.T, name string, blocks int) {
	page, err := os.ReadFile("../../docs/" + name)
	must(t, err)
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	must(t, os.Mkdir(bin, 0o700))
	script := fmt.Sprintf("#!/bin/sh\nexport %s=1\nexec '%s' \"$@\"\n", asProcess, os.Args[0])
	must(t, os.WriteFile(filepath.Join(bin, "liaison"), []byte(script), 0o700))
	work := filepath.Join(dir, "work")
	must(t, os.Mkdir(work, 0o700))
	ran, said := 0, ""
	for _, m := range regexp.MustCompile("(?s)```(sh|text|console)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if m[1] == "console" {
			words := strings.Fields(m[2]) // liaison demo --dir DIR
			stop, err := runDemo(filepath.Join(work, words[len(words)-1]))
			must(t, err)
			t.Cleanup(func() { must(t, stop()) })
			continue
		}
		if m[1] == "text" {
			for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
				if !strings.Contains(said, line) {
					t.Errorf("the page shows %q; printed was:\n%s", line, said)
				}
			}
			continue
		}
		ran++
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "sh", "-e", "-c", m[2])
		cmd.Dir, cmd.Env = work, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		cancel()
		if said = string(out); err != nil {
			t.Fatalf("%v\n%s\n%s", err, m[2], said)
		}
	}
	if ran < blocks {
		t.Errorf("%d blocks of commands", ran)
	}
}
