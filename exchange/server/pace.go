package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// pace gives a transfer the time that its bytes deserve. Deadlines of a
// connection are of the machine's own clock, never an injected one.
type pace struct {
	start time.Time
	grace time.Duration
	rate  int64
	set   func(time.Time) error
}

func (s *Server) pace(set func(time.Time) error) pace {
	return pace{start: time.Now(), grace: s.limits.Grace, rate: s.limits.Rate, set: set}
}

// after moves the deadline for a transfer that has passed n bytes.
func (p pace) after(n int64) error { return p.set(p.deadline(n)) }

// longest is the most that one transfer may take, however large: well below
// the age at which blobs that no package names are swept.
const longest = 12 * time.Hour

func (p pace) deadline(n int64) time.Time {
	return p.start.Add(min(p.grace+time.Duration(n/p.rate)*time.Second, longest))
}

// pacedBody is a request's body that must keep pace. Its errors are refusals.
type pacedBody struct {
	body  io.Reader
	size  int64 // as the header says; -1 unknown
	guest *guest
	pace  pace
	n     int64
	err   error // of the last Read; io.EOF at the end
}

// newBody puts the first deadline on the body, so that even one that nobody
// reads cannot hold its connection. Where there is none, it takes away the
// deadline of the header.
func (s *Server) newBody(c *call) (*pacedBody, error) {
	b := &pacedBody{body: c.r.Body, size: c.r.ContentLength, guest: c.guest, pace: s.pace(http.NewResponseController(c.w).SetReadDeadline)}
	if b.size == 0 {
		b.err = io.EOF
		return b, b.pace.set(time.Time{})
	}
	return b, b.pace.after(0)
}

// maxDiscard is how much of a body net/http may read before the answer goes
// out, so that the connection can be used again.
const maxDiscard = 64 << 10

// leftover tells what becomes of a body that was not read to its end: whether
// so much is left that the connection is better closed, and until when
// net/http may be busy with the rest.
func (b *pacedBody) leftover() (large bool, until time.Time) {
	if errors.Is(b.err, io.EOF) {
		return false, time.Time{}
	}
	return b.size < 0 || b.size-b.n > maxDiscard, b.pace.deadline(b.n)
}

// Read reads on; the same error comes again.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if err := b.pace.after(b.n); err != nil {
		return 0, b.fail(err)
	}
	n, err := b.body.Read(p)
	b.n += int64(n)
	if n > 0 {
		b.guest.progress()
	}
	switch {
	case errors.Is(err, io.EOF):
		// The connection is read on while the handler works, to see whether
		// the client is still there: that may take as long as it wants.
		b.err = io.EOF
		if err := b.pace.set(time.Time{}); err != nil {
			b.err = err
		}
	case err != nil:
		return n, b.fail(err)
	}
	return n, b.err
}

// fail turns an error of the connection into a refusal.
func (b *pacedBody) fail(err error) error {
	r := &exchange.Refusal{
		Kind: exchange.BadRequest, Reason: "body-broken", Err: err,
		Detail: "the body ended before its end, or is not encoded as HTTP asks", Fix: "send the request again, whole",
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.Reason, r.Detail = "body-slow", "the body did not arrive in time"
	}
	if cut := b.guest.cutOff(); cut != nil {
		r = cut
	}
	b.err = r
	return r
}

// pacedWriter is an answer that must be taken in time.
type pacedWriter struct {
	w     io.Writer
	guest *guest
	pace  pace
	n     int64
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	if err := w.pace.after(w.n); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	w.guest.progress()
	return n, err
}
