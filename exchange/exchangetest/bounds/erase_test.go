package bounds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// TestEraseWhileServing: the program erases a tenth of its log, whose time has
// come, while units post and read and officers search, over HTTP: no request
// fails, every package that was answered is there, and every log verifies.
// LIAISON_TORTURE does it with a million entries.
func TestEraseWhileServing(t *testing.T) {
	t.Parallel()
	entries, quiet := 20_000, time.Second
	if torture.On() {
		entries, quiet = 1_000_000, 20*time.Second
	}
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	fillLog(t, cfg, w.Agencies, entries)
	t.Logf("%d entries in %v", entries, time.Since(begun).Round(time.Millisecond))

	// Before: everything is kept, and the search index is made.
	cfg.Limits, cfg.Retention.Default.Log = node.Limits{}, 36_000
	s := &siege{T: t, world: w, Process: serveWith(t, w, cfg)}
	s.indexed()
	before := s.crew()
	before.begin()
	<-time.After(quiet) // how long is measured, nothing waits for it
	before.end()
	s.Kill()

	// While it erases, which it begins as soon as it serves.
	cfg.Listen, cfg.Retention.Default.Log = s.Addr, 0
	during := s.crew()
	during.begin()
	s.Process = serveWith(t, w, cfg)
	erased, ended := s.swept()
	during.end()
	if erased < entries/10 || erased > entries/5 {
		t.Errorf("%d of %d entries were erased, not a tenth", erased, entries)
	}
	inTime := during.until(ended)
	if inTime == 0 && torture.On() { // a small log is erased before a slow machine has answered
		t.Error("nobody was served while it erased: the test shows nothing")
	}
	t.Logf("before: %s", before)
	t.Logf("while %d of %d entries were erased: %s; of these before its end: %d", erased, entries, during, inTime)
	s.found(append(before.ids, during.ids...))
	s.liaisonVerifies()
	for name, n := range s.Metrics() {
		if strings.HasPrefix(name, "liaison_http_requests_total") && strings.Contains(name, `status="5`) {
			t.Errorf("%s %v: %s", name, n, s.Log)
		}
	}
}

// indexed waits until the search index is made: until a search that finds
// nothing anywhere comes to its end.
func (s *siege) indexed() {
	s.Helper()
	dpo := s.client("ee/pbgb", certs.RoleDPO)
	under, err := dpo.Consult(s.Context(), client.ConsultInput{Reason: "Wait until the log is indexed"})
	if err != nil {
		s.Fatal(err)
	}
	s.await("the log is indexed", func() (string, bool) {
		_, err := dpo.Search(s.Context(), under.ID, client.SearchInput{Query: "action:package.withdraw", Limit: 1})
		return fmt.Sprint(err), err == nil
	})
}

// serveWith writes a configuration and starts the program with it.
func serveWith(t *testing.T, w *demo.World, cfg node.Config) *exchangetest.Process {
	t.Helper()
	if err := node.WriteConfig(filepath.Join(w.Dir, demo.ConfigFile), cfg); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	starting.Lock()
	defer starting.Unlock()
	return exchangetest.StartProcess(t, w, exec.Command(path))
}

