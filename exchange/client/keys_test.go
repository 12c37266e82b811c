package client

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestKeyHistory: what became of the sender's key since it signed.
func TestKeyHistory(t *testing.T) {
	for name, c := range map[string]struct {
		until, compromised time.Duration // from the time of signing; 0: not
		opens              bool
		told               string
	}{
		"in use":                           {0, 0, true, ""},
		"retired later":                    {time.Hour, 0, true, "retired at"},
		"retired before":                   {-time.Hour, 0, false, ""},
		"compromised later":                {time.Hour, time.Hour, true, "compromised since"},
		"compromised before":               {time.Hour, -time.Hour, false, ""},
		"compromised within the skew":      {time.Hour, envelope.MaxSkew - time.Minute, false, ""},
		"compromised just beyond the skew": {time.Hour, envelope.MaxSkew + time.Minute, true, "compromised since"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			sent := x.send(x.input("lv/vp"))
			m, err := x.client("lv/vp").Manifest(t.Context(), sent.ID())
			must(t, err)
			at := func(d time.Duration) string {
				if d == 0 {
					return ""
				}
				return time.Unix(m.IAT, 0).Add(d).UTC().Format(time.RFC3339)
			}
			k := x.sig["ee/pbgb"]
			k.until, k.compromised = at(c.until), at(c.compromised)
			x.sig["ee/pbgb"] = k
			opened, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
			if !c.opens {
				wantUnverified(t, err)
				if x.held[sent.ID()].outcome != "delivered" {
					t.Error("acknowledged all the same")
				}
				return
			}
			must(t, err)
			if told := opened.SenderKey.Ended(); !strings.HasPrefix(told, c.told) || (told == "") != (c.told == "") {
				t.Errorf("told %q", told)
			}
		})
	}
}

// TestSubstitutedSenderKey: the directory answers with another key, or with one that proves nothing.
func TestSubstitutedSenderKey(t *testing.T) {
	for name, lie := range map[string]func(x *testExchange) envelope.PublishedKey{
		"another of the agency": func(x *testExchange) envelope.PublishedKey { return x.newKey("ee/pbgb", envelope.UseSign).published },
		"of another agency":     func(x *testExchange) envelope.PublishedKey { return x.sig["ua/npu"].published },
		"without certificate": func(x *testExchange) envelope.PublishedKey {
			return envelope.PublishedKey{PublicKey: x.sig["ee/pbgb"].published.PublicKey}
		},
		"certified when it was over": func(x *testExchange) envelope.PublishedKey {
			k := x.sig["ee/pbgb"]
			chain := x.pki.Key("ee/pbgb", "sig", "k1", k.private.Public().CryptoKey(), certstest.Expired())
			return envelope.PublishedKey{PublicKey: k.published.PublicKey, X5C: [][]byte{chain[0].Raw}}
		},
		"for another use": func(x *testExchange) envelope.PublishedKey {
			k, err := envelope.NewPublicKey(x.sig["ee/pbgb"].private.Public().CryptoKey(), envelope.UseEncrypt)
			must(x.t, err)
			chain := x.pki.Key("ee/pbgb", "enc", "k1", k.CryptoKey())
			return envelope.PublishedKey{PublicKey: k, X5C: [][]byte{chain[0].Raw}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			sent := x.send(x.input("lv/vp"))
			path, body := api.KeyPath("ee/pbgb", x.sig["ee/pbgb"].private.Kid()), lie(x)
			x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path {
					return false
				}
				jwk, err := body.MarshalJSON()
				must(t, err)
				reply(w, r, http.StatusOK, api.Key{JWK: jwk, From: "2020-01-01T00:00:00.000Z"})
				return true
			}
			_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
			wantUnverified(t, err)
			if x.held[sent.ID()].outcome != "delivered" {
				t.Error("acknowledged all the same")
			}
			k, err := x.client("lv/vp").Key(t.Context(), "ee/pbgb", x.sig["ee/pbgb"].private.Kid(), time.Now())
			if err == nil {
				err = k.Err
			}
			if name != "for another use" { // which is another key of the agency, as good as its certificate
				wantUnverified(t, err)
			}
		})
	}
}

// TestLyingKeyChanges: a server that says a key was retired, or published, with a receipt that does not prove it.
func TestLyingKeyChanges(t *testing.T) {
	for name, lie := range map[string]func(answer *api.KeyChange, e *audit.Entry){
		"nothing":             nil,
		"another key":         func(_ *api.KeyChange, e *audit.Entry) { e.Details["key"] = "another" },
		"another end":         func(_ *api.KeyChange, e *audit.Entry) { e.Details["until"] = "2999-01-01T00:00:00.000Z" },
		"no compromise":       func(_ *api.KeyChange, e *audit.Entry) { delete(e.Details, "compromised") },
		"refused":             func(_ *api.KeyChange, e *audit.Entry) { e.Outcome = "refused" },
		"another action":      func(_ *api.KeyChange, e *audit.Entry) { e.Action = "package.show" },
		"another agency's":    func(_ *api.KeyChange, e *audit.Entry) { e.Owner = "lv/vp" },
		"another answer":      func(a *api.KeyChange, _ *audit.Entry) { a.Until = "2999-01-01T00:00:00.000Z" },
		"an answer of no key": func(a *api.KeyChange, _ *audit.Entry) { a.JWK = []byte(`{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestExchange(t)
			k := x.sig["ee/pbgb"].published
			x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodDelete {
					return false
				}
				jwk, err := k.MarshalJSON()
				must(t, err)
				answer := api.KeyChange{JWK: jwk, From: "2020-01-01T00:00:00.000Z", Until: "2026-01-01T00:00:00.000Z", Compromised: "2025-01-01T00:00:00.000Z"}
				e := audit.Entry{Owner: "ee/pbgb", Action: actRetire, Outcome: "retired", Actor: audit.Actor{Agency: "ee/pbgb"},
					Details: map[string]string{"agency": "ee/pbgb", "key": k.Kid(), "use": "sig", "until": answer.Until, "compromised": answer.Compromised}}
				if lie != nil {
					lie(&answer, &e)
				}
				answer.Receipt = x.ledger.add(e)
				reply(w, r, http.StatusOK, answer)
				return true
			}
			_, err := x.client("ee/pbgb").RetireKey(t.Context(), k.Kid(), KeyEnd{})
			if lie == nil {
				must(t, err)
				return
			}
			wantUnverified(t, err)
		})
	}
	x := newTestExchange(t)
	if _, err := x.client("ee/pbgb").PublishKey(t.Context(), x.newKey("ee/pbgb", envelope.UseSign, certstest.Rogue()).published); err == nil {
		t.Error("published what the own anchors do not vouch for")
	} else {
		wantUnverified(t, err)
	}
}
