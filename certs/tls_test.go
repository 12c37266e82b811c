package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// server is a Gatekeeper with an HTTP server behind it, which says who asks and refuses whom the Gatekeeper refuses.
type server struct {
	*PKI
	keeper *certs.Gatekeeper
	addr   string
	log    *syncLog
}

type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func newServer(t *testing.T, p *PKI, trust *certs.Trust) *server {
	t.Helper()
	keeper, err := certs.NewGatekeeper(trust, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{PKI: p, keeper: keeper, log: &syncLog{}}
	h := &http.Server{
		TLSConfig: keeper.ServerTLS(), ErrorLog: log.New(s.log, "", 0), ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, err := keeper.Peer(r.TLS)
			if err != nil {
				http.Error(w, string(certs.Failed(err)), http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, peer.Identity.String())
		}),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- h.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = h.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("server ended: %v", err)
		}
	})
	return s
}

func (s *server) client(t *testing.T, certificate tls.Certificate, h2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.ClientTLS(certificate), ForceAttemptHTTP2: h2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// get gives status and body, and whether an earlier connection served.
func (s *server) get(t *testing.T, client *http.Client) (status int, body string, reused bool, err error) {
	t.Helper()
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", false, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), reused, err
}

// handshake does one on a real connection and gives what each side says. The client reads, since in TLS 1.3 it learns of a
// refusal only after its own handshake.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	result := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			result <- err
			return
		}
		defer conn.Close()
		secure := tls.Server(conn, server)
		if err = secure.Handshake(); err == nil {
			_, err = secure.Write([]byte("hello"))
		}
		result <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	secure := tls.Client(conn, client)
	_, clientErr := io.ReadFull(secure, make([]byte, 5))
	state := secure.ConnectionState()
	_ = conn.Close()
	return state, <-result, clientErr
}

func newKeeper(t *testing.T, trust *certs.Trust) *certs.Gatekeeper {
	t.Helper()
	keeper, err := certs.NewGatekeeper(trust, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return keeper
}

func TestHandshakeClients(t *testing.T) {
	p := New(t)
	root := p.Authority("FI root", nil, nil)
	trust := p.Trust("hub", "ee", "lv")
	keeper := newKeeper(t, trust)
	for _, c := range []struct {
		name    string
		want    certs.Check
		agency  string
		options []Option
	}{
		{name: "good", agency: "ee/pbgb"},
		{name: "another good", agency: "lv/vp"},
		{name: "no EKU", want: certs.CheckUsage, agency: "ee/pbgb", options: with(EKU())},
		{name: "serverAuth only", want: certs.CheckUsage, agency: "ee/pbgb", options: with(EKU(x509.ExtKeyUsageServerAuth))},
		{name: "anyEKU", want: certs.CheckUsage, agency: "ee/pbgb", options: with(EKU(x509.ExtKeyUsageAny))},
		{name: "CA leaf", want: certs.CheckUsage, agency: "ee/pbgb", options: with(AsCA())},
		{name: "two identities", want: certs.CheckIdentity, agency: "ee/pbgb", options: with(URIs(alice, "spiffe://lv/vp/unit/alice"))},
		{name: "no SAN", want: certs.CheckIdentity, agency: "ee/pbgb", options: with(URIs())},
		{name: "scheme in upper case", want: certs.CheckIdentity, agency: "ee/pbgb", options: with(URIs("SPIFFE://ee/pbgb/unit/alice"))},
		{name: "empty fragment", want: certs.CheckIdentity, agency: "ee/pbgb", options: with(URIs(alice + "#"))},
		{name: "key certificate", want: certs.CheckIdentity, agency: "ee/pbgb", options: with(URIs("spiffe://ee/pbgb/key/sig/k"), EKU())},
		{name: "another jurisdiction's authority", want: certs.CheckChain, agency: "ee/pbgb", options: with(SignedBy("lv"))},
		{name: "jurisdiction without anchors", want: certs.CheckAnchor, agency: "fi/police", options: with(Root(root))},
		{name: "operator of a jurisdiction", want: certs.CheckRole, agency: "ee/pbgb", options: with(URIs("spiffe://ee/pbgb/operator/alice"))},
		{name: "expired", want: certs.CheckDates, agency: "ee/pbgb", options: with(Expired())},
		{name: "not yet valid", want: certs.CheckDates, agency: "ee/pbgb", options: with(NotYetValid())},
		{name: "self-signed", want: certs.CheckChain, agency: "ee/pbgb", options: with(SelfSigned())},
		{name: "rogue authority", want: certs.CheckChain, agency: "ee/pbgb", options: with(Rogue())},
		{name: "over-long chain", want: certs.CheckForm, agency: "ee/pbgb", options: with(Presenting(root.Certificate, root.Certificate, root.Certificate, root.Certificate, root.Certificate))},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := p.ClientTLS(p.Client(c.agency, certs.RoleUnit, "alice", c.options...))
			_, serverErr, clientErr := handshake(t, keeper.ServerTLS(), config)
			if got := certs.Failed(serverErr); got != c.want || (serverErr == nil) != (c.want == "") {
				t.Errorf("server: failed check is %q, want %q: %v", got, c.want, serverErr)
			}
			if (clientErr == nil) != (c.want == "") {
				t.Errorf("client: %v", clientErr)
			}
			if c.want == "" {
				return
			}
			var e *certs.Error
			if !errors.As(certs.Explain(clientErr), &e) || e.Fix == "" || strings.Contains(e.Error(), c.agency) {
				t.Errorf("the client is told %v", certs.Explain(clientErr))
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		config := p.ClientTLS(p.Client("ee/pbgb", certs.RoleUnit, "alice"))
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
		if _, serverErr, clientErr := handshake(t, keeper.ServerTLS(), config); serverErr == nil || clientErr == nil {
			t.Errorf("server: %v, client: %v", serverErr, clientErr)
		}
	})
}

func TestHandshakeVersions(t *testing.T) {
	p := New(t)
	keeper := newKeeper(t, p.Trust("", "ee"))
	good := p.Client("ee/pbgb", certs.RoleUnit, "alice")
	state, serverErr, clientErr := handshake(t, keeper.ServerTLS(), p.ClientTLS(good))
	if serverErr != nil || clientErr != nil {
		t.Fatalf("server: %v, client: %v", serverErr, clientErr)
	}
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x, key exchange %v", state.Version, state.CurveID)
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		old := p.ClientTLS(good)
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, version
		if _, serverErr, _ := handshake(t, keeper.ServerTLS(), old); serverErr == nil {
			t.Errorf("server speaks %s", tls.VersionName(version))
		}
		old = keeper.ServerTLS()
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, version
		if _, _, clientErr := handshake(t, old, p.ClientTLS(good)); clientErr == nil {
			t.Errorf("client speaks %s", tls.VersionName(version))
		}
	}
}

