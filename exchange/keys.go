package exchange

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// maxKeysInUse is how many keys an agency may have in use. Who seals reads
// all of them.
const maxKeysInUse = 64

// KeyChange answers PublishKey and RetireKey. Repeat is true if the directory
// said so already; the receipt is that of the caller's own entry either way.
type KeyChange struct {
	Key     KeyRow
	Receipt audit.Receipt
	Repeat  bool
}

// Retirement says how a key ends. It can only become stricter: an end moves to
// an earlier time, never to a later one, and a compromise is never taken back.
type Retirement struct {
	Until       time.Time // zero: now
	Compromised time.Time // what was signed from then on is not trusted; zero: it was never compromised
}

// keyRole is who may publish and retire keys of a use. An order to erase bears
// an approve key's signature and the data-protection officer's own: approve
// keys are the unit's, so that no DPO has both by itself.
func keyRole(use envelope.Use) string {
	if use == envelope.UsePolicy {
		return certs.RolePolicy
	}
	return certs.RoleUnit
}

// PublishKey puts a key of the caller's own agency into the directory, trusted
// from now on. Its certificate must chain to the anchors of the agency's own
// jurisdiction and name that agency and use. The same key again changes
// nothing; a retired key does not come back.
func (s *Service) PublishKey(ctx context.Context, c Caller, agency, kid string, jwk []byte) (*KeyChange, error) {
	v, err := s.enter(ctx, c, ActPublish, "")
	if err != nil {
		return nil, err
	}
	key, r := v.readKey(agency, kid, jwk)
	if r != nil {
		return nil, v.refuse(ctx, r)
	}
	change := &KeyChange{}
	change.Receipt, err = v.commitRegistry(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, nil, err
		}
		old, e := reg.KeyByID(kid), v.entry
		if r := v.mayPublish(reg, key, tx.Now()); r != nil {
			return nil, r, nil
		}
		if change.Repeat = old != nil; change.Repeat {
			change.Key, e.Outcome = old.KeyRow, "repeated"
		} else {
			change.Key, e.Outcome = newKey(agency, key, jwk, tx.Now()), "published"
			tx.PutKey(change.Key)
		}
		change.Key.describe(&e)
		e.Details["certificate"] = fingerprint(key)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return change, nil
}

// readKey reads the key that is to be published, and checks what the key
// alone shows.
func (v *visit) readKey(agency, kid string, jwk []byte) (envelope.PublishedKey, *Refusal) {
	if agency != v.agency() {
		return envelope.PublishedKey{}, absent("key-of-another-agency")
	}
	key, err := envelope.ParsePublicJWK(jwk)
	if err != nil {
		r := badRequest("jwk", "the body is no public JWK: "+envelope.Detail(err))
		r.Err, r.Fix = err, "send kty, crv, x, y, kid, use, alg and x5c of one public key, as liaison keys export prints them"
		return key, r
	}
	if key.Kid() != kid {
		r := badRequest("kid", "the path names another key than the body: its thumbprint is "+key.Kid())
		r.Fix = "put a key under its RFC 7638 SHA-256 thumbprint"
		return key, r
	}
	if r := v.mayKeep(key.Use()); r != nil {
		return key, r
	}
	if own, ok := key.CryptoKey().(interface{ Equal(crypto.PublicKey) bool }); ok && own.Equal(v.caller.Certificate.PublicKey) {
		return key, keyRefused("key-of-tls", "this is the key of your own TLS certificate", "make a key of its own for each use")
	}
	return key, nil
}

// mayKeep refuses keys that are another role's to publish and retire.
func (v *visit) mayKeep(use envelope.Use) *Refusal {
	if role := keyRole(use); v.caller.Identity.Role != role {
		return &Refusal{Kind: RoleForbidden, Reason: "key-of-another-role",
			Detail: fmt.Sprintf("keys of use %s are published and retired by the role %s", use, role), Fix: "use an identity of that role"}
	}
	return nil
}

// mayPublish holds a key against the directory as the change sees it; one
// that is new, against the anchors too.
func (v *visit) mayPublish(reg *Registry, key envelope.PublishedKey, now time.Time) *Refusal {
	taken := &Refusal{Kind: Conflict, Fix: "make a new key: liaison keys rotate"}
	old := reg.KeyByID(key.Kid())
	switch {
	case old == nil && reg.keysInUse(v.agency(), now) >= maxKeysInUse:
		return &Refusal{Kind: Conflict, Reason: "too-many-keys", Detail: fmt.Sprintf("your agency has %d keys in use already", maxKeysInUse), Fix: "retire those that nobody uses"}
	case old == nil:
		return v.checkKey(v.agency(), key)
	case old.Agency != v.agency() || old.Public.Use() != key.Use():
		taken.Reason, taken.Detail = "key-taken", "this key is registered already, for another agency or another use"
	case !old.Until.IsZero() || !old.Compromised.IsZero():
		taken.Reason, taken.Detail = "key-retired", "this key is retired: a key does not come back"
	case !slices.EqualFunc(old.Public.X5C, key.X5C, slices.Equal):
		taken.Reason, taken.Detail = "key-certified", "this key is registered with another certificate, by which old packages are verified"
	default:
		return nil
	}
	return taken
}

