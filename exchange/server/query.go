package server

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// checkQuery refuses a query that is more than the named parameters, each at
// most once and with a value.
func checkQuery(raw string, names []string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return malformed("query", "the query cannot be read")
	}
	for name, v := range values {
		switch {
		case !slices.Contains(names, name):
			return malformed("query-unknown", "the query has an unknown parameter")
		case len(v) != 1:
			return malformed("query-repeated", "the query has a parameter twice: "+name)
		case v[0] == "":
			return malformed("query-empty", "the query has a parameter without value: "+name)
		}
	}
	return nil
}

// parameters reads the values of a query that checkQuery let pass; the first
// error stays.
type parameters struct {
	values url.Values
	err    error
}

func (c *call) parameters() *parameters { return &parameters{values: c.r.URL.Query()} }

// word is one of some words, the first when it is absent.
func (p *parameters) word(name string, words ...string) string {
	v := p.values.Get(name)
	if v == "" {
		return words[0]
	}
	if !slices.Contains(words, v) {
		p.fail(name, fmt.Sprintf("one of %q", words))
	}
	return v
}

// number is a decimal without sign or leading zeros, from least to most; the
// default when it is absent.
func (p *parameters) number(name string, otherwise, least, most uint64) uint64 {
	v := p.values.Get(name)
	if v == "" {
		return otherwise
	}
	n, ok := decimal(v)
	if !ok || n < least || n > most {
		p.fail(name, fmt.Sprintf("a decimal from %d to %d", least, most))
	}
	return n
}

// agency is an agency's id, empty when it is absent.
func (p *parameters) agency(name string) string {
	v := p.values.Get(name)
	if v == "" {
		return ""
	}
	if _, _, err := certs.ParseAgencyID(v); err != nil {
		p.fail(name, "an agency as in ee/pbgb")
	}
	return v
}

// list are words between commas.
func (p *parameters) list(name string) []string {
	v := p.values.Get(name)
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

// interval is the width of a histogram's bars, empty when it is absent.
func (p *parameters) interval(name string) search.Interval {
	v := search.Interval(p.values.Get(name))
	if v != "" && !slices.Contains(search.Intervals, v) {
		p.fail(name, fmt.Sprintf("one of %q", search.Intervals))
	}
	return v
}

// moment is an RFC 3339 time in UTC, the zero time when it is absent.
func (p *parameters) moment(name string) time.Time {
	v := p.values.Get(name)
	if v == "" {
		return time.Time{}
	}
	t, err := audit.ParseTime(v)
	if err != nil {
		p.fail(name, "a time as in 2026-11-22T08:00:00Z")
	}
	return t
}

func (p *parameters) fail(name, want string) {
	if p.err == nil {
		p.err = malformed("query-"+name, "the parameter "+name+" must be "+want)
	}
}

// decimal reads a number in its one spelling.
func decimal(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == s
}
