package attack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// arena is an exchange under attack, and those who watch it: for each agency
// a unit that looks into its boxes and a data-protection officer who reads
// its log, both as the exchange lets them.
type arena struct {
	*exchangetest.Exchange
	t     *testing.T
	logs  map[string]*watchedLog
	boxes map[string]string // what each agency's boxes show
	names map[string]bool   // of the attacks so far
	ids   map[string]string // of packages that must not be there, with who sent them
	heap  uint64            // bytes in use at the beginning; 0: not alone, nobody can tell

	allocates uint64 // what a request may
	sealed
}

// watchedLog is the log of one agency, read to its end.
type watchedLog struct {
	unit, dpo    *http.Client
	consultation string
	seq          uint64 // of the last entry read
}

// watchName is the last segment of the watchers' identities. What they do is
// recorded like everything; their own entries are passed over.
const watchName = "watch"

// growth is how much more memory an exchange may hold after a family of
// attacks than before it; most of it is the log of what it refused.
const growth = 16 << 20

// enter starts an exchange, with what it says of itself held against what may
// be at the end of the test.
func enter(t *testing.T, options ...exchangetest.Option) *arena {
	t.Helper()
	a := &arena{t: t, logs: map[string]*watchedLog{}, boxes: map[string]string{}, names: map[string]bool{}, ids: map[string]string{}}
	a.Exchange = exchangetest.New(t, options...)
	bait.take()
	a.watch()
	a.allocates = allocates + others
	t.Cleanup(a.leave)
	return a
}

// alone says that no other test runs meanwhile: memory is this arena's.
func (a *arena) alone() {
	a.heap, a.allocates = heapInUse(), allocates
}

// watch lets the watchers in, and takes what is there as given. Call it again
// after a restart.
func (a *arena) watch() {
	a.t.Helper()
	for _, agency := range a.World.Agencies {
		w := a.logs[agency]
		if w == nil {
			w = &watchedLog{unit: a.HTTPWith(a.Identity(agency, certs.RoleUnit, watchName)), dpo: a.HTTPWith(a.Identity(agency, certs.RoleDPO, watchName))}
			a.logs[agency] = w
		}
		got := a.do(a.t, w.dpo, request{Path: api.RouteConsultations, Media: api.MediaJSON,
			Body: []byte(`{"officer":"WATCH","justification":"A test reads along what is recorded"}`)})
		if got.Status != http.StatusCreated {
			a.t.Fatalf("consultation: %d %s", got.Status, got.Body)
		}
		var c api.Consultation
		a.decode(got.Body, &c)
		w.consultation = c.ID
	}
	a.settle()
}

// settle takes what stands in boxes and logs as given.
func (a *arena) settle() {
	a.t.Helper()
	for _, agency := range a.World.Agencies {
		a.entries(agency)
	}
	a.boxes = a.look()
}

// leave holds the whole exchange against what may be left of a family of
// attacks.
func (a *arena) leave() {
	a.t.Helper()
	for _, agency := range a.World.Agencies {
		for _, e := range a.entries(agency) {
			a.t.Errorf("%s has an entry that no attack explains: %s", agency, line(e))
		}
	}
	for box, now := range a.look() {
		if now != a.boxes[box] {
			a.t.Errorf("the %s was\n%s\nand is\n%s", box, a.boxes[box], now)
		}
	}
	for id, agency := range a.ids {
		got := a.do(a.t, a.logs[agency].unit, request{Method: http.MethodGet, Path: api.PackagePath(id, "")})
		if got.Status != http.StatusNotFound || !bytes.Equal(got.Body, constant(api.NotFound)) {
			a.t.Errorf("a package that was refused: %d %s", got.Status, got.Body)
		}
	}
	if heard := bait.take(); len(heard) > 0 {
		a.t.Errorf("the exchange reached out: %q", heard)
	}
	if now := heapInUse(); a.heap > 0 && now > a.heap+growth {
		a.t.Errorf("%d MiB are in use, %d MiB were before", now>>20, a.heap>>20)
	}
	for l := range strings.Lines(a.Log.String()) {
		var event struct {
			Level, Msg string
			Status     int
		}
		a.decode([]byte(l), &event)
		if event.Level == "ERROR" || event.Status >= http.StatusInternalServerError || strings.Contains(l, "panic") {
			a.t.Errorf("the server's log: %s", l)
		}
		if strings.Contains(l, lureHost) {
			a.t.Errorf("the server's log repeats what it was sent: %s", l)
		}
	}
	a.t.Attr("cases", strconv.Itoa(len(a.names)))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (a *arena) decode(raw []byte, v any) {
	a.t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		a.t.Fatalf("%v: %s", err, raw)
	}
}