// countingCache is a session cache that remembers whether it was ever given a ticket.
type countingCache struct {
	tls.ClientSessionCache
	puts atomic.Int32
}

func (c *countingCache) Put(key string, state *tls.ClientSessionState) {
	c.puts.Add(1)
	c.ClientSessionCache.Put(key, state)
}

func TestNoResumption(t *testing.T) {
	p := New(t)
	keeper := newKeeper(t, p.Trust("", "ee"))
	config := p.ClientTLS(p.Client("ee/pbgb", certs.RoleUnit, "alice"))
	cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	config.ClientSessionCache = cache
	shared := keeper.ServerTLS()
	for visit := range 3 {
		state, serverErr, clientErr := handshake(t, shared, config)
		if serverErr != nil || clientErr != nil || state.DidResume {
			t.Errorf("visit %d: resumed %v, server %v, client %v", visit, state.DidResume, serverErr, clientErr)
		}
	}
	if cache.puts.Load() != 0 {
		t.Error("the server gives out session tickets")
	}
}

// A live connection does not outlive a revocation: its next request is refused, over the same connection.
func TestRevokedOnLiveConnection(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			p, dir := New(t), t.TempDir()
			trust := p.Trust("", "ee", "lv")
			s := newServer(t, p, trust)
			certificate := p.Client("ee/pbgb", certs.RoleUnit, "alice")
			client := s.client(t, certificate, h2)
			other := s.client(t, p.Client("lv/vp", certs.RoleUnit, "bob"), h2)
			for range 2 {
				if status, body, _, err := s.get(t, client); status != http.StatusOK || body != alice {
					t.Fatalf("before: %d %q %v", status, body, err)
				}
			}
			p.Revoke("ee", certificate.Leaf)
			p.WriteCRL(dir, "ee")
			revocations, err := certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}.Load(nil, trust.Anchors, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			s.keeper.Renew(revocations)
			status, body, reused, err := s.get(t, client)
			if status != http.StatusForbidden || strings.TrimSpace(body) != string(certs.CheckRevoked) || !reused {
				t.Errorf("after: %d %q, same connection %v, %v", status, body, reused, err)
			}
			client.CloseIdleConnections()
			if status, _, _, err := s.get(t, client); err == nil {
				t.Errorf("a new connection: %d", status)
			}
			if status, _, _, err := s.get(t, other); status != http.StatusOK {
				t.Errorf("another's: %d %v", status, err)
			}
		})
	}
}

