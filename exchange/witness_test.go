package exchange_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// What people write in these tests. None of it may stand in a node's log.
const (
	plaintext     = "CANARY the driver who was stopped in May is with them"
	attached      = "CANARY a photograph of two trucks"
	justification = "CANARY both units act on Friday night against the same group"
	why           = "CANARY preparing the joint operation of Friday night"
	officer       = "CANARY-OFF-17"
	reader        = "CANARY-OFF-18"
	caseRef       = "CANARY-2026-0117"
)

// start starts an exchange for a test. When the test ends its log is
// searched: nothing that a person wrote and no private key may be in it.
func start(t testing.TB, options ...exchangetest.Option) *exchangetest.Exchange {
	t.Helper()
	x := exchangetest.New(t, options...)
	secrets := append([]string{"CANARY"}, privateKeys(t, x)...)
	t.Cleanup(func() {
		for _, found := range leaks(x.Log.String(), secrets) {
			t.Errorf("the node's log has what it must not: %s", found)
		}
	})
	return x
}

// leaks are the lines of a log in which a secret stands.
func leaks(log string, secrets []string) (found []string) {
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for _, s := range secrets {
			if strings.Contains(lines.Text(), s) {
				found = append(found, lines.Text())
			}
		}
	}
	return found
}

// privateKeys are the private parts of all keys of the world.
func privateKeys(t testing.TB, x *exchangetest.Exchange) (secrets []string) {
	t.Helper()
	err := filepath.WalkDir(x.World.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		switch {
		case strings.HasSuffix(path, ".key"):
			secrets = append(secrets, strings.Split(strings.TrimSpace(string(raw)), "\n")...)
		case strings.HasSuffix(path, ".jwk"):
			var k struct{ D string }
			err = errors.Join(err, json.Unmarshal(raw, &k))
			secrets = append(secrets, k.D)
		case strings.HasSuffix(path, ".jwks") && strings.Contains(path, "profiles"):
			var set struct{ Keys []struct{ D string } }
			err = errors.Join(err, json.Unmarshal(raw, &set))
			secrets = append(secrets, set.Keys[0].D)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 16 || strings.HasPrefix(s, "-----") })
}

// draft is a sample with the canaries in it.
func draft(x *exchangetest.Exchange, sample string) *exchangetest.Draft {
	d := x.Draft(sample)
	d.Officer, d.Justification = officer, justification
	d.Message.Text = plaintext
	d.About["case_ref"] = caseRef
	return d
}

