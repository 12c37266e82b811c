package exchangetest

import (
	"crypto/tls"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// NewKey makes a key of an agency, certified by its jurisdiction's authority
// for an hour, and not published yet: the private half, and the public JWK.
func (x *Exchange) NewKey(agency string, use envelope.Use) (envelope.PrivateKey, []byte) {
	x.TB.Helper()
	key, err := envelope.Generate(use, envelope.ES256)
	x.must(err)
	return key, x.Certified(agency, key.Public())
}

// Certified has the authority of an agency's jurisdiction certify a key for
// that agency and the key's use, and returns it as a JWK.
func (x *Exchange) Certified(agency string, key envelope.PublicKey) []byte {
	x.TB.Helper()
	j, short, err := certs.ParseAgencyID(agency)
	x.must(err)
	leaf, err := x.CA(j).IssueKey(certs.KeyIdentity{Jurisdiction: j, Agency: short, Use: string(key.Use()), Name: "second"}, key.CryptoKey(), time.Hour)
	x.must(err)
	jwk, err := key.MarshalJWK([][]byte{leaf.Raw})
	x.must(err)
	return jwk
}

// Operator is the certificate of one of the exchange's own people.
func (x *Exchange) Operator(name string) tls.Certificate {
	x.TB.Helper()
	return x.Identity(demo.Operator, certs.RoleOperator, name)
}