// Anchors, certificate and lists change under load without a failed request.
func TestReloadUnderLoad(t *testing.T) {
	p := New(t)
	s := newServer(t, p, p.Trust("", "ee"))
	client := s.client(t, p.Client("ee/pbgb", certs.RoleUnit, "alice"), false)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, body, _, err := s.get(t, client); status != http.StatusOK || body != alice {
					t.Errorf("%d %q %v", status, body, err)
					return
				}
				client.CloseIdleConnections()
			}
		})
	}
	for range 20 {
		if err := s.keeper.Reload(p.Trust("", "ee", "lv")); err != nil {
			t.Error(err)
		}
		if _, body, _, err := s.get(t, client); body != alice {
			t.Errorf("%q %v", body, err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestClientRefusesServers(t *testing.T) {
	p := New(t)
	good := p.Client("ee/pbgb", certs.RoleUnit, "alice")
	for _, c := range []struct {
		name    string
		want    certs.Check
		options []Option
	}{
		{name: "good"},
		{name: "IP address and name", options: with(Hosts("localhost", "127.0.0.1"))},
		{name: "no EKU", want: certs.CheckUsage, options: with(EKU())},
		{name: "anyEKU", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageAny))},
		{name: "clientAuth only", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageClientAuth))},
		{name: "CA", want: certs.CheckUsage, options: with(AsCA())},
		{name: "wrong host", want: certs.CheckNames, options: with(Hosts("other.example"))},
		{name: "host in the common name only", want: certs.CheckNames, options: with(Hosts(), Edit(func(c *x509.Certificate) { c.Subject.CommonName = "localhost" }))},
		{name: "wrong root", want: certs.CheckChain, options: with(SignedBy("ee"))},
		{name: "rogue root of the same name", want: certs.CheckChain, options: with(Rogue())},
		{name: "self-signed", want: certs.CheckChain, options: with(SelfSigned())},
		{name: "expired", want: certs.CheckDates, options: with(Expired())},
	} {
		t.Run(c.name, func(t *testing.T) {
			certificate := p.Server(c.options...)
			server := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert}
			_, _, err := handshake(t, server, p.ClientTLS(good))
			err = certs.Explain(err)
			if got := certs.Failed(err); got != c.want || (err == nil) != (c.want == "") {
				t.Errorf("failed check is %q, want %q: %v", got, c.want, err)
			}
		})
	}
}

func TestClientTLSNeedsRootsAndCertificate(t *testing.T) {
	p := New(t)
	if _, err := certs.ClientTLS(certs.ClientConfig{Certificate: p.Client("ee/pbgb", certs.RoleUnit, "alice")}); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("without roots: %v", err)
	}
	if _, err := certs.ClientTLS(certs.ClientConfig{Roots: p.ServerRoots()}); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestGatekeeperRefusesTrust(t *testing.T) {
	p := New(t)
	good := p.Trust("", "ee")
	keeper := newKeeper(t, good)
	with := func(options ...Option) *certs.Trust {
		server := p.Server(options...)
		return &certs.Trust{Anchors: good.Anchors, Server: &server}
	}
	empty, err := certs.NewAnchors(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]*certs.Trust{
		"nil": nil, "no anchors": {Server: good.Server}, "empty anchors": {Anchors: empty, Server: good.Server}, "no server certificate": {Anchors: good.Anchors},
		"empty server certificate": {Anchors: good.Anchors, Server: &tls.Certificate{}}, "expired": with(Expired()), "no EKU": with(EKU()), "no host": with(Hosts()), "CA": with(AsCA()),
	} {
		if err := keeper.Reload(bad); certs.Failed(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if keeper.Trust() != good {
			t.Fatalf("%s: the old trust is gone", name)
		}
	}
}
