package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Key is a key of the directory, held against the own anchors. It may be used only if Err is nil.
type Key struct {
	envelope.PublishedKey
	Agency   string
	Identity certs.KeyIdentity // what its certificate says; the zero value if that cannot be read
	NotAfter time.Time         // end of its certificate; zero if that cannot be read
	Err      error             // why the own anchors do not vouch for it; nil if they do

	// Unlisted says that the profile has no revocation list of the agency's jurisdiction (anchors/<j>.crl): that the key was
	// revoked would not be known.
	Unlisted bool

	// From, Until and Compromised are what the directory says of its history; only Client.Key fills them. Zero: unknown, or
	// it did not happen.
	From, Until, Compromised time.Time

	notBefore time.Time
}

// Agencies reads the directory of agencies.
func (c *Client) Agencies(ctx context.Context) ([]api.Agency, error) {
	var list api.Agencies
	if _, err := c.fetchJSON(ctx, get(api.RouteAgencies, nil), &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// AgencyByID reads one agency of the directory.
func (c *Client) AgencyByID(ctx context.Context, agency string) (*api.Agency, error) {
	if _, _, err := certs.ParseAgencyID(agency); err != nil {
		return nil, err
	}
	var a api.Agency
	if _, err := c.fetchJSON(ctx, get(api.AgencyPath(agency), nil), &a); err != nil {
		return nil, err
	}
	if a.ID != agency {
		return nil, unverifiedf("agency "+agency, "the answer describes %q", a.ID)
	}
	return &a, nil
}

// Keys reads the keys of an agency that are in use, and holds each against the own anchors as of now: see Key.Err.
func (c *Client) Keys(ctx context.Context, agency string) ([]Key, error) {
	if _, _, err := certs.ParseAgencyID(agency); err != nil {
		return nil, err
	}
	a, err := c.fetch(ctx, get(api.KeysPath(agency), nil))
	if err != nil {
		return nil, err
	}
	set, err := envelope.ParseKeySet(a.body)
	if err != nil {
		return nil, unverified("keys of "+agency, err)
	}
	keys := make([]Key, 0, len(set))
	for _, k := range set {
		keys = append(keys, c.verifyKey(k, agency, c.now()))
	}
	return keys, nil
}

// Key reads one key of an agency, a retired one too, with its history, and holds it against the own anchors as of the time
// at which it was used.
func (c *Client) Key(ctx context.Context, agency, kid string, at time.Time) (Key, error) {
	if _, _, err := certs.ParseAgencyID(agency); err != nil {
		return Key{}, err
	}
	var got api.Key
	if _, err := c.fetchJSON(ctx, get(api.KeyPath(agency, kid), nil), &got); err != nil {
		return Key{}, err
	}
	published, err := envelope.ParsePublicJWK(got.JWK)
	if err != nil {
		return Key{}, unverified("key of "+agency, err)
	}
	if published.Kid() != kid {
		return Key{}, unverifiedf("key of "+agency, "the answer is key %s, not %s", published.Kid(), kid)
	}
	k := c.verifyKey(published, agency, at)
	for _, t := range []struct {
		text string
		time *time.Time
	}{{got.From, &k.From}, {got.Until, &k.Until}, {got.Compromised, &k.Compromised}} {
		if t.text == "" {
			continue
		}
		if *t.time, err = time.Parse(time.RFC3339, t.text); err != nil {
			return Key{}, unverified("history of the key of "+agency, err)
		}
	}
	return k, nil
}

// verifyKey holds a key against the own anchors and revocation lists.
func (c *Client) verifyKey(p envelope.PublishedKey, agency string, at time.Time) Key {
	k := Key{PublishedKey: p, Agency: agency}
	if len(p.X5C) == 0 {
		k.Err = unverifiedf("key of "+agency, "it has no certificate")
		return k
	}
	chain, err := certs.ParseDER(p.X5C)
	if err != nil {
		k.Err = unverified("key of "+agency, err)
		return k
	}
	k.notBefore, k.NotAfter = chain[0].NotBefore, chain[0].NotAfter
	if len(chain[0].URIs) == 1 {
		k.Identity, _ = certs.ParseKeyIdentity(chain[0].URIs[0].String()) // for display; VerifyKey decides
	}
	k.Unlisted = !c.listed(agency)
	if err := c.trust.VerifyKey(chain, agency, string(p.Use()), p.CryptoKey(), at, c.now()); err != nil {
		k.Err = unverified("key of "+agency, err)
	}
	return k
}

// listed says whether there is a revocation list of an agency's jurisdiction.
func (c *Client) listed(agency string) bool {
	jurisdiction, _, err := certs.ParseAgencyID(agency)
	return err == nil && c.trust.Revocations != nil && c.trust.Revocations.Checks(jurisdiction)
}

// EncryptionKey is the key to which content for an agency is sealed: of those in use that the own anchors vouch for, the one
// whose certificate is the newest.
func (c *Client) EncryptionKey(ctx context.Context, agency string) (envelope.PublicKey, error) {
	keys, err := c.Keys(ctx, agency)
	if err != nil {
		return envelope.PublicKey{}, fmt.Errorf("keys of %s: %w", agency, err)
	}
	var best *Key
	var refusal error
	for i, k := range keys {
		switch {
		case k.Use() != envelope.UseEncrypt:
		case k.Err != nil:
			refusal = k.Err
		case best == nil || k.notBefore.After(best.notBefore):
			best = &keys[i]
		}
	}
	switch {
	case best != nil:
		return best.PublicKey, nil
	case refusal != nil:
		return envelope.PublicKey{}, refusal
	}
	return envelope.PublicKey{}, fmt.Errorf("%s has published no encryption key: nothing can be sealed for it", agency)
}

// verifySignature verifies a manifest with the sender's key, as of the time at which it was signed, and returns the key.
func (c *Client) verifySignature(ctx context.Context, m *envelope.SignedManifest) (Key, error) {
	signed := time.Unix(m.IAT, 0)
	k, err := c.Key(ctx, m.Iss, m.Kid, signed)
	if err != nil {
		return Key{}, fmt.Errorf("key of the sender: %w", err)
	}
	if err := k.usableAt(signed); err != nil {
		return Key{}, unverified("manifest", err)
	}
	if err := m.VerifySignature(k.PublicKey); err != nil {
		return Key{}, unverified("manifest", err)
	}
	return k, nil
}

// Ended says in words what became of a key that is not in use any more; empty while it is.
func (k *Key) Ended() string {
	switch {
	case !k.Compromised.IsZero():
		return "compromised since " + k.Compromised.UTC().Format(time.RFC3339)
	case !k.Until.IsZero():
		return "retired at " + k.Until.UTC().Format(time.RFC3339)
	}
	return ""
}

// usableAt says whether what was signed at a time may be believed. The skew is the one that the exchange allows between a
// sender's clock and its own.
func (k *Key) usableAt(t time.Time) error {
	switch {
	case k.Err != nil:
		return k.Err
	case !k.From.IsZero() && t.Add(envelope.MaxSkew).Before(k.From):
		return errors.New("it was signed before its key was published")
	case !k.Until.IsZero() && t.Add(-envelope.MaxSkew).After(k.Until):
		return errors.New("it was signed after its key was retired")
	case !k.Compromised.IsZero() && !t.Add(envelope.MaxSkew).Before(k.Compromised):
		// Whoever has the key chooses the time that a manifest bears, within the skew: in doubt it was the other.
		return errors.New("it was signed when its key was compromised, or may have been")
	}
	return nil
}
