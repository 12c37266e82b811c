// Package authority is the service of a jurisdiction's own built-in authority: the holder of a certificate gets the next one
// for the same identity, over TLS with the current one. It is not a part of an exchange, which never has the key of a
// jurisdiction's authority.
package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// The calls of the service.
const (
	PathRenew = "/renew" // POST a certificate request, PEM -> the certificate, PEM
	PathCRL   = "/crl"   // GET the newest revocation list, PEM
)

// Media types (RFC 5967, RFC 8555, RFC 9457), with PEM where the first has DER.
const (
	mediaRequest = "application/pkcs10"
	mediaChain   = "application/pem-certificate-chain"
	mediaCRL     = "application/pkix-crl"
	mediaProblem = "application/problem+json"
)

// maxRequest bounds a certificate request: one of RSA 8192 has 3 KiB.
const maxRequest = 16 << 10

// ownValidity is how long the certificate of the service itself lasts. It is made when the service starts, its key is never
// on disk.
const ownValidity = 7 * 24 * time.Hour

// warnBefore is how long before its own end the authority begins to warn: its successor has to reach everybody's anchors first.
const warnBefore = 180 * 24 * time.Hour

// Config is what a Service needs.
type Config struct {
	Office      *certs.Office
	Hosts       []string         // DNS names and IP addresses by which clients reach it
	Validity    time.Duration    // of the certificates that it issues; 0: certs.LeafValidity
	CRLValidity time.Duration    // of its revocation lists; 0: certs.CRLValidity
	OnCRL       func() error     // after each new list; nil: nothing
	Clock       func() time.Time // nil: time.Now
	Log         *slog.Logger
}

// Service renews certificates. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	own    *tls.Certificate
	warned time.Time
}

// New makes the service's own certificate and sees to the revocation list.
func New(cfg Config) (*Service, error) {
	if cfg.Validity == 0 {
		cfg.Validity = certs.LeafValidity
	}
	if cfg.CRLValidity == 0 {
		cfg.CRLValidity = certs.CRLValidity
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.OnCRL == nil {
		cfg.OnCRL = func() error { return nil }
	}
	s := &Service{cfg: cfg}
	return s, s.Maintain(context.Background())
}

// Serve serves until ctx ends, and sees to what is due every minute.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), TLSConfig: s.tls(), ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(l, "", "") }()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			if err := s.Maintain(ctx); err != nil {
				s.cfg.Log.ErrorContext(ctx, "what was due could not be done", slog.Any("error", err))
			}
		case <-ctx.Done():
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			err := server.Shutdown(drain)
			if last := <-ended; !errors.Is(last, http.ErrServerClosed) {
				err = errors.Join(err, last)
			}
			return err
		}
	}
}

// Maintain does what is due: the next revocation list, the next certificate of the service, a warning of the authority's end.
func (s *Service) Maintain(ctx context.Context) error {
	return errors.Join(s.renewOwn(), s.renewCRL(ctx), s.warn(ctx))
}

func (s *Service) renewOwn() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own != nil && s.cfg.Clock().Before(certs.RenewAt(s.own.Leaf)) {
		return nil
	}
	key, err := certs.GenerateKey()
	if err != nil {
		return err
	}
	leaf, err := s.cfg.Office.IssueServer(s.cfg.Hosts, key.Public(), ownValidity)
	if err != nil {
		return err
	}
	pair, err := certs.KeyPair([]*x509.Certificate{leaf}, key)
	s.own = &pair
	return err
}

func (s *Service) renewCRL(ctx context.Context) error {
	due, err := s.cfg.Office.CRLDue()
	if err != nil || !due {
		return err
	}
	list, err := s.cfg.Office.NextCRL(s.cfg.CRLValidity)
	if err != nil {
		return err
	}
	s.cfg.Log.InfoContext(ctx, "new revocation list", slog.String("number", list.Number.String()), slog.Int("revoked", len(list.RevokedCertificateEntries)),
		slog.Time("next_update", list.NextUpdate), slog.String("file", s.cfg.Office.CRLFile()))
	return s.cfg.OnCRL()
}

// warn speaks once a day.
func (s *Service) warn(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, now := Warning(s.cfg.Office.Certificate(), s.cfg.Clock()), s.cfg.Clock()
	if text != "" && now.Sub(s.warned) >= 24*time.Hour {
		s.warned = now
		s.cfg.Log.WarnContext(ctx, "the authority ends soon", slog.String("fix", text))
	}
	return nil
}

func (s *Service) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Time: s.cfg.Clock, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := s.cfg.Office.Client(state.PeerCertificates)
			return err
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.own, nil
		},
	}
}

// Handler answers requests, each of which is verified by itself: connections outlive certificates.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathRenew, s.renew)
	mux.HandleFunc("GET "+PathCRL, s.crl)
	return mux
}

func (s *Service) renew(w http.ResponseWriter, r *http.Request) {
	peer, err := s.cfg.Office.Client(r.TLS.PeerCertificates)
	if err != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusForbidden, err)
		return
	}
	csr, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.refuse(w, r, http.StatusRequestEntityTooLarge, err)
		return
	}
	leaf, err := s.cfg.Office.Renew(peer, csr, s.cfg.Validity)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	s.cfg.Log.InfoContext(r.Context(), "renewed", slog.String("identity", peer.Identity.String()), slog.String("serial", leaf.SerialNumber.Text(16)), slog.Time("until", leaf.NotAfter))
	w.Header().Set("Content-Type", mediaChain)
	_, _ = w.Write(certs.EncodeChain(leaf))
}

func (s *Service) crl(w http.ResponseWriter, r *http.Request) {
	if _, err := s.cfg.Office.Client(r.TLS.PeerCertificates); err != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusForbidden, err)
		return
	}
	list, err := s.cfg.Office.CRL()
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	w.Header().Set("Content-Type", mediaCRL)
	_, _ = w.Write(certs.EncodeCRL(list))
}

// statusOf: what the holder can mend is 4xx.
func statusOf(err error) int {
	switch certs.Failed(err) {
	case certs.CheckIdentity, certs.CheckKey, certs.CheckForm:
		return http.StatusUnprocessableEntity
	}
	if errors.Is(err, certs.ErrTooOften) {
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// refusal is what a holder is told (RFC 9457).
type refusal struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// refuse logs the reason. The holder is told only what is wrong with its own request, not with its certificate, nor why the
// authority cannot work.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.cfg.Log.WarnContext(r.Context(), "refused", slog.Int("status", status), slog.Any("error", err))
	said := refusal{Title: http.StatusText(status), Status: status}
	var known *certs.Error
	if errors.As(err, &known) && (status == http.StatusUnprocessableEntity || status == http.StatusTooManyRequests) {
		said.Detail, said.Fix = known.Error(), known.Fix
	}
	w.Header().Set("Content-Type", mediaProblem)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "3600")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(said) // if it cannot be written, nobody is left to tell
}

// Warning says what to do about the end of an authority, or "" if there is time yet.
func Warning(cert *x509.Certificate, now time.Time) string {
	if cert.NotAfter.Sub(now) > warnBefore {
		return ""
	}
	return "the authority ends on " + cert.NotAfter.UTC().Format(time.DateOnly) +
		": make the next one in another directory (liaison certs ca init), have everybody add its ca.crt to their anchors, and issue with it from then on"
}
