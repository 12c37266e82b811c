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
	maxCRL = 64 << 20 // bytes of one file
)

// RevocationConfig says where revocation lists lie and what is asked of them.
type RevocationConfig struct {
	Dir      string        // <jurisdiction>.crl each, DER or PEM; "" for none
	Required []string      // jurisdictions whose certificates are refused without a list
	Grace    time.Duration // how long after its nextUpdate a list still serves
}

// Revocations holds the revocation lists of the jurisdictions, each verified against the anchors of its jurisdiction. It is
// immutable and safe for concurrent use; Reload makes a new one.
//
// What is wrong with a list affects only its own jurisdiction: if its list is damaged, forged or stale, its certificates are
// refused. A jurisdiction without a list is not checked, unless it is required.
type Revocations struct {
	config  RevocationConfig
	byOwner map[string]*crlSet
}

// crlSet is what one jurisdiction has.
type crlSet struct {
	lists map[keyID]*crl // by the key of the issuer
	err   error          // why the file could not be used; with lists, those are of an earlier load
}

// CRLStatus is the state of one list, or of a file that could not be used, for operators.
type CRLStatus struct {
	Jurisdiction string
	Issuer       string // subject of the authority that signed it
	Number       string // decimal
	ThisUpdate   time.Time
	NextUpdate   time.Time
	Revoked      int   // certificates on it
	Err          error // what is wrong with the newest file; the list is then of an earlier load, or there is none
}

// Aging says that more than half of the time between thisUpdate and nextUpdate is over: the time to raise an alarm.
func (s CRLStatus) Aging(now time.Time) bool {
	return now.After(s.ThisUpdate.Add(s.NextUpdate.Sub(s.ThisUpdate) / 2))
}

// LoadRevocations reads the lists of all jurisdictions that have anchors. Only a directory that cannot be read is an error;
// what is wrong with a single file is in Status, and its jurisdiction is refused.
func LoadRevocations(config RevocationConfig, anchors *Anchors, now time.Time) (*Revocations, error) {
	return (&Revocations{config: config}).Reload(anchors, now)
}

// Reload reads the files again and gives the new state. A list that was good before is kept if its file is now gone or
// damaged, or has a lower number: a revocation is never taken back by losing a file.
func (r *Revocations) Reload(anchors *Anchors, now time.Time) (*Revocations, error) {
	if r.config.Dir != "" {
		if _, err := os.ReadDir(r.config.Dir); err != nil {
			return nil, fileError(r.config.Dir, err)
		}
	}
	next := &Revocations{config: r.config, byOwner: map[string]*crlSet{}}
	for _, j := range anchors.Jurisdictions() {
		set := r.loadSet(j, anchors, now)
		if set.err != nil || len(set.lists) > 0 || slices.Contains(r.config.Required, j) {
			next.byOwner[j] = set
		}
	}
	return next, nil
}

// Status gives the state of all lists, sorted by jurisdiction and issuer.
func (r *Revocations) Status() []CRLStatus {
	var all []CRLStatus
	for j, set := range r.byOwner {
		if len(set.lists) == 0 {
			err := set.err
			if err == nil {
				err = errors.New("a required revocation list is missing")
			}
			all = append(all, CRLStatus{Jurisdiction: j, Err: err})
		}
		for _, list := range set.lists {
			all = append(all, CRLStatus{
				Jurisdiction: j, Issuer: list.name, Number: list.number.String(), ThisUpdate: list.thisUpdate,
				NextUpdate: list.nextUpdate, Revoked: len(list.revoked), Err: set.err,
			})
		}
	}
	slices.SortFunc(all, func(a, b CRLStatus) int {
		return cmp.Or(strings.Compare(a.Jurisdiction, b.Jurisdiction), strings.Compare(a.Issuer, b.Issuer))
	})
	return all
}

// loadSet reads the file of one jurisdiction. All of it is good, or none of it is used.
func (r *Revocations) loadSet(jurisdiction string, anchors *Anchors, now time.Time) *crlSet {
	set := &crlSet{lists: map[keyID]*crl{}}
	old := r.byOwner[jurisdiction]
	if old != nil {
		set.lists = maps.Clone(old.lists)
	}
	if r.config.Dir == "" {
		return set
	}
	file := filepath.Join(r.config.Dir, jurisdiction+crlExt)
	data, err := readFile(file, maxCRL)
	if errors.Is(err, fs.ErrNotExist) {
		if len(set.lists) > 0 || old != nil && old.err != nil {
			set.err = crlError(file, errors.New("the revocation list is gone"))
		}
		return set
	}
	if err == nil {
		err = set.read(data, anchors.Of(jurisdiction), now)
	}
	if err != nil {
		set.err = crlError(file, err)
	}
	return set
}

// read adds the lists of a file, all or none.
func (s *crlSet) read(data []byte, anchors []Anchor, now time.Time) error {
	lists, certificates, err := parseCRLFile(data)
	if err != nil {
		return err
	}
	issuers, err := crlIssuers(anchors, certificates, now)
	if err != nil {
		return err
	}
	next := maps.Clone(s.lists)
	for _, list := range lists {
		fresh, err := newCRL(list, issuers, now)
		if err != nil {
			return err
		}
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

// crlIssuers gives the anchors and those intermediate authorities of the file that chain to them.
func crlIssuers(anchors []Anchor, certificates []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	issuers := make([]*x509.Certificate, 0, len(anchors)+len(certificates))
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, anchor := range anchors {
		roots.AddCert(anchor.Certificate)
		issuers = append(issuers, anchor.Certificate)
	}
	for _, cert := range certificates {
		intermediates.AddCert(cert)
	}
	for _, cert := range certificates {
		options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := cert.Verify(options); err != nil {
			return nil, fmt.Errorf("issuer %.100q: %w", cert.Subject.String(), err)
		}
		if err := strongKey(cert.PublicKey); err != nil || !cert.IsCA {
			return nil, fmt.Errorf("issuer %.100q is no authority with a strong key", cert.Subject.String())
		}
		issuers = append(issuers, cert)
	}
	return issuers, nil
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
			return until, r.missing(jurisdiction, cert, set.err)
		}
		end := list.nextUpdate.Add(r.config.Grace)
		if now.After(end) {
			return until, crlError(describe(cert), fmt.Errorf("the revocation list of %s was due at %s", list.name, list.nextUpdate.UTC().Format(time.RFC3339)))
		}
		if when, revoked := list.revokedAt(cert.SerialNumber); revoked && (at.Equal(now) || !at.Before(when)) {
			return until, revokedError(cert, list, when)
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until, nil
}

func (r *Revocations) missing(jurisdiction string, cert *x509.Certificate, cause error) error {
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
