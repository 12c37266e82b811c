package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// Limits on what is read of an answer. A server that says more is not believed.
const (
	maxProblem = 1 << 20
	maxJSON    = 16 << 20
	maxReceipt = 64 << 10
)

// repeat says when a call may be sent again.
type repeat int

const (
	// The zero value: only after 429, which says that nothing happened.
	_ repeat = iota
	// repeatSafe: after 429, 503 and a lost connection too; the second call has the effect of the first.
	repeatSafe
)

// call is one request. body is asked for anew for every attempt.
type call struct {
	method      string
	path        string
	query       url.Values
	header      http.Header
	contentType string
	body        func() (r io.ReadCloser, size int64, err error)
	repeat      repeat
	max         int64 // limit of the answer's body in bytes, for fetch
}

func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query, repeat: repeatSafe, max: maxJSON}
}

func post(path, contentType string, body []byte) call {
	return call{method: http.MethodPost, path: path, contentType: contentType, body: bytesBody(body), max: maxJSON}
}

func bytesBody(b []byte) func() (io.ReadCloser, int64, error) {
	return func() (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
	}
}

func jsonBody(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return b, nil
}

// answer is what fetch gives: a status of 2xx, the header, and a body read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// fetch sends a call, repeats it where that is safe, and reads the answer whole.
func (c *Client) fetch(ctx context.Context, k call) (*answer, error) {
	var got *answer
	err := c.retry(ctx, k, func() error {
		resp, err := c.send(ctx, k)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := readAtMost(resp.Body, k.max)
		if errors.Is(err, errTooLong) {
			return fmt.Errorf("%s %s: %w", k.method, k.path, err)
		}
		if err != nil {
			return &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("read answer: %w", err)}
		}
		got = &answer{status: resp.StatusCode, header: resp.Header, body: body}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// stream sends a call, repeats it where that is safe until an answer begins, and leaves the body to the caller.
func (c *Client) stream(ctx context.Context, k call) (*http.Response, error) {
	var got *http.Response
	err := c.retry(ctx, k, func() error {
		resp, err := c.send(ctx, k) //nolint:bodyclose // left to the caller, as said
		got = resp
		return err
	})
	return got, err
}

// fetchJSON decodes the answer into v.
func (c *Client) fetchJSON(ctx context.Context, k call, v any) (*answer, error) {
	a, err := c.fetch(ctx, k)
	if err != nil {
		return nil, err
	}
	if !isMedia(a.header, api.MediaJSON) {
		return nil, fmt.Errorf("%s %s: the answer is %q, not JSON: is this the server of an exchange?",
			k.method, k.path, a.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return nil, fmt.Errorf("%s %s: decode answer: %w", k.method, k.path, err)
	}
	return a, nil
}

// retry runs try until it succeeds, fails for good, or the budget is spent; then the last error stands.
func (c *Client) retry(ctx context.Context, k call, try func() error) error {
	pause := backoff.ExponentialBackOff{
		InitialInterval: c.retries.First, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: c.retries.Longest,
	}
	for spent, tries := time.Duration(0), 1; ; tries++ {
		err := try()
		if err == nil || tries >= c.retries.Tries || !mayRepeat(k.repeat, err) || ctx.Err() != nil {
			return err
		}
		wait := pause.NextBackOff() + retryAfter(err)
		if spent += wait; spent > c.retries.Budget {
			return err
		}
		c.log.DebugContext(ctx, "repeat a call", slog.String("method", k.method), slog.String("path", k.path),
			slog.Duration("after", wait), slog.Any("error", err))
		if c.waiting != nil {
			c.waiting(wait, err)
		}
		if c.sleep(ctx, wait) != nil {
			return err
		}
	}
}

func mayRepeat(r repeat, err error) bool {
	if errors.Is(err, api.RateLimited) {
		return true
	}
	return r == repeatSafe && Temporary(err)
}

// retryAfter is what the server asked for; the pause that is added to it spreads the clients that were told the same.
func retryAfter(err error) time.Duration {
	var p *api.Problem
	if !errors.As(err, &p) || p.RetryAfter < 0 {
		return 0
	}
	return time.Duration(min(p.RetryAfter, 3600)) * time.Second
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

// send makes one attempt. A status other than 2xx is an error.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, k, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problem(k, resp)
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	u := *c.base
	u.RawPath, u.Path = "", strings.TrimSuffix(u.Path, "/")+k.path
	u.RawQuery = k.query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.path, err)
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "liaison")
	if k.body == nil {
		return req, nil
	}
	if req.Body, req.ContentLength, err = k.body(); err != nil {
		return nil, err
	}
	req.GetBody = func() (io.ReadCloser, error) {
		r, _, err := k.body()
		return r, err
	}
	req.Header.Set("Content-Type", k.contentType)
	return req, nil
}

// transportError tells a lost connection, where a repeat may help, from a refused certificate, where it does not.
func (c *Client) transportError(ctx context.Context, k call, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", k.method, k.path, ctx.Err())
	}
	if explained := certs.Explain(err); certs.Failed(explained) != "" {
		return explained
	}
	if refused := c.atTheDoor(ctx, err); refused != nil {
		return refused
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &UnavailableError{Method: k.method, Path: k.path, Err: err}
}

// problem reads a refusal. The status of the answer holds, whatever the body says.
func problem(k call, resp *http.Response) error {
	if bad := resp.StatusCode; bad == http.StatusBadGateway || bad == http.StatusGatewayTimeout {
		return &UnavailableError{Method: k.method, Path: k.path, Err: errors.New(resp.Status)}
	}
	p := &api.Problem{Type: "about:blank", Title: http.StatusText(resp.StatusCode)}
	if isMedia(resp.Header, api.MediaProblem) {
		body, err := readAtMost(resp.Body, maxProblem)
		if err != nil {
			return &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("read refusal: %w", err)}
		}
		if p, err = api.ParseProblem(body); err != nil {
			return fmt.Errorf("%s %s: %s, with a refusal that cannot be read: %w", k.method, k.path, resp.Status, err)
		}
	} else if resp.StatusCode == http.StatusServiceUnavailable {
		p = api.Unavailable.New("", "") // a balancer in front of the exchange
	}
	p.Status = resp.StatusCode
	p.RequestID = resp.Header.Get(api.HeaderRequestID)
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = s
	}
	return p
}

func isMedia(h http.Header, want string) bool {
	got, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && got == want
}

var errTooLong = errors.New("the answer is longer than any right one")

func readAtMost(r io.Reader, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, errTooLong
	}
	return b, nil
}
