package exchange_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// hooked is a store that has something happen right after a view, once: the
// first one that goes well of a caller whose context is marked. Others read
// beside it.
type hooked struct {
	exchange.Store
	after atomic.Pointer[func()]
}

type hookedCall struct{}

func (h *hooked) View(ctx context.Context, f func(exchange.Reader) error) error {
	err := h.Store.View(ctx, f)
	if err == nil && ctx.Value(hookedCall{}) != nil {
		if after := h.after.Swap(nil); after != nil {
			(*after)()
		}
	}
	return err
}

// supervised is an exchange with a supervisor of ee/pbgb.
type supervised struct {
	t     *testing.T
	x     *exchangetest.Exchange
	p     *exchangetest.Parts
	store *hooked
	who   reviewer
}

func newSupervised(t *testing.T) *supervised {
	s := &supervised{t: t, x: exchangetest.New(t)}
	post(t, s.x, draft(s.x, demo.EEtoLVUA))
	s.p = s.x.Parts(exchangetest.PartsConfig{Wrap: func(inner exchange.Store) exchange.Store {
		s.store = &hooked{Store: inner}
		return s.store
	}})
	s.grant("lv/vp")
	s.who = review(t, s.p, supervisor(s.x, "ee/pbgb"))
	return s
}

// grant lets the supervisors of ee/pbgb read these logs, and no others.
func (s *supervised) grant(owners ...string) {
	s.t.Helper()
	a := agencyOf(s.t, s.p, "ee/pbgb")
	a.Roles, a.Supervises = []string{certs.RoleUnit, certs.RoleDPO, certs.RoleSupervisor}, owners
	if err := s.p.Service.Admit(s.t.Context(), a); err != nil {
		s.t.Fatal(err)
	}
}

// waysToALog are all calls that name whose log they read. Each returns the
// owners that it showed something of.
func (s *supervised) waysToALog() map[string]func(r reviewer, owner string) (owners []string, err error) {
	ctx := context.WithValue(s.t.Context(), hookedCall{}, true)
	return map[string]func(r reviewer, owner string) ([]string, error){
		"entries": func(r reviewer, owner string) (owners []string, err error) {
			page, err := s.p.Service.Entries(ctx, r.who, r.consultation, owner, 0, 10)
			if err == nil {
				for _, i := range page.Items {
					owners = append(owners, i.Owner)
				}
			}
			return owners, err
		},
		"entry": func(r reviewer, owner string) ([]string, error) {
			row, err := s.p.Service.Entry(ctx, r.who, r.consultation, owner, 1)
			if err != nil {
				return nil, err
			}
			return []string{row.Owner}, nil
		},
		"search": func(r reviewer, owner string) (owners []string, err error) {
			page, err := s.p.Service.Search(ctx, r.who, r.consultation, exchange.SearchRequest{Owner: owner, Limit: 10, Newest: true})
			if err == nil {
				for _, i := range page.Items {
					owners = append(owners, i.Owner)
				}
			}
			return owners, err
		},
		"sample": func(r reviewer, owner string) ([]string, error) {
			drawn, err := s.p.Service.DrawSample(ctx, r.who, r.consultation, exchange.SampleRequest{Owner: owner, Size: 3})
			if err != nil {
				return nil, err
			}
			return []string{drawn.Owner}, nil
		},
		"statistics": func(r reviewer, owner string) (owners []string, err error) {
			err = s.p.Service.Statistics(ctx, r.who, r.consultation, exchange.StatisticsQuery{Owner: owner, Report: "monthly"}, exchange.StatisticsTeller{
				Begin:    func(h exchange.StatisticsHead) error { owners = append(owners, h.Owner); return nil },
				Progress: func(uint64, uint64) error { return nil }, Row: func([]string) error { return nil }, End: func(report.Summary) error { return nil }})
			return owners, err
		},
		"export": func(r reviewer, owner string) (owners []string, err error) {
			var file strings.Builder
			_, err = s.p.Service.Export(ctx, r.who, r.consultation, exchange.ExportQuery{Owner: owner, Format: report.Lines},
				func(exchange.ExportHead) (io.Writer, error) { return &file, nil })
			for line := range strings.Lines(file.String()) {
				item, bad := report.ParseLine([]byte(line))
				if bad != nil {
					s.t.Error(bad)
				}
				owners = append(owners, item.Owner)
			}
			return owners, err
		},
	}
}

