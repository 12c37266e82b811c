package certs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	crlExt = ".crl"
	maxCRL = 16 << 20 // bytes of one file: some 400,000 certificates
)

// EveryJurisdiction stands for all jurisdictions in RevocationConfig.Optional.
const EveryJurisdiction = "*"

// RevocationConfig says where revocation lists lie and what is asked of them. The zero value asks for a list of every
// jurisdiction, and has none.
type RevocationConfig struct {
	Dir      string        // <jurisdiction>.crl each, DER or PEM; "" for none
	Optional []string      // jurisdictions whose certificates are taken while there is no list of theirs; EveryJurisdiction for all
	Grace    time.Duration // how long after its nextUpdate a list still serves
	Kept     KeptRevocations
}

// KeptRevocations is what the state remembers of revocations, whatever becomes of the files.
type KeptRevocations struct {
	Lists map[string][][]byte  // by jurisdiction, each as CRL.PEM
	Grace map[string]time.Time // by jurisdiction: until when its lists still serve, if that is later than RevocationConfig.Grace says
}

func (c *RevocationConfig) optional(jurisdiction string) bool {
	return slices.Contains(c.Optional, jurisdiction) || slices.Contains(c.Optional, EveryJurisdiction)
}

// end is until when a list serves.
func (c *RevocationConfig) end(jurisdiction string, list *crl) time.Time {
	end := list.nextUpdate.Add(c.Grace)
	if longer := c.Kept.Grace[jurisdiction]; longer.After(end) {
		return longer
	}
	return end
}

// Revocations holds the revocation lists of the jurisdictions, each verified against the anchors of its jurisdiction. It is
// immutable and safe for concurrent use; RevocationConfig.Load makes a new one.
//
// What is wrong with a list affects only its own jurisdiction: if its list is absent, damaged, forged or stale, its
// certificates are refused. Only a jurisdiction that is optional, and has never had a list, is not checked.
type Revocations struct {
	config  RevocationConfig
	byOwner map[string]*crlSet
}

// crlSet is what one jurisdiction has.
type crlSet struct {
	lists map[keyID]*crl // by the key of the issuer
	file  bool           // there has been a file
	err   error          // why the file could not be used; with lists, those are of an earlier load
}

// Load reads the lists of all jurisdictions that have anchors: those that are kept, then the files. Only a directory that
// cannot be read is an error; what is wrong with a single file is in Status.
//
// A list of previous is kept if its file is now gone or damaged, or has a lower number: a revocation is never taken back by
// losing a file. previous is nil at the start.
func (c RevocationConfig) Load(previous *Revocations, anchors *Anchors, now time.Time) (*Revocations, error) {
	if c.Dir != "" {
		if _, err := os.ReadDir(c.Dir); err != nil {
			return nil, fileError(c.Dir, err)
		}
	}
	next := &Revocations{config: c, byOwner: map[string]*crlSet{}}
	for _, j := range anchors.Jurisdictions() {
		var old *crlSet
		if previous != nil {
			old = previous.byOwner[j]
		}
		set := c.loadSet(old, j, anchors.Of(j), now)
		if set.err != nil || len(set.lists) > 0 || !c.optional(j) {
			next.byOwner[j] = set
		}
	}
	return next, nil
}

// loadSet joins what one jurisdiction had, what is kept, and its file.
func (c *RevocationConfig) loadSet(old *crlSet, jurisdiction string, anchors []Anchor, now time.Time) *crlSet {
	set := &crlSet{lists: map[keyID]*crl{}}
	if old != nil {
		set.file = old.file
		for issuer, list := range old.lists {
			if list.anchored(anchors, now) {
				set.lists[issuer] = list
			}
		}
	}
	for _, kept := range c.Kept.Lists[jurisdiction] {
		_ = set.read(kept, anchors, now) // it was good once: its authority is no anchor any more, or a newer list is here
	}
	set.readFile(c.Dir, jurisdiction, anchors, now)
	return set
}

// readFile reads the file of a jurisdiction. All of it is good, or none of it is used.
func (s *crlSet) readFile(dir, jurisdiction string, anchors []Anchor, now time.Time) {
	if dir == "" {
		return
	}
	file := filepath.Join(dir, jurisdiction+crlExt)
	data, err := readFile(file, maxCRL)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.file:
		return
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("the revocation list is gone")
	case err == nil:
		err = s.read(data, anchors, now)
	}
	s.file = true
	if err != nil {
		s.err = crlError(file, err)
	}
}

// read adds the lists of a file, all or none.
func (s *crlSet) read(data []byte, anchors []Anchor, now time.Time) error {
	lists, err := readCRLs(data, anchors, now)
	if err != nil {
		return err
	}
	next := maps.Clone(s.lists)
	for _, fresh := range lists {
		if err := rises(next[fresh.issuer], fresh); err != nil {
			return err
		}
		next[fresh.issuer] = fresh
	}
	s.lists = next
	return nil
}

// rises: the number of a list must rise; the same list again is no change.
func rises(old, fresh *crl) error {
	if old == nil || old.digest == fresh.digest || fresh.number.Cmp(old.number) > 0 {
		return nil
	}
	return fmt.Errorf("list number %s does not follow %s of the same issuer", fresh.number, old.number)
}

// check looks for a path without a revoked certificate. at is when the certificate was used, now the present. It gives the
// time until which the answer holds if nothing is reloaded; the zero time stands for no limit.
func (r *Revocations) check(jurisdiction string, paths []path, at, now time.Time) (time.Time, error) {
	set, ok := r.byOwner[jurisdiction]
	if !ok {
		return time.Time{}, nil
	}
	var refusal error
	for _, p := range paths {
		until, err := r.checkPath(set, jurisdiction, p, at, now)
		if err == nil {
			return until, nil
		}
		refusal = err
	}
	return time.Time{}, refusal
}

