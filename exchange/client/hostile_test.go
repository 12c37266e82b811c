package client

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
	files := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir}}
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

// TestLyingHistory: heads that are signed, and do not belong to one history.
func TestLyingHistory(t *testing.T) {
	skey, vkey, err := audit.GenerateKey(testOrigin)
	must(t, err)
	start := func(t *testing.T) (*testExchange, *Client) {
		x := newTestExchange(t)
		x.ledger = newTestLedger(t, skey, vkey)
		x.ledger.fill(300)
		c := x.client("ee/pbgb")
		_, err := c.Checkpoint(t.Context())
		must(t, err)
		return x, c
	}
	fork := func(x *testExchange, entries int) {
		x.ledger = newTestLedger(x.t, skey, vkey)
		x.ledger.fill(entries)
	}
	t.Run("a fork that is longer", func(t *testing.T) {
		x, c := start(t)
		fork(x, 600)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		wantUnverified(t, err)
	})
	t.Run("a fork of equal length", func(t *testing.T) {
		x, c := start(t)
		fork(x, 300)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("a shorter ledger", func(t *testing.T) {
		x, c := start(t)
		fork(x, 10)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("a receipt of a shorter fork", func(t *testing.T) {
		x, c := start(t)
		honest := x.ledger
		lie := newTestLedger(t, skey, vkey)
		x.receipt = func(e audit.Entry) string { return lie.add(e) }
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		if err == nil || honest.tree.Size() != 300 {
			t.Errorf("not caught: %v", err)
		}
		wantUnverified(t, err)
	})
	t.Run("growth is believed", func(t *testing.T) {
		x, c := start(t)
		for _, n := range []int{1, 255, 256, 300} {
			x.ledger.fill(n)
			_, err := c.Checkpoint(t.Context())
			must(t, err)
		}
	})
	t.Run("forged tiles", func(t *testing.T) {
		x, c := start(t)
		x.ledger.fill(100)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/log/tile/") {
				return false
			}
			r.SetPathValue("path", strings.TrimPrefix(r.URL.Path, "/log/"))
			status, body := x.getTile(r, "")
			b, ok := body.([]byte)
			if !ok {
				reply(w, r, status, body)
				return true
			}
			b[0] ^= 1
			reply(w, r, status, b)
			return true
		}
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
		if x.intercept = nil; func() error { _, err := c.Checkpoint(t.Context()); return err }() != nil {
			t.Error("forged tiles were kept")
		}
	})
	t.Run("short tiles", func(t *testing.T) {
		x, c := start(t)
		x.ledger.fill(100)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/log/tile/") {
				reply(w, r, 200, []byte("short"))
				return true
			}
			return false
		}
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("no tiles", func(t *testing.T) {
		x, c := start(t)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/log/tile/") {
				reply(w, r, 0, api.Unavailable.New("", ""))
				return true
			}
			return false
		}
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		if !errors.Is(err, api.Unavailable) || sent.Receipt == nil || sent.Outcomes == nil {
			t.Errorf("sent %+v, %v: want the receipt beside the error", sent, err)
		}
	})
}

// TestCheckpointFile: what one process verified binds the next.
func TestCheckpointFile(t *testing.T) {
	x := newTestExchange(t)
	path := filepath.Join(t.TempDir(), FileCheckpoint)
	config := x.config("ee/pbgb")
	config.Checkpoints = CheckpointFile(path)
	x.ledger.fill(20)
	_, err := x.clientOf(config).Checkpoint(t.Context())
	must(t, err)
	first, err := os.ReadFile(path)
	must(t, err)
	x.ledger.fill(20)
	second := x.clientOf(config)
	_, err = second.Checkpoint(t.Context())
	must(t, err)
	newer, err := os.ReadFile(path)
	must(t, err)
	if bytes.Equal(first, newer) {
		t.Error("the newer checkpoint was not kept")
	}
	must(t, os.WriteFile(path, bytes.Replace(newer, []byte("\n40\n"), []byte("\n41\n"), 1), 0o600))
	_, err = x.clientOf(config).Checkpoint(t.Context())
	wantUnverified(t, err)
	must(t, os.WriteFile(path, newer, 0o600))
	x.ledger.stored, x.ledger.tree, x.ledger.items = nil, audit.EmptyTree(), map[string][]audit.Item{}
	x.ledger.fill(60)
	_, err = x.clientOf(config).Checkpoint(t.Context())
	wantUnverified(t, err)
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, newer) {
		t.Error("a fork replaced the newest verified checkpoint")
	}
}

