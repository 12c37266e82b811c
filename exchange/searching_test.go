package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// reviewer is someone who searches.
type reviewer struct {
	t            *testing.T
	p            *exchangetest.Parts
	who          exchange.Caller
	consultation string
}

func (p reviewer) search(r exchange.SearchRequest) (*exchange.SearchPage, error) {
	return p.p.Service.Search(p.t.Context(), p.who, p.consultation, r)
}

// review opens a consultation of the log.
func review(t *testing.T, p *exchangetest.Parts, who exchange.Caller) reviewer {
	t.Helper()
	c, err := p.Service.Consult(t.Context(), who, exchange.ConsultationRequest{Officer: reader, Justification: why})
	if err != nil {
		t.Fatal(err)
	}
	return reviewer{t, p, who, c.ID}
}

// supervisor is an identity of an agency's supervisors.
func supervisor(x *exchangetest.Exchange, agency string) exchange.Caller {
	c := x.Caller(agency, certs.RoleDPO)
	c.Identity.Role = certs.RoleSupervisor
	return c
}

// fill puts entries of an owner into the log, many at a time: in any order.
func fill(t *testing.T, p *exchangetest.Parts, n int, entry func(i int) audit.Entry) {
	t.Helper()
	each(t, 100, n, func(ctx context.Context, i int) error {
		_, err := p.Journal.Commit(ctx, func(*exchange.Tx) ([]audit.Entry, error) { return []audit.Entry{entry(i)}, nil })
		return err
	})
}

func counted(page *exchange.SearchPage, field, value string) uint64 {
	for _, f := range page.Facets {
		for _, v := range f.Values {
			if f.Field == field && v.Value == value {
				return v.Count
			}
		}
	}
	return 0
}

func refusedAs(t *testing.T, err error, kind exchange.Kind) {
	t.Helper()
	if r := exchange.AsRefusal(err); r == nil || r.Kind != kind {
		t.Errorf("refused as %v, want %s", err, kind)
	}
}

// TestSearchIsAnEntry: each search leaves one with its filter and its count,
// also one that finds nothing and one that was asked wrongly.
func TestSearchIsAnEntry(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	post(t, x, draft(x, demo.EEtoLV))
	p := x.Parts(exchangetest.PartsConfig{})
	dpo := review(t, p, x.Caller("ee/pbgb", certs.RoleDPO))
	long := strings.Repeat("officer:ääkkönen-1234 OR ", 30) + "outcome:denied"
	for _, c := range []struct {
		ask  exchange.SearchRequest
		hits int
		kind exchange.Kind
	}{
		{exchange.SearchRequest{Query: "action:package.send recipient:lv/vp", Newest: true}, 1, ""},
		{exchange.SearchRequest{Query: "case:" + caseRef, From: "2020-01-01", To: "9000-01-01", Facets: []string{"outcome", "recipient"}, Histogram: search.Day}, 1, ""},
		{exchange.SearchRequest{Query: "officer:nobody"}, 0, ""},
		{exchange.SearchRequest{Query: long}, 0, ""},
		{exchange.SearchRequest{Query: "outcom:denied"}, 0, exchange.BadRequest},
		{exchange.SearchRequest{From: "yesterday"}, 0, exchange.BadRequest},
		{exchange.SearchRequest{Facets: []string{"officer"}}, 0, exchange.BadRequest},
		{exchange.SearchRequest{Owner: "lv/vp"}, 0, exchange.NotFound},
	} {
		page, err := dpo.search(c.ask)
		e := newest(t, p, "ee/pbgb")
		if c.kind != "" {
			refusedAs(t, err, c.kind)
			if e.Action != "audit.list" || e.Outcome != "refused" || e.Problem != string(c.kind) {
				t.Errorf("%+v: entry %+v", c.ask, e)
			}
			continue
		}
		if err != nil || len(page.Items) != c.hits {
			t.Fatalf("%+v: %v, %+v", c.ask, err, page)
		}
		q := ""
		for i := range 9 {
			name := "q"
			if i > 0 {
				name = fmt.Sprint("q", i+1)
			}
			q += e.Details[name]
		}
		if e.Action != "audit.list" || e.Outcome != "shown" || e.Count != uint64(c.hits) || q != search.MustParse(c.ask.Query).String() || e.Officer != reader || e.Consultation != dpo.consultation {
			t.Errorf("%+v: entry %+v", c.ask, e)
		}
		if page.Counted && (page.Count != 1 || counted(page, "recipient", "lv/vp") != 1 || len(page.Bars) != 1) {
			t.Errorf("%+v: %+v", c.ask, page)
		}
	}
	_, err := p.Service.Search(t.Context(), dpo.who, "", exchange.SearchRequest{Query: "outcome:denied"})
	refusedAs(t, err, exchange.NoConsultation)
	_, err = p.Service.Search(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), dpo.consultation, exchange.SearchRequest{})
	refusedAs(t, err, exchange.RoleForbidden)
}

