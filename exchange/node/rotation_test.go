package node_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// generation is what the senders of an agency use until the next rotation.
type generation struct {
	authority *certs.CA
	identity  tls.Certificate
	sign      envelope.PrivateKey
	busy      sync.WaitGroup // requests of this generation
}

// rotation is an exchange under load whose certificates, anchors, lists and
// keys change.
type rotation struct {
	*exchangetest.Exchange
	t       *testing.T
	encrypt json.RawMessage // the agency's encryption key, as it was registered

	mu     sync.Mutex
	moved  *sync.Cond
	now    *generation // guarded by mu
	sent   int         // guarded by mu
	ending bool        // guarded by mu
}

const rotating = "ee/pbgb"

// Everything that expires is replaced while units send, and no request fails
// (row M15 of the attack catalogue).
func TestRotationUnderLoad(t *testing.T) {
	rotations, senders := torture.Size(5, 20), torture.Size(4, 16)
	r := &rotation{t: t, Exchange: exchangetest.New(t)}
	r.moved = sync.NewCond(&r.mu)
	r.readEncryption()
	r.replace(r.CA("ee"), false)
	var posting sync.WaitGroup
	for n := range senders {
		posting.Go(func() { r.send(n) })
	}
	for range rotations {
		r.await(senders)
		next, err := certs.NewCA("ee", r.Clock.Now, 24*time.Hour)
		r.must(err)
		old := r.now
		r.replace(next, true)
		r.serverCertificate()
		old.busy.Wait() // nobody uses the old ones any more
		r.trust(next)
		if served(t, r.Exchange, r.HTTPWith(old.identity)) {
			t.Error("an identity of the authority that was removed is served")
		}
	}
	r.await(senders)
	r.mu.Lock()
	r.ending = true
	r.mu.Unlock()
	posting.Wait()
	t.Attr("rotations", strconv.Itoa(rotations))
	t.Attr("senders", strconv.Itoa(senders))
	t.Attr("packages", strconv.Itoa(r.sent))
}

func (r *rotation) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// replace has a new authority stand beside the old one, certify a new identity
// and a new signing key, and gives them to the senders.
func (r *rotation) replace(next *certs.CA, beside bool) {
	r.t.Helper()
	if beside {
		r.trust(r.now.authority, next)
	}
	g := &generation{authority: next}
	key, err := certs.GenerateKey()
	r.must(err)
	leaf, err := next.IssueClient(certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "rotating"}, key.Public(), time.Hour)
	r.must(err)
	g.identity = tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	g.sign, err = envelope.GenerateSigning(envelope.ES256)
	r.must(err)
	public := g.sign.Public()
	certificate, err := next.IssueKey(certs.KeyIdentity{Jurisdiction: "ee", Agency: "pbgb", Use: certs.UseSig, Name: "rotating"}, public.CryptoKey(), time.Hour)
	r.must(err)
	jwk, err := public.MarshalJWK([][]byte{certificate.Raw})
	r.must(err)
	set, err := json.Marshal(map[string][]json.RawMessage{"keys": {jwk, r.encrypt}})
	r.must(err)
	r.Publish(rotating, set)
	r.must(r.Node.Reload(r.t.Context()))
	r.mu.Lock()
	r.now = g
	r.mu.Unlock()
}

// trust has the exchange believe these authorities of the jurisdiction, and
// their lists.
func (r *rotation) trust(authorities ...*certs.CA) {
	r.t.Helper()
	var anchors, lists []byte
	for _, ca := range authorities {
		anchors = append(anchors, certs.EncodeChain(ca.Certificate())...)
		lists = append(lists, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: r.ListBy(ca)})...)
	}
	r.must(certs.WritePublic(filepath.Join(r.World.Dir, "anchors", "ee.pem"), anchors))
	r.WriteList("ee", lists)
	r.must(r.Node.Reload(r.t.Context()))
}

// serverCertificate replaces the server's own.
func (r *rotation) serverCertificate() {
	r.t.Helper()
	key, err := certs.GenerateKey()
	r.must(err)
	leaf, err := r.CA("exchange").IssueServer([]string{"localhost", "127.0.0.1", "::1"}, key.Public(), time.Hour)
	r.must(err)
	private, err := certs.EncodePrivateKey(key)
	r.must(err)
	r.must(certs.WriteSecret(filepath.Join(r.World.Dir, "server.key"), private))
	r.must(certs.WritePublic(filepath.Join(r.World.Dir, "server.crt"), certs.EncodeChain(leaf)))
	r.must(r.Node.Reload(r.t.Context()))
}

func (r *rotation) readEncryption() {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.World.Dir, "registry", "ee-pbgb", node.KeysFile))
	r.must(err)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	r.must(json.Unmarshal(raw, &set))
	for _, k := range set.Keys {
		if public, err := envelope.ParsePublicJWK(k); err == nil && public.Use() == envelope.UseEncrypt {
			r.encrypt = k
		}
	}
}

// send posts packages until the end, each other one over a new connection.
func (r *rotation) send(n int) {
	var client *http.Client
	var of *generation
	for round := 0; ; round++ {
		g := r.take()
		if g == nil {
			return
		}
		if g != of || (n+round)%2 == 0 {
			if client != nil {
				client.CloseIdleConnections()
			}
			of, client = g, r.HTTPWith(g.identity)
		}
		err := r.post(client, g)
		g.busy.Done()
		if err != nil {
			r.t.Errorf("sender %d: %v", n, err)
		}
		r.mu.Lock()
		r.sent++
		r.moved.Broadcast()
		r.mu.Unlock()
	}
}

// take is the generation in use; nil at the end.
func (r *rotation) take() *generation {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return nil
	}
	r.now.busy.Add(1)
	return r.now
}

func (r *rotation) post(client *http.Client, g *generation) error {
	d := r.Draft(demo.EEtoLV)
	d.SignKey = g.sign
	contentType, body := exchangetest.Form(r.PartsOf(r.Seal(d)))
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.URL(api.RoutePackages), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil // no silent second try
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s %s", resp.Status, answer)
	}
	return err
}

// await waits until so many more packages were sent.
func (r *rotation) await(more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for want := r.sent + more; r.sent < want; {
		r.moved.Wait()
	}
}
