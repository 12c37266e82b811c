package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// How long things of the built-in authority last, unless its holder says otherwise.
const (
	LeafValidity = 30 * 24 * time.Hour
	CALifetime   = 5 * 365 * 24 * time.Hour
	CRLValidity  = 7 * 24 * time.Hour
)

// RenewAt is when a certificate is due for renewal: at two thirds of its life.
func RenewAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) * 2 / 3)
}

// Office is the built-in authority at work: a CA in its directory, with a durable record of all that it issued and revoked.
// Every act reads the directory, does its work and writes it durably under a lock, before anything leaves: so a command and a
// service may work in the same office, and nothing that was issued is unknown to it. Safe for concurrent use.
//
//	ca.crt      the authority's certificate: the anchor of its jurisdiction
//	ca.key      its private key
//	ca.issued   a line of JSON for each certificate that it issued
//	ca.revoked  a line for each that it revoked
//	ca.number   the number of its newest revocation list
//	<j>.crl     that list
type Office struct {
	dir   string
	clock func() time.Time
	cert  *x509.Certificate
	own   *Anchors // the authority itself, for its jurisdiction
}

const (
	caIssuedFile = "ca.issued"
	caNumberFile = "ca.number"
)

// FoundOffice makes the directory of a new authority. One that has an authority already is left as it is.
func FoundOffice(dir, jurisdiction string, clock func() time.Time, lifetime time.Duration) (*Office, error) {
	ca, err := NewCA(jurisdiction, clock, lifetime)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fileError(dir, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, caKeyFile)); !errors.Is(err, os.ErrNotExist) {
		return nil, setupError(dir, errors.Join(errors.New("there is an authority already"), err), "choose another directory: an authority is never overwritten")
	}
	if err := ca.Save(dir); err != nil {
		return nil, err
	}
	return OpenOffice(dir, clock)
}

// OpenOffice opens the directory of an authority that FoundOffice or CA.Save made.
func OpenOffice(dir string, clock func() time.Time) (*Office, error) {
	ca, err := LoadCA(dir, clock)
	if err != nil {
		return nil, err
	}
	own, err := NewAnchors(map[string][]Anchor{ca.jurisdiction: {{Certificate: ca.cert}}})
	if err == nil {
		own, err = own.WithOperator(ca.jurisdiction)
	}
	if err != nil {
		return nil, err
	}
	return &Office{dir: dir, clock: clock, cert: ca.cert, own: own}, nil
}

// Certificate is the authority's own.
func (o *Office) Certificate() *x509.Certificate { return o.cert }

// Jurisdiction is for which jurisdiction the authority speaks.
func (o *Office) Jurisdiction() string { return o.cert.PermittedURIDomains[0] }

// CRLFile is where the newest revocation list lies.
func (o *Office) CRLFile() string { return filepath.Join(o.dir, o.Jurisdiction()+crlExt) }

// Issue certifies what a request (see ParseCSR) asks for. The caller has made sure that the sender may have it.
func (o *Office) Issue(csr []byte, validity time.Duration) (*x509.Certificate, error) {
	return o.issue("", func(ca *CA) (*x509.Certificate, error) { return ca.IssueFromCSR(csr, validity) })
}

// IssueServer certifies a server for hosts.
func (o *Office) IssueServer(hosts []string, pub crypto.PublicKey, validity time.Duration) (*x509.Certificate, error) {
	return o.issue("", func(ca *CA) (*x509.Certificate, error) { return ca.IssueServer(hosts, pub, validity) })
}

// issue does not give the certificate away before it is on record.
func (o *Office) issue(renews string, sign func(*CA) (*x509.Certificate, error)) (cert *x509.Certificate, err error) {
	err = o.locked(func(ca *CA) error {
		if cert, err = sign(ca); err != nil {
			return err
		}
		return o.record(issueOf(cert, renews, o.clock()))
	})
	if err != nil {
		return nil, err
	}
	return cert, nil
}

// Revoke puts a certificate that the authority has issued on its next list, durably.
func (o *Office) Revoke(serial *big.Int) error {
	issued, err := o.Issued()
	if err != nil {
		return err
	}
	if _, ok := bySerial(issued, serial); !ok {
		return setupError(fmt.Sprintf("%x", serial), errors.New("this authority has no record of such a serial number"),
			"look it up with liaison certs ca list, or name the file of the certificate")
	}
	return o.revoke(serial)
}

