package witness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// conflict is the answer of a witness whose newest cosigned head has another size than was thought.
type conflict struct{ size int64 }

func (c *conflict) Error() string {
	return fmt.Sprintf("the witness has cosigned a head of size %d", c.size)
}

// against says what the size means for a ledger of the given size that named an old one; nil: ask again from there.
func (c *conflict) against(old, size int64) error {
	switch {
	case c.size > size:
		return fmt.Errorf("%w: the witness has cosigned a head of %d entries, this ledger has %d", audit.ErrBehind, c.size, size)
	case c.size == old:
		return fmt.Errorf("%w: the witness has cosigned another head of %d entries", audit.ErrFork, c.size)
	}
	return nil
}

// submit asks a witness once.
func submit(ctx context.Context, p Peer, s audit.Submission) ([]byte, error) {
	address, err := url.JoinPath(p.URL, "add-checkpoint")
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(s.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := p.HTTP.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("not reached: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, audit.MaxCheckpoint))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return answer(resp.StatusCode, resp.Header.Get("Content-Type"), body)
}

// mediaSize is the media type of the size that a witness has cosigned.
const mediaSize = "text/x.tlog.size"

// answer reads what a witness answered.
func answer(status int, media string, body []byte) ([]byte, error) {
	switch status {
	case http.StatusOK:
		return body, nil
	case http.StatusConflict:
		if media != mediaSize {
			return nil, fmt.Errorf("%w: the witness has cosigned another head of this size", audit.ErrFork)
		}
		size, err := audit.ParseWitnessSize(body)
		if err != nil {
			return nil, err
		}
		return nil, &conflict{size}
	case http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("%w: the witness refuses the proof", audit.ErrFork)
	case http.StatusNotFound:
		return nil, errors.New("the witness does not watch this ledger: give it the ledger's verifier key")
	case http.StatusForbidden:
		return nil, errors.New("the witness knows another verifier key of this ledger")
	}
	return nil, fmt.Errorf("the witness answers with status %d", status)
}

// CheckURL says whether a submission prefix may be used: https, or http on this machine.
func CheckURL(prefix string) error {
	u, err := url.Parse(prefix)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no URL", prefix)
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q is not a URL of scheme, host and path", prefix)
	case u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q: to another machine a witness is asked by https", prefix)
}

// Loopback says whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// NewHTTP makes the client for one witness. roots are the certificates that may vouch for it, nil those of the system; certificate is
// what it asks for, if it does. It follows no redirect and uses no proxy of the environment.
func NewHTTP(roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
	if certificate != nil {
		cfg.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: cfg, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