// newest is the newest entry of an owner.
func newest(t testing.TB, p *exchangetest.Parts, owner string) (e audit.Entry) {
	t.Helper()
	var seq uint64
	if err := p.Store.View(t.Context(), func(rows exchange.Reader) (err error) {
		seq, _, err = rows.Last(owner)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return entryAt(t, p, owner, seq)
}

// TestSupervision: a supervisor reads another agency's log only while the
// registry grants it; without, nothing of it shows, in counts either. Both
// sides learn of the grant and of its end.
func TestSupervision(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	post(t, x, draft(x, demo.EEtoLV))
	p := x.Parts(exchangetest.PartsConfig{})
	admit := func(agency string, supervises ...string) error {
		a := agencyOf(t, p, agency)
		a.Roles, a.Supervises = []string{certs.RoleUnit, certs.RoleDPO, certs.RoleSupervisor}, supervises
		return p.Service.Admit(t.Context(), a)
	}
	if err := admit("ee/pbgb"); err != nil {
		t.Fatal(err)
	}
	s := review(t, p, supervisor(x, "ee/pbgb"))
	nothing := func(who reviewer, owner string) {
		t.Helper()
		for _, ask := range []exchange.SearchRequest{{Owner: owner}, {Owner: owner, Query: "outcome:*", Facets: []string{"outcome", "counterpart"}, Histogram: search.Month}} {
			page, err := who.search(ask)
			if refusedAs(t, err, exchange.NotFound); page != nil {
				t.Errorf("%s shows %+v", owner, page)
			}
		}
		if _, err := p.Service.Entries(t.Context(), who.who, who.consultation, owner, 0, 10); exchange.AsRefusal(err) == nil {
			t.Errorf("%s is listed", owner)
		}
		if _, err := p.Service.Entry(t.Context(), who.who, who.consultation, owner, 1); exchange.AsRefusal(err) == nil {
			t.Errorf("an entry of %s is shown", owner)
		}
	}
	nothing(s, "lv/vp")
	nothing(s, "xx/none")
	own, err := s.search(exchange.SearchRequest{Query: "recipient:lv/vp", Facets: []string{"counterpart", "agency"}})
	if err != nil || own.Count == 0 || counted(own, "agency", "lv/vp") != 0 {
		t.Errorf("own log: %v, %+v", err, own)
	}

	if err := admit("ee/pbgb", "lv/vp"); err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"ee/pbgb", "lv/vp"} {
		if e := newest(t, p, owner); e.Action != "supervision.change" || e.Details["supervisor"] != "ee/pbgb" {
			t.Errorf("%s does not learn of the grant: %+v", owner, e)
		}
	}
	granted, err := s.search(exchange.SearchRequest{Owner: "lv/vp", Query: "action:package.deliver", Facets: []string{"counterpart"}})
	if err != nil || len(granted.Items) != 1 || granted.Items[0].Owner != "lv/vp" || counted(granted, "counterpart", "ee/pbgb") != 1 {
		t.Errorf("granted: %v, %+v", err, granted)
	}
	if e := newest(t, p, "ee/pbgb"); e.Details["owner"] != "lv/vp" || e.Actor.Role != certs.RoleSupervisor {
		t.Errorf("entry of the search: %+v", e)
	}
	if page, err := p.Service.Entries(t.Context(), s.who, s.consultation, "lv/vp", 0, 10); err != nil || len(page.Items) == 0 || page.Items[0].Owner != "lv/vp" {
		t.Errorf("listed: %v", err)
	}
	if row, err := p.Service.Entry(t.Context(), s.who, s.consultation, "lv/vp", 1); err != nil || row.Owner != "lv/vp" {
		t.Errorf("shown: %v", err)
	}
	nothing(s, "ua/npu")
	nothing(review(t, p, x.Caller("ee/pbgb", certs.RoleDPO)), "lv/vp") // a data-protection officer of the same agency
	nothing(review(t, p, x.Caller("lv/vp", certs.RoleDPO)), "ee/pbgb") // it does not go both ways

	for what, wrong := range map[string][]string{"itself": {"ee/pbgb"}, "twice": {"lv/vp", "lv/vp"}, "unknown": {"lv/none"}, "the operator": {demo.Operator}} {
		if err := admit("ee/pbgb", wrong...); exchange.AsRefusal(err) == nil {
			t.Errorf("%s can be supervised: %v", what, err)
		}
	}
	if err := admit("ee/pbgb"); err != nil {
		t.Fatal(err)
	}
	if e := newest(t, p, "lv/vp"); e.Details["supervision"] != "ended" {
		t.Errorf("lv/vp does not learn of the end: %+v", e)
	}
	nothing(s, "lv/vp")
}

func agencyOf(t *testing.T, p *exchangetest.Parts, id string) exchange.Agency {
	t.Helper()
	reg, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := reg.Agency(id)
	return a
}

// TestSearchOnTheStore searches a real store in each state of the index, and
// compares with the definition: tail, blocks, erased, opened again.
func TestSearchOnTheStore(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	p := x.Parts(exchangetest.PartsConfig{})
	outcomes := []string{"delivered", "denied", "pending"}
	fill(t, p, 2200, func(i int) audit.Entry {
		return audit.Entry{Owner: "ee/pbgb", Action: "package.send", Outcome: outcomes[i%3], Recipients: []string{"lv/vp", "ua/npu"}[:1+i%2], Officer: fmt.Sprint("o-", i%7)}
	})
	dpo := review(t, p, x.Caller("ee/pbgb", certs.RoleDPO))
	compare := func(state string) {
		t.Helper()
		for _, q := range []string{"outcome:denied", "officer:o-3 -recipient:ua/npu", "outcome:denied OR officer:o-1", "code:none", "-outcome:*"} {
			want := definition(t, p, "ee/pbgb", search.MustParse(q))
			for _, order := range []bool{false, true} {
				r := exchange.SearchRequest{Query: q, Newest: order, Limit: 150}
				var got []uint64
				for {
					page, err := dpo.search(r)
					if err != nil {
						t.Fatal(err)
					}
					for _, item := range page.Items {
						got = append(got, item.Seq)
					}
					if page.Next == 0 || len(got) > len(want)+500 {
						break
					}
					if r.After, r.Before = page.Next, 0; order {
						r.After, r.Before = 0, page.Next
					}
				}
				if order {
					slices.Reverse(got)
				}
				if i := slices.Index(got, got0(want)); i > 0 || len(got) < len(want) || !slices.Equal(got[:len(want)], want) { // and what the searches left
					t.Errorf("%s, %s, newest first %v: %d hits, want %d", state, q, order, len(got), len(want))
				}
			}
		}
	}
	compare("nothing indexed")
	if err := p.Index.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare("indexed")
	erase := rand.New(rand.NewPCG(1, 2)).Perm(2000)[:300]
	if _, err := p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		for _, i := range erase {
			tx.EraseEntries("ee/pbgb", []exchange.SeqRange{{From: uint64(i + 10), To: uint64(i + 10)}}, tx.NextIndex(0))
		}
		return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Erasure, Action: "test.erase", Outcome: "done"}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	gone := map[uint64]bool{}
	for _, i := range erase {
		gone[uint64(i+10)] = true
	}
	for _, state := range []string{"erased", "punched"} {
		r := exchange.SearchRequest{Query: "outcome:*", Facets: []string{"outcome"}, Limit: 1000}
		var got int
		for {
			page, err := dpo.search(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				if got++; gone[item.Seq] {
					t.Errorf("%s: entry %d shows", state, item.Seq)
				}
			}
			if page.Next == 0 {
				break
			}
			r.After = page.Next
		}
		if got < 1900 {
			t.Errorf("%s: only %d entries", state, got)
		}
		if err := p.Index.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func got0(want []uint64) uint64 {
	if len(want) == 0 {
		return 0
	}
	return want[0]
}

// definition are the seqs that match by reading every entry.
func definition(t *testing.T, p *exchangetest.Parts, owner string, q search.Query) (all []uint64) {
	t.Helper()
	err := p.Store.View(t.Context(), func(rows exchange.Reader) error {
		entries, err := rows.Entries(owner, 0, 1<<20)
		for _, row := range entries {
			ok, bad := search.MatchBytes(row.Entry, q, search.Range{})
			if err = errors.Join(err, bad); ok {
				all = append(all, row.Seq)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSearchTakesNoLongerThanItMay: a search that does not end in time is
// refused, and says what to do.
func TestSearchTakesNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	p := x.Parts(exchangetest.PartsConfig{})
	fill(t, p, 10, func(int) audit.Entry { return audit.Entry{Owner: "ee/pbgb", Action: "package.send", Outcome: "denied"} })
	dpo := review(t, p, x.Caller("ee/pbgb", certs.RoleDPO))
	p.Service.SearchTime = time.Nanosecond
	_, err := dpo.search(exchange.SearchRequest{Query: "outcome:denied"})
	refusedAs(t, err, exchange.SearchTooWide)
	if r := exchange.AsRefusal(err); r == nil || !strings.Contains(r.Fix, "narrow") {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Service.Search(ctx, dpo.who, dpo.consultation, exchange.SearchRequest{Query: "outcome:denied"}); err == nil {
		t.Error("a search of a caller that has gone")
	}
}
