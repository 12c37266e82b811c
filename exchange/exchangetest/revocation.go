package exchangetest

import (
	"crypto/x509"
	"math/big"
	"path/filepath"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// listLasts is how long the lists of a test's authorities are valid: half as
// long as the certificates of Identity, so that one can lapse before the other.
const listLasts = 30 * time.Minute

// List has the authority of a jurisdiction sign its next revocation list: of
// what was revoked before, and of these.
func (x *Exchange) List(jurisdiction string, revoked ...*x509.Certificate) []byte {
	x.TB.Helper()
	return x.ListBy(x.CA(jurisdiction), revoked...)
}

// ListBy has any authority sign the next list of its jurisdiction.
func (x *Exchange) ListBy(ca *certs.CA, revoked ...*x509.Certificate) []byte {
	x.TB.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.revoked == nil {
		x.revoked, x.lists = map[string][]*big.Int{}, 1 // the demo's own lists have number 1
	}
	for _, cert := range revoked {
		x.revoked[ca.Jurisdiction()] = append(x.revoked[ca.Jurisdiction()], cert.SerialNumber)
	}
	for _, serial := range x.revoked[ca.Jurisdiction()] {
		ca.Revoke(serial)
	}
	x.lists++
	der, err := ca.CRL(big.NewInt(x.lists), x.Clock.Now().Add(listLasts))
	x.must(err)
	return der
}

// ListFile is where the exchange reads the lists of a jurisdiction.
func (x *Exchange) ListFile(jurisdiction string) string {
	return filepath.Join(x.World.Dir, "crl", jurisdiction+".crl")
}

// WriteList replaces that file.
func (x *Exchange) WriteList(jurisdiction string, data []byte) {
	x.TB.Helper()
	x.must(certs.WritePublic(x.ListFile(jurisdiction), data))
}
