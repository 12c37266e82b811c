package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/server"
	"github.com/liaison-exchange/liaison/exchange/siem"
)

// SIEM is who is told of every entry, for security monitoring: what happened,
// never why; docs/operations.md lists the members. Each entry at least once,
// in order. A receiver that is away is waited for, and holds nobody up.
type SIEM struct {
	// File is where lines of JSON are appended; it may be rotated at any time.
	// Or Syslog, "tls://host:port", receives RFC 5424 messages over TLS.
	File   string `yaml:"file,omitempty"`
	Syslog string `yaml:"syslog,omitempty"`

	// Roots is the file of the authorities that vouch for the receiver;
	// required with syslog. Certificate and Key are this node's own towards it.
	Roots       string `yaml:"roots,omitempty"`
	Certificate string `yaml:"certificate,omitempty"`
	Key         string `yaml:"key,omitempty"`
}

// resolve makes relative paths relative to the file that named them.
func (s *SIEM) resolve(dir string) {
	for _, p := range []*string{&s.File, &s.Roots, &s.Certificate, &s.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// check tells what cannot be.
func (s *SIEM) check() error {
	if s == nil {
		return nil
	}
	u, err := url.Parse(s.Syslog)
	switch {
	case (s.File == "") == (s.Syslog == ""):
		return errors.New("siem: one of file and syslog")
	case s.File != "" && s.Roots+s.Certificate+s.Key != "":
		return errors.New("siem: roots, certificate and key are for syslog")
	case s.Syslog != "" && (err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.User != nil || u.Path != ""):
		return errors.New("siem: syslog: write it as tls://host:port; without TLS nothing leaves the exchange")
	case s.Syslog != "" && s.Roots == "":
		return errors.New("siem: roots: required, to know the receiver by")
	case (s.Certificate == "") != (s.Key == ""):
		return errors.New("siem: certificate and key go together")
	}
	return nil
}

// openSIEM opens the feed; without a configuration there is none.
func (n *Node) openSIEM(registry *prometheus.Registry) ([]server.Check, error) {
	s := n.cfg.SIEM
	if s == nil {
		return nil, nil
	}
	cfg := siem.Config{File: s.File, Cursor: filepath.Join(n.cfg.State, "siem.cursor"), Read: n.committed, Size: n.service.LedgerSize, Log: n.log}
	if s.Syslog != "" {
		receiver, err := s.receiver()
		if err != nil {
			return nil, fmt.Errorf("siem: %w", err)
		}
		receiver.Host, _, _ = strings.Cut(n.Origin(), "/")
		cfg.Syslog = receiver
	}
	var err error
	if n.siem, err = siem.Open(cfg); err != nil {
		return nil, err
	}
	registry.MustRegister(n.siem)
	return []server.Check{{Name: "siem", Run: func(context.Context) error { return n.siem.Status() }}}, nil
}

// receiver reads who is believed to be the receiver.
func (s *SIEM) receiver() (*siem.Syslog, error) {
	raw, err := os.ReadFile(s.Roots)
	if err != nil {
		return nil, fmt.Errorf("roots: %w", err)
	}
	r := &siem.Syslog{Address: s.Syslog, Roots: x509.NewCertPool()}
	if !r.Roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("roots: %s has no certificate", s.Roots)
	}
	if s.Certificate == "" {
		return r, nil
	}
	if err := certs.CheckPrivate(s.Key); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	r.Certificate = &pair
	return r, nil
}

// committed reads entries for the feed.
func (n *Node) committed(ctx context.Context, first int64, count int) (rows []siem.Row, err error) {
	err = n.service.Store.View(ctx, func(r exchange.Reader) error {
		all, err := r.EntriesFrom(first, count)
		for _, e := range all {
			rows = append(rows, siem.Row{Index: e.Index, Owner: e.Owner, Seq: e.Seq, Entry: e.Entry})
		}
		return err
	})
	return rows, err
}

// feed runs the feed until the node stops.
func (n *Node) feed() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.running.Go(func() {
		<-n.stopped
		cancel()
	})
	n.siem.Run(ctx)
}
