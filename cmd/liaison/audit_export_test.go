package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	figures "github.com/liaison-exchange/liaison/exchange/report"
)

// TestExportAgainstTheTree: an exchange that exports what was never recorded,
// and signs for it, gets through by its own manifest, and is found by the
// tree: from a copy of the log and from itself. What is true gets through.
func TestExportAgainstTheTree(t *testing.T) {
	t.Parallel()
	d := newDesks(t)
	dir := t.TempDir()
	for range 3 {
		d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello Riga").exits(exitDone)
	}
	good, dated := filepath.Join(dir, "good.jsonl"), filepath.Join(dir, "copy")
	d.dpo.run("audit", "export", "-o", good, "action:package.send", "--reason", testReason).exits(exitDone)
	d.dpo.run("audit", "export", "verify", good).exits(exitDone).says("not against the ledger's tree")
	d.dpo.run("audit", "copy", dated, "--reason", testReason).exits(exitDone)
	d.dpo.run("audit", "export", "verify", good, "--dir", dated).exits(exitDone).says("verified", "in the ledger's tree of")
	d.dpo.run("audit", "export", "verify", good, "--online").exits(exitDone).says("which extends that of the manifest")

	// The exchange writes another history into a file, and signs for it.
	raw, err := os.ReadFile(good)
	must(t, err)
	forged := filepath.Join(dir, "forged.jsonl")
	must(t, os.WriteFile(forged, forgeLine(t, raw, 2), 0o600))
	must(t, os.WriteFile(forged+manifestSuffix, signExport(t, d.Exchange, forged, figures.Lines, 3), 0o600))
	d.dpo.profile = d.World.Profile("ee/pbgb", "dpo")
	d.dpo.run("audit", "export", "verify", forged).exits(exitDone)
	last, err := audit.ParseItem(bytes.TrimSuffix(bytes.SplitAfter(raw, []byte("\n"))[2], []byte("\n")))
	must(t, err)
	for _, how := range [][]string{{"--dir", dated}, {"--online"}} {
		r := lines[verifiedExport](d.dpo.run(slices.Concat([]string{"audit", "export", "verify", forged, "--json"}, how)...).exits(exitUnverified))[0]
		if r.Verdict != "faulty" || len(r.Faults) != 1 || r.Faults[0].Kind != audit.FaultNotInTree || r.Faults[0].Seq != last.Seq || r.Faults[0].Index != last.Index {
			t.Errorf("%s: %+v", how, r)
		}
	}
	d.dpo.run("audit", "export", "verify", forged, "--dir", dated).exits(exitUnverified).says("not in the tree", "means", "do ").complains("1 fault")

	// A copy that is older than the export proves nothing, and accuses nobody.
	d.ee.profile = d.World.Profile("ee/pbgb", "unit")
	d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello again").exits(exitDone)
	later := filepath.Join(dir, "later.jsonl")
	d.dpo.run("audit", "export", "-o", later, "action:package.send", "--reason", testReason).exits(exitDone)
	d.dpo.run("audit", "export", "verify", later, "--dir", dated).exits(exitUsage).complains("newer copy")
	d.dpo.run("audit", "export", "verify", later, "--online").exits(exitDone)
	d.dpo.run("audit", "export", "verify", later, "--dir", dated, "--online").exits(exitUsage)
	d.dpo.run("audit", "export", "verify", later, "--dir", dir).exits(exitUsage).complains("no copy of a log")
}