// post posts a package with the client of its sender and expects it accepted.
func post(t testing.TB, x *exchangetest.Exchange, d *exchangetest.Draft) *client.Sent {
	t.Helper()
	sent, err := x.As(d.Iss, certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// accept reads the descriptor of a package and acknowledges it.
func accept(t testing.TB, c *client.Client, id string) *client.Receipt {
	t.Helper()
	d, err := c.Package(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Acknowledge(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// consult opens a consultation of a package, or of the log.
func consult(t testing.TB, c *client.Client, id string) string {
	t.Helper()
	opened, err := c.Consult(t.Context(), client.ConsultInput{Officer: reader, Reason: why, CaseRef: caseRef, Package: id})
	if err != nil {
		t.Fatal(err)
	}
	return opened.ID
}

// observer reads the logs of all agencies as their data-protection officers
// do. What its own reading leaves there it passes over.
type observer struct {
	x    *exchangetest.Exchange
	dpos map[string]*watchedLog
}

type watchedLog struct {
	client       *client.Client
	consultation string
	items        []audit.Item
}

// watchOfficer is the observer's own name in the logs.
const watchOfficer = "OBSERVER"

func observe(t testing.TB, x *exchangetest.Exchange) *observer {
	t.Helper()
	o := &observer{x: x, dpos: map[string]*watchedLog{}}
	for _, a := range x.World.Agencies {
		w := &watchedLog{client: x.As(a, certs.RoleDPO)}
		opened, err := w.client.Consult(t.Context(), client.ConsultInput{Officer: watchOfficer, Reason: "A test reads along what is recorded"})
		if err != nil {
			t.Fatal(err)
		}
		w.consultation, o.dpos[a] = opened.ID, w
	}
	o.next(t)
	return o
}

// next are the entries of all agencies since the last time, each agency's in
// their order.
func (o *observer) next(t testing.TB) (entries []audit.Entry) {
	t.Helper()
	for _, a := range o.x.World.Agencies {
		w := o.dpos[a]
		for item, err := range w.client.Entries(t.Context(), w.consultation, uint64(len(w.items))) {
			if err != nil {
				t.Fatal(err)
			}
			w.items = append(w.items, item)
			e, err := audit.ParseEntry(item.Entry)
			if err != nil {
				t.Fatal(err)
			}
			if e.Officer != watchOfficer {
				entries = append(entries, e)
			}
		}
	}
	return entries
}

// expect compares what was recorded since the last time, one line an entry:
// owner, action, outcome, and of a refusal problem and reason.
func (o *observer) expect(t testing.TB, what string, want ...string) []audit.Entry {
	t.Helper()
	entries := o.next(t)
	var got []string
	for _, e := range entries {
		got = append(got, line(e))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n recorded %q\n expected %q", what, got, want)
	}
	return entries
}

func line(e audit.Entry) string {
	s := e.Owner + " " + e.Action + " " + e.Outcome
	if e.Problem != "" || e.Reason != "" {
		s += " " + e.Problem + "/" + e.Reason
	}
	return s
}

// verify holds all that was read against the ledger's head, as the agencies'
// own tools do.
func (o *observer) verify(t testing.TB) {
	t.Helper()
	for _, a := range o.x.World.Agencies {
		w := o.dpos[a]
		head, err := w.client.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		report, err := audit.VerifyOwner(func(yield func(audit.Item, error) bool) {
			for _, i := range w.items {
				if !yield(i, nil) {
					return
				}
			}
		}, audit.OwnerLog{Owner: a, Checkpoint: head, Hashes: w.client.Hashes(t.Context(), head)})
		if err = errors.Join(err, report.Err()); err != nil {
			t.Errorf("log of %s: %v", a, err)
		}
		if report.Disclosed != len(w.items) || report.Disclosed == 0 {
			t.Errorf("log of %s: %d of %d entries verified", a, report.Disclosed, len(w.items))
		}
	}
}

// ledgerEntries are all entries of the ledger, in its order.
func ledgerEntries(t testing.TB, s exchange.Store) (entries []audit.Entry) {
	t.Helper()
	err := s.View(context.Background(), func(rows exchange.Reader) error {
		head, err := rows.Head()
		if err != nil {
			return err
		}
		for i := range head.Size {
			row, err := rows.EntryAt(i)
			if err != nil {
				return err
			}
			e, err := audit.ParseEntry(row.Entry)
			if err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// problem expects a refusal of a type.
func problem(t testing.TB, err error, want api.ProblemType) *api.Problem {
	t.Helper()
	var p *api.Problem
	if !errors.As(err, &p) || !errors.Is(err, want) {
		t.Fatalf("expected the problem %q, got: %v", want.Slug, err)
	}
	return p
}

// refused expects an answer to be a problem of a type.
func refused(t testing.TB, x *exchangetest.Exchange, a *exchangetest.Answer, want api.ProblemType) *api.Problem {
	t.Helper()
	if a.Status != want.Status {
		t.Fatalf("expected %d %s, got %d: %s", want.Status, want.Slug, a.Status, a.Body)
	}
	p := x.Problem(a)
	if p.Type != want.URI() {
		t.Fatalf("expected %s, got %s", want.URI(), a.Body)
	}
	return p
}

// flip returns b with another character of the same alphabet at i.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return b
}

// metaOf is the meta object of a sample with the canary in it.
func metaOf(t testing.TB, x *exchangetest.Exchange, sample string) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(draft(x, sample).About)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// acceptAll accepts every obligation.
func acceptAll(context.Context, *api.Descriptor, []api.Obligation) error { return nil }
