package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

const testReason = "Findings of the joint investigation"

// shell runs command lines within the test, as one person at one desk.
type shell struct {
	t        *testing.T
	profile  string
	stdin    io.Reader
	terminal bool
	now      func() time.Time
}

// result is what a command line left behind.
type result struct {
	t           *testing.T
	line        string
	code        int
	out, errors string
}

func (s shell) run(args ...string) result {
	s.t.Helper()
	var out, errs bytes.Buffer
	env := &environment{Stdin: s.stdin, Stdout: &out, Stderr: &errs, Now: s.now, IsTerminal: func(any) bool { return s.terminal },
		Getenv: func(name string) string { return map[string]string{"LIAISON_PROFILE": s.profile, "TERM": "dumb"}[name] }}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Stdin == nil {
		env.Stdin = strings.NewReader("")
	}
	code := run(s.t.Context(), env, args)
	return result{s.t, "liaison " + strings.Join(args, " "), code, out.String(), errs.String()}
}

// exits fails unless the command line ended with the code.
func (r result) exits(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("%s: exit code %d, want %d\n%s%s", r.line, r.code, code, r.out, r.errors)
	}
	return r
}

// says fails unless standard output has all the texts.
func (r result) says(texts ...string) result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			r.t.Errorf("%s: no %q in\n%s%s", r.line, text, r.out, r.errors)
		}
	}
	return r
}

// complains fails unless standard error has all the texts.
func (r result) complains(texts ...string) result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.errors, text) {
			r.t.Errorf("%s: no %q in\n%s", r.line, text, r.errors)
		}
	}
	return r
}

