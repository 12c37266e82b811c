package exchange

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// RateRow is a rate that an operator set, for an agency, or with Agency "" for
// all that have none of their own.
type RateRow struct {
	Agency, Limit string
	Rate          Rate
	By            string // identity of the operator
	Reason        string
	At            time.Time
}

// RateShown is a rate in force, and where it comes from.
type RateShown struct {
	Kind   LimitKind
	Agency string
	Rate   Rate
	Set    *RateRow // nil: by the configuration, or built in
	Source string   // operator, configuration, built-in
}

// RateChange is what an operator asks a rate to be. The zero Rate takes back
// what operators have set: then the configuration holds again.
type RateChange struct {
	Agency, Limit string
	Rate          Rate
	Reason        string
}

// RateSet answers SetRate.
type RateSet struct {
	RateShown
	Receipt audit.Receipt
}

// Rate is the rate of a limit that is in force for an agency; for "", for
// those that have none of their own. What operators set by the API does not
// hold for their own agency: nobody locks the door with the key inside.
func (s *Service) Rate(agency, limit string) Rate {
	if agency == s.Operator {
		return s.Config.Rates.Of(agency, limit)
	}
	return s.rates.Load().table.Of(agency, limit)
}

// rateBook is what is in force: the configuration and what operators set.
type rateBook struct {
	table RateTable
	rows  []RateRow
}

// RefreshRates puts in force what is kept: another node may have set it.
func (s *Service) RefreshRates(ctx context.Context) error {
	return s.view(ctx, func(rows Reader) error {
		all, err := rows.Rates()
		if err == nil {
			s.rates.Store(s.book(all))
		}
		return err
	})
}

// book joins what operators set with the configuration, before which it
// holds: for an agency before that for all.
func (s *Service) book(rows []RateRow) *rateBook {
	b := &rateBook{table: RateTable{Default: maps.Clone(s.Rates.Default), Agencies: map[string]Rates{}}, rows: rows}
	if b.table.Default == nil {
		b.table.Default = Rates{}
	}
	for agency, rates := range s.Rates.Agencies {
		b.table.Agencies[agency] = maps.Clone(rates)
	}
	for _, r := range rows {
		if _, known := limitKind(r.Limit); !known {
			continue // of a newer version
		}
		if r.Agency == "" {
			b.table.Default[r.Limit] = r.Rate
			continue
		}
		if b.table.Agencies[r.Agency] == nil {
			b.table.Agencies[r.Agency] = Rates{}
		}
		b.table.Agencies[r.Agency][r.Limit] = r.Rate
	}
	return b
}

// shown is one rate of a book.
func (s *Service) shown(b *rateBook, agency string, kind LimitKind) RateShown {
	out := RateShown{Kind: kind, Agency: agency, Rate: b.table.Of(agency, kind.Name), Source: "built-in"}
	_, all := s.Config.Rates.Default[kind.Name]
	_, own := s.Config.Rates.Agencies[agency][kind.Name]
	if all || own {
		out.Source = "configuration"
	}
	for i := range b.rows {
		if r := &b.rows[i]; r.Agency == agency && r.Limit == kind.Name {
			out.Source, out.Set = "operator", r
		}
	}
	return out
}

// Limits tells an operator all rates in force: those for all, then those that
// agencies have of their own.
func (s *Service) Limits(ctx context.Context, c Caller) ([]RateShown, error) {
	v, err := s.enter(ctx, c, ActLimits, "")
	if err != nil {
		return nil, err
	}
	var all []RateShown
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if r := v.isOperator(); r != nil {
			return nil, r, nil
		}
		rows, err := tx.Rates()
		if err != nil {
			return nil, nil, err
		}
		all = s.allShown(s.book(rows))
		e := v.entry
		e.Outcome, e.Count = "shown", uint64(len(all))
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (s *Service) allShown(b *rateBook) (all []RateShown) {
	for _, kind := range limitKinds {
		all = append(all, s.shown(b, "", kind))
	}
	for _, agency := range slices.Sorted(maps.Keys(b.table.Agencies)) {
		for _, kind := range limitKinds {
			if _, own := b.table.Agencies[agency][kind.Name]; own {
				all = append(all, s.shown(b, agency, kind))
			}
		}
	}
	return all
}

// SetRate makes a rate what an operator asks for, from now on, on all nodes.
func (s *Service) SetRate(ctx context.Context, c Caller, want RateChange) (*RateSet, error) {
	v, err := s.enter(ctx, c, ActSetLimit, "")
	if err != nil {
		return nil, err
	}
	if r := v.checkRate(want); r != nil {
		return nil, v.refuse(ctx, r)
	}
	kind, _ := limitKind(want.Limit)
	set := &RateSet{}
	set.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		rows, err := tx.Rates()
		if err != nil {
			return nil, nil, err
		}
		before := s.shown(s.book(rows), want.Agency, kind)
		row := RateRow{Agency: want.Agency, Limit: want.Limit, Rate: want.Rate, By: c.Identity.String(), Reason: want.Reason, At: tx.Now()}
		rows = slices.DeleteFunc(rows, func(r RateRow) bool { return r.Agency == want.Agency && r.Limit == want.Limit })
		if want.Rate == (Rate{}) {
			tx.DropRate(want.Agency, want.Limit)
		} else {
			rows = append(rows, row)
			tx.PutRate(row)
		}
		set.RateShown = s.shown(s.book(rows), want.Agency, kind)
		e := v.entry
		e.Outcome, e.Justification = "done", want.Reason
		e.Details = map[string]string{"limit": want.Limit, "before": before.Rate.String(), "after": set.Rate.String()}
		if want.Agency != "" {
			e.Details["agency"] = want.Agency
		}
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.RefreshRates(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	return set, nil
}

// checkRate holds what an operator asks for against its form.
func (v *visit) checkRate(want RateChange) *Refusal {
	if r := v.isOperator(); r != nil {
		return r
	}
	if _, known := limitKind(want.Limit); !known {
		var names []string
		for _, k := range limitKinds {
			names = append(names, k.Name)
		}
		return badRequest("limit", "limit is one of "+strings.Join(names, ", "))
	}
	if want.Agency != "" {
		if _, _, err := certs.ParseAgencyID(want.Agency); err != nil {
			return badRequest("agency", "agency is an agency's id, like ee/pbgb")
		}
	}
	if want.Agency == v.Operator {
		return &Refusal{Kind: Conflict, Reason: "own-agency", Detail: "the limits of the exchange's own agency are kept by its configuration alone",
			Fix: "change limits.agencies in the configuration and start the exchange again"}
	}
	if want.Rate != (Rate{}) {
		if err := (Rates{want.Limit: want.Rate}).Check(want.Agency); err != nil {
			return badRequest("quota", err.Error())
		}
	}
	return checkReason(want.Reason)
}
