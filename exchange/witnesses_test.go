package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

const tolerance = 4 * time.Hour // the default

// urgent is a draft that cannot wait.
func urgent(x *exchangetest.Exchange) *exchangetest.Draft {
	d := draft(x, demo.EEtoLV)
	d.About["urgency"] = map[string]any{"level": "urgent", "ground": "life"}
	d.Texts = map[string]string{"urgency": "A life is in danger according to the witness"}
	return d
}

// ready is what the operator's own page says.
func ready(t testing.TB, x *exchangetest.Exchange) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+x.Node.AdminAddr()+api.RouteReady+"?verbose", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %v\n%s", resp.StatusCode, err, body)
	}
	return string(body)
}

// TestWitnessesCosign: the exchange collects cosignatures, serves them, and a receipt can be proven under them.
func TestWitnessesCosign(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Witnessed(nil))
	ee := x.As("ee/pbgb", certs.RoleUnit)
	sent := post(t, x, draft(x, demo.EEtoLV))
	if sent.Receipt.Witnessed != 0 {
		t.Error("a receipt is witnessed before a witness was asked")
	}
	first, err := audit.ParseReceipt(sent.Receipt.Text)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ee.Upgrade(t.Context(), first); !errors.Is(err, client.ErrNotWitnessed) {
		t.Errorf("upgrade before a witness was asked: %v", err)
	}
	x.Ask()
	upgraded, v, err := ee.Upgrade(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if v.Witnessed != 2 || v.Entry.Package != sent.ID() || string(upgraded.Entry) != string(first.Entry) {
		t.Errorf("upgraded: %+v", v)
	}
	head, cosignatures, err := ee.Witnessed(t.Context())
	if err != nil || len(cosignatures) != 2 || head.Size != v.Size {
		t.Errorf("witnessed head of %d, %v, %v", head.Size, cosignatures, err)
	}
	now, err := ee.Checkpoint(t.Context())
	if err != nil || string(now.Note) != string(head.Note) {
		t.Errorf("the checkpoint is served without its cosignatures: %v\n%s", err, now.Note)
	}
	post(t, x, draft(x, demo.EEtoLV)) // a newer head, that nobody has cosigned
	if now, err = ee.Checkpoint(t.Context()); err != nil || now.Size <= head.Size || strings.Count(string(now.Note), "\n— ") != 1 {
		t.Errorf("%v\n%s", err, now.Note)
	}
	if again, _, err := ee.Witnessed(t.Context()); err != nil || string(again.Note) != string(head.Note) {
		t.Errorf("the newest witnessed head is gone: %v", err)
	}
	state, err := ee.Witnesses(t.Context())
	if err != nil || state.Quorum != 1 || state.Missing || state.Size != head.Size || len(state.Witnesses) != 2 || !state.Witnesses[1].Cosigns {
		t.Errorf("%+v, %v", state, err)
	}
	x.Ask()
	x.Restart() // what was witnessed is kept
	if again, _, err := x.As("ee/pbgb", certs.RoleUnit).Witnessed(t.Context()); err != nil || again.Size <= head.Size {
		t.Errorf("after a restart: %d, %v", again.Size, err)
	}
}

