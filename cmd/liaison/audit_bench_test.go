package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
)

// BenchmarkAuditVerify is audit verify --dir, as the officer calls it, on a copied log of b.N entries, every second leaf of the ledger
// being the officer's: go test ./cmd/liaison -run '^$' -bench AuditVerify -benchtime 1000000x
func BenchmarkAuditVerify(b *testing.B) {
	dir, key := seedCopy(b, b.N)
	var out, errs bytes.Buffer
	env := &environment{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, IsTerminal: func(any) bool { return false }, Getenv: func(string) string { return "" }}
	b.ResetTimer()
	code := run(b.Context(), env, []string{"audit", "verify", "--dir", dir, "--log-key", key, "--json"})
	b.StopTimer()
	var r auditReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || code != exitDone || r.Disclosed != b.N {
		b.Fatalf("exit code %d, %v\n%s%s", code, err, out.String(), errs.String())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// seedEntry is an entry of the size that those of a package for two recipients have.
func seedEntry(seq uint64, prev string) audit.Entry {
	digest := audit.Commit(audit.Salt{}, nil).String()
	e := audit.Entry{Owner: "ee/pbgb", Seq: seq, Prev: prev, Exchange: "bench.example/ledger", Time: "2026-11-22T10:00:00.000Z", Operation: audit.Disclosure,
		Action: "package.send", Outcome: "delivered", Officer: "o-17", Actor: audit.Actor{Agency: "ee/pbgb", Role: "unit", Identity: "spiffe://ee/pbgb/unit/gateway", Certificate: digest},
		Justification: "Verification of a suspect vehicle in the investigation named in the case reference", CaseRef: "EE-2026-0117",
		Request: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e", Package: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", MessageType: "spontaneous", Purpose: "investigation",
		Urgency: "routine", Handling: "H1", TransferBasis: "internal_eu", CrimeAreas: []string{"drug_trafficking"}, LegalBasis: []string{"ee:ee-police-act:7-46"},
		Recipients: []string{"lv/vp", "it/dcpc"}, Originators: []string{"ee/pbgb"}, ManifestSHA256: digest, ContentSHA256: digest, SigningKey: digest, Engine: "opa 1.22.2",
		Statement: json.RawMessage(`{"iss":"ee/pbgb","jti":"0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d","officer":"o-17","justification":"Verification of a suspect vehicle in the investigation","approvals":[],"subject_refs":[],"texts":{}}`),
		Revisions: map[string]string{"common": digest, "rules/ee": digest, "rules/lv": digest, "rules/it": digest}}
	for _, r := range e.Recipients {
		e.Decisions = append(e.Decisions, audit.Decision{ID: e.Package, Recipient: r, Outcome: "delivered", Rules: []string{"R1", "R4", "R20"}, Obligations: []string{"no_onward"}, InputSHA256: digest})
	}
	return e
}

// memoryHashes are stored hashes in memory.
type memoryHashes []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (m memoryHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m[x]
	}
	return out, nil
}

// seedCopy makes a copied log of n entries.
func seedCopy(b *testing.B, n int) (dir, key string) {
	b.Helper()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	skey, vkey, err := audit.GenerateKey("bench.example/ledger")
	check(err)
	signer, err := audit.NewSigner(skey)
	check(err)
	dir = b.TempDir()
	l := logCopy{dir: dir}
	var leaves []audit.Commitment
	var last audit.Item
	f, err := os.Create(filepath.Join(dir, copiedEntries))
	check(err)
	w := bufio.NewWriterSize(f, 1<<20)
	prev := audit.FirstPrev
	var line []byte
	for seq := 1; seq <= n; seq++ {
		raw, err := seedEntry(uint64(seq), prev).Encode()
		check(err)
		salt := audit.NewSalt()
		leaves = append(leaves, audit.Commitment(audit.NewSalt()))
		last = audit.Item{Owner: "ee/pbgb", Seq: uint64(seq), Index: int64(len(leaves)), Commitment: audit.Commit(salt, raw), Entry: raw, Salt: salt[:]}
		leaves, prev = append(leaves, last.Commitment), last.Commitment.String()
		line, err = audit.AppendItem(line[:0], last)
		check(err)
		_, err = w.Write(line)
		check(err)
	}
	check(w.Flush())
	check(f.Close())
	g, err := audit.EmptyTree().Grow(leaves)
	check(err)
	size, stored := int64(len(leaves)), memoryHashes(g.Stored())
	note, err := signer.Checkpoint(size, g.Tree().Root())
	check(err)
	check(l.write(copiedCheckpoint, note))
	proof, err := g.Proof(last.Index)
	check(err)
	check(l.write(copiedReceipt, []byte(audit.Receipt{Entry: last.Entry, Salt: last.Salt, Index: last.Index, Proof: proof, Checkpoint: note}.Encode())))
	for level := 0; size>>(8*level) > 0; level++ {
		have := size >> (8 * level)
		for i := int64(0); i*audit.TileWidth < have; i++ {
			tile := audit.TilePath{Level: level, Index: i, Width: int(min(audit.TileWidth, have-i*audit.TileWidth))}
			data, err := audit.TileData(tile, size, stored)
			check(err)
			check(l.write(tile.String(), data))
		}
	}
	return dir, vkey
}