// TestEveryWayToALogAsksWhose: each call that reads a log asks the registry
// whose log the reader may read: what is not granted, what is not there, and
// what is granted to another role are refused alike, show nothing, and leave
// an entry of the reader; what is granted shows that log and no other, and the
// entry says whose.
func TestEveryWayToALogAsksWhose(t *testing.T) {
	t.Parallel()
	s := newSupervised(t)
	dpo := review(t, s.p, s.x.Caller("ee/pbgb", certs.RoleDPO))
	ways := s.waysToALog()
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		for _, c := range []struct {
			who   reviewer
			owner string
		}{{s.who, "ua/npu"}, {s.who, "xx/none"}, {dpo, "lv/vp"}, {dpo, "ua/npu"}} {
			shown, err := ways[name](c.who, c.owner)
			refusedAs(t, err, exchange.NotFound)
			if e := newest(t, s.p, "ee/pbgb"); len(shown) > 0 || e.Outcome != "refused" || e.Problem != "not-found" || e.Reason != "entry-of-another" {
				t.Errorf("%s of %s as %s: shown %q, recorded %+v", name, c.owner, c.who.who.Identity.Role, shown, e)
			}
		}
		shown, err := ways[name](s.who, "lv/vp")
		e := newest(t, s.p, "ee/pbgb")
		if err != nil || len(shown) == 0 || e.Outcome == "refused" || e.Details["owner"] != "lv/vp" || e.Actor.Role != certs.RoleSupervisor {
			t.Errorf("%s of a granted log: shown %q, %v, recorded %+v", name, shown, err, e)
		}
		for _, owner := range shown {
			if owner != "lv/vp" {
				t.Errorf("%s shows what is %s's", name, owner)
			}
		}
		if shown, err := ways[name](s.who, "ee/pbgb"); err != nil || slices.ContainsFunc(shown, func(o string) bool { return o != "ee/pbgb" }) {
			t.Errorf("%s of the own log: shown %q, %v", name, shown, err)
		}
	}
}

// TestGrantEndsMeanwhile: a grant that ends between the look at the log and
// the entry that says so shows nothing any more.
func TestGrantEndsMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSupervised(t)
	ways := s.waysToALog()
	delete(ways, "entry") // it looks once, within the change
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		s.grant("lv/vp")
		end := func() { s.grant() }
		s.store.after.Store(&end)
		shown, err := ways[name](s.who, "lv/vp")
		if s.store.after.Swap(nil) != nil {
			t.Fatalf("%s looked at nothing", name)
		}
		refusedAs(t, err, exchange.NotFound)
		if len(shown) > 0 {
			t.Errorf("%s shows %q", name, shown)
		}
	}
}

// TestSamplesOfAnothersLog: what a supervisor drew is gone from sight with the
// grant, and comes back with it; another agency never sees it.
func TestSamplesOfAnothersLog(t *testing.T) {
	t.Parallel()
	s := newSupervised(t)
	drawn, err := s.p.Service.DrawSample(t.Context(), s.who.who, s.who.consultation, exchange.SampleRequest{Owner: "lv/vp", Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.p.Service.DrawSample(t.Context(), s.who.who, s.who.consultation, exchange.SampleRequest{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	list := func(r reviewer) (ids []string) {
		t.Helper()
		all, err := s.p.Service.Samples(t.Context(), r.who, r.consultation)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			ids = append(ids, v.ID)
		}
		return ids
	}
	verdict := func(r reviewer) error {
		_, err := s.p.Service.Review(t.Context(), r.who, r.consultation, drawn.ID, exchange.Verdict{Seq: drawn.Seqs[0], Verdict: "lawful"})
		return err
	}
	dpo, lv := review(t, s.p, s.x.Caller("ee/pbgb", certs.RoleDPO)), review(t, s.p, s.x.Caller("lv/vp", certs.RoleDPO))
	if got := list(s.who); !slices.Contains(got, drawn.ID) || !slices.Contains(got, own.ID) {
		t.Errorf("the supervisor sees %q", got)
	}
	if got := list(dpo); slices.Contains(got, drawn.ID) || !slices.Contains(got, own.ID) {
		t.Errorf("the data-protection officer sees %q", got)
	}
	if got := list(lv); len(got) > 0 {
		t.Errorf("Latvia sees %q", got)
	}
	refusedAs(t, verdict(dpo), exchange.NotFound)
	refusedAs(t, verdict(lv), exchange.NotFound)
	if err := verdict(s.who); err != nil {
		t.Error(err)
	}
	s.grant()
	if got := list(s.who); slices.Contains(got, drawn.ID) || !slices.Contains(got, own.ID) {
		t.Errorf("after the grant the supervisor sees %q", got)
	}
	refusedAs(t, verdict(s.who), exchange.NotFound)
	s.grant("lv/vp")
	if got := list(s.who); !slices.Contains(got, drawn.ID) {
		t.Errorf("granted again the supervisor sees %q", got)
	}
}