// lines decodes standard output, one JSON value a line.
func lines[T any](r result) []T {
	r.t.Helper()
	var all []T
	for line := range strings.Lines(r.out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			r.t.Fatalf("%s: %v in %q", r.line, err, line)
		}
		all = append(all, v)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// desks are an exchange and those who use it.
type desks struct {
	*exchangetest.Exchange
	ee, lv, dpo shell
}

func newDesks(t *testing.T) desks {
	x := exchangetest.New(t)
	desk := func(agency, role string) shell {
		return shell{t: t, profile: x.World.Profile(agency, role), now: x.Clock.Now}
	}
	return desks{x, desk("ee/pbgb", certs.RoleUnit), desk("lv/vp", certs.RoleUnit), desk("ee/pbgb", certs.RoleDPO)}
}

// on gives a desk to a subtest.
func (s shell) on(t *testing.T) shell { s.t = t; return s }

func (d desks) meta(name string) string { return filepath.Join(d.World.Dir, "meta", name) }

// TestCommands: the life of a package by command line, on a real exchange.
func TestCommands(t *testing.T) {
	d := newDesks(t)
	dir := t.TempDir()
	scan := filepath.Join(dir, "scan.pdf")
	plain := bytes.Repeat([]byte("scan "), 300_000)
	must(t, os.WriteFile(scan, plain, 0o600))
	receipt := filepath.Join(dir, "receipt.txt")
	ledgerKey := filepath.Join(d.World.Dir, "ledger", "log.vkey")

	d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "--attach", scan, "--subject", "Case 117",
		"--receipt", receipt, "Hello Riga").exits(exitDone).says("sent: package ", "lv/vp: delivered", "obliged: ", receipt+" (verified")

	sent := lines[sentJSON](d.ee.run("inbox", "--box", "outbox", "--json").exits(exitDone))
	if len(sent) != 1 {
		t.Fatalf("outbox: %v", sent)
	}
	id := sent[0].ID

	t.Run("read", func(t *testing.T) {
		lv := d.lv.on(t)
		lv.run("inbox", "--state", "delivered", "--limit", "5").exits(exitDone).says(id, "ee/pbgb")
		lv.run("inbox", "--state", "acknowledged", "--json").exits(exitDone)
		lv.run("show", id).exits(exitDone).says("ee/pbgb (signature verified)", "obliged: ", "attachment     0")
		lv.run("open", id, "--reason", testReason).exits(exitUsage).complains("by opening it your agency accepts", "--yes")
		ask := lv
		ask.terminal, ask.stdin = true, strings.NewReader("no\n")
		ask.run("open", id, "--reason", testReason).exits(exitFailed).complains("accept and open? [y/N]")
		if got := lines[shown](lv.run("show", id, "--json")); got[0].State != "delivered" {
			t.Errorf("state after a no: %s", got[0].State)
		}
		ask.stdin = strings.NewReader("y\n")
		ask.run("open", id, "--reason", testReason).exits(exitDone).says("Hello Riga").complains("subject: Case 117", "scan.pdf")
		out := filepath.Join(dir, "out")
		got := lines[openedJSON](lv.run("open", id, "-o", out, "--json", "--reason", testReason).exits(exitDone))[0]
		if b, err := os.ReadFile(got.Attachments[0].File); err != nil || !bytes.Equal(b, plain) {
			t.Errorf("attachment: %d bytes, %v", len(b), err)
		}
		if strings.Contains(lv.run("open", id, "--json", "--reason", testReason).out, `"key"`) {
			t.Error("the key of an attachment was printed")
		}
		again := lines[openedJSON](lv.run("open", id, "-o", out, "--json", "--reason", testReason).exits(exitDone))[0]
		if again.Attachments[0].File == got.Attachments[0].File || again.MessageFile == got.MessageFile {
			t.Errorf("overwritten: %+v", again)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		ee := d.ee.on(t)
		denied := ee.run("send", "--to", "by/mia", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello").exits(exitRefused)
		denied.complains("by/mia: denied", "fix: ", " LED ", "receipt of the refusal: ")
		ee.run("send", "--to", "by/mia", "--dry-run", "--meta", d.meta("ee-lv.json"), "--reason", testReason).exits(exitRefused).says("nothing was sent", "by/mia: denied")
		ee.run("send", "--to", "lv/vp", "--dry-run", "--meta", d.meta("ee-lv.json"), "--reason", testReason).exits(exitDone).says("lv/vp: delivered")
		ee.run("show", "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d").exits(exitNotFound)
		d.dpo.on(t).run("inbox").exits(exitNotFound)
		d.dpo.on(t).run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello").exits(exitFailed).complains("sign.jwk")
	})
	t.Run("receipt", func(t *testing.T) {
		nobody := shell{t: t}
		nobody.run("receipt", "verify", receipt, "--log-key", ledgerKey).exits(exitDone).says("included\n", "package.send", id, testReason)
		vkey, err := os.ReadFile(ledgerKey)
		must(t, err)
		text, err := os.ReadFile(receipt)
		must(t, err)
		nobody.stdin = bytes.NewReader(text)
		v := lines[verifiedReceipt](nobody.run("receipt", "verify", "-", "--json", "--log-key", strings.TrimSpace(string(vkey))).exits(exitDone))[0]
		if v.Verdict != "included" || v.Entry.Package != id {
			t.Errorf("verdict %+v", v)
		}
		nobody.run("receipt", "verify", receipt).exits(exitUsage).complains("--log-key")
		d.lv.on(t).run("receipt", "verify", receipt).exits(exitDone)
		_, other, err := audit.GenerateKey("demo.liaison.example/ledger")
		must(t, err)
		nobody.run("receipt", "verify", receipt, "--log-key", other).exits(exitUnverified)
		bad := filepath.Join(dir, "bad.txt")
		must(t, os.WriteFile(bad, bytes.Replace(text, []byte("\nindex "), []byte("\nindex 1"), 1), 0o600))
		nobody.run("receipt", "verify", bad, "--log-key", ledgerKey).exits(exitUnverified).complains("does not verify")
	})
	t.Run("keys", func(t *testing.T) {
		ee := d.ee.on(t)
		ee.run("keys", "list", "lv/vp").exits(exitDone).says("lv/vp\tenc\t", "\tyes\n")
		if keys := lines[keyJSON](ee.run("keys", "list", "--json").exits(exitDone)); len(keys) < 10 {
			t.Errorf("%d keys of all agencies", len(keys))
		}
		// The same directory, seen by somebody who pins another authority of Latvia.
		ca, err := certs.NewCA("lv", time.Now, time.Hour)
		must(t, err)
		anchor := filepath.Join(ee.profile, client.DirAnchors, "lv.pem")
		good, err := os.ReadFile(anchor)
		must(t, err)
		must(t, certs.WritePublic(anchor, certs.EncodeChain(ca.Certificate())))
		defer func() { must(t, certs.WritePublic(anchor, good)) }()
		ee.run("keys", "list", "lv/vp").exits(exitUnverified).says("NO: ")
		ee.run("keys", "list").exits(exitDone).says("NO: ")
		ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello").exits(exitUnverified)
		d.ee.on(t).run("show", id).exits(exitDone)
	})
	t.Run("audit", func(t *testing.T) { d.audit(t, ledgerKey) })
}

// audit is the data-protection officer's part.
func (d desks) audit(t *testing.T, ledgerKey string) {
	dpo := d.dpo.on(t)
	first := lines[entryJSON](dpo.run("audit", "show", "--json", "--limit", "3", "--reason", testReason).exits(exitDone))
	if len(first) != 3 || first[0].Seq != 1 {
		t.Fatalf("entries %v", first)
	}
	next := lines[entryJSON](dpo.run("audit", "show", "--json", "--after", "3", "--limit", "2", "--reason", testReason).exits(exitDone))
	if len(next) != 2 || next[0].Seq != 4 {
		t.Errorf("after 3 comes %v", next)
	}
	dpo.run("audit", "show", "--reason", testReason, "--full", "--limit", "1").exits(exitDone).says("entry 1", "did ", "package.send")
	dpo.run("audit", "show", "--reason", "short").exits(exitUsage)

	saved, receipts := filepath.Join(t.TempDir(), "saved"), filepath.Join(d.ee.profile, "receipts")
	dpo.run("audit", "verify", "--receipts", receipts, "--reason", testReason).exits(exitDone).says("whole and unchanged", "2 receipts, the newest head that this profile had verified")
	if left, err := filepath.Glob(filepath.Join(d.dpo.profile, "verify-*")); err != nil || len(left) > 0 {
		t.Errorf("the log is left behind in %q, %v", left, err)
	}
	dpo.run("audit", "copy", saved, "--reason", testReason).exits(exitDone).says("whole and unchanged")
	dpo.run("audit", "copy", saved, "--reason", testReason).exits(exitUsage)
	dpo.run("audit", "verify", "--reason", "short").exits(exitUsage)
	offline := shell{t: t}
	whole := lines[auditReport](offline.run("audit", "verify", "--dir", saved, "--log-key", ledgerKey, "--json").exits(exitDone))[0]
	if whole.Verdict != "whole" || whole.Owner != "ee/pbgb" || whole.Entries == 0 {
		t.Errorf("report %+v", whole)
	}
	offline.run("audit", "verify", "--dir", saved).exits(exitUsage)
	_, other, err := audit.GenerateKey("demo.liaison.example/ledger")
	must(t, err)
	offline.run("audit", "verify", "--dir", saved, "--log-key", other).exits(exitUnverified)

	entries, err := os.ReadFile(filepath.Join(saved, copiedEntries))
	must(t, err)
	all := strings.SplitAfter(string(entries), "\n")
	spoil := func(name, file, text, kind string) {
		path := filepath.Join(saved, file)
		good, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		r := offline.run("audit", "verify", "--dir", saved, "--log-key", ledgerKey).exits(exitUnverified)
		if kind != "" {
			r.says("NOT proven", kind, "means", "do ")
		}
		must(t, os.WriteFile(path, good, 0o600))
		if t.Failed() {
			t.Fatalf("%s: see above", name)
		}
	}
	spoil("an entry gone", copiedEntries, strings.Join(append(append([]string{}, all[:2]...), all[3:]...), ""), "gap")
	spoil("cut off", copiedEntries, strings.Join(all[:2], ""), "cut off")
	var item struct{ Entry string }
	must(t, json.Unmarshal([]byte(all[1]), &item))
	spoil("changed", copiedEntries, strings.Replace(string(entries), item.Entry[:40], item.Entry[:39]+"A", 1), "changed entry")
	tiles, err := filepath.Glob(filepath.Join(saved, "tile", "0", "*", "*"))
	must(t, err)
	tile, err := os.ReadFile(tiles[0])
	must(t, err)
	tile[3] ^= 1
	rel, err := filepath.Rel(saved, tiles[0])
	must(t, err)
	spoil("a tile", rel, string(tile), "tree does not match")
	note, err := os.ReadFile(filepath.Join(saved, copiedCheckpoint))
	must(t, err)
	spoil("the checkpoint", copiedCheckpoint, strings.Replace(string(note), "\n1", "\n2", 1)+" ", "head does not fit")
	spoil("the receipt", copiedReceipt, "c2sp.org/tlog-proof@v1\n", "contradicts a receipt")
	d.auditProof(t, ledgerKey)
}

// auditProof makes a proof of an entry, and holds it against the ledger's key.
func (d desks) auditProof(t *testing.T, ledgerKey string) {
	dpo, file := d.dpo.on(t), filepath.Join(t.TempDir(), "proof.txt")
	dpo.run("audit", "proof", "2", "-o", file, "--reason", testReason).exits(exitDone).says("proves entry 2 of ee/pbgb", "included")
	offline := shell{t: t}
	offline.run("receipt", "verify", file, "--log-key", ledgerKey).exits(exitDone).says("entry          2 of ee/pbgb")
	shown := dpo.run("audit", "proof", "2", "--reason", testReason).exits(exitDone)
	if _, err := audit.ParseReceipt(shown.out); err != nil {
		t.Errorf("standard output is no receipt: %v\n%s", err, shown.out)
	}
	dpo.run("audit", "proof", "two", "--reason", testReason).exits(exitUsage)
	dpo.run("audit", "proof", "2", "--reason", "short").exits(exitUsage)
	dpo.run("audit", "proof", "1000000", "--reason", testReason).exits(exitNotFound)
}

// TestInit: from nothing to keys that an operator can register.
func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ee-pbgb-unit")
	s := shell{t: t, profile: dir}
	args := []string{"init", "--dir", dir, "--agency", "ee/pbgb", "--role", "unit", "--name", "desk-1", "--server", "https://exchange.example:8443"}
	got := lines[begun](s.run(append(args, "--json")...).exits(exitDone))[0]
	if len(got.Requests) != 3 {
		t.Fatalf("requests %v", got.Requests)
	}
	s.run(args...).exits(exitUsage).complains("never overwritten")
	for _, name := range []string{client.FileTLSKey, client.FileSign, client.FileDecrypt} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	s.run("keys", "export").exits(exitUsage).complains("sign.crt")
	s.run("inbox").exits(exitFailed).complains(filepath.Join(dir, client.FileTLSCert))

	ca, err := certs.NewCA("ee", time.Now, 2*time.Hour)
	must(t, err)
	for _, r := range got.Requests {
		csr, err := os.ReadFile(r.File)
		must(t, err)
		cert, err := ca.IssueFromCSR(csr, time.Hour)
		must(t, err)
		must(t, certs.WritePublic(r.Cert, certs.EncodeChain(cert)))
	}
	set, err := envelope.ParseKeySet([]byte(strings.TrimSpace(s.run("keys", "export").exits(exitDone).out)))
	must(t, err)
	anchors, err := certs.NewAnchors(map[string][]certs.Anchor{"ee": {{Certificate: ca.Certificate()}}})
	must(t, err)
	for _, k := range set {
		chain, err := certs.ParseDER(k.X5C)
		must(t, err)
		must(t, anchors.VerifyKey(chain, "ee/pbgb", string(k.Use()), k.CryptoKey(), time.Now()))
	}
	if len(set) != 2 || bytes.Contains([]byte(set[0].Kid()), []byte(`"d"`)) {
		t.Errorf("exported %d keys", len(set))
	}
	if _, err := certs.LoadKeyPair(filepath.Join(dir, client.FileTLSCert), filepath.Join(dir, client.FileTLSKey)); err != nil {
		t.Error(err)
	}
	s.run("keys", "export", "--cert", filepath.Join(dir, client.FileTLSCert)).exits(exitUsage)

	dpo := filepath.Join(t.TempDir(), "dpo")
	one := lines[begun](s.run("init", "--dir", dpo, "--agency", "ee/pbgb", "--role", "dpo", "--name", "d", "--server", "https://x", "--json").exits(exitDone))[0]
	if _, err := os.Stat(filepath.Join(dpo, client.FileSign)); len(one.Requests) != 1 || err == nil {
		t.Errorf("an officer got keys of a unit: %v", one.Requests)
	}
	for _, bad := range [][]string{
		{"--agency", "ee", "--role", "unit", "--name", "d", "--server", "https://x"},
		{"--agency", "ee/pbgb", "--role", "boss", "--name", "d", "--server", "https://x"},
		{"--agency", "ee/pbgb", "--role", "unit", "--name", "Jane Doe", "--server", "https://x"},
		{"--agency", "ee/pbgb", "--role", "unit", "--name", "d", "--server", "http://x"},
		{"--agency", "ee/pbgb", "--role", "unit", "--name", "d"},
	} {
		s.run(append([]string{"init", "--dir", filepath.Join(t.TempDir(), "x")}, bad...)...).exits(exitUsage)
	}
}

// TestSendInput: what is wrong with the files and flags of send is said before anything is asked.
func TestSendInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	meta := write("meta.yaml", testMeta)
	s := &sending{env: &environment{Stdin: strings.NewReader("from standard input")}, meta: meta, to: []string{"lv/vp"}, days: 7,
		statement: write("statement.yaml", "approvals:\n  - {approver: head-1, role: head_of_duty, at: 1795312345}\ntexts: {urgency: \"The suspect leaves tomorrow.\"}\n"),
		text:      []string{"strict_necessity=It cannot be done with less."}, structured: write("body.json", `{"a":1}`), format: "umf:person"}
	s.reason = testReason
	in, err := s.input([]string{"-"})
	must(t, err)
	m, err := envelope.ParseMeta(in.Meta)
	must(t, err)
	if m.Retention.ReviewBy != "2027-01-01" || in.Message.Text != "from standard input" || in.Lifetime != 7*24*time.Hour ||
		len(in.Texts) != 2 || in.Approvals[0].At != 1795312345 || in.Message.Structured.Format != "umf:person" {
		t.Errorf("input %+v", in)
	}
	for name, spoil := range map[string]func(*sending){
		"no reason":         func(s *sending) { s.reason = "" },
		"no file":           func(s *sending) { s.meta = filepath.Join(dir, "none") },
		"bad meta":          func(s *sending) { s.meta = write("m", "v: 1\npurpose: fun\n") },
		"not YAML":          func(s *sending) { s.meta = write("m", "a: [") },
		"a member twice":    func(s *sending) { s.meta = write("m", testMeta+"purpose: detection\n") },
		"bad statement":     func(s *sending) { s.statement = write("s", "officer: x\n") },
		"bad text":          func(s *sending) { s.text = []string{"urgency"} },
		"bad body":          func(s *sending) { s.structured = meta },
		"body, no format":   func(s *sending) { s.format = "" },
		"no such file":      func(s *sending) { s.attach = []string{filepath.Join(dir, "none")} },
		"a directory":       func(s *sending) { s.attach = []string{dir} },
		"too long a time":   func(s *sending) { s.days = 91 },
		"no message at all": func(s *sending) { s.structured = "" },
	} {
		bad := *s
		spoil(&bad)
		if _, err := bad.input(nil); exitCode(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const testMeta = `
v: 1
message_type: spontaneous
content_kind: operational
case_ref: EE-2026-0117
purpose: investigation
legal_basis: [{instrument: ee-police-act, article: "7-46", jurisdiction: ee}]
transfer_basis: internal_eu
crime_areas: [drug_trafficking]
subjects: [{category: suspect, count: 2, minors: none, data_categories: [a, b], link: direct}]
assertion_type: fact
handling: {code: H1}
classification: none
originator: [ee/pbgb]
retention: {review_by: 2027-01-01}
urgency: {level: routine}
language: en
`

// TestSafeName: no name that a sender chose does harm.
func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"scan.pdf":                 "scan.pdf",
		"Zeugenaussage Müller.pdf": "Zeugenaussage Müller.pdf",
		"../../etc/passwd":         "passwd",
		`C:\Windows\evil.exe`:      "evil.exe",
		"/etc/cron.d/x":            "x",
		".bashrc":                  "bashrc",
		"..":                       "attachment-3",
		"":                         "attachment-3",
		"-rf":                      "rf",
		"a\x1b[2Jb":                "a_[2Jb",
		"invoice\u202Efdp.exe":     "invoice_fdp.exe",
		"a\nb":                     "a_b",
		"CON.txt":                  "attachment-3",
		"com1":                     "attachment-3",
		"nul":                      "attachment-3",
		"trailing. ":               "trailing",
		"a:b|c?.txt":               "a_b_c_.txt",
		"\xff.txt":                 "_.txt",
	} {
		if got := safeName(name, 3); got != want {
			t.Errorf("safeName(%q) = %q, want %q", name, got, want)
		}
	}
	long := safeName(strings.Repeat("ä", 300)+".pdf", 0)
	if len(long) > maxFileName || !strings.HasSuffix(long, "ä.pdf") {
		t.Errorf("a long name became %q", long)
	}
}

// FuzzSafeName: whatever a sender calls a file, it stays in its directory.
func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{"scan.pdf", "../x", `..\x`, "\u202Egnp.exe", "com9.", strings.Repeat("ä", 200), ". .", "a/.", "~/.x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := safeName(name, 0)
		switch {
		case got == "" || len(got) > maxFileName || filepath.Base(got) != got || !filepath.IsLocal(got):
			t.Errorf("safeName(%q) = %q", name, got)
		case strings.ContainsAny(got, "/\\:\x00") || strings.ContainsAny(got[:1], ".-~ ") || printable(got) != got:
			t.Errorf("safeName(%q) = %q", name, got)
		case safeName(got, 0) != got:
			t.Errorf("safeName(%q) = %q, again %q", name, got, safeName(got, 0))
		}
	})
}
