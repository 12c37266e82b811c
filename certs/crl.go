package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// crlSkew is how far in the future a list may have been issued, for clocks that differ.
const crlSkew = 5 * time.Minute

// maxCRLNumber is in bits (RFC 5280 section 5.2.3: 20 octets).
const maxCRLNumber = 160

// crl is one verified revocation list: complete for its issuer, immutable.
type crl struct {
	issuer     keyID
	name       string // of the issuer, for people
	digest     [sha256.Size]byte
	number     *big.Int
	thisUpdate time.Time
	nextUpdate time.Time
	revoked    map[string]time.Time // by the bytes of the serial number
	raw        []byte
	through    []*x509.Certificate // authorities that vouch for the issuer; none if it is an anchor
}

// CRL is one verified revocation list as it is kept and passed on.
type CRL struct {
	Issuer     string   // SPKISHA256 of the authority that signed it
	Name       string   // its subject
	Digest     string   // base64url of the SHA-256 of what is signed: the same list signed again is the same list
	Number     *big.Int // rises with each list of the issuer; at most 20 octets
	ThisUpdate time.Time
	NextUpdate time.Time
	Revoked    int    // certificates on it
	PEM        []byte // the list, and the authorities that vouch for its issuer if it is no anchor: a whole <jurisdiction>.crl
}

// ReadCRLs reads the lists in data, DER or PEM as in a file. They authenticate themselves: each must be signed by an anchor of
// the jurisdiction, or by an authority in data that chains to one. The error is an *Error.
func (a *Anchors) ReadCRLs(jurisdiction string, data []byte, now time.Time) ([]CRL, error) {
	lists, err := readCRLs(data, a.Of(jurisdiction), now)
	if err != nil {
		return nil, crlError("a list of "+jurisdiction, err)
	}
	return shared(lists), nil
}

// shared gives lists as others see them, sorted by issuer.
func shared(lists []*crl) []CRL {
	all := make([]CRL, 0, len(lists))
	for _, list := range lists {
		encoded := pem.EncodeToMemory(&pem.Block{Type: labelCRL, Bytes: list.raw})
		all = append(all, CRL{
			Issuer: encodeID(list.issuer), Name: list.name, Digest: encodeID(list.digest), Number: list.number,
			ThisUpdate: list.thisUpdate, NextUpdate: list.nextUpdate, Revoked: len(list.revoked),
			PEM: append(encoded, EncodeChain(list.through...)...),
		})
	}
	slices.SortFunc(all, func(a, b CRL) int { return strings.Compare(a.Issuer, b.Issuer) })
	return all
}

