package exchange

import (
	"context"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// StatisticsQuery says what is to be counted. Without times it is about
// everything up to now.
type StatisticsQuery struct {
	Owner     string // whose log; empty: the caller's own agency's
	Report    string
	From, To  time.Time
	Key, Host string
}

// StatisticsHead is what is known of a report before it is computed.
type StatisticsHead struct {
	Kind     *report.Kind
	Owner    string
	Exchange string
	From, To time.Time
	At       time.Time
}

// StatisticsTeller is told a report while it is computed: the head once, when
// it is sure that there will be an answer, then progress and rows, at the end
// the summary.
type StatisticsTeller struct {
	Begin    func(StatisticsHead) error
	Progress func(done, of uint64) error
	Row      func(cells []string) error
	End      func(report.Summary) error
}

// beginning is when nothing of any log was written yet.
var beginning = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Statistics computes a report of a log that the caller may read under a
// consultation.
// That it is computed, and how many entries were read for it, is an entry.
func (s *Service) Statistics(ctx context.Context, c Caller, consultation string, q StatisticsQuery, tell StatisticsTeller) error {
	v, err := s.enter(ctx, c, ActStatistics, "")
	if err != nil {
		return err
	}
	kind, refused := v.checkStatistics(&q)
	if refused == nil {
		refused = s.scans.begin(v.agency())
	}
	if refused != nil {
		return v.refuse(ctx, refused)
	}
	defer s.scans.end(v.agency())
	part, err := v.openScan(ctx, consultation, q.Owner, kind.Whole(), q.From, q.To, func(e *audit.Entry, part stretch) {
		e.Outcome, e.Count = "computed", part.count()
		e.Details = map[string]string{"report": q.Report, "from": entryTime(q.From), "to": entryTime(q.To)}
		if q.Key != "" {
			e.Details["key"] = q.Key
		}
		if q.Host != "" {
			e.Details["host"] = q.Host
		}
	})
	if err != nil {
		return err
	}
	now := s.Clock()
	if err := tell.Begin(StatisticsHead{Kind: kind, Owner: part.owner, Exchange: s.origin, From: q.From, To: q.To, At: now}); err != nil {
		return err
	}
	computation, err := report.Begin(report.Query{Report: q.Report, Owner: part.owner, From: q.From, To: q.To, Now: now, Key: q.Key, Host: q.Host},
		s.facts(ctx, part.owner), tell.Row)
	if err != nil {
		return unavailable(err) // checkStatistics has asked the same
	}
	if err := s.compute(ctx, kind, computation, part, q, tell.Progress); err != nil {
		return err
	}
	summary, err := computation.End()
	if err != nil {
		return err
	}
	return tell.End(summary)
}

// checkStatistics completes the query and says what is wrong with it.
func (v *visit) checkStatistics(q *StatisticsQuery) (*report.Kind, *Refusal) {
	now := v.Clock().UTC()
	if q.To.IsZero() || q.To.After(now) {
		q.To = now.Add(time.Millisecond) // what is of this moment is in it
	}
	if q.From.IsZero() {
		q.From = beginning
	}
	kind := report.Find(q.Report)
	_, err := report.Begin(report.Query{Report: q.Report, From: q.From, To: q.To, Key: q.Key, Host: q.Host}, report.Facts{}, nil)
	switch {
	case kind == nil:
		return nil, badRequest("report", "there is no such report; there are: "+strings.Join(report.Names(), ", "))
	case err != nil:
		return nil, badRequest("query", err.Error())
	case len(q.Key) > maxNamed || len(q.Host) > maxNamed || !printable(q.Key) || !printable(q.Host):
		return nil, badRequest("host", "key and host have at most 256 printable characters")
	}
	return kind, nil
}

// maxNamed bounds what a query names.
const maxNamed = 256

// openScan finds the entries of a time, checks the consultation and writes the
// entry that says that they are read; describe is told which they are. It
// returns what is to be read, which can be more.
func (v *visit) openScan(ctx context.Context, consultation, asked string, whole bool, from, to time.Time, describe func(e *audit.Entry, exact stretch)) (wide stretch, err error) {
	var exact stretch
	var refused *Refusal
	err = v.view(ctx, func(rows Reader) error {
		owner, r, err := v.logOwner(rows, asked)
		if refused = r; err != nil || r != nil {
			return err
		}
		if whole {
			exact = stretch{owner: owner, first: 1}
			exact.last, _, err = rows.Last(owner)
			wide = exact
			return err
		}
		if exact, err = between(rows, owner, from, to); err == nil {
			wide, err = widened(rows, from, to, exact)
		}
		return err
	})
	if err != nil {
		return wide, err
	}
	if refused != nil {
		return wide, v.refuse(ctx, refused)
	}
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, r, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || r != nil {
			return nil, r, err
		}
		if _, r, err := v.logOwner(tx, asked); err != nil || r != nil { // as of now
			return nil, r, err
		}
		e := v.consulted(row)
		describe(&e, exact)
		v.another(e.Details, exact.owner)
		return []audit.Entry{e}, nil, nil
	})
	return wide, err
}

// compute reads the log, as often as the report needs it.
func (s *Service) compute(ctx context.Context, kind *report.Kind, c *report.Computation, part stretch, q StatisticsQuery, progress func(done, of uint64) error) error {
	var done uint64
	of, told := part.count()*uint64(kind.Passes()), time.Now()
	for pass := range kind.Passes() {
		if pass > 0 {
			c.NextPass()
		}
		err := s.scan(ctx, part, func(rows []EntryRow) error {
			for i := range rows {
				if rows[i].Entry == nil && !kind.Whole() {
					elsewhere, err := s.erasedElsewhere(ctx, &rows[i], q.From, q.To)
					if err != nil {
						return err
					}
					if elsewhere {
						continue
					}
				}
				if err := c.Entry(rows[i].Entry); err != nil {
					return err
				}
			}
			done += uint64(len(rows))
			if time.Since(told) < time.Second {
				return nil
			}
			told = time.Now()
			return progress(done, of)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erasedElsewhere reports whether an erased entry is not of the time.
func (s *Service) erasedElsewhere(ctx context.Context, row *EntryRow, from, to time.Time) (bool, error) {
	var head Head
	err := s.view(ctx, func(rows Reader) (err error) {
		head, err = rows.HeadCovering(row.Index)
		return err
	})
	return head.Time.Before(from) || !head.Time.Before(to), err
}

// facts is what entries do not say, by the policy in force.
func (s *Service) facts(ctx context.Context, owner string) report.Facts {
	f := report.Facts{Package: func(id string) *audit.Entry { return s.described(ctx, owner, id) }}
	if set := s.Policy.Set(); set != nil {
		f.Protected, f.Directive = set.LEDBound, set.Dir977Bound
	}
	return f
}
