package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

func openConsultation(c *call) error {
	asked, err := readJSON[api.ConsultationRequest](c)
	if err != nil {
		return err
	}
	if asked.Package != "" && !canonicalUUID(asked.Package) {
		return malformed("package", "package is the id of a package")
	}
	opened, err := c.s.cfg.Exchange.Consult(c.r.Context(), c.caller, exchange.ConsultationRequest(asked))
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, api.Consultation{
		ID: opened.ID, Expires: timeOf(opened.Expires), Receipt: opened.Receipt.Encode(),
	})
}

// consultation is the id under which something is read; empty if none is
// given, which is for the domain to refuse.
func (c *call) consultation() (string, error) {
	values := c.r.Header[api.HeaderConsultation]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !canonicalUUID(values[0]) {
		return "", refuse(exchange.NoConsultation, "consultation-form", "the header "+api.HeaderConsultation+" holds the id of one consultation",
			"open a consultation with POST "+api.RouteConsultations+" and send its id")
	}
	return values[0], nil
}

func getContent(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	content, err := c.s.cfg.Exchange.Content(c.r.Context(), c.caller, id, consultation)
	if err != nil {
		return err
	}
	defer content.Close()
	return c.stream(http.StatusOK, api.MediaJOSEJSON, content, content.Size())
}

func getAttachment(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	n, ok := decimal(c.param("n"))
	if !ok || n >= envelope.MaxAttachments {
		return refuse(exchange.NotFound, "attachment-number", "", "")
	}
	wanted, err := parseRange(c.r.Header)
	if err != nil {
		return err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	blob, err := c.s.cfg.Exchange.Attachment(c.r.Context(), c.caller, id, int(n), consultation)
	if err != nil {
		return err
	}
	defer blob.Close()
	return c.streamRange(blob, wanted)
}

// streamRange answers with the bytes of a blob that were asked for.
func (c *call) streamRange(blob exchange.Blob, wanted byteRange) error {
	size := blob.Size()
	c.w.Header().Set("Accept-Ranges", "bytes")
	if !wanted.asked {
		return c.stream(http.StatusOK, api.MediaBinary, blob, size)
	}
	first, length := wanted.within(size)
	if length == 0 {
		c.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return &exchange.Refusal{Kind: rangeNotSatisfiable, Reason: "range",
			Detail: fmt.Sprintf("the attachment has %d bytes", size), Fix: "ask for bytes that it has"}
	}
	if _, err := blob.Seek(first, io.SeekStart); err != nil {
		return fmt.Errorf("seek attachment: %w", err)
	}
	c.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+length-1, size))
	return c.stream(http.StatusPartialContent, api.MediaBinary, blob, length)
}

// byteRange is what a Range header asks for (RFC 9110 §14.1.2): from first
// to last, or the last bytes.
type byteRange struct {
	asked       bool
	first, last int64
	suffix      bool // the last `last` bytes
}

// maxOffset is beyond the end of every attachment, and leaves room to add.
const maxOffset = 1 << 53

// parseRange reads the Range header. There are no validators to compare, so
// with If-Range the whole is sent (RFC 9110 §13.1.5).
func parseRange(h http.Header) (byteRange, error) {
	values := h["Range"]
	if len(values) == 0 || len(h["If-Range"]) > 0 {
		return byteRange{}, nil
	}
	wrong := malformed("range", "Range asks for one range of bytes: bytes=0-99, bytes=100- or bytes=-100")
	spec, ok := strings.CutPrefix(values[0], "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if len(values) != 1 || !ok || !dash || from == "" && to == "" {
		return byteRange{}, wrong
	}
	first, ok1 := position(from, 0)
	last, ok2 := position(to, maxOffset)
	if !ok1 || !ok2 || from != "" && last < first {
		return byteRange{}, wrong
	}
	return byteRange{asked: true, first: first, last: last, suffix: from == ""}, nil
}

func position(s string, otherwise int64) (int64, bool) {
	if s == "" {
		return otherwise, true
	}
	n, ok := decimal(s)
	return int64(min(n, maxOffset)), ok
}

// within gives the first byte and the length of the range in so many bytes;
// length 0 if there is nothing of it.
func (r byteRange) within(size int64) (first, length int64) {
	if r.suffix {
		length = min(r.last, size)
		return size - length, length
	}
	if r.first >= size {
		return 0, 0
	}
	return r.first, min(r.last, size-1) - r.first + 1
}
