package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

func stateOf(chain ...*x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: chain}
}

// What is known of a peer is forgotten when its reasons end: its dates, the list's dates, the anchors.
func TestPeerIsCheckedEachTime(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	p, dir := NewAt(t, clock), t.TempDir()
	trust := p.Trust("", "ee", "lv")
	p.WriteCRL(dir, "ee") // due in an hour
	config := certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}
	var err error
	if trust.Revocations, err = config.Load(nil, trust.Anchors, now); err != nil {
		t.Fatal(err)
	}
	keeper, err := certs.NewGatekeeper(trust, clock)
	if err != nil {
		t.Fatal(err)
	}
	start := now
	short := stateOf(p.Client("ee/pbgb", certs.RoleUnit, "short", Valid(now.Add(-time.Second), now.Add(time.Minute))).Leaf)
	long := stateOf(p.Client("ee/pbgb", certs.RoleUnit, "long", Valid(now.Add(-time.Second), now.Add(3*time.Hour))).Leaf)
	expect := func(what string, state *tls.ConnectionState, want certs.Check) {
		t.Helper()
		peer, err := keeper.Peer(state)
		if got := certs.Failed(err); got != want || (err == nil) != (want == "") {
			t.Errorf("%s: %q, want %q: %v", what, got, want, err)
		}
		if err != nil && peer != (certs.Peer{}) {
			t.Errorf("%s: a refused peer is returned", what)
		}
	}
	for range 2 {
		expect("short", short, "")
		expect("long", long, "")
	}
	now = start.Add(-time.Hour)
	expect("clock set back", short, certs.CheckDates)
	now = start.Add(2 * time.Minute)
	expect("short, after its end", short, certs.CheckDates)
	expect("long, before its end", long, "")
	now = start.Add(61 * time.Minute)
	expect("long, with a stale list", long, certs.CheckCRL)
	now = start
	expect("long, in time again", long, "")
	if err := keeper.Reload(&certs.Trust{Anchors: p.Anchors("lv"), Server: trust.Server}); err != nil {
		t.Fatal(err)
	}
	expect("jurisdiction expelled", long, certs.CheckAnchor)
	expect("no certificate", stateOf(), certs.CheckForm)
	expect("no connection", nil, certs.CheckForm)
}

// The end of an issuer ends what it issued.
func TestPeerOfExpiredIssuer(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	p := NewAt(t, clock)
	root := p.Authority("EE root", nil, nil)
	chain := parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice", Root(root), Through(func(c *x509.Certificate) { c.NotAfter = now.Add(time.Minute) })))
	trust := &certs.Trust{Anchors: anchorsOf(t, "ee", root.Certificate), Server: p.Trust("", "ee").Server}
	keeper, err := certs.NewGatekeeper(trust, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Peer(stateOf(chain...)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	if _, err := keeper.Peer(stateOf(chain...)); certs.Failed(err) != certs.CheckDates {
		t.Errorf("after the end of the issuer: %v", err)
	}
}

func TestPeerConcurrently(t *testing.T) {
	p := New(t)
	keeper := newKeeper(t, p.Trust("", "ee"))
	states := make([]*tls.ConnectionState, 8)
	for i := range states {
		states[i] = stateOf(p.Client("ee/pbgb", certs.RoleUnit, "alice").Leaf)
	}
	var wg sync.WaitGroup
	for _, state := range states {
		wg.Go(func() {
			for range 100 {
				if peer, err := keeper.Peer(state); err != nil || peer.Certificate != state.PeerCertificates[0] {
					t.Errorf("%+v %v", peer, err)
				}
			}
		})
	}
	next := p.Trust("", "ee", "lv")
	for range 20 {
		if err := keeper.Reload(next); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func BenchmarkPeer(b *testing.B) {
	p := New(b)
	keeper, err := certs.NewGatekeeper(p.Trust("", "ee"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	state := stateOf(p.Client("ee/pbgb", certs.RoleUnit, "alice").Leaf)
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := keeper.Peer(state); err != nil {
				b.Fatal(err)
			}
		}
	})
	anchors := p.Anchors("ee")
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := anchors.VerifyClient(state.PeerCertificates, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