// RevokeCertificate is Revoke for a certificate at hand, which the authority must have signed.
func (o *Office) RevokeCertificate(cert *x509.Certificate) error {
	if err := cert.CheckSignatureFrom(o.cert); err != nil {
		return &Error{
			Check: CheckChain, Subject: describe(cert), Want: describe(o.cert), Err: errors.New("not a certificate of this authority"),
			Fix: "only the authority that issued a certificate can revoke it",
		}
	}
	return o.revoke(cert.SerialNumber)
}

func (o *Office) revoke(serial *big.Int) error {
	return o.locked(func(ca *CA) error {
		ca.Revoke(serial)
		return ca.SaveRevoked(o.dir)
	})
}

// NextCRL signs the next full list, which is due after validity, and writes it to CRLFile. Its number is above those of all
// lists before, and on disk before there is a list that bears it; it is at least the time, so that it rises even when the
// directory is restored from an old backup.
func (o *Office) NextCRL(validity time.Duration) (*x509.RevocationList, error) {
	var list *x509.RevocationList
	err := o.locked(func(ca *CA) error {
		number, err := o.nextNumber()
		if err != nil {
			return err
		}
		der, err := ca.CRL(number, o.clock().Add(validity))
		if err != nil {
			return err
		}
		if list, err = x509.ParseRevocationList(der); err != nil {
			return formError(fmt.Errorf("own revocation list: %w", err))
		}
		return WritePublic(o.CRLFile(), EncodeCRL(list))
	})
	return list, err
}

func (o *Office) nextNumber() (*big.Int, error) {
	path := filepath.Join(o.dir, caNumberFile)
	last := int64(0)
	data, err := readFile(path, 64)
	switch {
	case err == nil:
		if last, err = strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err != nil {
			return nil, setupError(path, err, "restore the file from a backup")
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	next := max(last+1, o.clock().Unix())
	return big.NewInt(next), WritePublic(path, []byte(strconv.FormatInt(next, 10)+"\n"))
}

// CRL reads the newest list; the error is fs.ErrNotExist if there is none yet.
func (o *Office) CRL() (*x509.RevocationList, error) {
	data, err := readFile(o.CRLFile(), maxCRL)
	if err != nil {
		return nil, err
	}
	lists, _, err := parseCRLFile(data)
	if err != nil {
		return nil, crlError(o.CRLFile(), err)
	}
	return lists[0], nil
}

// CRLDue says whether the newest list is missing, past half of its time, or lacks a revocation.
func (o *Office) CRLDue() (bool, error) {
	list, err := o.CRL()
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	revoked, err := loadRevoked(filepath.Join(o.dir, caRevokedFile))
	if err != nil {
		return false, err
	}
	status := CRLStatus{ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate}
	return status.Aging(o.clock()) || len(revoked) != len(list.RevokedCertificateEntries), nil
}

// Client says who presents a chain: an identity whose certificate this very authority issued, which is within its dates and
// not revoked as of now.
func (o *Office) Client(chain []*x509.Certificate) (Peer, error) {
	peer, err := o.own.VerifyClient(chain, o.clock())
	if err != nil {
		return Peer{}, err
	}
	revoked, err := loadRevoked(filepath.Join(o.dir, caRevokedFile))
	if err != nil {
		return Peer{}, err
	}
	for _, entry := range revoked {
		if entry.SerialNumber.Cmp(peer.Certificate.SerialNumber) == 0 {
			return Peer{}, &Error{
				Check: CheckRevoked, Subject: describe(peer.Certificate), Err: fmt.Errorf("revoked at %s", entry.RevocationTime.UTC().Format(time.RFC3339)),
				Fix: "ask the authority of the jurisdiction for a certificate, with a new request",
			}
		}
	}
	return peer, nil
}

// locked opens the authority as it now is, for one act.
func (o *Office) locked(act func(*CA) error) error {
	unlock, err := lockDir(o.dir)
	if err != nil {
		return err
	}
	defer unlock()
	ca, err := LoadCA(o.dir, o.clock)
	if err != nil {
		return err
	}
	return act(ca)
}
