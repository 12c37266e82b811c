package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// tagURI is uniformResourceIdentifier in GeneralName (RFC 5280 section 4.2.1.6).
const tagURI = 6

// rawURIs gives the URI SANs as they stand in the certificate. x509.Certificate.URIs are parsed: net/url lowers the case of
// the scheme and drops an empty fragment, so that two spellings would become one identity.
func rawURIs(cert *x509.Certificate) ([]string, error) {
	var uris []string
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(oidSubjectAltName) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &names); err != nil || len(rest) > 0 {
			return nil, errors.New("a damaged subject alternative name")
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == tagURI {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris, nil
}

// onlyURI gives the one URI SAN that a certificate of ours must have.
func onlyURI(cert *x509.Certificate) (string, error) {
	uris, err := rawURIs(cert)
	if err == nil && len(uris) != 1 {
		err = fmt.Errorf("%d URI SANs instead of one", len(uris))
	}
	if err != nil {
		return "", identityError(describe(cert), err, "exactly one URI SAN, the SPIFFE ID")
	}
	return uris[0], nil
}