// TestWitnessDown: one of two is enough; without a quorum the exchange goes on until the tolerance is over, then it takes urgent
// packages only, and all others as soon as the quorum is back. Each change has its entry, once.
func TestWitnessDown(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Witnessed(nil))
	x.Ask()
	o := observe(t, x)
	accepted := post(t, x, draft(x, demo.EEtoLV))
	o.next(t)

	x.Witnesses.Down(true, "lv/vp")
	x.Clock.Advance(time.Hour)
	x.Ask()
	if got := ready(t, x); !strings.Contains(got, "[!] witnesses: witness.demo.liaison.example/lv/vp: not reached") || strings.Contains(got, "fewer than") {
		t.Errorf("one of two is down:\n%s", got)
	}
	if head, cosignatures, err := x.As("ee/pbgb", certs.RoleUnit).Witnessed(t.Context()); err != nil || len(cosignatures) != 1 || head.Size == 0 {
		t.Errorf("one of two is down: %v, %v", cosignatures, err)
	}

	x.Witnesses.Down(true, "ua/npu")
	x.Clock.Advance(tolerance - time.Minute)
	x.Ask()
	if got := ready(t, x); !strings.Contains(got, "fewer than 1 of 2 cosign") || !strings.Contains(got, "the exchange goes on") {
		t.Errorf("both are down:\n%s", got)
	}
	post(t, x, draft(x, demo.EEtoLV))
	x.Clock.Advance(2 * time.Minute)
	x.Ask()
	_, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.EEtoLV)))
	p := problem(t, err, api.Unwitnessed)
	if p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0 || !strings.Contains(p.Detail, "too few witnesses") || !strings.Contains(p.Fix, "urgent") {
		t.Errorf("%+v", p)
	}
	if got := ready(t, x); !strings.Contains(got, "new packages wait") {
		t.Errorf("the tolerance is over:\n%s", got)
	}
	post(t, x, urgent(x))
	accept(t, x.As("lv/vp", certs.RoleUnit), accepted.ID()) // what was delivered goes on
	consult(t, x.As("ee/pbgb", certs.RoleDPO), "")
	x.Ask()
	x.Ask()

	x.Witnesses.Down(false, "ua/npu")
	x.Ask()
	post(t, x, draft(x, demo.EEtoLV)) // at once
	x.Ask()
	x.Stop()
	var of []string
	for _, e := range ledgerEntries(t, x.Parts(exchangetest.PartsConfig{}).Store) {
		if e.Action == "witnesses.quorum" {
			of = append(of, e.Owner+" "+e.Outcome)
		}
	}
	if want := []string{"exchange/ops missing", "exchange/ops back"}; fmt.Sprint(of) != fmt.Sprint(want) {
		t.Errorf("recorded %q, want %q", of, want)
	}
	for _, once := range []string{`"msg":"witness does not cosign","witness":"witness.demo.liaison.example/lv/vp"`, "too few witnesses cosign", "not witnessed for longer", "witnessed again"} {
		if n := strings.Count(x.Log.String(), once); n != 1 {
			t.Errorf("the log says %d times: %s", n, once)
		}
	}
}

// TestWitnessTolerance: the tolerance is over when it is over, not before, and a repeat has its first answer all the same.
func TestWitnessTolerance(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Witnessed(func(w *node.Witnesses) { w.Tolerance = node.Duration(time.Hour) }))
	x.Clock.Freeze()
	sealed := x.Seal(draft(x, demo.EEtoLV))
	first, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	x.Witnesses.Down(true, demo.Witnessing...)
	x.Ask()
	status, err := x.As("ee/pbgb", certs.RoleUnit).Witnesses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since, err := audit.ParseTime(status.Since)
	if err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(since.Add(time.Hour).Sub(x.Clock.Now()))
	post(t, x, draft(x, demo.EEtoLV)) // at the last moment
	x.Clock.Advance(time.Second)
	_, err = x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.EEtoLV)))
	problem(t, err, api.Unwitnessed)
	again, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed)
	if err != nil || again.Receipt.Text != first.Receipt.Text {
		t.Errorf("a repeat while witnesses are missing: %v", err)
	}
	x.Restart() // the counting goes on: a restart is no way around
	_, err = x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.EEtoLV)))
	problem(t, err, api.Unwitnessed)
}

