package exchangetest

import (
	"crypto/tls"
	"math/big"
	"path/filepath"
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

// Revoke puts a certificate on its authority's list. The exchange knows after
// Reload or at its next start.
func (x *Exchange) Revoke(jurisdiction string, serial *big.Int) {
	x.TB.Helper()
	cfg, err := x.World.NodeConfig()
	x.must(err)
	ca := x.CA(jurisdiction)
	ca.Revoke(serial)
	list, err := ca.CRL(big.NewInt(x.Clock.Now().Unix()), x.Clock.Now().Add(24*time.Hour))
	x.must(err)
	x.must(certs.WritePublic(filepath.Join(cfg.Revocations, jurisdiction+".crl"), list))
	x.must(ca.SaveRevoked(filepath.Join(x.World.Dir, "ca", jurisdiction)))
}
