package exchange_test

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// TestStopLeavesNothing: after a node stopped none of its goroutines is left.
// It runs before the parallel tests.
func TestStopLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("run", func(t *testing.T) {
		x := start(t)
		d := draft(x, demo.EEtoLVUA)
		d.Attachments = files(attached)
		id := post(t, x, d).ID()
		if _, err := x.As("lv/vp", certs.RoleUnit).Open(t.Context(), id, client.OpenOptions{Officer: reader, Reason: why, Accept: acceptAll}); err != nil {
			t.Fatal(err)
		}
		refused(t, x, x.Do(x.HTTP("by/mia", certs.RoleUnit), http.MethodGet, api.PackagePath(id, ""), nil, nil), api.NotFound)
		x.Restart()
		post(t, x, draft(x, demo.EEtoLV))
	})
	goleak.VerifyNone(t, before)
}

// TestLogIsQuiet: the node's log tells what happened, in codes. All tests
// here search it (see start); this one sees to it that there is something to
// search, and that the search would find it.
func TestLogIsQuiet(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	c := x.As("lv/vp", certs.RoleUnit)
	accept(t, c, id)
	consult(t, c, id)
	log := x.Log.String()
	for _, want := range []string{`"route":"/v1/packages"`, `"agency":"ee/pbgb"`, `"status":201`, `"route":"/v1/consultations"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	if strings.Contains(log, id) {
		t.Error("the log names a package")
	}
	for _, secret := range append(privateKeys(t, x), justification, officer, reader, why, caseRef, plaintext) {
		if len(leaks(log+secret+"\n", []string{secret})) != 1 {
			t.Errorf("the search does not find %q", secret)
		}
	}
	if len(privateKeys(t, x)) < 2*len(x.World.Agencies) {
		t.Error("the search does not know the keys")
	}
}
