package store_test

import (
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
)

// testRevocations: one row for each authority of each jurisdiction, the
// newest; one grace for each jurisdiction.
func testRevocations(t *testing.T, s exchange.Store) {
	first := exchange.RevocationRow{Jurisdiction: "ee", Issuer: digest("one"), Number: "9", Digest: digest("9"), PEM: []byte{0, 1, 255}, At: at(1)}
	same, other := first, first
	same.Issuer, other.Jurisdiction = digest("two"), "lv"
	newer := first
	newer.Number, newer.Digest, newer.PEM, newer.At = "730750818665451459101842416358141509827966271487", digest("10"), []byte("new"), at(2)
	grace := exchange.GraceRow{Jurisdiction: "lv", Until: at(500), Waiting: exchange.GraceProposal{Until: at(900), By: "spiffe://exchange/ops/operator/a", Reason: "why", At: at(3)}}
	write(t, s, func(tx exchange.Transaction) {
		for _, row := range []exchange.RevocationRow{first, same, other, newer} {
			tx.PutRevocation(row)
		}
		tx.PutGrace(exchange.GraceRow{Jurisdiction: "lv", Until: at(1)})
		tx.PutGrace(grace)
		equal(t, "own write", must[*exchange.GraceRow](t)(tx.Grace("lv")), &grace)
	})
	view(t, s, func(r exchange.Reader) {
		of := must[[]exchange.RevocationRow](t)(r.Revocations("ee"))
		if len(of) != 2 || of[0].Issuer > of[1].Issuer {
			t.Fatalf("%+v", of)
		}
		for _, row := range of {
			if row.Issuer == newer.Issuer {
				equal(t, "the newer one", row, newer)
			} else {
				equal(t, "of the other authority", row, same)
			}
		}
		equal(t, "of another jurisdiction", must[[]exchange.RevocationRow](t)(r.Revocations("lv")), []exchange.RevocationRow{other})
		equal(t, "all", len(must[[]exchange.RevocationRow](t)(r.Revocations(""))), 3)
		equal(t, "of none", len(must[[]exchange.RevocationRow](t)(r.Revocations("xx"))), 0)
		equal(t, "graces", must[[]exchange.GraceRow](t)(r.Graces()), []exchange.GraceRow{grace})
		if g := must[*exchange.GraceRow](t)(r.Grace("ee")); g != nil {
			t.Errorf("grace of another: %+v", g)
		}
	})
}
