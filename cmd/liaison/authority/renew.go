package authority

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/liaison-exchange/liaison/certs"
)

// Renewer renews the certificate of a profile at the service of its jurisdiction's authority.
type Renewer struct {
	CertFile, KeyFile string
	URL               string                                     // https address of the service
	Anchors           []*x509.Certificate                        // of the own jurisdiction, pinned: who may be the service, and who may issue
	Clock             func() time.Time                           // nil: time.Now
	Log               *slog.Logger                               // nil: none
	First             time.Duration                              // the first pause after a failure; it doubles up to an hour; 0: a second
	Tries             uint                                       // attempts of Once; 0: 5
	Wait              func(context.Context, time.Duration) error // nil: waits
}

// RefusedError says that the authority refused: to ask again would not help.
type RefusedError struct {
	Status int
	Detail string
	Fix    string
}

// Error gives what the authority said.
func (e *RefusedError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the authority refused: %s", http.StatusText(e.Status))
	}
	return "the authority refused: " + e.Detail
}

func (r *Renewer) now() time.Time {
	if r.Clock == nil {
		return time.Now()
	}
	return r.Clock()
}

func (r *Renewer) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// Due is when the certificate of the files is due for renewal.
func (r *Renewer) Due() (time.Time, error) {
	pair, err := certs.LoadKeyPair(r.CertFile, r.KeyFile)
	if err != nil {
		return time.Time{}, err
	}
	return certs.RenewAt(pair.Leaf), nil
}

// Once renews now: a new key, its certificate, both in place of the old pair, which stays good until then and whatever happens.
// What may pass by itself is tried again.
func (r *Renewer) Once(ctx context.Context) (*x509.Certificate, error) {
	tries := r.Tries
	if tries == 0 {
		tries = 5
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, time.Minute
	if r.First > 0 {
		pause.InitialInterval = r.First
	}
	return backoff.Retry(ctx, func() (*x509.Certificate, error) {
		leaf, err := r.attempt(ctx)
		if permanent(err) {
			return nil, backoff.Permanent(err)
		}
		return leaf, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, d time.Duration) {
		r.log().WarnContext(ctx, "renewal failed, trying again", slog.Any("error", err), slog.Duration("after", d))
	}))
}

// permanent tells what another attempt at once will not change from a service that is not there, or a full disk.
func permanent(err error) bool {
	var refused *RefusedError
	check := certs.Failed(err)
	return errors.As(err, &refused) || check != "" && check != certs.CheckSetup
}

// final tells what no attempt will ever change: the certificate is not accepted, or not for renewal.
func final(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Status != http.StatusTooManyRequests || certs.Failed(err) == certs.CheckRefused
}

func (r *Renewer) attempt(ctx context.Context) (*x509.Certificate, error) {
	pair, err := certs.LoadKeyPair(r.CertFile, r.KeyFile)
	if err != nil {
		return nil, err
	}
	anchors, id, err := r.own(pair.Leaf)
	if err != nil {
		return nil, err
	}
	key, err := certs.GenerateKey()
	if err != nil {
		return nil, err
	}
	csr, err := certs.NewCSR(id.String(), key)
	if err != nil {
		return nil, err
	}
	answer, err := r.post(ctx, pair, csr)
	if err != nil {
		return nil, err
	}
	chain, err := certs.ParseChain(answer)
	if err != nil {
		return nil, fmt.Errorf("the answer of the authority: %w", err)
	}
	peer, err := anchors.VerifyClient(chain, r.now())
	if err != nil {
		return nil, fmt.Errorf("the answer of the authority: %w", err)
	}
	if peer.Identity != id {
		return nil, &RefusedError{Detail: fmt.Sprintf("asked for %s, it answered with a certificate of %s", id, peer.Identity), Fix: "tell the people of the authority; the old certificate stays in use"}
	}
	return chain[0], certs.ReplaceKeyPair(r.CertFile, r.KeyFile, chain, key)
}

// own is who the files are, by the anchors that are pinned for their jurisdiction.
func (r *Renewer) own(leaf *x509.Certificate) (*certs.Anchors, certs.Identity, error) {
	if len(leaf.URIs) != 1 {
		return nil, certs.Identity{}, errors.New("the certificate has no SPIFFE ID: renew it with the tools of its own authority")
	}
	id, err := certs.ParseIdentity(leaf.URIs[0].String())
	if err != nil {
		return nil, id, err
	}
	var list []certs.Anchor
	for _, cert := range r.Anchors {
		list = append(list, certs.Anchor{Certificate: cert})
	}
	anchors, err := certs.NewAnchors(map[string][]certs.Anchor{id.Jurisdiction: list})
	if err == nil && id.Role == certs.RoleOperator {
		anchors, err = anchors.WithOperator(id.Jurisdiction)
	}
	if err != nil {
		return nil, id, err
	}
	if leaf.NotAfter.Before(r.now()) {
		return nil, id, &RefusedError{
			Detail: "the certificate has expired on " + leaf.NotAfter.UTC().Format(time.DateOnly) + ", and opens no connection any more",
			Fix:    "make a request (liaison certs request) and send it to the people of the authority of " + id.Jurisdiction,
		}
	}
	return anchors, id, nil
}

func (r *Renewer) post(ctx context.Context, pair tls.Certificate, csr []byte) ([]byte, error) {
	target, err := url.JoinPath(r.URL, PathRenew)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	for _, cert := range r.Anchors {
		roots.AddCert(cert)
	}
	config, err := certs.ClientTLS(certs.ClientConfig{Certificate: pair, Roots: roots, Clock: r.Clock})
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(csr))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", mediaRequest)
	response, err := client.Do(request)
	if err != nil {
		return nil, certs.Explain(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, refused(response.StatusCode, body)
}

func refused(status int, body []byte) error {
	if status >= http.StatusInternalServerError {
		return fmt.Errorf("the authority cannot answer now: %s", http.StatusText(status))
	}
	var said refusal
	if json.Unmarshal(body, &said) != nil {
		said = refusal{} // not the service of an authority
	}
	return &RefusedError{Status: status, Detail: said.Detail, Fix: said.Fix}
}

// Run renews at two thirds of each certificate's life, a little later by chance so that not all come at once, until ctx ends.
// What may pass by itself is tried again for ever; a refusal ends it.
func (r *Renewer) Run(ctx context.Context) error {
	wait := r.Wait
	if wait == nil {
		wait = sleep
	}
	for {
		due, err := r.Due()
		if err != nil {
			return err
		}
		pause := max(0, due.Sub(r.now()))
		pause += rand.N(pause/20 + 1) //nolint:gosec // spreads the load, hides nothing
		r.log().InfoContext(ctx, "next renewal", slog.Time("at", r.now().Add(pause)))
		if err := wait(ctx, pause); err != nil {
			return nil //nolint:nilerr // the end that was asked for
		}
		leaf, err := r.Once(ctx)
		switch {
		case err == nil:
			r.log().InfoContext(ctx, "renewed", slog.String("certificate", r.CertFile), slog.Time("until", leaf.NotAfter))
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end that was asked for
		case final(err):
			return err
		default:
			r.log().ErrorContext(ctx, "no renewal yet; the old certificate stays in use", slog.Any("error", err))
			if err := wait(ctx, time.Hour); err != nil {
				return nil //nolint:nilerr // the end that was asked for
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
