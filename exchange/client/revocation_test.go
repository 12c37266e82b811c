package client_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// A client believes its own revocation lists, whatever the exchange knows;
// where it has none, it says so.
func TestOwnRevocationLists(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	list := filepath.Join(x.World.Profile("ee/pbgb", certs.RoleUnit), client.DirAnchors, "lv.crl")
	keys := func() (sign, encrypt client.Key) {
		t.Helper()
		c, err := client.FromProfile(x.World.Profile("ee/pbgb", certs.RoleUnit))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all, err := c.Keys(t.Context(), "lv/vp")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			if k.Use() == envelope.UseSign {
				sign = k
			} else {
				encrypt = k
			}
		}
		return sign, encrypt
	}
	sign, encrypt := keys()
	if sign.Err != nil || encrypt.Err != nil || sign.Unlisted || encrypt.Unlisted {
		t.Errorf("with a list: %v, %v, unlisted %v", sign.Err, encrypt.Err, sign.Unlisted)
	}
	chain, err := certs.ParseDER(encrypt.X5C)
	if err != nil {
		t.Fatal(err)
	}
	if err := certs.WritePublic(list, x.List("lv", chain[0])); err != nil {
		t.Fatal(err)
	}
	if sign, encrypt = keys(); sign.Err != nil || certs.Failed(encrypt.Err) != certs.CheckRevoked {
		t.Errorf("revoked: %v, %v", sign.Err, encrypt.Err)
	}
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	if sign, encrypt = keys(); sign.Err != nil || encrypt.Err != nil || !sign.Unlisted || !encrypt.Unlisted {
		t.Errorf("without a list: %v, %v, unlisted %v", sign.Err, encrypt.Err, encrypt.Unlisted)
	}
}