// TestExportFaultsAreNamed: each way to spoil a file is found and named.
func TestExportFaultsAreNamed(t *testing.T) {
	t.Parallel()
	d := newDesks(t)
	dir := t.TempDir()
	for range 4 {
		d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello Riga").exits(exitDone)
	}
	copied, whole, table := filepath.Join(dir, "copy"), filepath.Join(dir, "all.jsonl"), filepath.Join(dir, "all.csv")
	for _, file := range []string{whole, table} {
		d.dpo.run("audit", "export", "-o", file, "action:package.send", "--reason", testReason).exits(exitDone)
	}
	d.dpo.run("audit", "copy", copied, "--reason", testReason).exits(exitDone)
	raw, err := os.ReadFile(whole)
	must(t, err)
	manifest, err := os.ReadFile(whole + manifestSuffix)
	must(t, err)
	cut := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte {
			return bytes.Join(slices.Delete(bytes.SplitAfter(b, []byte("\n")), from, to), nil)
		}
	}
	bad := filepath.Join(dir, "bad.jsonl")
	must(t, os.WriteFile(bad+manifestSuffix, manifest, 0o600))
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  []audit.FaultKind
	}{
		"a line taken out": {cut(1, 2), []audit.FaultKind{audit.FaultDigest, audit.FaultCount}},
		"the end taken":    {cut(3, 4), []audit.FaultKind{audit.FaultDigest, audit.FaultCount}},
		"all taken":        {func([]byte) []byte { return nil }, []audit.FaultKind{audit.FaultDigest, audit.FaultCount}},
		"another salt":     {func(b []byte) []byte { return spoilLine(t, b, 2, func(i *audit.Item) { i.Salt[0] ^= 1 }) }, []audit.FaultKind{audit.FaultDigest, audit.FaultChanged}},
		"another index":    {func(b []byte) []byte { return spoilLine(t, b, 2, func(i *audit.Item) { i.Index++ }) }, []audit.FaultKind{audit.FaultDigest, audit.FaultNotInTree}},
		"another commitment": {func(b []byte) []byte { return spoilLine(t, b, 3, func(i *audit.Item) { i.Commitment[0] ^= 1 }) },
			[]audit.FaultKind{audit.FaultDigest, audit.FaultNotInTree, audit.FaultChanged}},
		"another number":                 {func(b []byte) []byte { return spoilLine(t, b, 3, func(i *audit.Item) { i.Seq++ }) }, []audit.FaultKind{audit.FaultDigest, audit.FaultSeq}},
		"another owner":                  {func(b []byte) []byte { return spoilLine(t, b, 2, func(i *audit.Item) { i.Owner = "lv/vp" }) }, []audit.FaultKind{audit.FaultDigest, audit.FaultOwner}},
		"no line":                        {func(b []byte) []byte { return append(bytes.Clone(b), "none\n"...) }, []audit.FaultKind{audit.FaultDigest, audit.FaultMalformed}},
		"withheld":                       {func(b []byte) []byte { return spoilLine(t, b, 1, func(i *audit.Item) { i.Entry, i.Salt = nil, nil }) }, []audit.FaultKind{audit.FaultDigest, audit.FaultWithheld}},
		"a made-up entry":                {func(b []byte) []byte { return forgeLine(t, b, 3) }, []audit.FaultKind{audit.FaultDigest, audit.FaultNotInTree}},
		"a made-up entry before another": {func(b []byte) []byte { return forgeLine(t, b, 1) }, []audit.FaultKind{audit.FaultDigest, audit.FaultNotInTree, audit.FaultPrev}},
	} {
		must(t, os.WriteFile(bad, c.spoil(bytes.Clone(raw)), 0o600))
		r := lines[verifiedExport](d.dpo.run("audit", "export", "verify", bad, "--dir", copied, "--json").exits(exitUnverified))[0]
		var kinds []audit.FaultKind
		for _, f := range r.Faults {
			kinds = append(kinds, f.Kind)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%s: %q, not %q", name, kinds, c.want)
		}
	}
	// Of a table: manifest, digest, number of rows.
	d.dpo.run("audit", "export", "verify", table).exits(exitDone).says("a table: its manifest, SHA-256 and number of rows")
	d.dpo.run("audit", "export", "verify", table, "--dir", copied).exits(exitUsage).complains("jsonl")
	rows, err := os.ReadFile(table)
	must(t, err)
	must(t, os.WriteFile(table, cut(2, 3)(rows), 0o600))
	r := lines[verifiedExport](d.dpo.run("audit", "export", "verify", table, "--json").exits(exitUnverified))[0]
	if len(r.Faults) != 1 || r.Faults[0].Kind != audit.FaultDigest {
		t.Errorf("a row taken out: %+v", r.Faults)
	}
	// A quote without its end would be one row of all that follows: rows are not counted.
	must(t, os.WriteFile(table, append(bytes.Clone(rows), "\"and so on\n"...), 0o600))
	r = lines[verifiedExport](d.dpo.run("audit", "export", "verify", table, "--json").exits(exitUnverified))[0]
	if len(r.Faults) != 1 || r.Faults[0].Kind != audit.FaultDigest {
		t.Errorf("a quote without its end: %+v", r.Faults)
	}
	// Where the digest is right the rows are counted: the exchange signed for another number.
	must(t, os.WriteFile(table, rows, 0o600))
	must(t, os.WriteFile(table+manifestSuffix, signExport(t, d.Exchange, table, figures.Table, 9), 0o600))
	r = lines[verifiedExport](d.dpo.run("audit", "export", "verify", table, "--json").exits(exitUnverified))[0]
	if len(r.Faults) != 1 || r.Faults[0].Kind != audit.FaultCount {
		t.Errorf("another number of rows: %+v", r.Faults)
	}
}