// TestWitnessesRememberForTheExchange: old copies of the store, of the anchor and of the witnessed head together are found by what a
// witness knows; nothing is signed, recorded or served on them.
func TestWitnessesRememberForTheExchange(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Witnessed(nil))
	post(t, x, draft(x, demo.EEtoLV))
	x.Ask()
	x.Stop()
	cfg, err := x.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Witnesses, cfg.Clock, cfg.Listen, cfg.Log = x.Witnesses.Config, x.Clock.Now, "127.0.0.1:0", slog.New(slog.DiscardHandler)
	ledger, old := filepath.Dir(cfg.LedgerKey), t.TempDir()
	save := func(to string) {
		copyDir(t, cfg.State, filepath.Join(to, "state"))
		copyDir(t, ledger, filepath.Join(to, "ledger"))
	}
	restore := func(from string) {
		copyDir(t, filepath.Join(from, "state"), cfg.State)
		copyDir(t, filepath.Join(from, "ledger"), ledger)
		if err := os.Chmod(cfg.LedgerKey, 0o600); err != nil { // a copy forgets it
			t.Fatal(err)
		}
	}
	refuses := func(what string, want error) {
		t.Helper()
		n, err := node.Start(context.Background(), cfg)
		if err == nil {
			err = errors.Join(errors.New("it started"), n.Shutdown(context.Background()))
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "fix") {
			t.Errorf("%s: %v", what, err)
		}
	}
	save(old)
	x.Start()
	post(t, x, draft(x, demo.EEtoLV))
	x.Ask()
	x.Stop()
	newest := t.TempDir()
	save(newest)

	restore(old)
	refuses("an old copy of everything", audit.ErrBehind)
	before, err := os.ReadFile(cfg.LedgerKey + ".anchor")
	if err != nil {
		t.Fatal(err)
	}
	x.Witnesses.Down(true, "lv/vp") // one that knows is enough
	refuses("one witness knows", audit.ErrBehind)
	after, err := os.ReadFile(cfg.LedgerKey + ".anchor")
	if err != nil || string(after) != string(before) {
		t.Errorf("the refusal signed something: %v", err)
	}
	x.Witnesses.Down(false, "lv/vp")

	// The witnessed head alone tells too, where the witnesses cannot be reached.
	witnessed, err := os.ReadFile(filepath.Join(newest, "ledger", filepath.Base(cfg.LedgerKey)+".witnessed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.LedgerKey+".witnessed", witnessed, 0o600); err != nil {
		t.Fatal(err)
	}
	x.Witnesses.Down(true, demo.Witnessing...)
	refuses("the kept head", audit.ErrBehind)

	// Another history, that is longer: the witnesses hear of it when they are back.
	restore(old)
	x.Start()
	for range 10 { // of an agency that has not seen the first one; the others' clients would tell
		consult(t, x.As("it/dcpc", certs.RoleDPO), "")
	}
	x.Witnesses.Down(false, demo.Witnessing...)
	x.Ask()
	if got := ready(t, x); !strings.Contains(got, audit.ErrFork.Error()) {
		t.Errorf("a second history is not told:\n%s", got)
	}
	x.Stop()
	refuses("another history", audit.ErrFork)
	restore(newest)
	x.Start() // the newest copy is taken
	x.Ask()
	if got := ready(t, x); strings.Contains(got, "[!] witnesses") {
		t.Errorf("the newest copy:\n%s", got)
	}
}

// TestLyingWitness: what a witness answers is believed by its signature alone; it cannot stop an exchange that runs, nor have a head
// count that it did not cosign.
func TestLyingWitness(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Witnessed(nil))
	post(t, x, draft(x, demo.EEtoLV))
	x.Ask()
	good := x.As("ee/pbgb", certs.RoleUnit)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"nothing":            {func(http.ResponseWriter, *http.Request) {}, "no cosignature"},
		"another's line":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "— other AAAAAAAAAA==\n") }, "no cosignature"},
		"endless":            {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "no cosignature"},
		"a greater size":     {conflictWith("999999\n"), audit.ErrBehind.Error()},
		"a size that jumps":  {conflictWith("1\n"), ""},
		"no size":            {conflictWith("many\n"), "is no size"},
		"another status":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "status 418"},
		"a redirect":         {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, "status 307"},
		"not watched":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "does not watch"},
		"the proof is wrong": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }, audit.ErrFork.Error()},
	} {
		x.Witnesses.Answer("lv/vp", c.answer)
		post(t, x, draft(x, demo.EEtoLV))
		x.Ask()
		if got := ready(t, x); !strings.Contains(got, "[!] witnesses: witness.demo.liaison.example/lv/vp: ") || !strings.Contains(got, c.says) {
			t.Errorf("%s:\n%s", name, got)
		}
		if _, cosignatures, err := good.Witnessed(t.Context()); err != nil || len(cosignatures) != 1 || cosignatures[0].Witness != "witness.demo.liaison.example/ua/npu" {
			t.Errorf("%s: %v, %v", name, cosignatures, err)
		}
	}
	x.Witnesses.Answer("lv/vp", nil)
	x.Ask()
	if _, cosignatures, err := good.Witnessed(t.Context()); err != nil || len(cosignatures) != 2 {
		t.Errorf("honest again: %v, %v", cosignatures, err)
	}
}

func conflictWith(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, body)
	}
}

// endless writes until its reader has enough.
func endless(w http.ResponseWriter) {
	for range 1 << 12 {
		if _, err := w.Write(make([]byte, 4<<10)); err != nil {
			return
		}
	}
}