// fillLog makes a ledger of so many entries before the exchange first runs: a
// tenth of them older than entries are kept, the others not.
func fillLog(t *testing.T, cfg node.Config, owners []string, n int) {
	t.Helper()
	raw, err := os.ReadFile(cfg.LedgerKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Dir: cfg.State})
	if err != nil {
		t.Fatal(err)
	}
	f := &filling{TB: t, store: s, origin: signer.Origin(), tree: audit.EmptyTree(), seqs: map[string]uint64{}, prevs: map[string]audit.Commitment{}}
	old := n / 10
	f.add(owners, old+old/100, time.Now().AddDate(0, 0, -1200))
	f.add(owners, n-old-old/100, time.Now().AddDate(0, 0, -100))
	note, err := signer.Checkpoint(f.tree.Size(), f.tree.Root())
	if err = errors.Join(err, audit.WriteAnchor(cfg.LedgerKey+".anchor", note), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// filling is a ledger that grows by many entries at once.
type filling struct {
	testing.TB
	store  *store.SQLite
	origin string
	tree   audit.Tree
	seqs   map[string]uint64
	prevs  map[string]audit.Commitment
}

func (f *filling) add(owners []string, n int, at time.Time) {
	f.Helper()
	const page = 5000
	for from := 0; from < n; from += page {
		var rows []exchange.EntryRow
		var cs []audit.Commitment
		for i := from; i < min(from+page, n); i++ {
			row := f.entry(owners[i%len(owners)], i, at)
			row.Index = f.tree.Size() + int64(len(rows))
			rows, cs = append(rows, row), append(cs, row.Commitment)
		}
		growth, err := f.tree.Grow(cs)
		if err != nil {
			f.Fatal(err)
		}
		f.tree = growth.Tree()
		tx, err := f.store.Begin(f.Context())
		if err == nil {
			err = tx.Append(rows, growth.FirstStored(), growth.Stored(), exchange.Head{Size: f.tree.Size(), Root: f.tree.Root(), Time: at})
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			f.Fatal(err)
		}
	}
}

func (f *filling) entry(owner string, i int, at time.Time) exchange.EntryRow {
	f.Helper()
	f.seqs[owner]++
	e := audit.Entry{Owner: owner, Seq: f.seqs[owner], Prev: f.prevs[owner].String(), Exchange: f.origin, Time: audit.FormatTime(at),
		Operation: audit.Consultation, Action: "package.show", Outcome: "shown", Officer: fmt.Sprint("OFF-", i%97), CaseRef: fmt.Sprint("2023-", i%1009),
		Justification: strings.Repeat("why it was shown ", 20)}
	if e.Seq == 1 {
		e.Prev = audit.FirstPrev
	}
	raw, err := e.Encode()
	if err != nil {
		f.Fatal(err)
	}
	salt := audit.NewSalt()
	f.prevs[owner] = audit.Commit(salt, raw)
	return exchange.EntryRow{Owner: owner, Seq: e.Seq, Commitment: f.prevs[owner], Salt: salt[:], Entry: raw}
}

// liaisonVerifies has the officers of all agencies verify their logs.
func (s *siege) liaisonVerifies() {
	s.Helper()
	for _, agency := range s.world.Agencies {
		out, err := s.liaison("audit", "verify", "--profile", s.world.Profile(agency, certs.RoleDPO), "--reason", "Check before and after what was erased")
		if err != nil {
			s.Errorf("%s: %v %s", agency, err, out)
		}
	}
}

// swept waits until the program says that it has erased what was due.
func (s *siege) swept() (entries int, ended time.Time) {
	s.Helper()
	for deadline := time.Now().Add(patience); ; {
		for line := range strings.Lines(s.Log.String()) {
			var said struct {
				Time time.Time
				Msg  string
				Log  int
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "erased what was due" {
				return said.Log, said.Time
			}
		}
		if time.Now().After(deadline) {
			s.Fatalf("it never said that it has erased: %s", s.Log)
		}
		s.Metrics() // a request, and not a loop that takes the machine
	}
}

// found looks for every package that was answered in its sender's outbox.
func (s *siege) found(ids []string) {
	s.Helper()
	there := map[string]bool{}
	for d, err := range s.client("ee/pbgb", certs.RoleUnit).Packages(s.Context(), client.Query{Box: client.Outbox, PageSize: 200}) {
		if err != nil {
			s.Fatal(err)
		}
		there[d.ID] = true
	}
	for _, id := range ids {
		if !there[id] {
			s.Errorf("%s was accepted and is not there", id)
		}
	}
	s.Logf("%d accepted, %d found", len(ids), len(there))
}

func (s *siege) client(agency, role string) *client.Client {
	s.Helper()
	p, err := client.LoadProfile(s.world.Profile(agency, role))
	if err != nil {
		s.Fatal(err)
	}
	cfg, err := p.Config()
	if err != nil {
		s.Fatal(err)
	}
	cfg.Checkpoints, cfg.Retries = nil, client.Retries{Tries: 1} // a repeat would hide a failure
	c, err := client.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// crew works over HTTP until its end: four post, one reads, one searches.
type crew struct {
	*siege
	hands []func(ctx context.Context) (what, id string, err error)
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu   sync.Mutex
	took map[string][]time.Duration // guarded by mu, by what was done
	at   []time.Time
	ids  []string // of packages that were accepted
}

// crew makes the clients beforehand, so that they are there when it begins.
func (s *siege) crew() *crew {
	s.Helper()
	c := &crew{siege: s, took: map[string][]time.Duration{}}
	meta, err := s.meta()
	if err != nil {
		s.Fatal(err)
	}
	for range 4 {
		ee := s.client("ee/pbgb", certs.RoleUnit)
		c.hands = append(c.hands, func(ctx context.Context) (string, string, error) {
			sent, err := ee.Send(ctx, client.SendInput{To: []string{"lv/vp"}, Meta: meta, Reason: "Work that goes on while others erase", Message: envelope.Message{Text: "Hello Riga"}})
			if err != nil {
				return "post", "", err
			}
			return "post", sent.ID(), nil
		})
	}
	lv := s.client("lv/vp", certs.RoleUnit)
	c.hands = append(c.hands, func(ctx context.Context) (string, string, error) {
		for d, err := range lv.Packages(ctx, client.Query{Box: client.Inbox, PageSize: 20}) {
			if err == nil {
				_, err = lv.Package(ctx, d.ID)
			}
			return "read", "", err
		}
		return "read", "", nil
	})
	dpo := s.client("ee/pbgb", certs.RoleDPO)
	var under string
	c.hands = append(c.hands, func(ctx context.Context) (string, string, error) {
		if under == "" {
			consultation, err := dpo.Consult(ctx, client.ConsultInput{Reason: "Search while others erase"})
			if err != nil {
				return "search", "", err
			}
			under = consultation.ID
		}
		_, err := dpo.Search(ctx, under, client.SearchInput{Query: "outcome:shown", Newest: true, Limit: 20})
		return "search", "", err
	})
	return c
}

// begin begins as soon as there is somebody to ask.
func (c *crew) begin() {
	ctx, stop := context.WithCancel(c.Context())
	c.stop = stop
	addr := c.Addr // another process may take the place of this one while they wait, at the same address
	for _, hand := range c.hands {
		c.wg.Go(func() {
			for ctx.Err() == nil && !reachable(ctx, addr) {
			}
			for ctx.Err() == nil {
				c.do(hand)
			}
		})
	}
}

func reachable(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
		return false
	}
	return conn.Close() == nil
}

// do lets one finish what it began, and fails the test if that fails.
func (c *crew) do(hand func(context.Context) (string, string, error)) {
	begun := time.Now()
	what, id, err := hand(context.WithoutCancel(c.Context()))
	ended := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.Errorf("%s failed after %v: %v", what, ended.Sub(begun), err)
		return
	}
	c.took[what], c.at = append(c.took[what], ended.Sub(begun)), append(c.at, ended)
	if id != "" {
		c.ids = append(c.ids, id)
	}
}

func (c *crew) end() {
	c.stop()
	c.wg.Wait()
}

// until is how many were answered before a moment.
func (c *crew) until(moment time.Time) (n int) {
	for _, at := range c.at {
		if at.Before(moment) {
			n++
		}
	}
	return n
}

// String says what was done and how long it took.
func (c *crew) String() string {
	var b bytes.Buffer
	for _, what := range []string{"post", "read", "search"} {
		all := slices.Sorted(slices.Values(c.took[what]))
		if len(all) == 0 {
			continue
		}
		at := func(q int) time.Duration { return all[min(len(all)*q/100, len(all)-1)].Round(100 * time.Microsecond) }
		fmt.Fprintf(&b, "%d × %s p50 %v p99 %v longest %v; ", len(all), what, at(50), at(99), at(100))
	}
	return strings.TrimSuffix(b.String(), "; ")
}