// look reads the boxes of all agencies.
func (a *arena) look() map[string]string {
	a.t.Helper()
	seen := map[string]string{}
	for _, agency := range a.World.Agencies {
		for _, box := range []string{"inbox", "outbox"} {
			seen[box+" of "+agency] = a.page(a.t, agency, box)
		}
	}
	return seen
}

// nothingMoved holds the boxes against what they were: nothing new in anyone's
// inbox or in the sender's outbox, and what the sender has received is as it
// was. It is asked before the logs are read on.
func (a *arena) nothingMoved(t reporter, from string) {
	t.Helper()
	for _, agency := range a.World.Agencies {
		a.nothingNew(t, agency, "inbox")
	}
	a.nothingNew(t, from, "outbox")
	if box := "inbox of " + from; a.boxes[box] != emptyPage {
		if now := a.page(t, from, "inbox"); now != a.boxes[box] {
			t.Errorf("the %s was\n%s\nand is\n%s", box, a.boxes[box], now)
		}
	}
}

const emptyPage = `{"items":[]}`

// nothingNew asks for what came into a box after the last entry that was read.
func (a *arena) nothingNew(t reporter, agency, box string) {
	t.Helper()
	w := a.logs[agency]
	got := a.do(t, w.unit, request{Method: http.MethodGet, Path: fmt.Sprintf("%s?limit=200&box=%s&after=%d", api.RoutePackages, box, w.seq)})
	if string(got.Body) != emptyPage {
		t.Errorf("new in the %s of %s: %s", box, agency, got.Body)
	}
}

// page is a box as its agency's unit sees it.
func (a *arena) page(t reporter, agency, box string) string {
	t.Helper()
	got := a.do(t, a.logs[agency].unit, request{Method: http.MethodGet, Path: api.RoutePackages + "?limit=200&box=" + box})
	if got.Status != http.StatusOK {
		t.Fatalf("%s of %s: %d %s", box, agency, got.Status, got.Body)
	}
	return string(got.Body)
}

// size is how many entries the ledger has, of all agencies.
func (a *arena) size(t reporter) int {
	t.Helper()
	got := a.do(t, a.logs["ee/pbgb"].dpo, request{Method: http.MethodGet, Path: api.RouteCheckpoint})
	lines := strings.SplitN(string(got.Body), "\n", 3)
	if got.Status != http.StatusOK || len(lines) < 3 {
		t.Fatalf("checkpoint: %d %s", got.Status, got.Body)
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// entries are those of an agency since the last time, without the watchers'
// own, read by its data-protection officer.
func (a *arena) entries(agency string) (found []audit.Entry) {
	a.t.Helper()
	w := a.logs[agency]
	for {
		got := a.do(a.t, w.dpo, request{Method: http.MethodGet, Path: fmt.Sprintf("%s?limit=200&after=%d", api.RouteAuditEntries, w.seq),
			Header: http.Header{api.HeaderConsultation: {w.consultation}}})
		if got.Status != http.StatusOK {
			a.t.Fatalf("log of %s: %d %s", agency, got.Status, got.Body)
		}
		var page api.AuditPage
		a.decode(got.Body, &page)
		for _, item := range page.Items {
			if item.Seq != w.seq+1 {
				a.t.Errorf("the log of %s goes from %d to %d", agency, w.seq, item.Seq)
			}
			w.seq = item.Seq
			raw, err := base64.RawURLEncoding.DecodeString(item.Entry)
			if err != nil {
				a.t.Fatal(err)
			}
			e, err := audit.ParseEntry(raw)
			if err != nil {
				a.t.Fatal(err)
			}
			if !strings.HasSuffix(e.Actor.Identity, "/"+watchName) {
				found = append(found, e)
			}
		}
		if page.Next == "" {
			return found
		}
	}
}

// line says in one line what an entry records.
func line(e audit.Entry) string {
	s := e.Action + " " + e.Outcome
	if e.Problem != "" || e.Reason != "" {
		s += " " + e.Problem + "/" + e.Reason
	}
	return s
}
