package exchange_test

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/store"
)

var (
	proofEntries = flag.Int("proof.entries", 20_000, "entries of the ledger that BenchmarkProof proves some of")
	proofDir     = flag.String("proof.dir", "", "directory that keeps the ledger for the next run")
)

// BenchmarkProof proves entries that are drawn at random, each in a view of its
// own: as the exchange makes an entry's receipt again, and as a reader proves
// it under the newest head out of tiles, when it has no tile yet. For the
// figure over 10 million entries: go test -run - -bench Proof -proof.entries
// 10000000 -proof.dir DIR ./exchange
func BenchmarkProof(b *testing.B) {
	j, s := provenLedger(b, *proofEntries)
	keys, err := audit.ParseKeys([]byte(j.signer.VerifierKey()))
	if err != nil {
		b.Fatal(err)
	}
	head, err := audit.OpenCheckpoint(j.Checkpoint(), keys)
	if err != nil {
		b.Fatal(err)
	}
	for name, prove := range map[string]func(index int64) (audit.Receipt, error){
		"receipt": func(index int64) (r audit.Receipt, err error) {
			err = s.View(b.Context(), func(rows exchange.Reader) error {
				r, err = j.Receipt(rows, index)
				return err
			})
			return r, err
		},
		"tiles": func(index int64) (r audit.Receipt, err error) {
			var item *exchange.EntryRow
			if err := s.View(b.Context(), func(rows exchange.Reader) error {
				item, err = rows.EntryAt(index)
				return err
			}); err != nil {
				return r, err
			}
			r = audit.Receipt{Entry: item.Entry, Salt: item.Salt, Index: item.Index}
			return r.Upgrade(head, hashesByTiles(b.Context(), s, head))
		},
	} {
		b.Run(name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			var took []time.Duration
			for b.Loop() {
				index := random.Int64N(head.Size)
				began := time.Now()
				r, err := prove(index)
				took = append(took, time.Since(began))
				if err != nil {
					b.Fatal(err)
				}
				if v, err := r.Verify(keys, nil); err != nil || v.Entry.Seq != uint64(index)+1 {
					b.Fatal(err)
				}
			}
			slices.Sort(took)
			for name, at := range map[string]int{"ms-p50": len(took) / 2, "ms-p99": len(took) * 99 / 100, "ms-worst": len(took) - 1} {
				b.ReportMetric(float64(took[at].Microseconds())/1000, name)
			}
		})
	}
}

// hashesByTiles reads hashes as a reader with an empty cache does.
func hashesByTiles(ctx context.Context, s exchange.Store, head audit.Checkpoint) tlog.HashReader {
	return audit.VerifyTiles(ctx, head, func(ctx context.Context, t audit.TilePath) (data []byte, err error) {
		err = s.View(ctx, func(rows exchange.Reader) error {
			data, err = audit.TileData(t, head.Size, rows)
			return err
		})
		return data, err
	})
}

type provenJournal struct {
	*exchange.Journal
	signer *audit.Signer
}

// provenLedger is a journal on a ledger of so many entries.
func provenLedger(b *testing.B, n int) (provenJournal, *store.SQLite) {
	b.Helper()
	l := ledgerIn(*proofDir)
	if *proofDir == "" {
		l = newLedger(b, b.TempDir())
	} else if _, err := os.Stat(l.key); err != nil {
		l = newLedger(b, *proofDir)
	}
	s, err := l.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	began := time.Now()
	exchangetest.Seed(b, s, "ee/pbgb", n, func(_ *rand.Rand, i int) audit.Entry {
		return audit.Entry{Owner: "ee/pbgb", Exchange: origin, Time: audit.FormatTime(exchangetest.YearBegins.Add(time.Duration(i) * time.Second)), Action: "package.send", Outcome: "delivered"}
	})
	b.Logf("%d entries seeded in %v", n, time.Since(began).Round(time.Millisecond))
	cfg, err := l.config(s)
	if err != nil {
		b.Fatal(err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	var head exchange.Head
	if err := s.View(b.Context(), func(rows exchange.Reader) (err error) { head, err = rows.Head(); return err }); err != nil {
		b.Fatal(err)
	}
	note, err := cfg.Signer.Checkpoint(head.Size, head.Root)
	if err == nil {
		err = audit.WriteAnchor(l.anchor, note)
	}
	if err != nil {
		b.Fatal(err)
	}
	j, err := exchange.OpenJournal(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	return provenJournal{j, cfg.Signer}, s
}