// checkPath: the issuer of the leaf must have a list, the authorities above it may.
func (r *Revocations) checkPath(set *crlSet, jurisdiction string, p path, at, now time.Time) (time.Time, error) {
	var until time.Time
	for i, cert := range p[:len(p)-1] {
		list, ok := set.lists[keyOf(p[i+1])]
		if !ok && i > 0 {
			continue
		}
		if !ok {
			return until, missing(jurisdiction, cert, set.err)
		}
		if when, revoked := list.revokedAt(cert.SerialNumber); revoked && (at.Equal(now) || !at.Before(when)) {
			return until, revokedError(cert, list, when)
		}
		end := r.config.end(jurisdiction, list)
		if now.After(end) {
			return until, crlError(describe(cert), fmt.Errorf("the revocation list of %s was due at %s", list.name, list.nextUpdate.UTC().Format(time.RFC3339)))
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until, nil
}

// Checks tells whether there is a list, or should be one: whether certificates of the jurisdiction are checked at all.
func (r *Revocations) Checks(jurisdiction string) bool {
	_, ok := r.byOwner[jurisdiction]
	return ok
}

// Lists gives the lists in force of a jurisdiction, sorted by issuer.
func (r *Revocations) Lists(jurisdiction string) []CRL {
	set, ok := r.byOwner[jurisdiction]
	if !ok {
		return nil
	}
	return shared(slices.Collect(maps.Values(set.lists)))
}

// CRLState is how a list stands: how far its time is over.
type CRLState string

// The states of a list. While a list is fresh, aging or overdue it serves; when it has lapsed, or is missing, the certificates
// of its issuer are refused.
const (
	CRLFresh   CRLState = "fresh"
	CRLAging   CRLState = "aging"   // see CRLStatus.Aging
	CRLOverdue CRLState = "overdue" // nextUpdate is over: it serves for its grace only
	CRLLapsed  CRLState = "lapsed"  // the grace is over
	CRLMissing CRLState = "missing" // there is none, and there must be one
)

// CRLStates are all of them, from good to bad.
func CRLStates() []CRLState { return []CRLState{CRLFresh, CRLAging, CRLOverdue, CRLLapsed, CRLMissing} }

// CRLStatus is how one list stands, or a file that could not be used, for operators.
type CRLStatus struct {
	Jurisdiction string
	Issuer       string // subject of the authority that signed it; "" if there is no list
	IssuerKey    string // its SPKISHA256: two authorities may have one subject
	Number       string // decimal
	ThisUpdate   time.Time
	NextUpdate   time.Time
	Until        time.Time // when it lapses
	Revoked      int       // certificates on it
	Err          error     // what is wrong with the newest file; the list is then of an earlier load, or there is none
}

// Aging says that more than half of the time between thisUpdate and nextUpdate is over: the time to raise an alarm.
func (s CRLStatus) Aging(now time.Time) bool {
	return now.After(s.ThisUpdate.Add(s.NextUpdate.Sub(s.ThisUpdate) / 2))
}

// State says how the list stands at a time.
func (s CRLStatus) State(now time.Time) CRLState {
	switch {
	case s.IssuerKey == "":
		return CRLMissing
	case now.After(s.Until):
		return CRLLapsed
	case now.After(s.NextUpdate):
		return CRLOverdue
	case s.Aging(now):
		return CRLAging
	}
	return CRLFresh
}

// Status gives the state of all lists, sorted by jurisdiction, issuer and key.
func (r *Revocations) Status() []CRLStatus {
	var all []CRLStatus
	for j, set := range r.byOwner {
		if len(set.lists) == 0 {
			err := set.err
			if err == nil {
				err = errors.New("the revocation list is missing")
			}
			all = append(all, CRLStatus{Jurisdiction: j, Err: err})
		}
		for _, list := range set.lists {
			all = append(all, CRLStatus{
				Jurisdiction: j, Issuer: list.name, IssuerKey: encodeID(list.issuer), Number: list.number.String(), ThisUpdate: list.thisUpdate,
				NextUpdate: list.nextUpdate, Until: r.config.end(j, list), Revoked: len(list.revoked), Err: set.err,
			})
		}
	}
	slices.SortFunc(all, func(a, b CRLStatus) int {
		return cmp.Or(strings.Compare(a.Jurisdiction, b.Jurisdiction), strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.IssuerKey, b.IssuerKey))
	})
	return all
}

func missing(jurisdiction string, cert *x509.Certificate, cause error) error {
	return crlError(describe(cert), errors.Join(fmt.Errorf("no revocation list of its issuer, in %s", jurisdiction+crlExt), cause))
}

func revokedError(cert *x509.Certificate, list *crl, when time.Time) error {
	return &Error{
		Check: CheckRevoked, Subject: describe(cert), Want: "a certificate that is not on list " + list.number.String() + " of " + list.name,
		Err: fmt.Errorf("revoked at %s", when.UTC().Format(time.RFC3339)), Fix: "get a new certificate from the authority of the jurisdiction",
	}
}

func crlError(subject string, err error) *Error {
	return &Error{
		Check: CheckCRL, Subject: subject, Err: err,
		Fix: "fetch the newest full revocation list from the authority of the jurisdiction, signed by an anchor or with its issuer's certificate beside it in the file",
	}
}