func encodeID(id [sha256.Size]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// readCRLs parses and verifies the lists in data, each of another issuer.
func readCRLs(data []byte, anchors []Anchor, now time.Time) ([]*crl, error) {
	parsed, certificates, err := parseCRLFile(data)
	if err != nil {
		return nil, err
	}
	issuers, err := crlIssuers(anchors, certificates, now)
	if err != nil {
		return nil, err
	}
	var lists []*crl
	for _, list := range parsed {
		fresh, err := newCRL(list, issuers, now)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(lists, func(other *crl) bool { return other.issuer == fresh.issuer }) {
			return nil, fmt.Errorf("two revocation lists of %s", fresh.name)
		}
		if !slices.ContainsFunc(anchors, func(a Anchor) bool { return keyOf(a.Certificate) == fresh.issuer }) {
			fresh.through = certificates
		}
		lists = append(lists, fresh)
	}
	return lists, nil
}

// anchored says whether the issuer still is an anchor, or chains to one.
func (c *crl) anchored(anchors []Anchor, now time.Time) bool {
	issuers, err := crlIssuers(anchors, c.through, now)
	return err == nil && slices.ContainsFunc(issuers, func(issuer *x509.Certificate) bool { return keyOf(issuer) == c.issuer })
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

// revokedAt says when the certificate of the serial number was revoked.
func (c *crl) revokedAt(serial *big.Int) (time.Time, bool) {
	at, ok := c.revoked[string(serial.Bytes())]
	return at, ok
}

// parseCRLFile parses the contents of a <jurisdiction>.crl: one list in DER, or PEM with lists and, where intermediate
// authorities issue lists, their certificates.
func parseCRLFile(data []byte) ([]*x509.RevocationList, []*x509.Certificate, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		list, err := parseCRL(data)
		if err != nil {
			return nil, nil, fmt.Errorf("neither PEM nor a revocation list in DER: %w", err)
		}
		return []*x509.RevocationList{list}, nil, nil
	}
	blocks, err := parsePEM(data, labelCRL, labelCertificate)
	if err != nil {
		return nil, nil, err
	}
	return parseCRLBlocks(blocks)
}

func parseCRLBlocks(blocks []*pem.Block) (lists []*x509.RevocationList, issuers []*x509.Certificate, err error) {
	for i, block := range blocks {
		if block.Type == labelCRL {
			list, err := parseCRL(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("block %d: %w", i+1, err)
			}
			lists = append(lists, list)
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("block %d: %w", i+1, err)
		}
		issuers = append(issuers, cert)
	}
	if len(lists) == 0 {
		return nil, nil, errors.New("no revocation list")
	}
	return lists, issuers, nil
}

// parseCRL refuses data after the list, which crypto/x509 does not.
func parseCRL(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	if len(list.Raw) != len(der) {
		return nil, errors.New("data after the revocation list")
	}
	return list, nil
}

// newCRL verifies a list against its possible issuers. A list that is a part of another (delta, partitioned, indirect) says so
// in a critical extension (RFC 5280 sections 5.2.4, 5.2.5, 5.3.3); such lists are refused, for an absent serial number would
// not mean what it means here.
func newCRL(list *x509.RevocationList, issuers []*x509.Certificate, now time.Time) (*crl, error) {
	issuer, err := crlIssuer(list, issuers)
	if err != nil {
		return nil, err
	}
	switch {
	case list.Number == nil:
		return nil, errors.New("a revocation list without a number")
	case list.Number.Sign() < 0 || list.Number.BitLen() > maxCRLNumber:
		return nil, errors.New("a revocation list whose number is negative or longer than 20 octets")
	case list.NextUpdate.IsZero():
		return nil, errors.New("a revocation list without nextUpdate")
	case !list.NextUpdate.After(list.ThisUpdate):
		return nil, errors.New("a revocation list that was due before it was issued")
	case list.ThisUpdate.After(now.Add(crlSkew)):
		return nil, fmt.Errorf("a revocation list of the future: %s", list.ThisUpdate.UTC().Format(time.RFC3339))
	}
	for _, ext := range list.Extensions {
		if ext.Critical {
			return nil, fmt.Errorf("a critical extension %s: not a full list", ext.Id)
		}
	}
	revoked, err := revokedSerials(list)
	if err != nil {
		return nil, err
	}
	return &crl{
		issuer: keyOf(issuer), name: issuer.Subject.String(), digest: sha256.Sum256(list.RawTBSRevocationList), number: list.Number,
		thisUpdate: list.ThisUpdate, nextUpdate: list.NextUpdate, revoked: revoked, raw: list.Raw,
	}, nil
}

func crlIssuer(list *x509.RevocationList, issuers []*x509.Certificate) (*x509.Certificate, error) {
	err := errors.New("no authority of this name")
	for _, issuer := range issuers {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
			continue
		}
		if issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
			err = errors.New("the authority may not sign revocation lists")
			continue
		}
		if err = list.CheckSignatureFrom(issuer); err == nil {
			return issuer, nil
		}
	}
	return nil, fmt.Errorf("a revocation list of %.100q: %w", list.Issuer.String(), err)
}

// revokedSerials says since when each certificate on the list is not to be believed. A serial number that stands there twice
// counts from the earlier time.
func revokedSerials(list *x509.RevocationList) (map[string]time.Time, error) {
	revoked := make(map[string]time.Time, len(list.RevokedCertificateEntries))
	for _, entry := range list.RevokedCertificateEntries {
		at, err := revokedSince(entry)
		if err != nil {
			return nil, err
		}
		serial := string(entry.SerialNumber.Bytes())
		if first, ok := revoked[serial]; !ok || at.Before(first) {
			revoked[serial] = at
		}
	}
	return revoked, nil
}

// invalidityDate is when the private key was probably lost, which may be long before the authority knew (RFC 5280 section 5.3.2).
var invalidityDate = asn1.ObjectIdentifier{2, 5, 29, 24}

func revokedSince(entry x509.RevocationListEntry) (time.Time, error) {
	at := entry.RevocationTime
	for _, ext := range entry.Extensions {
		if ext.Critical {
			return at, fmt.Errorf("an entry with a critical extension %s: not a direct list", ext.Id)
		}
		if !ext.Id.Equal(invalidityDate) {
			continue
		}
		var lost time.Time
		if rest, err := asn1.UnmarshalWithParams(ext.Value, &lost, "generalized"); err != nil || len(rest) > 0 {
			return at, errors.New("an entry with a malformed invalidity date")
		}
		if lost.Before(at) {
			at = lost
		}
	}
	return at, nil
}
