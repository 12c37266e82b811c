package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Anchor is a certification authority that a jurisdiction trusts to vouch for it.
type Anchor struct {
	Certificate *x509.Certificate
	Agencies    []string // short ids of the agencies that it may vouch for; empty: all of the jurisdiction
}

// Anchors says whose certification authorities vouch for which jurisdiction. It is immutable and safe for concurrent use.
type Anchors struct {
	sets     map[string]*anchorSet
	owner    map[keyID]string // which jurisdiction's anchor a key is
	operator string
}

// anchorSet is what one jurisdiction trusts.
type anchorSet struct {
	pool   *x509.CertPool
	list   []Anchor
	limits map[keyID][]string // by the anchor's key, so that a renewed certificate cannot escape the limit of the old one
}

// keyID is the SHA-256 of a subject public key info.
type keyID [sha256.Size]byte

func keyOf(c *x509.Certificate) keyID { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// NewAnchors takes the anchors of each jurisdiction. An anchor must be a CA that may sign certificates, with a strong key. The
// same key in two jurisdictions is an error, for each of the two could then make identities of the other; so is the same key
// twice in one jurisdiction with different limits.
func NewAnchors(byJurisdiction map[string][]Anchor) (*Anchors, error) {
	a := &Anchors{sets: map[string]*anchorSet{}, owner: map[keyID]string{}}
	for _, j := range slices.Sorted(maps.Keys(byJurisdiction)) {
		if err := a.add(j, byJurisdiction[j]); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Jurisdictions gives the ids of all jurisdictions that have anchors, sorted, the operator's trust domain included.
func (a *Anchors) Jurisdictions() []string { return slices.Sorted(maps.Keys(a.sets)) }

// Of gives the anchors of a jurisdiction, in the order in which they were given; none if it has none. Do not modify them.
func (a *Anchors) Of(jurisdiction string) []Anchor {
	if set, ok := a.sets[jurisdiction]; ok {
		return slices.Clone(set.list)
	}
	return nil
}

// Operator is the trust domain of the exchange's own people, or "".
func (a *Anchors) Operator() string { return a.operator }

// WithOperator gives the same anchors with trustDomain as the exchange's own: the only one whose certificates may have the
// role operator. Without it that role is refused to all.
func (a *Anchors) WithOperator(trustDomain string) (*Anchors, error) {
	if _, ok := a.sets[trustDomain]; !ok {
		return nil, setupError(trustDomain, errors.New("the operator's trust domain has no anchors"),
			"put the certificate of the operator's authority beside the anchors of the jurisdictions, as <trust domain>.pem")
	}
	b := *a
	b.operator = trustDomain
	return &b, nil
}

func (a *Anchors) add(jurisdiction string, list []Anchor) error {
	if !validSegment(jurisdiction) {
		return setupError(jurisdiction, errors.New("not the id of a jurisdiction"), "use 1 to 63 of [a-z0-9-]")
	}
	if len(list) == 0 {
		return setupError(jurisdiction, errors.New("a jurisdiction without anchors"), "give at least one anchor, or leave the jurisdiction out")
	}
	set := &anchorSet{pool: x509.NewCertPool(), limits: map[keyID][]string{}}
	a.sets[jurisdiction] = set
	for _, anchor := range list {
		if err := checkAnchor(jurisdiction, anchor); err != nil {
			return err
		}
		if err := a.claim(jurisdiction, anchor); err != nil {
			return err
		}
		if err := set.add(anchor); err != nil {
			return err
		}
	}
	return nil
}

func (a *Anchors) claim(jurisdiction string, anchor Anchor) error {
	key := keyOf(anchor.Certificate)
	if other, ok := a.owner[key]; ok && other != jurisdiction {
		return setupError(describe(anchor.Certificate), fmt.Errorf("the same key is an anchor of %s and of %s", other, jurisdiction),
			"give each jurisdiction an authority with a key of its own")
	}
	a.owner[key] = jurisdiction
	return nil
}

func (s *anchorSet) add(anchor Anchor) error {
	key := keyOf(anchor.Certificate)
	agencies := slices.Sorted(slices.Values(anchor.Agencies))
	if old, ok := s.limits[key]; ok && !slices.Equal(old, agencies) {
		return setupError(describe(anchor.Certificate), errors.New("the same key is an anchor twice, with different agencies"),
			"list the same agencies for all certificates of one key")
	}
	s.limits[key] = agencies
	s.pool.AddCert(anchor.Certificate)
	s.list = append(s.list, Anchor{Certificate: anchor.Certificate, Agencies: agencies})
	return nil
}

// allows says whether the anchor at the end of a verified chain may vouch for the agency.
func (s *anchorSet) allows(anchor *x509.Certificate, agency string) bool {
	limit, ok := s.limits[keyOf(anchor)]
	return ok && (len(limit) == 0 || slices.Contains(limit, agency))
}

// String names the anchors for an error.
func (s *anchorSet) String() string {
	names := make([]string, 0, len(s.list))
	for _, anchor := range s.list {
		name := fmt.Sprintf("%q (%s)", anchor.Certificate.Subject.String(), Fingerprint(anchor.Certificate))
		if len(anchor.Agencies) > 0 {
			name += " for " + strings.Join(anchor.Agencies, ", ")
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

func checkAnchor(jurisdiction string, anchor Anchor) error {
	cert := anchor.Certificate
	if cert == nil {
		return setupError(jurisdiction, errors.New("an anchor without a certificate"), "give the certificate of the authority")
	}
	const fix = "use the certificate of a certification authority: CA:TRUE, key usage keyCertSign, and a strong key"
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return setupError(describe(cert), fmt.Errorf("an anchor of %s that is no CA", jurisdiction), fix)
	case cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return setupError(describe(cert), fmt.Errorf("an anchor of %s that may not sign certificates", jurisdiction), fix)
	}
	if err := strongKey(cert.PublicKey); err != nil {
		return setupError(describe(cert), fmt.Errorf("an anchor of %s: %w", jurisdiction, err), fix)
	}
	for _, agency := range anchor.Agencies {
		if !validSegment(agency) {
			return setupError(describe(cert), fmt.Errorf("%q is not the short id of an agency", agency), "use 1 to 63 of [a-z0-9-]")
		}
	}
	return nil
}
