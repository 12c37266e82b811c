package exchange

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Terms is how long records are kept, in days. The zero value of a field is
// the default.
type Terms struct {
	// Log is how long entries are kept: 1096 days, three years, which is what
	// EU law has for such logs (Regulation (EU) 2024/982 art 40).
	Log int `yaml:"log,omitempty"`
	// Package is how long a package is kept whose manifest has no erase_by.
	// Where it has one, that day holds. 1096.
	Package int `yaml:"package,omitempty"`
	// Content is how long content and attachments are kept that nobody
	// acknowledged, after the package has lapsed. 30.
	Content int `yaml:"content,omitempty"`
	// Inputs is how long what policy was asked is kept for dry runs and
	// denials. Of an accepted package it is kept as long as the package. 366.
	Inputs int `yaml:"inputs,omitempty"`
	// Consultation is how long a lapsed consultation says who and why, beside
	// the entry, which has its own time. 30.
	Consultation int `yaml:"consultation,omitempty"`
}

var defaultTerms = Terms{Log: 1096, Package: 1096, Content: 30, Inputs: 366, Consultation: 30}

// Retention is how long records are kept: by default, in a jurisdiction, in an
// agency. The narrower one holds, field by field.
type Retention struct {
	Default       Terms
	Jurisdictions map[string]Terms
	Agencies      map[string]Terms
}

// Of is the terms that hold for an agency.
func (r Retention) Of(agency string) Terms {
	t := defaultTerms.with(r.Default)
	if j, _, err := certs.ParseAgencyID(agency); err == nil {
		t = t.with(r.Jurisdictions[j])
	}
	return t.with(r.Agencies[agency])
}

func (t Terms) with(narrower Terms) Terms {
	own, other := t.fields(), narrower.fields()
	for i := range own {
		if *other[i] != 0 {
			*own[i] = *other[i]
		}
	}
	return t
}

func (t *Terms) fields() []*int {
	return []*int{&t.Log, &t.Package, &t.Content, &t.Inputs, &t.Consultation}
}

// longestTerm bounds a term, so that no date leaves the calendar.
const longestTerm = 100 * 366

// Check tells what cannot be.
func (r Retention) Check() error {
	check := func(of string, t Terms) error {
		for _, days := range t.fields() {
			if *days < 0 || *days > longestTerm {
				return fmt.Errorf("%s: a term has 1 to %d days, or 0 for the default", of, longestTerm)
			}
		}
		return nil
	}
	errs := []error{check("default", r.Default)}
	for _, j := range slices.Sorted(maps.Keys(r.Jurisdictions)) {
		errs = append(errs, check(j, r.Jurisdictions[j]))
	}
	for _, a := range slices.Sorted(maps.Keys(r.Agencies)) {
		if _, _, err := certs.ParseAgencyID(a); err != nil {
			errs = append(errs, err)
		}
		errs = append(errs, check(a, r.Agencies[a]))
	}
	return errors.Join(errs...)
}

// daysBefore is the time so many days before another.
func daysBefore(t time.Time, days int) time.Time { return t.AddDate(0, 0, -days) }

// eraseTime is when a package is due to be erased: when the day begins that its
// manifest names, else when its sender's term for packages has passed.
func (s *Service) eraseTime(m *envelope.SignedManifest, accepted time.Time) time.Time {
	if day, err := time.Parse(time.DateOnly, m.Claimed.Retention.EraseBy); err == nil {
		return day.UTC()
	}
	return accepted.AddDate(0, 0, s.Retention.Of(m.Iss).Package).UTC().Truncate(time.Millisecond)
}
