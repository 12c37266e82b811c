package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// asProcess makes this test binary the program itself, so that a test can
// kill it.
const asProcess = "LIAISON_TEST_AS_PROCESS"

// startServer starts this test binary as the program on a world.
func startServer(t *testing.T, w *demo.World) *exchangetest.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asProcess+"=1")
	return exchangetest.StartProcess(t, w, cmd)
}

// unitConfig is the configuration of an agency's unit on the running server.
func profileConfig(t *testing.T, w *demo.World, agency, role string) client.Config {
	t.Helper()
	p, err := client.LoadProfile(w.Profile(agency, role))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := p.Config()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Checkpoints = nil
	cfg.Retries = client.Retries{Tries: 1}
	return cfg
}

// newClient is a client of an agency on the running server.
func newClient(t *testing.T, w *demo.World, agency, role string) *client.Client {
	t.Helper()
	c, err := client.New(profileConfig(t, w, agency, role))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestKillUnderLoad kills the real server with SIGKILL at random moments
// while clients post, and starts it again on the same state. In the end
// every package that was answered is there once, with every receipt that
// ever left, and no log has a gap. LIAISON_TORTURE makes it 200 kills.
func TestKillUnderLoad(t *testing.T) {
	kills := torture.Size(5, 200)
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moment := rand.New(rand.NewPCG(seed, 0))
	load := &crashLoad{t: t, world: w, receipts: map[string][]string{}}
	for range kills {
		p := startServer(t, w)
		load.round(p, time.Duration(20+moment.IntN(400))*time.Millisecond)
	}
	t.Attr("kills", strconv.Itoa(kills))
	p := startServer(t, w)
	defer p.Kill()
	load.settle()
	load.check()
}

// crashLoad posts packages over many lives of a server.
type crashLoad struct {
	t     *testing.T
	world *demo.World
	keys  []envelope.RecipientKey
	meta  json.RawMessage

	mu       sync.Mutex
	unsure   []*envelope.Sealed  // posted, and no answer came
	receipts map[string][]string // every receipt that left, by package
}

// round posts with four clients until the server is killed.
func (l *crashLoad) round(p *exchangetest.Process, after time.Duration) {
	l.t.Helper()
	cfg := profileConfig(l.t, l.world, "ee/pbgb", certs.RoleUnit)
	if l.keys == nil {
		l.prepare()
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	var wg sync.WaitGroup
	for range 4 {
		c, err := client.New(cfg)
		if err != nil {
			l.t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				l.post(ctx, c, l.take(cfg))
			}
		})
	}
	<-time.After(after) // the moment is random: nothing waits for it
	p.Kill()
	cancel()
	wg.Wait()
}

// prepare finds out once whom to seal for.
func (l *crashLoad) prepare() {
	ee := newClient(l.t, l.world, "ee/pbgb", certs.RoleUnit)
	sample, _ := demo.Find(demo.EEtoLVUA, time.Now())
	var err error
	if l.meta, err = json.Marshal(sample.Meta); err != nil {
		l.t.Fatal(err)
	}
	for _, agency := range sample.To {
		key, err := ee.EncryptionKey(l.t.Context(), agency)
		if err != nil {
			l.t.Fatal(err)
		}
		l.keys = append(l.keys, envelope.RecipientKey{Agency: agency, Key: key})
	}
}

// take returns a package that nobody is sure of, or a new one.
func (l *crashLoad) take(cfg client.Config) *envelope.Sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.unsure); n > 0 {
		s := l.unsure[n-1]
		l.unsure = l.unsure[:n-1]
		return s
	}
	s, err := envelope.Seal(envelope.SealInput{Exchange: cfg.Ledger.Origin(), Iss: cfg.Agency, Now: time.Now(), Meta: l.meta,
		Officer: "EE-17", Justification: "A test that kills the server under load", Recipients: l.keys, SignKey: cfg.Sign,
		Message: envelope.Message{Text: "posted while the server dies"}})
	if err != nil {
		l.t.Error(err)
	}
	return s
}

// post posts one package and keeps its receipt, or keeps it for later.
func (l *crashLoad) post(ctx context.Context, c *client.Client, s *envelope.Sealed) {
	got, _, err := c.PostRaw(context.WithoutCancel(ctx), s, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.unsure = append(l.unsure, s)
		return
	}
	l.receipts[s.JTI] = append(l.receipts[s.JTI], got.Receipt)
}

