package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/ratelimit"
)

// Redis is where several nodes count their limits together: Redis 6 or later,
// or Valkey. Who owns it can slow requests or let more of them pass, and
// nothing else. While it is gone, each node counts its share for itself.
type Redis struct {
	// Addresses, "host:port"; required. One is a server, and may be the path of
	// its socket. Several are of a cluster, or, with Sentinel, of sentinels.
	Addresses []string `yaml:"addresses"`
	Cluster   bool     `yaml:"cluster,omitempty"`
	Sentinel  string   `yaml:"sentinel,omitempty"` // the name of the master

	// User and PasswordFile are of an ACL user with no more than
	// "~liaison:* +evalsha +eval +get +set +time +ping +hello".
	User                 string `yaml:"user,omitempty"`
	PasswordFile         string `yaml:"password_file,omitempty"`
	SentinelUser         string `yaml:"sentinel_user,omitempty"`
	SentinelPasswordFile string `yaml:"sentinel_password_file,omitempty"`
	Database             int    `yaml:"database,omitempty"`

	// CA is the file of the authorities that vouch for the server: with it the
	// connection has TLS. Certificate and Key are this node's own, if it asks
	// for them.
	CA          string `yaml:"ca,omitempty"`
	Certificate string `yaml:"certificate,omitempty"`
	Key         string `yaml:"key,omitempty"`

	// Plain lets counts and password go without TLS to another machine.
	Plain bool `yaml:"plain,omitempty"`

	// Timeout of one answer; at most, and by default, 20ms.
	Timeout Duration `yaml:"timeout,omitempty"`

	// Nodes that count together, so that each knows its share while it counts
	// alone. Default 2.
	Nodes int `yaml:"nodes,omitempty"`

	password string // of a URL
	system   bool   // the system's authorities vouch for the server
}

// resolve makes relative paths relative to the file that named them.
func (r *Redis) resolve(dir string) {
	for _, p := range []*string{&r.PasswordFile, &r.SentinelPasswordFile, &r.CA, &r.Certificate, &r.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// check tells what cannot be.
func (r *Redis) check() error {
	switch {
	case r == nil:
		return nil
	case len(r.Addresses) == 0:
		return errors.New("redis: addresses: required")
	case r.Timeout < 0 || time.Duration(r.Timeout) > 20*time.Millisecond:
		return errors.New("redis: timeout: at most 20ms, since every request waits for it")
	case r.Nodes < 0:
		return errors.New("redis: nodes: not negative")
	case (r.Certificate == "") != (r.Key == ""):
		return errors.New("redis: certificate and key go together")
	}
	if addr := r.exposed(); addr != "" {
		return fmt.Errorf("redis: %s is another machine (fix: name the ca of its certificate, or write plain: true to go without TLS)", addr)
	}
	return nil
}

// exposed is an address to which counts and password would go without TLS
// though nobody said that they may; empty: there is none.
func (r *Redis) exposed() string {
	if r.CA != "" || r.system || r.Plain {
		return ""
	}
	for _, addr := range r.Addresses {
		if filepath.IsAbs(addr) { // a socket
			continue
		}
		host, _, _ := net.SplitHostPort(addr)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return addr
		}
	}
	return ""
}

// ParseRedis reads redis://[user:password@]host:port[/database], with rediss
// for TLS by the system's authorities, or unix:///path of a socket. To another
// machine it is rediss.
func ParseRedis(url string) (*Redis, error) {
	o, err := ratelimit.ParseURL(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{Addresses: o.Addresses, User: o.User, password: o.Password, Database: o.Database, system: o.TLS != nil, Nodes: 1}
	if addr := r.exposed(); addr != "" {
		return nil, fmt.Errorf("%s is another machine: only with TLS, as rediss://", addr)
	}
	return r, nil
}

// openLimiter opens what counts; without Redis the server has its own.
func (n *Node) openLimiter() (ratelimit.Limiter, error) {
	r := n.cfg.Redis
	if r == nil {
		return nil, nil
	}
	cfg := ratelimit.RedisConfig{Addresses: r.Addresses, Exchange: n.service.Origin(), Cluster: r.Cluster, Sentinel: r.Sentinel, User: r.User, Password: r.password,
		SentinelUser: r.SentinelUser, Database: r.Database, Timeout: time.Duration(r.Timeout)}
	var err error
	if cfg.TLS, err = r.tls(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	for file, to := range map[string]*string{r.PasswordFile: &cfg.Password, r.SentinelPasswordFile: &cfg.SentinelPassword} {
		if file == "" {
			continue
		}
		if *to, err = readPassword(file); err != nil {
			return nil, fmt.Errorf("redis: password_file: %w", err)
		}
	}
	shared, err := ratelimit.NewRedis(cfg)
	if err != nil {
		return nil, err
	}
	nodes := r.Nodes
	if nodes == 0 {
		nodes = 2
	}
	f := ratelimit.NewFallback(ratelimit.FallbackConfig{Shared: shared, Nodes: nodes, Clock: n.cfg.Clock, Log: n.log})
	n.closers = append(n.closers, f)
	return f, nil
}

func readPassword(file string) (string, error) {
	if err := certs.CheckPrivate(file); err != nil {
		return "", err
	}
	raw, err := os.ReadFile(file)
	return strings.TrimSpace(string(raw)), err
}

// tls is how to connect; nil: without.
func (r *Redis) tls() (*tls.Config, error) {
	if r.CA == "" && !r.system {
		return nil, nil
	}
	host, _, _ := net.SplitHostPort(r.Addresses[0])
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if r.Cluster || r.Sentinel != "" {
		cfg.ServerName = "" // each by its own name
	}
	if r.CA != "" {
		raw, err := os.ReadFile(r.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("ca: %s has no certificate", r.CA)
		}
	}
	if r.Certificate == "" {
		return cfg, nil
	}
	own, err := tls.LoadX509KeyPair(r.Certificate, r.Key)
	cfg.Certificates = []tls.Certificate{own}
	return cfg, err
}

// keepLimits puts in force what another node has set, and writes the entries
// of what limits refused in minutes that are over.
func (n *Node) keepLimits(ctx context.Context) {
	if err := n.service.RefreshRates(ctx); err != nil {
		n.log.ErrorContext(ctx, "the limits could not be read; they stay as they were", slog.Any("error", err))
	}
	if err := n.server.RecordLimited(ctx, false); err != nil {
		n.log.ErrorContext(ctx, "what limits refused could not be recorded; it is tried again", slog.Any("error", err))
	}
}
