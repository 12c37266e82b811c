package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// ExportQuery says which entries of the own agency's log are exported, and as
// what: "jsonl" or "csv". Zero times are no bounds.
type ExportQuery struct {
	Owner    string // whose log; empty: the own agency's
	Query    string
	From, To time.Time
	Format   string

	// After and Last make an export that was cut off go on: after the entry
	// that came whole, up to the one that the first answer named.
	After, Last uint64
}

// Export writes entries under a consultation of the log. sum is the SHA-256 of
// what the file has already, nothing for a new one; it takes what comes. The
// receipt is that of the export's entry, and says the same digest of the whole
// file. last is the entry that the export ends with, for one that goes on; it
// is known as soon as there is an answer. An answer that was cut off is an
// UnavailableError.
func (c *Client) Export(ctx context.Context, consultation string, q ExportQuery, w io.Writer, sum hash.Hash) (receipt *Receipt, last uint64, err error) {
	k := get(api.RouteAuditExport, url.Values{"format": {q.Format}})
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	for name, v := range map[string]string{"q": q.Query, "owner": q.Owner} {
		if v != "" {
			k.query.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			k.query.Set(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	for name, n := range map[string]uint64{"after": q.After, "last": q.Last} {
		if n > 0 {
			k.query.Set(name, strconv.FormatUint(n, 10))
		}
	}
	resp, err := c.stream(ctx, k)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	want := api.MediaLines
	if q.Format == "csv" {
		want = "text/csv"
	}
	if !isMedia(resp.Header, want) {
		return nil, 0, fmt.Errorf("%s %s: the answer is %q: is this the server of an exchange?", k.method, k.path, resp.Header.Get("Content-Type"))
	}
	if last, err = strconv.ParseUint(resp.Header.Get(api.HeaderExportLast), 10, 64); err != nil {
		return nil, 0, fmt.Errorf("%s %s: the answer does not say where it ends: %w", k.method, k.path, err)
	}
	source := &readErrors{r: resp.Body}
	if _, err := io.Copy(io.MultiWriter(w, sum), source); err != nil {
		if source.err != nil && ctx.Err() == nil {
			err = &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("the answer was cut off: %w", err)}
		}
		return nil, last, err
	}
	text, err := base64.StdEncoding.DecodeString(resp.Trailer.Get(api.HeaderReceipt))
	if err == nil && len(text) == 0 {
		err = errors.New("it has no receipt")
	}
	if err != nil {
		return nil, last, &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("the answer was cut off: %w", err)}
	}
	receipt, err = c.acceptReceipt(ctx, string(text), claim{action: actExport, outcomes: []string{"exported"},
		details: map[string]string{"sha256": base64.RawURLEncoding.EncodeToString(sum.Sum(nil))}})
	return receipt, last, err
}

// LogKeys are the keys of the ledger that this client believes.
func (c *Client) LogKeys() audit.Keys { return c.ledger.keys }

// readErrors remembers that reading failed, not writing.
type readErrors struct {
	r   io.Reader
	err error
}

func (r *readErrors) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
