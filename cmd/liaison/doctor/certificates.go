package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

const day = 24 * time.Hour

// When the end of a certificate is near: to plan, to act, and too late for anything but at once.
const (
	planBefore = 60 * day
	actBefore  = 14 * day
	lateBefore = 3 * day
)

// shortLived is the longest life of a certificate that is renewed by a program, at two thirds of it.
const shortLived = 90 * day

// inspect looks at one chain and tells what is wrong, or when it ends.
func (e *examination) inspect(check, file string, chain []*x509.Certificate, trust *certs.Trust, roots []*x509.Certificate, renew string) (certs.Inspection, bool) {
	i := certs.Inspect(chain, trust, roots, e.now)
	if !i.Verified {
		err := errors.New(i.Wrong)
		if i.Expected != "" {
			err = fmt.Errorf("%s (expected %s)", i.Wrong, i.Expected)
		}
		e.fault(check, file, err, i.Fix)
		return i, false
	}
	e.end(check, file, i.Identity+strings.Join(i.Hosts, " "), chain[0], renew)
	return i, true
}

// end says how long a certificate lasts.
func (e *examination) end(check, file, name string, cert *x509.Certificate, renew string) {
	left, life := cert.NotAfter.Sub(e.now), cert.NotAfter.Sub(cert.NotBefore)
	if name == "" {
		name = cert.Subject.String()
	}
	text := fmt.Sprintf("%s is good for %d days, until %s", name, certs.DaysLeft(cert, e.now), cert.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case left < lateBefore:
		e.fault(check, file, errors.New(text), renew)
	case life <= shortLived && e.now.After(certs.RenewAt(cert).Add(life/20)):
		e.warn(check, file, text+"; it was due for renewal on "+certs.RenewAt(cert).UTC().Format(time.DateOnly), renew)
	case life > shortLived && left < actBefore:
		e.warn(check, file, text, renew)
	case life > shortLived && left < planBefore:
		e.warn(check, file, text+": plan its renewal", renew)
	default:
		e.ok(check, file, "%s", text)
	}
}

// lists looks at the revocation lists.
func (e *examination) lists(dir string, revocations *certs.Revocations) {
	if revocations == nil {
		return
	}
	for _, s := range revocations.Status() {
		file := dir + "/" + s.Jurisdiction + ".crl"
		text := fmt.Sprintf("list %s of %s has %d certificates and is due by %s", s.Number, s.Issuer, s.Revoked, s.NextUpdate.UTC().Format(time.RFC3339))
		fix := "get the newest list from the authority of " + s.Jurisdiction + " and put it there"
		switch {
		case s.Err != nil:
			e.fault("revocation list", file, s.Err, fix)
		case e.now.After(s.NextUpdate):
			e.fault("revocation list", file, errors.New(text+": it is stale, and the certificates of "+s.Jurisdiction+" are refused"), fix)
		case s.Aging(e.now):
			e.warn("revocation list", file, text+": half of its time is over", fix)
		default:
			e.ok("revocation list", file, "%s", text)
		}
	}
}

// anchors looks at each anchor of each jurisdiction.
func (e *examination) anchors(dir string, anchors *certs.Anchors) {
	for _, j := range anchors.Jurisdictions() {
		file := dir + "/" + j + ".pem"
		for _, anchor := range anchors.Of(j) {
			if e.now.After(anchor.Certificate.NotAfter) {
				e.fault("anchor", file, fmt.Errorf("%s has expired on %s: nobody of %s is believed", anchor.Certificate.Subject, anchor.Certificate.NotAfter.UTC().Format(time.DateOnly), j), anchorFix(j))
				continue
			}
			e.end("anchor", file, "the authority of "+j, anchor.Certificate, anchorFix(j))
		}
	}
}

func anchorFix(jurisdiction string) string {
	return "get the next certificate of the authority of " + jurisdiction + " from the jurisdiction itself, and add it to the file"
}
