package siem

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// Syslog is a receiver of RFC 5424 messages over TLS (RFC 5425).
type Syslog struct {
	Address     string           // "tls://host:port"; the port may be absent: 6514
	Roots       *x509.CertPool   // who may be the receiver; required
	Certificate *tls.Certificate // the exchange's own towards it; nil: none
	Host        string           // HOSTNAME of messages
	Timeout     time.Duration    // for one batch; 0: 30 s
}

// syslog delivers each batch over a connection of its own. The protocol has no
// acknowledgement: that a receiver which was told that nothing follows closes
// its side in order is the sign that it has read everything up to there. A
// connection that ends otherwise, or before, has delivered nothing. What a
// receiver took and did not keep nobody can see from here.
type syslog struct {
	Syslog
	address string
	tls     *tls.Config
}

func newSyslog(cfg Syslog) (*syslog, error) {
	u, err := url.Parse(cfg.Address)
	if err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("syslog: %q is not tls://host:port", cfg.Address)
	}
	if cfg.Roots == nil {
		return nil, errors.New("syslog: roots are required: who may be the receiver?")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	port := u.Port()
	if port == "" {
		port = "6514"
	}
	s := &syslog{Syslog: cfg, address: net.JoinHostPort(u.Hostname(), port)}
	s.tls = &tls.Config{RootCAs: cfg.Roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if cfg.Certificate != nil {
		s.tls.Certificates = []tls.Certificate{*cfg.Certificate}
	}
	return s, nil
}

func (s *syslog) deliver(ctx context.Context, lines []message) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	raw, err := (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	conn := raw.(*tls.Conn)
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads or writes
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	var b bytes.Buffer
	for _, m := range lines {
		s.frame(&b, m)
	}
	if _, err := conn.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	select {
	case err := <-ended:
		return fmt.Errorf("the receiver closed before it was told that nothing follows: %w", errors.Join(err, io.ErrUnexpectedEOF))
	default:
	}
	if err := closeWrite(conn); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	err = <-ended
	if err == nil { // by TLS; a reset behind it says that not all was read
		_, err = io.Copy(io.Discard, conn.NetConn())
	}
	if err != nil {
		return fmt.Errorf("the receiver did not close in order: %w", err)
	}
	return nil
}

// closeWrite tells the receiver that nothing follows.
func closeWrite(conn *tls.Conn) error {
	err := conn.CloseWrite()
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		err = errors.Join(err, tcp.CloseWrite())
	}
	return err
}

// Facility 13, log audit; severity 5, notice, or 4, warning.
const (
	priNotice  = 13*8 + 5
	priWarning = 13*8 + 4
)

// frame writes one message as RFC 5424 has it, behind its length (RFC 5425).
func (s *syslog) frame(b *bytes.Buffer, m message) {
	pri := priNotice
	if m.alert {
		pri = priWarning
	}
	head := fmt.Sprintf("<%d>1 %s %s liaison - audit - ", pri, orNil(m.at), orNil(s.Host))
	b.WriteString(strconv.Itoa(len(head) + len(m.line)))
	b.WriteByte(' ')
	b.WriteString(head)
	b.Write(m.line)
}

func orNil(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// timeIn is the time that a line names, for the header of its message.
func timeIn(line []byte) string {
	var v struct{ Time string }
	_ = json.Unmarshal(line, &v) // it has none: an erased entry
	return v.Time
}
