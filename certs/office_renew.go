package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// maxRenewals is how many certificates an identity may get in a day by renewal: enough for every retry, too few for a thief
// to fill the record.
const maxRenewals = 10

// ErrTooOften says that an identity has renewed too often today.
var ErrTooOften = errors.New("too many renewals of this identity in a day")

// Renew certifies a new key for an identity, at the word of its holder alone: peer was verified by Client, and the request
// must be for the very same identity with another key.
func (o *Office) Renew(peer Peer, csr []byte, validity time.Duration) (*x509.Certificate, error) {
	request, err := ParseCSR(csr)
	if err != nil {
		return nil, err
	}
	subject := peer.Identity.String()
	switch {
	case request.ID != subject:
		return nil, &Error{
			Check: CheckIdentity, Subject: request.ID, Want: subject, Err: errors.New("a renewal for another identity"),
			Fix: "renew with the certificate of this identity, or send the request to the people of the authority",
		}
	case sameKey(request.Key, peer.Certificate.PublicKey):
		return nil, &Error{Check: CheckKey, Subject: subject, Want: "a new key", Err: errors.New("a renewal with the old key"), Fix: "make a new key for each renewal"}
	}
	return o.issue(fmt.Sprintf("%x", peer.Certificate.SerialNumber), func(ca *CA) (*x509.Certificate, error) {
		if err := o.checkPace(subject); err != nil {
			return nil, err
		}
		return ca.IssueClient(peer.Identity, request.Key, validity)
	})
}

func (o *Office) checkPace(identity string) error {
	issued, err := o.Issued()
	if err != nil {
		return err
	}
	count, since := 0, o.clock().Add(-24*time.Hour)
	for _, issue := range issued {
		if issue.Identity == identity && issue.Renews != "" && issue.At.After(since) {
			count++
		}
	}
	if count < maxRenewals {
		return nil
	}
	return &Error{
		Check: CheckSetup, Subject: identity, Err: ErrTooOften,
		Fix: "wait for a day; if it was not you who renewed, have the certificate revoked at once",
	}
}
