package exchange

import (
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// trusts reports whether a key may be used at a time: registered, in its time,
// and its certificate still vouched for by the anchors and revocation lists in
// force.
func (s *Service) trusts(k *Key, now time.Time) bool {
	return k != nil && k.TrustedAt(now) && s.vouched(k, now)
}

// trustsSigner reports whether a signing key is the agency's and trusted now,
// as a change sees it.
func (s *Service) trustsSigner(tx *Tx, agency, kid string) (bool, error) {
	reg, err := tx.Registry()
	if err != nil {
		return false, err
	}
	return s.trusts(reg.Key(agency, kid, envelope.UseSign), tx.Now()), nil
}

// vouchedFor is how long the answer of the anchors is believed: a list that
// nobody renews is noticed after that, a reload at once.
const vouchedFor = time.Minute

// vouching remembers what the anchors in force say of keys, so that a package
// does not cost the verification of its key's chain.
type vouching struct {
	mu    sync.RWMutex
	trust *certs.Trust       // the answers are of this one
	known map[string]opinion // by kid
}

// opinion is one answer of the anchors and when they gave it.
type opinion struct {
	ok bool
	at time.Time
}

// vouched asks the anchors about a key, or remembers what they said.
func (s *Service) vouched(k *Key, now time.Time) bool {
	trust, v := s.Trust(), &s.vouching
	v.mu.RLock()
	said, asked := v.known[k.Kid]
	asked = asked && v.trust == trust
	v.mu.RUnlock()
	if age := now.Sub(said.at); asked && age >= 0 && age < vouchedFor {
		return said.ok
	}
	ok := verifyKey(trust, k.Agency, k.Public, now) == nil
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.trust != trust {
		v.trust, v.known = trust, map[string]opinion{}
	}
	v.known[k.Kid] = opinion{ok, now}
	return ok
}

// verifyKey holds a key's certificate against the anchors of its agency's own
// jurisdiction and what is known of revocations.
func verifyKey(trust *certs.Trust, agency string, key envelope.PublishedKey, now time.Time) error {
	chain, err := certs.ParseDER(key.X5C)
	if err != nil {
		return err
	}
	return trust.VerifyKey(chain, agency, string(key.Use()), key.CryptoKey(), now, now)
}
