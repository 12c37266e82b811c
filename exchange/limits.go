package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Rate is how much may happen in how long.
type Rate struct {
	Quota  int64
	Window time.Duration // whole seconds
}

// The greatest rate that may be set.
const (
	maxQuota  = 1 << 50
	maxWindow = 32 * 24 * time.Hour
)

// Check tells what a rate cannot be.
func (r Rate) Check() error {
	switch {
	case r.Quota < 1 || r.Quota > maxQuota:
		return fmt.Errorf("quota: from 1 to %d", int64(maxQuota))
	case r.Window < time.Second || r.Window > maxWindow || r.Window%time.Second != 0:
		return fmt.Errorf("window: whole seconds, from 1s to %s", maxWindow)
	}
	return nil
}

// String says a rate as people do: "1200 a minute".
func (r Rate) String() string {
	window := "in " + r.Window.String()
	switch r.Window {
	case time.Minute:
		window = "a minute"
	case time.Hour:
		window = "an hour"
	case 24 * time.Hour:
		window = "a day"
	}
	return strconv.FormatInt(r.Quota, 10) + " " + window
}

// The limits.
const (
	LimitPackages      = "packages"          // posted, of an agency, whatever becomes of them
	LimitUnitPackages  = "packages-of-unit"  // of one identity
	LimitRecipients    = "recipients"        // that packages of an agency name
	LimitBytes         = "bytes"             // of contents and attachments
	LimitUrgent        = "urgent"            // packages marked urgent
	LimitDecisions     = "decisions"         // dry runs
	LimitReads         = "reads"             // of boxes, packages, directory and ledger; acknowledgements
	LimitSearches      = "searches"          // of the audit log
	LimitChanges       = "changes"           // of keys, lists, admissions, limits; reports of mismatches
	LimitBadSignatures = "bad-signatures"    // of one identity: a penalty
	LimitHandshakes    = "handshakes"        // begun by one source, an address or an IPv6 /64
	LimitBadHandshakes = "failed-handshakes" // of these, such as did not end: a penalty
)

// LimitKind says what a limit counts.
type LimitKind struct {
	Name    string
	Of      string // agency, unit or source
	Rate    Rate   // by default
	Share   bool   // a node that cannot count together with the others gives its share only, otherwise the whole
	Penalty bool   // it counts what went wrong
}

// limitKinds are all there are. What costs others, or the law, dearly is
// shared out strictly where nodes cannot count together; to read, and to have
// what went wrong counted, each node has the whole.
var limitKinds = []LimitKind{
	{LimitPackages, "agency", Rate{3000, time.Minute}, true, false},
	{LimitUnitPackages, "unit", Rate{1200, time.Minute}, true, false},
	{LimitRecipients, "agency", Rate{12_000, time.Minute}, true, false},
	{LimitBytes, "agency", Rate{100 << 30, 24 * time.Hour}, true, false},
	{LimitUrgent, "agency", Rate{600, time.Hour}, true, false},
	{LimitDecisions, "agency", Rate{1200, time.Minute}, true, false},
	{LimitReads, "agency", Rate{12_000, time.Minute}, false, false},
	{LimitSearches, "agency", Rate{600, time.Minute}, true, false},
	{LimitChanges, "agency", Rate{300, time.Minute}, true, false},
	{LimitBadSignatures, "unit", Rate{300, time.Minute}, false, true},
	{LimitHandshakes, "source", Rate{3000, time.Minute}, false, false},
	{LimitBadHandshakes, "source", Rate{600, time.Minute}, false, true},
}

// LimitKinds lists the limits, in the order in which they are shown.
func LimitKinds() []LimitKind { return slices.Clone(limitKinds) }

// limitKind is the limit of a name.
func limitKind(name string) (LimitKind, bool) {
	i := slices.IndexFunc(limitKinds, func(k LimitKind) bool { return k.Name == name })
	if i < 0 {
		return LimitKind{}, false
	}
	return limitKinds[i], true
}

// Rates are the operator's, by the name of the limit.
type Rates map[string]Rate

// Check tells what cannot be.
func (r Rates) Check(agency string) error {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		kind, known := limitKind(name)
		switch {
		case !known:
			return fmt.Errorf("%s: no such limit", name)
		case agency != "" && kind.Of == "source":
			return fmt.Errorf("%s: is of a source, before any agency is known", name)
		}
		if err := r[name].Check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// RateTable says which rate an agency has. It does not change.
type RateTable struct {
	Default  Rates            // instead of the built-in ones
	Agencies map[string]Rates // instead of these, by agency
}

// Of is the rate of a limit for an agency, "" for all that have none of their
// own.
func (t *RateTable) Of(agency, limit string) Rate {
	if r, ok := t.Agencies[agency][limit]; ok {
		return r
	}
	if r, ok := t.Default[limit]; ok {
		return r
	}
	kind, _ := limitKind(limit)
	return kind.Rate
}

// Check tells what cannot be.
func (t *RateTable) Check() error {
	if err := t.Default.Check(""); err != nil {
		return err
	}
	for _, agency := range slices.Sorted(maps.Keys(t.Agencies)) {
		if err := t.Agencies[agency].Check(agency); err != nil {
			return fmt.Errorf("%s: %w", agency, err)
		}
	}
	return nil
}

// Cost is what a package takes, by what its sender signed.
type Cost struct {
	Recipients int
	Bytes      int64
	Urgent     bool
}

// cost is what the package takes.
func (p *posting) cost() Cost {
	c := Cost{Recipients: len(p.manifest.Aud), Bytes: p.manifest.Content.Size, Urgent: p.manifest.Claimed.Urgency.Level == "urgent"}
	for _, a := range p.manifest.Attachments {
		c.Bytes += a.Size
	}
	return c
}

// afford asks once whether the sender has room for the package.
func (p *posting) afford(ctx context.Context, parts Parts) error {
	if p.afforded {
		return nil
	}
	if err := parts.Afford(ctx, p.cost()); err != nil {
		return err
	}
	p.afforded = true
	return nil
}

// Reached says which limit was reached, and whose it is.
type Reached struct {
	Limit string
	Of    string // agency, identity or source
	Rate  Rate
}

// Limited is how often a limit of an agency refused within a minute.
type Limited struct {
	Agency string // of the registry or not
	Limit  string
	Minute time.Time
	Count  uint64
}

// RecordLimited writes the entries of what limits refused: one for each
// agency, limit and minute, with the count. They are owned by the agency, by
// the operator if the exchange does not know it.
func (s *Service) RecordLimited(ctx context.Context, all []Limited) error {
	var errs []error
	for _, l := range all {
		_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
			reg, err := tx.Registry()
			if err != nil {
				return nil, err
			}
			owner := s.Operator
			if _, known := reg.Agency(l.Agency); known {
				owner = l.Agency
			}
			return []audit.Entry{{Owner: owner, Action: string(ActLimited), Outcome: "refused", Problem: string(RateLimited), Reason: l.Limit,
				Actor: audit.Actor{Agency: l.Agency}, Count: l.Count,
				Details: map[string]string{"limit": l.Limit, "minute": entryTime(l.Minute)}}}, nil
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
