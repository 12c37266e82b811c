package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Config is what a client needs. Profile.Config fills it from the directory of a profile.
type Config struct {
	Server  string // https URL of the exchange
	Agency  string // own agency, "ee/pbgb"
	Officer string // pseudonym of the officer, where a call does not name another

	// TLS is who the client is and which servers it believes: certs.ClientTLS makes it. The client uses a copy of it, and
	// never less than TLS 1.3.
	TLS *tls.Config

	// Trust is whose keys to believe: the holder's own anchors and revocation lists, never the server's.
	Trust *certs.Trust

	// Ledger holds the verifier keys of the exchange's ledger. Their origin is the name of the exchange.
	Ledger audit.Keys
	// Former are the origins that the ledger had before it was restored after a loss: packages of then name them.
	Former []string
	// Checkpoints keeps the newest checkpoint that was verified. Nil: for the life of the client only.
	Checkpoints CheckpointStore
	// Witnesses are the agencies whose cosignatures of the ledger's heads count.
	Witnesses []audit.Witness

	Sign    envelope.PrivateKey   // signs packages and acknowledgements; zero for those who do neither
	Decrypt []envelope.PrivateKey // open content, old keys too; none for those who read none

	SpoolDir string           // where encrypted attachments wait to be sent; "" for the system's directory for temporary files
	Retries  Retries          // the zero value has the defaults
	Logger   *slog.Logger     // nil: no log
	Now      func() time.Time // nil: time.Now

	// Waiting is told before a call that may be repeated waits, and why: the exchange asks for it in Retry-After, or it was not
	// reached. Nil: nobody is.
	Waiting func(wait time.Duration, why error)

	// Wrap puts something between client and connection: a trace, a watcher. Nil: nothing.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Retries bounds how often, and for how long, a call is repeated that may be: reads, and calls whose repetition the exchange
// answers with the first answer. A member that is zero has its default.
type Retries struct {
	Tries   int           // attempts in all; default 5; 1 for the first alone
	First   time.Duration // the first pause, spread by half of it either way; it doubles; default 250 ms
	Longest time.Duration // the longest such pause; default 5 s
	Budget  time.Duration // the sum of all pauses, with what the server asks for in Retry-After; default 30 s
}

func (r Retries) withDefaults() Retries {
	if r.Tries == 0 {
		r.Tries = 5
	}
	if r.First == 0 {
		r.First = 250 * time.Millisecond
	}
	if r.Longest == 0 {
		r.Longest = 5 * time.Second
	}
	if r.Budget == 0 {
		r.Budget = 30 * time.Second
	}
	return r
}

// Client speaks to one exchange as one identity. It is safe for concurrent use. Close it when done.
type Client struct {
	base      *url.URL
	http      *http.Client
	tls       *tls.Config
	agency    string
	officer   string
	former    []string // origins of the ledger before a loss
	trust     *certs.Trust
	sign      envelope.PrivateKey
	decrypt   []envelope.PrivateKey
	log       *slog.Logger
	ledger    *ledger
	witnesses []audit.Witness
	spool     string
	retries   Retries
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
	waiting   func(time.Duration, error)
}

// New checks the configuration and returns a client. It makes no connection.
func New(config Config) (*Client, error) {
	base, err := parseServer(config.Server)
	if err != nil {
		return nil, err
	}
	if _, _, err := certs.ParseAgencyID(config.Agency); err != nil {
		return nil, fmt.Errorf("own agency: %w", err)
	}
	if config.TLS == nil || config.Trust == nil || config.Trust.Anchors == nil {
		return nil, errors.New("a client needs TLS (certs.ClientTLS) and the anchors that it trusts")
	}
	c := &Client{
		base: base, agency: config.Agency, officer: config.Officer, former: config.Former, trust: config.Trust, sign: config.Sign,
		decrypt: config.Decrypt, log: config.Logger, spool: config.SpoolDir, retries: config.Retries.withDefaults(),
		now: config.Now, sleep: sleep, waiting: config.Waiting, http: newHTTP(config.TLS), tls: config.TLS, witnesses: config.Witnesses,
	}
	if config.Wrap != nil {
		c.http.Transport = config.Wrap(c.http.Transport)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.ledger, err = newLedger(config.Ledger, config.Checkpoints); err != nil {
		return nil, err
	}
	return c, nil
}

// FromProfile returns a client for the profile in a directory; see Profile.
func FromProfile(dir string) (*Client, error) {
	p, err := LoadProfile(dir)
	if err != nil {
		return nil, err
	}
	config, err := p.Config()
	if err != nil {
		return nil, err
	}
	return New(config)
}

// Close ends idle connections. Calls that are under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Agency is the own agency, "ee/pbgb".
func (c *Client) Agency() string { return c.agency }

// Exchange is the name of the exchange: the origin of its ledger.
func (c *Client) Exchange() string { return c.ledger.keys.Origin() }

func parseServer(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server: %q is not an https URL such as https://exchange.example:8443", u.Redacted())
	}
	return u, nil
}

// newHTTP returns an HTTP client of its own: HTTP/2, TLS 1.3, no redirects (an exchange never sends one), and no compression,
// so that what is read is as long as what was sent.
func newHTTP(config *tls.Config) *http.Client {
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  2 * time.Minute,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConnsPerHost:    16,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}
