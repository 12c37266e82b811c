package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// crlSkew is how far in the future a list may have been issued, for clocks that differ.
const crlSkew = 5 * time.Minute

// crl is one verified revocation list: complete for its issuer, immutable.
type crl struct {
	issuer     keyID
	name       string // of the issuer, for people
	digest     [sha256.Size]byte
	number     *big.Int
	thisUpdate time.Time
	nextUpdate time.Time
	revoked    map[string]time.Time // by the bytes of the serial number
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
	case list.NextUpdate.IsZero():
		return nil, errors.New("a revocation list without nextUpdate")
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
		issuer: keyOf(issuer), name: issuer.Subject.String(), digest: sha256.Sum256(list.Raw), number: list.Number,
		thisUpdate: list.ThisUpdate, nextUpdate: list.NextUpdate, revoked: revoked,
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

func revokedSerials(list *x509.RevocationList) (map[string]time.Time, error) {
	revoked := make(map[string]time.Time, len(list.RevokedCertificateEntries))
	for _, entry := range list.RevokedCertificateEntries {
		for _, ext := range entry.Extensions {
			if ext.Critical {
				return nil, fmt.Errorf("an entry with a critical extension %s: not a direct list", ext.Id)
			}
		}
		serial := string(entry.SerialNumber.Bytes())
		if first, ok := revoked[serial]; !ok || entry.RevocationTime.Before(first) {
			revoked[serial] = entry.RevocationTime
		}
	}
	return revoked, nil
}
