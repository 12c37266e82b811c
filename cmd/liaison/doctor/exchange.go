package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// ExchangeConfig is what to look at.
type ExchangeConfig struct {
	File    string // configuration of the exchange
	MinFree uint64
	Now     func() time.Time
}

// server is the examination of an exchange.
type server struct {
	examination
	file string
	cfg  node.Config
}

// Exchange examines the configuration of an exchange, its files, and whether it runs.
func Exchange(ctx context.Context, cfg ExchangeConfig) []Finding {
	s := &server{examination: examination{now: cfg.Now()}, file: cfg.File}
	var err error
	if s.cfg, err = node.LoadConfig(cfg.File); err != nil {
		s.fault("configuration", cfg.File, err, "correct the file; liaison serve --help names the documentation")
		return s.found
	}
	s.ok("configuration", cfg.File, "can be read")
	if s.cfg.AllowSamplePolicies {
		s.warn("policies", cfg.File, "sample policies decide, which are the law of nobody", "set allow_sample_policies: false outside of trials")
	}
	s.private(s.cfg.Key, s.cfg.LedgerKey)
	s.ledgerKey()
	if trust := s.trust(); trust != nil {
		s.registry(trust)
	}
	s.disk(s.cfg.State, cfg.MinFree)
	s.witnesses(ctx)
	s.running(ctx)
	return s.found
}

func (s *server) ledgerKey() {
	const fix = "restore the ledger's key from its backup; without it no receipt can be signed"
	raw, err := os.ReadFile(s.cfg.LedgerKey)
	if err == nil {
		_, err = audit.NewSigner(strings.TrimSpace(string(raw)))
	}
	if err != nil {
		s.fault("log key", s.cfg.LedgerKey, err, fix)
		return
	}
	s.ok("log key", s.cfg.LedgerKey, "can sign")
}

// trust looks at the server's certificate and at whom the server believes.
func (s *server) trust() *certs.Trust {
	domain, _, _ := strings.Cut(s.cfg.Operator, "/")
	files := certs.TrustFiles{Anchors: s.cfg.Anchors, Operator: domain, Revocations: certs.RevocationConfig{
		Dir: s.cfg.Revocations, Optional: s.cfg.CRLOptional, Grace: time.Duration(s.cfg.CRLGrace)}}
	trust, err := files.Load(nil, s.now)
	if err != nil {
		s.fault("anchor", s.cfg.Anchors, err, "put <jurisdiction>.pem there for each jurisdiction")
		return nil
	}
	s.anchors(s.cfg.Anchors, trust.Anchors)
	s.lists(s.cfg.Revocations, trust.Revocations)
	const renew = "send a new request to the authority that vouches for your server"
	pair, err := certs.LoadKeyPair(s.cfg.Certificate, s.cfg.Key)
	if err == nil {
		_, err = certs.NewGatekeeper(&certs.Trust{Anchors: trust.Anchors, Server: &pair}, func() time.Time { return s.now })
	}
	switch {
	case certs.Failed(err) == certs.CheckFile: // told by private
	case err != nil:
		s.fault("certificate", s.cfg.Certificate, err, renew)
	default:
		s.end("certificate", s.cfg.Certificate, "the server's certificate", pair.Leaf, renew)
	}
	return trust
}

// registry looks at the keys of each agency.
func (s *server) registry(trust *certs.Trust) {
	found, err := filepath.Glob(filepath.Join(s.cfg.Registry, "*", node.AgencyFile))
	if err != nil || len(found) == 0 {
		s.fault("registry", s.cfg.Registry, errors.Join(errors.New("no agency is admitted"), err), "admit agencies: a folder each, with agency.yaml and keys.jwks")
		return
	}
	for _, path := range found {
		file := filepath.Join(filepath.Dir(path), node.KeysFile)
		agency := strings.Replace(filepath.Base(filepath.Dir(path)), "-", "/", 1)
		if err := s.keysOf(trust, agency, file); err != nil {
			s.fault("registry", file, err, "ask the agency for its keys with new certificates (liaison keys export)")
		}
	}
}

func (s *server) keysOf(trust *certs.Trust, agency, file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	keys, err := envelope.ParseKeySet(raw)
	if err != nil {
		return err
	}
	for _, k := range keys {
		chain, err := certs.ParseDER(k.X5C)
		if err == nil {
			err = trust.VerifyKey(chain, agency, string(k.Use()), k.CryptoKey(), s.now, s.now)
		}
		if err != nil {
			return fmt.Errorf("key %s of %s: %w", k.Kid(), agency, err)
		}
		s.end("registry", file, agency+" "+string(k.Use()), chain[0], "ask "+agency+" for its key with a new certificate")
	}
	return nil
}

// running asks the exchange itself, on its admin listener.
func (s *server) running(ctx context.Context) {
	if _, port, err := net.SplitHostPort(s.cfg.Admin); err != nil || port == "0" {
		s.warn("running", s.cfg.Admin, "there is no admin listener to ask", "name one with a fixed port: admin: 127.0.0.1:8444")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.cfg.Admin+"/readyz?verbose", nil)
	if err != nil {
		s.fault("running", s.cfg.Admin, err, "correct admin in the configuration")
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.warn("running", s.cfg.Admin, "the exchange does not run here: "+err.Error(), "liaison serve --config "+s.file)
		return
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil || response.StatusCode != http.StatusOK {
		s.fault("running", s.cfg.Admin, fmt.Errorf("not ready: %s %s", response.Status, strings.Join(strings.Fields(string(said)), " ")), "see what it says, and its log")
		return
	}
	s.ok("running", s.cfg.Admin, "ready")
}
