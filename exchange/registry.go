package exchange

import (
	"crypto/x509"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Agency is a row of the registry.
type Agency struct {
	ID           string // "ee/pbgb"
	Jurisdiction string
	Name         string
	Type         string   // spoc, designated_lea, competent_lea, eu_agency, intl_org, advisory_mission, supervisory_authority, private, operator
	Roles        []string // the roles that the operator admits
	Declared     []string // the roles that its jurisdiction lists for it; none: it sets no limit
	Competences  []string // purposes for which it is competent
	Suspended    bool
	Undeclared   bool // its jurisdiction does not declare it any more: it has no role
	Bindings     []Binding
	Supervises   []string // whose logs its supervisors may read, beside its own
	File         string   // digest of the registry file that was applied last; empty: none ever was
}

// KeyRow is a registered public key and the time in which it is trusted.
type KeyRow struct {
	Agency, Kid, Use string
	JWK              []byte // public JWK with use and x5c
	From             time.Time
	Until            time.Time // zero: in use
	Compromised      time.Time // zero: never; not trusted from then on
}

// Key is a registered key, parsed.
type Key struct {
	KeyRow
	Public envelope.PublishedKey // with the chain of its certificate
	lapses time.Time             // the end of its certificate; zero if it has none
}

// TrustedAt reports whether the key may be used at t: registered, not retired,
// not compromised, and its certificate not expired.
func (k *Key) TrustedAt(t time.Time) bool {
	return !t.Before(k.From) && (k.Until.IsZero() || t.Before(k.Until)) && (k.lapses.IsZero() || !t.After(k.lapses)) &&
		(k.Compromised.IsZero() || t.Before(k.Compromised))
}

// End is when the key lapses by itself: its certificate ends, or it was
// retired from a time on. Zero: never.
func (k *Key) End() time.Time {
	if k.lapses.IsZero() || !k.Until.IsZero() && k.Until.Before(k.lapses) {
		return k.Until
	}
	return k.lapses
}

// Registry is what the exchange knows of agencies and keys at one version.
// It is immutable and safe for concurrent use.
type Registry struct {
	version  int64
	agencies map[string]Agency
	keys     map[string]*Key // by kid: one key has one owner and one use
	byAgency map[string][]*Key
}

// NewRegistry builds the registry of a version from its rows. It refuses a
// key that is registered twice or does not parse.
func NewRegistry(version int64, agencies []Agency, keys []KeyRow) (*Registry, error) {
	r := &Registry{version: version, agencies: map[string]Agency{}, keys: map[string]*Key{}, byAgency: map[string][]*Key{}}
	for _, a := range agencies {
		r.agencies[a.ID] = a
	}
	for _, row := range keys {
		pub, err := envelope.ParsePublicJWK(row.JWK)
		if err != nil {
			return nil, fmt.Errorf("key %s of %s: %w", row.Kid, row.Agency, err)
		}
		if _, taken := r.keys[row.Kid]; taken {
			return nil, fmt.Errorf("key %s of %s is registered twice", row.Kid, row.Agency)
		}
		k := &Key{KeyRow: row, Public: pub}
		if len(pub.X5C) > 0 {
			leaf, err := x509.ParseCertificate(pub.X5C[0])
			if err != nil {
				return nil, fmt.Errorf("certificate of key %s of %s: %w", row.Kid, row.Agency, err)
			}
			k.lapses = leaf.NotAfter
		}
		r.keys[row.Kid] = k
		r.byAgency[row.Agency] = append(r.byAgency[row.Agency], k)
	}
	return r, nil
}

// Version moves with every change of the registry.
func (r *Registry) Version() int64 { return r.version }

// Agency returns the agency of an id.
func (r *Registry) Agency(id string) (Agency, bool) {
	a, ok := r.agencies[id]
	return a, ok
}

// Agencies lists all agencies by id.
func (r *Registry) Agencies() []Agency {
	all := make([]Agency, 0, len(r.agencies))
	for _, a := range r.agencies {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// Key returns the key of an agency for a use, nil if it has none such.
func (r *Registry) Key(agency, kid string, use envelope.Use) *Key {
	k := r.keys[kid]
	if k == nil || k.Agency != agency || k.Public.Use() != use {
		return nil
	}
	return k
}

// keysInUse counts the keys of an agency that may be used.
func (r *Registry) keysInUse(agency string, now time.Time) (n int) {
	for _, k := range r.byAgency[agency] {
		if k.TrustedAt(now) {
			n++
		}
	}
	return n
}

// KeyByID returns the key with that thumbprint, nil if none is registered.
func (r *Registry) KeyByID(kid string) *Key { return r.keys[kid] }

// Keys lists the keys of an agency, retired ones included, newest first.
func (r *Registry) Keys(agency string) []*Key {
	all := slices.Clone(r.byAgency[agency])
	sort.Slice(all, func(i, j int) bool { return all[i].From.After(all[j].From) })
	return all
}

// Allows reports whether identities of the agency may have the role: operator
// and jurisdiction both have a say.
func (a Agency) Allows(role string) bool {
	return !a.Undeclared && slices.Contains(a.Roles, role) && (len(a.Declared) == 0 || slices.Contains(a.Declared, role))
}

// Takes reports whether anything may go to the agency, or come from it.
func (a Agency) Takes() bool { return !a.Suspended && !a.Undeclared }

// same reports whether two rows say the same.
func (a Agency) same(b Agency) bool {
	return a.ID == b.ID && a.Jurisdiction == b.Jurisdiction && a.Name == b.Name && a.Type == b.Type && a.Suspended == b.Suspended && a.Undeclared == b.Undeclared &&
		a.File == b.File && slices.Equal(a.Roles, b.Roles) && slices.Equal(a.Bindings, b.Bindings) && slices.Equal(a.Supervises, b.Supervises) && slices.Equal(a.Declared, b.Declared) && slices.Equal(a.Competences, b.Competences)
}
