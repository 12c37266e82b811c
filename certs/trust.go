package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Trust is what is believed at one moment: immutable, safe for concurrent use, replaced as a whole.
type Trust struct {
	Anchors     *Anchors         // with the operator's trust domain, see Anchors.WithOperator
	Revocations *Revocations     // nil: nothing is checked for revocation
	Bindings    *Bindings        // who certificates without a URI SAN are; nil: nobody
	Server      *tls.Certificate // the server's own; only a Gatekeeper needs it
}

// TrustFiles names the files of a Trust.
type TrustFiles struct {
	Anchors     string           // directory, see LoadAnchors
	Operator    string           // trust domain of the exchange's own people; "" if there are none
	Revocations RevocationConfig // a zero value refuses all: there is no list
	Certificate string           // the server's chain, PEM, leaf first; "" for none
	Key         string           // its private key, PKCS #8 PEM
}

// Load reads the files. previous is the Trust that was loaded before, so that a revocation survives the loss of its list; nil
// at the start. On an error the previous Trust stays good.
func (f TrustFiles) Load(previous *Trust, now time.Time) (*Trust, error) {
	anchors, err := LoadAnchors(f.Anchors)
	if err != nil {
		return nil, err
	}
	if f.Operator != "" {
		if anchors, err = anchors.WithOperator(f.Operator); err != nil {
			return nil, err
		}
	}
	next := &Trust{Anchors: anchors}
	var before *Revocations
	if previous != nil {
		before = previous.Revocations
	}
	if next.Revocations, err = f.Revocations.Load(before, anchors, now); err != nil {
		return nil, err
	}
	if f.Certificate != "" {
		pair, err := LoadKeyPair(f.Certificate, f.Key)
		if err != nil {
			return nil, err
		}
		next.Server = &pair
	}
	return next, nil
}

// VerifyClient is Anchors.VerifyClient, where a certificate without a URI SAN may have a binding instead, and the certificate
// must not be revoked.
func (t *Trust) VerifyClient(chain []*x509.Certificate, now time.Time) (Peer, error) {
	peer, _, err := t.verifyClient(chain, now)
	return peer, err
}

// VerifyKey is Anchors.VerifyKey for a key that was used at the time at, and the certificate must not have been revoked by
// then, as far as is known now.
func (t *Trust) VerifyKey(chain []*x509.Certificate, agency, use string, pub crypto.PublicKey, at, now time.Time) error {
	paths, err := t.Anchors.verifyKey(chain, agency, use, pub, at)
	if err != nil || t.Revocations == nil {
		return err
	}
	jurisdiction, _, err := ParseAgencyID(agency)
	if err != nil {
		return err
	}
	_, err = t.Revocations.check(jurisdiction, paths, at, now)
	return err
}

// verifyClient also gives the time until which the answer holds, if nothing changes.
func (t *Trust) verifyClient(chain []*x509.Certificate, now time.Time) (Peer, time.Time, error) {
	peer, paths, err := t.Anchors.verifyClient(chain, t.Bindings, now)
	if err != nil {
		return Peer{}, time.Time{}, err
	}
	until := paths[0][0].NotAfter
	for _, cert := range slices.Concat(paths...) {
		if cert.NotAfter.Before(until) {
			until = cert.NotAfter
		}
	}
	if t.Revocations == nil {
		return peer, until, nil
	}
	fresh, err := t.Revocations.check(peer.Identity.Jurisdiction, paths, now, now)
	if err != nil {
		return Peer{}, time.Time{}, err
	}
	if !fresh.IsZero() && fresh.Before(until) {
		until = fresh
	}
	return peer, until, nil
}

// checkServer refuses a Trust with which no server can serve.
func (t *Trust) checkServer(now time.Time) error {
	if t == nil || t.Anchors == nil || len(t.Anchors.sets) == 0 {
		return setupError("server", errors.New("no anchors"), "give the anchors of the jurisdictions")
	}
	if t.Server == nil || len(t.Server.Certificate) == 0 || t.Server.PrivateKey == nil {
		return setupError("server", errors.New("no server certificate"), "give the server a certificate and its private key")
	}
	leaf, err := x509.ParseCertificate(t.Server.Certificate[0])
	if err != nil {
		return formError(fmt.Errorf("server certificate: %w", err))
	}
	if err := checkDates(leaf, now); err != nil {
		return err
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		return &Error{
			Check: CheckNames, Subject: describe(leaf), Want: "a DNS or IP SAN", Err: errors.New("a server certificate without a host"),
			Fix: "issue the server's certificate for the host in its address",
		}
	}
	return checkServerUsage(leaf)
}