// TestWrongContent: bytes that are not those of the manifest.
func TestWrongContent(t *testing.T) {
	x := newTestExchange(t)
	first, second := x.send(x.input("lv/vp")), x.send(x.input("lv/vp"))
	c := x.client("lv/vp")
	for name, spoil := range map[string]func([]byte) []byte{
		"another package's": func([]byte) []byte { return second.Sealed.Content },
		"one bit":           func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"short":             func(b []byte) []byte { return b[:len(b)-1] },
		"empty":             func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			x.content = spoil
			_, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
			wantUnverified(t, err)
		})
	}
	x.content = func([]byte) []byte { return make([]byte, envelope.MaxContent+1) }
	if _, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason}); !errors.Is(err, errTooLong) {
		t.Errorf("content without end: %v", err)
	}
	x.content = nil
	_, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason})
	must(t, err)
}

// TestWrongManifest: a manifest, or a descriptor, of another package.
func TestWrongManifest(t *testing.T) {
	x := newTestExchange(t)
	first, second := x.send(x.input("lv/vp")), x.send(x.input("lv/vp"))
	c := x.client("lv/vp")
	open := func(id string) error {
		_, err := c.Open(t.Context(), id, OpenOptions{Reason: testReason, Accept: acceptAll})
		return err
	}
	own := x.held[first.ID()]
	x.held[first.ID()] = x.held[second.ID()]
	wantUnverified(t, open(first.ID())) // both of another package
	_, err := c.Manifest(t.Context(), first.ID())
	wantUnverified(t, err)
	x.held[first.ID()] = own
	x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifest") {
			reply(w, r, 200, x.held[second.ID()].signed.Raw)
			return true
		}
		return false
	}
	wantUnverified(t, open(first.ID()))
	for _, spoil := range []func(*api.Descriptor){
		func(d *api.Descriptor) { d.ManifestSHA256 = digest(nil) },
		func(d *api.Descriptor) { d.From = "ua/npu" },
	} {
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, first.ID()) {
				return false
			}
			d := x.descriptor(own, "lv/vp")
			spoil(&d)
			reply(w, r, 200, d)
			return true
		}
		wantUnverified(t, open(first.ID()))
	}
	if own.outcome != "delivered" {
		t.Error("acknowledged all the same")
	}
}

// TestBrokenAttachments: connections that break are taken up; bytes that are wrong are caught.
func TestBrokenAttachments(t *testing.T) {
	x := newTestExchange(t)
	plain := bytes.Repeat([]byte("attachment "), 1<<18)
	in := x.input("lv/vp")
	in.Attachments = []envelope.AttachmentSource{x.attach("a.pdf", plain)}
	sent := x.send(in)
	opened, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	must(t, err)
	sealed := x.held[sent.ID()].attachments[0]
	breaks := 0
	cut := func(bytes int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/attachments/") {
				return false
			}
			if breaks++; breaks > 3 && bytes > 0 {
				return false
			}
			reply(&shortWriter{ResponseWriter: w, left: bytes}, r, 200, sealed)
			panic(http.ErrAbortHandler)
		}
	}
	t.Run("taken up", func(t *testing.T) {
		x.intercept = cut(1 << 20)
		var got bytes.Buffer
		must(t, opened.Attachment(t.Context(), 0, &got, nil))
		if !bytes.Equal(got.Bytes(), plain) || breaks != 3 {
			t.Errorf("got %d bytes of %d after %d calls", got.Len(), len(plain), breaks)
		}
	})
	t.Run("without progress", func(t *testing.T) {
		x.intercept, breaks = cut(0), 0
		if err := opened.Attachment(t.Context(), 0, io.Discard, nil); err == nil || breaks > 100 {
			t.Errorf("%v after %d calls", err, breaks)
		}
	})
	for name, wrong := range map[string][]byte{
		"one bit": append(append([]byte{}, sealed[:len(sealed)-1]...), sealed[len(sealed)-1]^1),
		"longer":  append(append([]byte{}, sealed...), 0),
	} {
		t.Run(name, func(t *testing.T) {
			x.intercept, x.held[sent.ID()].attachments[0] = nil, wrong
			err := opened.Attachment(t.Context(), 0, io.Discard, nil)
			if name == "one bit" {
				wantUnverified(t, err)
			} else if err != nil {
				t.Errorf("bytes after the end were read: %v", err)
			}
		})
	}
	t.Run("another range", func(t *testing.T) {
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Set("Range", "bytes=1-")
			return false
		}
		if _, err := x.client("lv/vp").Attachment(t.Context(), opened.Consultation.ID, sent.ID(), 0, 7); err == nil {
			t.Error("another range was taken")
		}
		if _, err := x.client("lv/vp").Attachment(t.Context(), opened.Consultation.ID, sent.ID(), 0, 0); err == nil {
			t.Error("a part was taken for the whole")
		}
	})
}

// shortWriter stops after some bytes.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (s *shortWriter) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	s.left -= n
	if n > 0 {
		s.ResponseWriter.Write(b[:n])
		s.ResponseWriter.(http.Flusher).Flush()
	}
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