// TestExportOfALedgerThatShrank: the exchange signed an export under a head, and
// was put back to an older state, which has each entry of the file: from a copy
// that is no fault, from the exchange it is.
func TestExportOfALedgerThatShrank(t *testing.T) {
	t.Parallel()
	d := newDesks(t)
	dir := t.TempDir()
	d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "Hello Riga").exits(exitDone)
	older, file := filepath.Join(dir, "copy"), filepath.Join(dir, "sent.jsonl")
	d.dpo.run("audit", "copy", older, "--reason", testReason).exits(exitDone)
	d.Stop()
	cfg, err := d.World.NodeConfig()
	must(t, err)
	anchor := cfg.LedgerKey + ".anchor"
	for from, to := range map[string]string{cfg.State: filepath.Join(dir, "state"), filepath.Dir(cfg.LedgerKey): filepath.Join(dir, "ledger")} {
		must(t, os.CopyFS(to, os.DirFS(from)))
	}
	d.Start()
	d.dpo.run("audit", "export", "-o", file, "action:package.send", "--reason", testReason).exits(exitDone)
	d.dpo.run("audit", "export", "verify", file, "--online").exits(exitDone)
	d.Stop()
	must(t, os.RemoveAll(cfg.State))
	must(t, os.Remove(anchor))
	must(t, os.CopyFS(cfg.State, os.DirFS(filepath.Join(dir, "state"))))
	kept, err := os.ReadFile(filepath.Join(dir, "ledger", filepath.Base(anchor)))
	must(t, err)
	must(t, os.WriteFile(anchor, kept, 0o600))
	must(t, os.Remove(filepath.Join(d.dpo.profile, client.FileCheckpoint))) // as on another machine
	d.Start()

	d.dpo.run("audit", "export", "verify", file, "--dir", older).exits(exitDone)
	r := lines[verifiedExport](d.dpo.run("audit", "export", "verify", file, "--online", "--json").exits(exitUnverified))[0]
	if r.Verdict != "faulty" || r.Extends || len(r.Faults) != 1 || r.Faults[0].Kind != audit.FaultHead {
		t.Errorf("%+v", r)
	}
	d.dpo.run("audit", "export", "verify", file, "--online").exits(exitUnverified).says("now shows one of", "does not extend that of the manifest", "means", "do ")
}

// spoilLine changes one line of an export.
func spoilLine(t *testing.T, file []byte, n int, change func(*audit.Item)) []byte {
	t.Helper()
	all := bytes.SplitAfter(file, []byte("\n"))
	item, err := audit.ParseItem(bytes.TrimSuffix(all[n], []byte("\n")))
	must(t, err)
	change(&item)
	all[n], err = audit.AppendItem(nil, item)
	must(t, err)
	return bytes.Join(all, nil)
}

// forgeLine makes one line another entry, with a commitment that fits it.
func forgeLine(t *testing.T, file []byte, n int) []byte {
	t.Helper()
	return spoilLine(t, file, n, func(i *audit.Item) {
		i.Entry = bytes.Replace(i.Entry, []byte(testReason), []byte("Nothing of the kind, in fact"), 1)
		i.Commitment = audit.Commit(audit.Salt(i.Salt), i.Entry)
	})
}

// signExport is the manifest of a file that the exchange vouches for, whatever
// is in it.
func signExport(t *testing.T, x *exchangetest.Exchange, file, format string, count uint64) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	sum := sha256.Sum256(raw)
	p := x.Parts(exchangetest.PartsConfig{})
	receipt, err := p.Journal.Commit(t.Context(), func(*exchange.Tx) ([]audit.Entry, error) {
		return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Disclosure, Action: figures.ActionExport, Outcome: figures.Exported, Count: count,
			Details: figures.Export{Format: format, Bytes: int64(len(raw)), SHA256: sum[:]}.Details()}}, nil
	})
	must(t, err)
	p.Close()
	x.Start()
	key, err := os.ReadFile(filepath.Join(x.World.Dir, "ledger", "log.vkey"))
	must(t, err)
	keys, err := audit.ParseKeys(key)
	must(t, err)
	manifest, _, err := figures.MakeManifest(receipt, keys, nil)
	must(t, err)
	return manifest
}