// settle repeats what nobody is sure of.
func (l *crashLoad) settle() {
	l.t.Helper()
	c := newClient(l.t, l.world, "ee/pbgb", certs.RoleUnit)
	for _, s := range l.unsure {
		got, _, err := c.PostRaw(l.t.Context(), s, nil)
		if err != nil {
			l.t.Fatalf("repeat of %s: %v", s.JTI, err)
		}
		l.receipts[s.JTI] = append(l.receipts[s.JTI], got.Receipt)
	}
	// A package that was answered gets its first receipt again.
	l.unsure = nil
}

// check looks for everything that was promised.
func (l *crashLoad) check() {
	l.t.Helper()
	if len(l.receipts) == 0 {
		l.t.Fatal("no package was accepted: the test has shown nothing")
	}
	keys := profileConfig(l.t, l.world, "ee/pbgb", certs.RoleUnit).Ledger
	var known []audit.Position
	for id, texts := range l.receipts {
		for _, text := range texts {
			if text != texts[0] {
				l.t.Errorf("package %s got two different receipts", id)
			}
		}
		r, err := audit.ParseReceipt(texts[0])
		if err != nil {
			l.t.Fatal(err)
		}
		v, err := r.Verify(keys, nil)
		if err != nil || v.Entry.Package != id {
			l.t.Fatalf("receipt of %s: %v", id, err)
		}
		known = append(known, audit.Position{Seq: v.Entry.Seq, Commitment: audit.Commit(audit.Salt(r.Salt), r.Entry)})
	}
	l.t.Logf("%d packages accepted over all lives of the server", len(l.receipts))
	l.checkLog("ee/pbgb", known)
	for _, agency := range []string{"lv/vp", "ua/npu"} {
		l.checkLog(agency, nil)
		l.checkBox(agency, client.Inbox)
	}
	l.checkBox("ee/pbgb", client.Outbox)
}

// checkBox: each package stands in the box exactly once.
func (l *crashLoad) checkBox(agency, box string) {
	l.t.Helper()
	seen := map[string]int{}
	for d, err := range newClient(l.t, l.world, agency, certs.RoleUnit).Packages(l.t.Context(), client.Query{Box: box, PageSize: 200}) {
		if err != nil {
			l.t.Fatal(err)
		}
		seen[d.ID]++
	}
	for id := range l.receipts {
		if seen[id] != 1 {
			l.t.Errorf("package %s stands %d times in the %s of %s", id, seen[id], box, agency)
		}
	}
	if len(seen) != len(l.receipts) {
		l.t.Errorf("%d packages in the %s of %s, %d were answered", len(seen), box, agency, len(l.receipts))
	}
}

// checkLog: the log is whole, and has each package's delivery once.
func (l *crashLoad) checkLog(agency string, known []audit.Position) {
	l.t.Helper()
	ctx := l.t.Context()
	dpo := newClient(l.t, l.world, agency, certs.RoleDPO)
	consultation, err := dpo.Consult(ctx, client.ConsultInput{Reason: "Check after the server was killed"})
	if err != nil {
		l.t.Fatal(err)
	}
	var items []audit.Item
	delivered := map[string]int{}
	for item, err := range dpo.Entries(ctx, consultation.ID, 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		items = append(items, item)
		e, err := audit.ParseEntry(item.Entry)
		if err != nil {
			l.t.Fatal(err)
		}
		if e.Outcome == "delivered" {
			delivered[e.Package]++
		}
	}
	head, err := dpo.Checkpoint(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	report, err := audit.VerifyOwner(func(yield func(audit.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}, audit.OwnerLog{Owner: agency, Checkpoint: head, Hashes: dpo.Hashes(ctx, head), Known: known})
	if err != nil || report.Err() != nil {
		l.t.Errorf("log of %s: %v %v", agency, err, report.Err())
	}
	for id := range l.receipts {
		if delivered[id] != 1 {
			l.t.Errorf("log of %s: package %s was delivered %d times", agency, id, delivered[id])
		}
	}
	if len(delivered) != len(l.receipts) {
		l.t.Errorf("log of %s: %d packages, %d were answered", agency, len(delivered), len(l.receipts))
	}
}
