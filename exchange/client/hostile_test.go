package client

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// wantUnverified fails unless err is a *VerifyError.
func wantUnverified(t *testing.T, err error) {
	t.Helper()
	var bad *VerifyError
	if !errors.As(err, &bad) {
		t.Errorf("not caught: %v", err)
	}
}

// TestLyingReceipts: a server that answers as if all were well, with a receipt that does not prove it.
func TestLyingReceipts(t *testing.T) {
	edit := func(x *testExchange, change func(*audit.Entry)) func(audit.Entry) string {
		return func(e audit.Entry) string { change(&e); return x.ledger.add(e) }
	}
	for name, lie := range map[string]func(x *testExchange) func(audit.Entry) string{
		"another owner": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Owner = "lv/vp" })
		},
		"another actor": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Actor.Agency = "lv/vp" })
		},
		"another action": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Action = "package.show" })
		},
		"another package": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Package = "0" })
		},
		"another manifest": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.ManifestSHA256 = "0" })
		},
		"another content": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.ContentSHA256 = "0" })
		},
		"refused in truth": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Outcome = "refused" })
		},
		"pending in truth": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Outcome = "pending" })
		},
		"denied in truth": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Decisions[0].Outcome = "denied" })
		},
		"another decision": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Decisions[0].ID = "d-0" })
		},
		"no decision": func(x *testExchange) func(audit.Entry) string {
			return edit(x, func(e *audit.Entry) { e.Decisions = nil })
		},
		"none": func(x *testExchange) func(audit.Entry) string { return func(audit.Entry) string { return "" } },
		"an old one": func(x *testExchange) func(audit.Entry) string {
			old := x.ledger.add(audit.Entry{Owner: "ee/pbgb", Action: actSend, Outcome: "delivered", Actor: audit.Actor{Agency: "ee/pbgb"}})
			return func(audit.Entry) string { return old }
		},
		"another ledger's": func(x *testExchange) func(audit.Entry) string {
			skey, vkey, err := audit.GenerateKey(testOrigin)
			must(x.t, err)
			return newTestLedger(x.t, skey, vkey).add
		},
		"changed after": func(x *testExchange) func(audit.Entry) string {
			return func(e audit.Entry) string {
				r, err := audit.ParseReceipt(x.ledger.add(e))
				must(x.t, err)
				r.Entry = bytes.Replace(r.Entry, []byte("delivered"), []byte("pending "), 1)
				return r.Encode()
			}
		},
		"not in the tree": func(x *testExchange) func(audit.Entry) string {
			return func(e audit.Entry) string {
				x.ledger.fill(3)
				r, err := audit.ParseReceipt(x.ledger.add(e))
				must(x.t, err)
				r.Proof[0][0] ^= 1
				return r.Encode()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			x.receipt = lie(x)
			sent, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp"))
			defer sent.Close()
			wantUnverified(t, err)
			if sent.Receipt != nil || sent.Outcomes != nil {
				t.Errorf("told %+v", sent)
			}
		})
	}
}

// TestLyingReceiptsElsewhere: the other answers that carry receipts.
func TestLyingReceiptsElsewhere(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	x.receipt = func(e audit.Entry) string { e.Owner = "ua/npu"; return x.ledger.add(e) }
	c := x.client("lv/vp")
	_, err := c.Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	wantUnverified(t, err)
	_, err = c.Consult(t.Context(), ConsultInput{Reason: testReason})
	wantUnverified(t, err)
	_, err = c.DryRun(t.Context(), x.input("ua/npu"))
	wantUnverified(t, err)
	x.denies["lv/vp"] = true
	x.held[sent.ID()].outcome = "delivered"
	_, err = c.Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	wantUnverified(t, err)
	denied, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp"))
	defer denied.Close()
	wantUnverified(t, err)
	if errors.Is(err, api.PolicyDenied) {
		t.Error("a refusal was believed without its receipt")
	}
	x.denies["lv/vp"] = false
	x.receipt = func(e audit.Entry) string {
		e.Justification = "Another reason, which nobody gave."
		return x.ledger.add(e)
	}
	_, err = c.Consult(t.Context(), ConsultInput{Reason: testReason})
	wantUnverified(t, err)
}

// TestLyingAnswers: the answer itself does not fit the package.
func TestLyingAnswers(t *testing.T) {
	for name, spoil := range map[string]func(*api.Accepted){
		"another package":   func(a *api.Accepted) { a.ID = "0" },
		"nobody":            func(a *api.Accepted) { a.Outcomes = nil },
		"a stranger":        func(a *api.Accepted) { a.Outcomes[0].Recipient = "ua/npu" },
		"one twice":         func(a *api.Accepted) { a.Outcomes = append(a.Outcomes, a.Outcomes[0]) },
		"denied":            func(a *api.Accepted) { a.Outcomes[0].Outcome = "denied" },
		"pending, in words": func(a *api.Accepted) { a.Outcomes[0].Outcome = "pending" },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				status, body := x.postPackage(r, "ee/pbgb")
				got := body.(api.Accepted)
				got.Outcomes = append([]api.Outcome(nil), got.Outcomes...)
				spoil(&got)
				reply(w, r, status, got)
				return true
			}
			sent, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp"))
			defer sent.Close()
			wantUnverified(t, err)
		})
	}
}

