package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Content fetches the encrypted content of a package under a consultation for it. Nothing about it is verified: Open does
// that.
func (c *Client) Content(ctx context.Context, consultation, id string) ([]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	k := get(api.PackagePath(id, "content"), nil)
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	k.max = envelope.MaxContent
	a, err := c.fetch(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Attachment streams an encrypted attachment of a package, n from 0, from an offset in bytes, under a consultation for the
// package. Nothing about it is verified: Opened.Attachment does that. The caller closes the reader.
func (c *Client) Attachment(ctx context.Context, consultation, id string, n int, offset int64) (io.ReadCloser, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	k := call{method: http.MethodGet, path: api.AttachmentPath(id, n), repeat: repeatSafe,
		header: http.Header{api.HeaderConsultation: {consultation}}}
	if offset > 0 {
		k.header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.stream(ctx, k)
	if err != nil {
		return nil, err
	}
	if offset == 0 && resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	var first int64
	_, err = fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &first)
	if err != nil || first != offset || resp.StatusCode != http.StatusPartialContent {
		return nil, errors.Join(fmt.Errorf("attachment %d: asked from byte %d, and got %q", n, offset, resp.Header.Get("Content-Range")),
			resp.Body.Close())
	}
	return resp.Body, nil
}

// download reads an attachment of a known size and goes on where a connection broke.
type download struct {
	open   func(offset int64) (io.ReadCloser, error)
	size   int64
	tries  int // resumptions left without a byte of progress
	max    int
	offset int64
	body   io.ReadCloser
	note   func(offset int64) // progress; may be nil
}

// Read gives exactly size bytes, or an error.
func (d *download) Read(b []byte) (int, error) {
	for {
		if d.offset == d.size {
			return 0, io.EOF
		}
		if d.body == nil {
			body, err := d.open(d.offset)
			if err != nil {
				return 0, err
			}
			d.body = body
		}
		n, err := d.body.Read(b[:min(int64(len(b)), d.size-d.offset)])
		if n > 0 {
			d.advance(n)
			return n, nil
		}
		if err == nil {
			continue
		}
		if err := d.broken(err); err != nil {
			return 0, err
		}
	}
}

func (d *download) advance(n int) {
	d.offset += int64(n)
	d.tries = d.max
	if d.note != nil {
		d.note(d.offset)
	}
}

// broken closes what broke; the next Read goes on from there, unless there were too many attempts.
func (d *download) broken(cause error) error {
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	closed := d.Close()
	if d.tries--; d.tries <= 0 {
		return errors.Join(fmt.Errorf("attachment broke off at byte %d of %d: %w", d.offset, d.size, cause), closed)
	}
	return nil
}

// Close closes the connection that is being read.
func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	body := d.body
	d.body = nil
	return body.Close()
}
