package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestHeadersNameNobody: who asks is who holds the connection's key, whatever headers a proxy would set (row M16 of the attack
// catalogue).
func TestHeadersNameNobody(t *testing.T) {
	x := exchangetest.New(t)
	unit := x.HTTP("ee/pbgb", certs.RoleUnit)
	reviewer := url.QueryEscape(string(certs.EncodeChain(x.Peer("lv/vp", certs.RoleDPO).Certificate))) // as nginx writes it
	claims := []http.Header{
		{"X-Client-Cert": {reviewer}}, {"X-Ssl-Cert": {reviewer}}, {"Ssl-Client-Cert": {reviewer}}, {"Client-Cert": {":AAAA:"}},
		{"X-Forwarded-Client-Cert": {`URI=spiffe://lv/vp/dpo/dpo-1`}}, {"X-Ssl-Client-S-Dn": {"CN=dpo-1,O=vp"}}, {"X-Ssl-Client-Verify": {"SUCCESS"}},
		{"X-Forwarded-User": {"lv/vp"}}, {"X-Remote-User": {"lv/vp"}}, {"Authorization": {"Bearer lv/vp"}}, {"Forwarded": {"for=lv/vp;by=exchange"}},
	}
	for _, header := range claims {
		if a := x.Do(unit, http.MethodGet, api.RoutePackages, header, nil); a.Status != http.StatusOK {
			t.Errorf("%v: a unit's own call: %d %s", header, a.Status, a.Body)
		}
		if a := x.Do(unit, http.MethodGet, api.RouteAuditEntries, header, nil); a.Status != http.StatusForbidden {
			t.Errorf("%v: a unit reads as a data-protection officer: %d %s", header, a.Status, a.Body)
		}
	}
}
