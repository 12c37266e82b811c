package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// usualPart is the size in bytes that few manifests, statements and contents
// of a text message exceed.
const usualPart = 8 << 10

// form is a package as it arrives: multipart/form-data (RFC 7578) with its
// parts in their one order, read as they are wanted. It implements
// exchange.Parts; all its errors are refusals. It never holds an attachment.
type form struct {
	reader      *multipart.Reader
	body        *meter
	limit       int64        // of one attachment
	roomy       func() error // asked before a part takes much memory; nil: it may
	attachments int
	ended       bool
}

// newForm reads a body of the given boundary.
func newForm(body io.Reader, boundary string, attachment int64) *form {
	m := &meter{r: body}
	return &form{reader: multipart.NewReader(m, boundary), body: m, limit: attachment}
}

// form opens the package that a request brings.
func (c *call) form() (*form, error) {
	if most := c.s.limits.maxForm(); c.r.ContentLength > most {
		return nil, refuse(exchange.TooLarge, "body-size", fmt.Sprintf("the package is larger than %d bytes", most), "")
	}
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, malformed("boundary", "the Content-Type of a form names its boundary")
	}
	f := newForm(c.body, params["boundary"], c.s.limits.Attachment)
	f.roomy = c.takeLarge
	return f, nil
}

// Manifest reads the first part.
func (f *form) Manifest() ([]byte, error) { return f.whole(api.PartManifest, api.MediaJOSE, maxJWS) }

// Statement reads the second part.
func (f *form) Statement() ([]byte, error) { return f.whole(api.PartStatement, api.MediaJOSE, maxJWS) }

// Content reads the third part.
func (f *form) Content() ([]byte, error) {
	return f.whole(api.PartContent, api.MediaJOSEJSON, envelope.MaxContent)
}

// Attachment returns the next attachment, io.EOF after the last one.
func (f *form) Attachment() (io.Reader, error) {
	if f.ended {
		return nil, io.EOF
	}
	p, err := f.next(api.PartAttachment, api.MediaBinary, f.limit)
	if err != nil {
		return nil, err
	}
	if p == nil {
		f.ended = true
		return nil, f.drain()
	}
	if f.attachments++; f.attachments > envelope.MaxAttachments {
		return nil, tooLarge("attachment-count", fmt.Sprintf("more than %d attachments", envelope.MaxAttachments))
	}
	return p, nil
}

// whole reads a part that must be there, all of it.
func (f *form) whole(name, media string, limit int64) ([]byte, error) {
	p, err := f.next(name, media, limit)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, badPart("part-missing", "the part "+name+" is missing")
	}
	b := make([]byte, 0, usualPart)
	for {
		n, err := p.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			if b, err = f.grown(b, limit); err != nil {
				return nil, err
			}
		}
	}
}

// grown gives a part more room: twice as much, at most its limit.
func (f *form) grown(b []byte, limit int64) ([]byte, error) {
	if len(b) >= large && f.roomy != nil {
		if err := f.roomy(); err != nil {
			return nil, err
		}
	}
	more := make([]byte, len(b), min(2*len(b), int(limit)+1))
	copy(more, b)
	return more, nil
}

// next opens the next part, which must have the name and media type; nil
// after the last. What was left of the part before is passed over.
func (f *form) next(name, media string, limit int64) (*part, error) {
	f.body.left += maxPartFrame
	p, err := f.reader.NextRawPart()
	if err == io.EOF { // exactly: a wrapped one says that the body broke off
		return nil, nil
	}
	if err != nil {
		return nil, f.broken(err)
	}
	if err := checkPart(p, name, media); err != nil {
		return nil, err
	}
	f.body.left = limit + maxPartFrame
	return &part{form: f, r: p, left: limit, name: name}, nil
}

// checkPart holds the header of a part against what stands in its place.
func checkPart(p *multipart.Part, name, media string) error {
	if d := p.Header["Content-Disposition"]; len(d) != 1 || p.FormName() != name {
		return badPart("part-order", "the part "+name+" was expected here; the order is manifest, statement, content, attachment…")
	}
	if t := p.Header["Content-Type"]; len(t) != 1 || t[0] != media {
		return badPart("part-type", "the part "+name+" must have the Content-Type "+media)
	}
	for _, encoding := range p.Header["Content-Transfer-Encoding"] {
		if encoding != "binary" { // which changes nothing, and some clients send it
			return badPart("part-encoding", "parts are sent as they are, without Content-Transfer-Encoding")
		}
	}
	return nil
}

// drain reads the body to its end, so that what it says of its length holds
// before anything is done with it.
func (f *form) drain() error {
	f.body.left = maxPartFrame
	if _, err := io.Copy(io.Discard, f.body); err != nil {
		return f.broken(err)
	}
	return io.EOF
}

// broken makes a refusal of what went wrong between parts.
func (f *form) broken(err error) error {
	if r := exchange.AsRefusal(err); r != nil {
		return r
	}
	reason := "form"
	if errors.Is(err, errMeter) {
		reason = "form-frame"
	}
	return &exchange.Refusal{
		Kind: exchange.BadRequest, Reason: reason, Err: err,
		Detail: "the body is not a form with this boundary, breaks off, or has too much around its parts",
		Fix:    "send multipart/form-data as RFC 7578 describes it, with nothing but the parts",
	}
}

// part reads one part up to its limit.
type part struct {
	form *form
	r    io.Reader
	left int64
	name string
}

// Read reads on; more than the limit is a refusal.
func (p *part) Read(b []byte) (int, error) {
	if int64(len(b)) > p.left+1 {
		b = b[:p.left+1]
	}
	n, err := p.r.Read(b)
	if p.left -= int64(n); p.left < 0 || errors.Is(err, errMeter) {
		return 0, tooLarge("part-size", "the part "+p.name+" is larger than its limit")
	}
	if err != nil && err != io.EOF {
		return n, p.form.broken(err)
	}
	return n, err
}

func badPart(reason, detail string) error {
	return &exchange.Refusal{Kind: exchange.Malformed, Reason: reason, Detail: detail,
		Fix: "send the parts in their order, each once, with the names and media types of /openapi.json"}
}

func tooLarge(reason, detail string) error {
	return &exchange.Refusal{Kind: exchange.TooLarge, Reason: reason, Detail: detail}
}

// meter bounds what may be read before it is set again: multipart itself
// would read megabytes of a part's header.
type meter struct {
	r    io.Reader
	left int64
}

var errMeter = errors.New("more was sent than this place allows")

// Read reads on while anything is left.
func (m *meter) Read(b []byte) (int, error) {
	if m.left <= 0 {
		return 0, errMeter
	}
	n, err := m.r.Read(b[:min(int64(len(b)), m.left)])
	m.left -= int64(n)
	return n, err
}