// checkKey says why a key cannot be registered for an agency, whatever the
// directory holds.
func (s *Service) checkKey(agency string, key envelope.PublishedKey) *Refusal {
	if key.IsPublished() {
		return keyRefused("key-published", "its private half is published in a standard or in test vectors", "make a key of your own")
	}
	if err := verifyKey(s.Trust(), agency, key, s.Clock()); err != nil {
		r := keyRefused("key-certificate", "its certificate (x5c) is not accepted: "+err.Error(),
			"have it certified by the authority of your jurisdiction for this agency and use, and send the chain with it")
		r.Err = err
		return r
	}
	return nil
}

func keyRefused(reason, detail, fix string) *Refusal {
	return &Refusal{Kind: KeyRefused, Reason: reason, Detail: detail, Fix: fix}
}

// newKey is the row of a key that is trusted from now on.
func newKey(agency string, key envelope.PublishedKey, jwk []byte, now time.Time) KeyRow {
	return KeyRow{Agency: agency, Kid: key.Kid(), Use: string(key.Use()), JWK: jwk, From: now}
}

// fingerprint is that of a key's certificate.
func fingerprint(key envelope.PublishedKey) string {
	chain, err := certs.ParseDER(key.X5C)
	if err != nil {
		return ""
	}
	return certs.Fingerprint(chain[0])
}

// describe tells an entry which key it is about.
func (k *KeyRow) describe(e *audit.Entry) {
	e.Details = map[string]string{"agency": k.Agency, "key": k.Kid, "use": k.Use}
	if !k.Until.IsZero() {
		e.Details["until"] = entryTime(k.Until)
	}
	if !k.Compromised.IsZero() {
		e.Details["compromised"] = entryTime(k.Compromised)
	}
}

// RetireKey ends a key of the caller's own agency, now or at a time to come.
// What was accepted while it was trusted stays verifiable; what is new is
// refused. What was done already is done: a repeat changes nothing.
func (s *Service) RetireKey(ctx context.Context, c Caller, agency, kid string, end Retirement) (*KeyChange, error) {
	v, err := s.enter(ctx, c, ActRetire, "")
	if err != nil {
		return nil, err
	}
	if agency != v.agency() {
		return nil, v.refuse(ctx, absent("key-of-another-agency"))
	}
	change := &KeyChange{}
	change.Receipt, err = v.commitRegistry(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, nil, err
		}
		old := reg.KeyByID(kid)
		if old == nil || old.Agency != agency {
			return nil, absent("no-such-key"), nil
		}
		if r := v.mayKeep(old.Public.Use()); r != nil {
			return nil, r, nil
		}
		row, r := old.retire(end, tx.Now())
		if r != nil {
			return nil, r, nil
		}
		e := v.entry
		if change.Repeat, e.Outcome = row.sameEnd(old.KeyRow), "repeated"; !change.Repeat {
			e.Outcome = "retired"
			tx.PutKey(row)
		}
		change.Key = row
		row.describe(&e)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return change, nil
}

// retire is what a retirement makes of a key.
func (k KeyRow) retire(end Retirement, now time.Time) (KeyRow, *Refusal) {
	skew := envelope.MaxSkew
	switch {
	case !end.Until.IsZero() && !end.Compromised.IsZero():
		return k, badRequest("until", "a compromised key ends now: give either until or compromised")
	case !end.Until.IsZero() && end.Until.Before(now.Add(-skew)):
		return k, badRequest("until", "a key ends now or later; if it was in strange hands, give compromised")
	case end.Compromised.After(now.Add(skew)):
		return k, badRequest("compromised", "compromised is a time in the past, or now")
	}
	if until := latest(now, end.Until); k.Until.IsZero() || until.Before(k.Until) {
		k.Until = until
	}
	if end.Compromised.IsZero() {
		return k, nil
	}
	at := end.Compromised.UTC().Truncate(time.Millisecond)
	if at.After(now) {
		at = now
	}
	if !k.Compromised.IsZero() && at.After(k.Compromised) {
		return k, &Refusal{Kind: Conflict, Reason: "compromise-later", Detail: "the key is known to be compromised since " + entryTime(k.Compromised),
			Fix: "give that time or an earlier one: a compromise can only be made stricter"}
	}
	k.Compromised = at
	return k, nil
}

// latest is the later of two times, in whole milliseconds.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		a = b
	}
	return a.UTC().Truncate(time.Millisecond)
}

// sameEnd reports whether two rows of a key end alike.
func (k KeyRow) sameEnd(o KeyRow) bool {
	return k.Until.Equal(o.Until) && k.Compromised.Equal(o.Compromised)
}