// TestForgedKeys: the directory is not believed about whose keys are whose.
func TestForgedKeys(t *testing.T) {
	for name, forge := range map[string]func(x *testExchange) testKey{
		"of an unknown authority": func(x *testExchange) testKey { return x.newKey("lv/vp", envelope.UseEncrypt, certstest.Rogue()) },
		"of another jurisdiction's authority": func(x *testExchange) testKey {
			return x.newKey("lv/vp", envelope.UseEncrypt, certstest.SignedBy("ua"))
		},
		"of another agency":       func(x *testExchange) testKey { return x.enc["ua/npu"] },
		"of an agency of its own": func(x *testExchange) testKey { return x.newKey("lv/other", envelope.UseEncrypt) },
		"expired":                 func(x *testExchange) testKey { return x.newKey("lv/vp", envelope.UseEncrypt, certstest.Expired()) },
		"with the certificate of another key": func(x *testExchange) testKey {
			k := x.newKey("lv/vp", envelope.UseEncrypt)
			k.published.X5C = x.enc["lv/vp"].published.X5C
			return k
		},
		"without certificate": func(x *testExchange) testKey {
			k := x.newKey("lv/vp", envelope.UseEncrypt)
			k.published.X5C = nil
			return k
		},
		"with a damaged certificate": func(x *testExchange) testKey {
			k := x.newKey("lv/vp", envelope.UseEncrypt)
			k.published.X5C = [][]byte{[]byte("no certificate")}
			return k
		},
		"none": func(x *testExchange) testKey { return x.sig["lv/vp"] },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			forged := forge(x)
			x.keys = func(agency string, set envelope.KeySet) envelope.KeySet {
				if agency != "lv/vp" {
					return set
				}
				return envelope.KeySet{forged.published}
			}
			_, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp", "ua/npu"))
			if err == nil || len(x.held) != 0 {
				t.Errorf("sealed to a forged key: %v", err)
			}
			if name != "none" {
				wantUnverified(t, err)
			}
		})
	}
}

// TestGoodKeyAmongForged: a key that does not verify is passed over, not fatal; and the list says so.
func TestGoodKeyAmongForged(t *testing.T) {
	x := newTestExchange(t)
	forged := x.newKey("lv/vp", envelope.UseEncrypt, certstest.Rogue())
	x.keys = func(_ string, set envelope.KeySet) envelope.KeySet {
		return append(envelope.KeySet{forged.published}, set...)
	}
	sent := x.send(x.input("lv/vp"))
	_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	must(t, err)
	keys, err := x.client("ee/pbgb").Keys(t.Context(), "lv/vp")
	must(t, err)
	if len(keys) != 3 || keys[0].Err == nil || keys[1].Err != nil || keys[1].Identity.AgencyID() != "lv/vp" || keys[1].NotAfter.IsZero() {
		t.Errorf("keys %+v", keys)
	}
}

// TestRevokedKey: the list is the holder's own.
func TestRevokedKey(t *testing.T) {
	x := newTestExchange(t)
	leaf, err := x509.ParseCertificate(x.enc["lv/vp"].published.X5C[0])
	must(t, err)
	dir := t.TempDir()
	x.pki.WriteAnchors(dir, "ee", "lv", "ua")
	x.pki.Revoke("lv", leaf)
	x.pki.WriteCRL(dir, "lv")
	config := x.config("ee/pbgb")
	files := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}}
	config.Trust, err = files.Load(nil, time.Now())
	must(t, err)
	_, err = x.clientOf(config).Send(t.Context(), x.input("lv/vp"))
	wantUnverified(t, err)
	if certs.Failed(err) != certs.CheckRevoked {
		t.Errorf("failed for another reason: %v", err)
	}
}

// TestForgedSender: a package that was signed with a key that the anchors do not vouch for, or no more.
func TestForgedSender(t *testing.T) {
	for name, forge := range map[string]func(x *testExchange, k *testKey){
		"another authority": func(x *testExchange, k *testKey) {
			chain := x.pki.Key("ee/pbgb", "sig", "k1", k.private.Public().CryptoKey(), certstest.Rogue())
			k.published.X5C = [][]byte{chain[0].Raw}
		},
		"compromised": func(_ *testExchange, k *testKey) { k.compromised = "2020-01-01T00:00:00Z" },
		"not a time":  func(_ *testExchange, k *testKey) { k.compromised = "yesterday" },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			sent := x.send(x.input("lv/vp"))
			k := x.sig["ee/pbgb"]
			forge(x, &k)
			x.sig["ee/pbgb"] = k
			_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
			wantUnverified(t, err)
			if x.held[sent.ID()].outcome != "delivered" {
				t.Error("acknowledged all the same")
			}
		})
	}
}
