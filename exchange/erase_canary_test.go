package exchange_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// canary stands in all that a package and its entries keep of persons.
const canary = "CANARY-kapteeni-Tammsaare-7481-pimedal-teel"

// canaryForms are the bytes by which a canary is found, as it is and in both
// alphabets of base64 at each offset.
func canaryForms() (forms [][]byte) {
	forms = append(forms, []byte(canary[:24]), []byte(canary[10:34]))
	for offset := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString([]byte(strings.Repeat("x", offset) + canary))
			forms = append(forms, []byte(s[4:24]), []byte(s[24:len(s)-4]))
		}
	}
	return forms
}

// sightings counts the canary in every live file of a store.
func sightings(t testing.TB, dir string) (n int, where []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found := 0
		for _, form := range canaryForms() {
			found += bytes.Count(raw, form)
		}
		if n += found; found > 0 {
			where = append(where, fmt.Sprintf("%s: %d", filepath.Base(path), found))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, where
}

// plant is a package of Estonia with the canary in all that it has, or
// without, of a size that is its own: small ones share a page, large ones
// overflow many.
func plant(sign func(id, caseRef string) []byte, id string, marked bool, size int, due time.Time, blob string) exchange.Change {
	mark := canary
	if !marked {
		mark = strings.Repeat("-", len(canary))
	}
	fill := strings.Repeat("f", size)
	p := &exchange.Package{ID: id, Sender: "ee/pbgb", Type: "spontaneous", State: "delivered", Manifest: sign(id, mark),
		Statement: []byte("e30." + base64.RawURLEncoding.EncodeToString([]byte("x"+mark)) + ".c2ln"), ManifestSHA256: typicalDigest, Payload: typicalDigest, ContentSHA256: typicalDigest,
		ContentBlob: blob, Answer: []byte("[]"), EraseAt: due, ContentAt: due.Add(time.Hour), ExpiresAt: due}
	return func(tx *exchange.Tx) ([]audit.Entry, error) {
		var err error
		q := *p
		if q.Seq, err = tx.NextSeq(q.Sender); err != nil {
			return nil, err
		}
		q.Index, q.AcceptedAt = tx.NextIndex(0), tx.Now()
		content := []byte(mark + fill + mark)
		if blob != "" {
			content = nil
		}
		tx.PutPackage(&q, content)
		tx.PutInput(id, []byte(`{"claimed":{"case_ref":"`+mark+`"}}`))
		d := exchange.Delivery{Recipient: "lv/vp", Outcome: "delivered", Decision: id, Index: tx.NextIndex(1)}
		if d.Seq, err = tx.NextSeq("lv/vp"); err != nil {
			return nil, err
		}
		tx.PutDelivery(id, d)
		tx.PutDecision(exchange.DecisionRow{ID: id, Package: id, Recipient: "lv/vp", Action: "send", At: tx.Now(), Verdict: []byte(`{"verdict":"delivered"}`),
			InputSHA256: typicalDigest, Shared: id, Own: []byte(`{"own":"` + mark + `"}`)})
		tx.PutConsultation(exchange.ConsultationRow{ID: newID(), Agency: "ee/pbgb", Identity: "spiffe://ee/pbgb/unit/x", Officer: mark, Justification: mark, CaseRef: mark, Package: id, Expires: tx.Now()})
		statement, err := json.Marshal(map[string]string{"justification": mark + fill, "officer": mark})
		return []audit.Entry{
			{Owner: "ee/pbgb", Operation: audit.Disclosure, Action: "package.send", Outcome: "delivered", Package: id, Officer: mark, CaseRef: mark, Justification: mark, Statement: statement},
			{Owner: "lv/vp", Operation: audit.Collection, Action: "package.deliver", Outcome: "delivered", Package: id, CaseRef: mark},
		}, err
	}
}

// TestErasedLeavesNothing: of packages and entries that were erased, one by
// one and by their time, amid others that stay and while others come, not a
// byte is left in database, write-ahead log, index or blobs. Some hundreds fill
// pages that split and move; the long form has a store of full size.
func TestErasedLeavesNothing(t *testing.T) {
	t.Parallel()
	packages := torture.Size(400, 60_000)
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	state := p.Dir
	template := x.Seal(draft(x, demo.EEtoLV)).Manifest
	sign := func(id, caseRef string) []byte {
		return resigned(t, x.SignKey("ee/pbgb"), envelope.TypManifest, template, func(_, claims object) {
			claims["jti"] = id
			claims["meta"].(object)["case_ref"] = caseRef
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	day := 24 * time.Hour
	add := func(n int, marked func() bool) (ids []string) {
		t.Helper()
		var changes []exchange.Change
		for range n {
			id, m, size, due := newID(), marked(), random.IntN(700), x.Clock.Now().Add(time.Duration(1+random.IntN(700))*day)
			if random.IntN(20) == 0 {
				size = 3000 + random.IntN(9000)
			}
			blob := ""
			if random.IntN(100) == 0 {
				blob = id + "/content." + typicalDigest
				w, err := p.Blobs.Create(t.Context(), blob)
				if err != nil {
					t.Fatal(err)
				}
				text := "nothing"
				if m {
					text = canary
				}
				if _, err := w.Write([]byte(text)); err != nil || w.Commit() != nil {
					t.Fatal(err)
				}
			}
			if m {
				ids = append(ids, id)
			}
			changes = append(changes, plant(sign, id, m, size, due, blob))
		}
		each(t, 200, n, func(ctx context.Context, i int) error {
			_, err := p.Journal.Commit(ctx, changes[i])
			return err
		})
		return ids
	}
	some := add(packages, func() bool { return random.IntN(2) == 0 })
	if n, _ := sightings(t, state); n < 8*len(some) {
		t.Fatalf("the search finds only %d", n)
	}
	// By order, at random, with others coming in between.
	dpo := x.Caller("ee/pbgb", certs.RoleDPO)
	for i := range min(len(some)/4, packages/20) {
		if _, err := p.Service.Erase(t.Context(), dpo, x.Order("ee/pbgb", ofPackage(some[i*4]))); err != nil {
			t.Fatal(err)
		}
		if i%8 == 0 {
			from := uint64(1 + random.IntN(packages-4))
			if _, err := p.Service.Erase(t.Context(), dpo, x.Order("ee/pbgb", ofEntries(from, from+2))); err != nil {
				t.Fatal(err)
			}
			add(5, func() bool { return random.IntN(2) == 0 })
		}
	}
	// By their time: packages over two years, in steps, then the logs.
	for range 10 {
		x.Clock.Advance(80 * day)
		if _, err := p.Service.SweepDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		add(20, func() bool { return false })
	}
	x.Clock.Advance(1097 * day)
	done, err := p.Service.SweepDue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packages with the canary, last sweep %v", len(some), done)
	if n, where := sightings(t, state); n > 0 {
		t.Errorf("what was erased is still there, live: %d times in %v", n, where)
	}
	p.Close()
	if n, where := sightings(t, state); n > 0 {
		t.Errorf("what was erased is still there, stopped: %d times in %v", n, where)
	}
}
