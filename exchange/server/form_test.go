package server

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// boundary of the forms of these tests.
const boundary = "b0und"

// piece is one part of a form as bytes.
func piece(header, body string) string {
	return "--" + boundary + "\r\n" + header + "\r\n\r\n" + body + "\r\n"
}

func named(name, media, body string) string {
	return piece(fmt.Sprintf("Content-Disposition: form-data; name=%q\r\nContent-Type: %s", name, media), body)
}

const ending = "--" + boundary + "--\r\n"

var (
	pieceManifest   = named("manifest", api.MediaJOSE, "m.m.m")
	pieceStatement  = named("statement", api.MediaJOSE, "s.s.s")
	pieceContent    = named("content", api.MediaJOSEJSON, `{"c":1}`)
	pieceAttachment = named("attachment", api.MediaBinary, "0123456789")
)

// received is what came out of a form.
type received struct {
	manifest, statement, content string
	attachments                  []string
}

// receive reads a form as the domain does.
func receive(f *form) (got received, err error) {
	for _, part := range []struct {
		into *string
		read func() ([]byte, error)
	}{{&got.manifest, f.Manifest}, {&got.statement, f.Statement}, {&got.content, f.Content}} {
		b, err := part.read()
		if err != nil {
			return got, err
		}
		*part.into = string(b)
	}
	for {
		r, err := f.Attachment()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return got, err
		}
		got.attachments = append(got.attachments, string(b))
	}
}

func TestFormGood(t *testing.T) {
	three := pieceManifest + pieceStatement + pieceContent
	for name, c := range map[string]struct {
		body        string
		attachments int
	}{
		"no attachment":   {three + ending, 0},
		"two attachments": {three + pieceAttachment + pieceAttachment + ending, 2},
		"most":            {three + strings.Repeat(pieceAttachment, envelope.MaxAttachments) + ending, envelope.MaxAttachments},
		"filename":        {strings.Replace(three, `name="manifest"`, `name="manifest"; filename="m.jws"`, 1) + ending, 0},
		"binary encoding": {strings.Replace(three, "Content-Type", "Content-Transfer-Encoding: binary\r\nContent-Type", 1) + ending, 0},
		"no last newline": {three + strings.TrimSuffix(ending, "\r\n"), 0},
		"preamble":        {"\r\n" + three + ending, 0},
		"empty content":   {pieceManifest + pieceStatement + named("content", api.MediaJOSEJSON, "") + ending, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := receive(newForm(iotest.HalfReader(strings.NewReader(c.body)), boundary, 10))
			if err != nil || got.manifest != "m.m.m" || got.statement != "s.s.s" || len(got.attachments) != c.attachments {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestFormBad(t *testing.T) {
	three := pieceManifest + pieceStatement + pieceContent
	for name, c := range map[string]struct {
		body   string
		kind   exchange.Kind
		reason string
	}{
		"nothing":             {"", exchange.BadRequest, "form"},
		"no part":             {ending, exchange.Malformed, "part-missing"},
		"only manifest":       {pieceManifest + ending, exchange.Malformed, "part-missing"},
		"no content":          {pieceManifest + pieceStatement + ending, exchange.Malformed, "part-missing"},
		"order":               {pieceStatement + pieceManifest + pieceContent + ending, exchange.Malformed, "part-order"},
		"attachment first":    {pieceAttachment + three + ending, exchange.Malformed, "part-order"},
		"manifest twice":      {pieceManifest + three + ending, exchange.Malformed, "part-order"},
		"manifest last":       {three + pieceManifest + ending, exchange.Malformed, "part-order"},
		"unknown part":        {three + named("sender", "text/plain", "lv/vp") + ending, exchange.Malformed, "part-order"},
		"other case":          {strings.Replace(three, `"manifest"`, `"Manifest"`, 1) + ending, exchange.Malformed, "part-order"},
		"two dispositions":    {strings.Replace(three, "Content-Type", "Content-Disposition: form-data; name=\"content\"\r\nContent-Type", 1) + ending, exchange.Malformed, "part-order"},
		"no disposition":      {piece("Content-Type: application/jose", "m") + ending, exchange.Malformed, "part-order"},
		"not form-data":       {strings.Replace(three, "form-data", "attachment", 1) + ending, exchange.Malformed, "part-order"},
		"other type":          {strings.Replace(three, "application/jose\r", "text/plain\r", 1) + ending, exchange.Malformed, "part-type"},
		"type with parameter": {strings.Replace(three, "application/jose\r", "application/jose; charset=utf-8\r", 1) + ending, exchange.Malformed, "part-type"},
		"no type":             {strings.Replace(three, "\r\nContent-Type: application/jose\r", "\r", 1) + ending, exchange.Malformed, "part-type"},
		"two types":           {strings.Replace(three, "Content-Type", "Content-Type: application/jose\r\nContent-Type", 1) + ending, exchange.Malformed, "part-type"},
		"base64 encoding":     {strings.Replace(three, "Content-Type", "Content-Transfer-Encoding: base64\r\nContent-Type", 1) + ending, exchange.Malformed, "part-encoding"},
		"quoted encoding":     {strings.Replace(three, "Content-Type", "Content-Transfer-Encoding: quoted-printable\r\nContent-Type", 1) + ending, exchange.Malformed, "part-encoding"},
		"cut in a part":       {three[:len(three)-10], exchange.BadRequest, "form"},
		"cut before the end":  {three, exchange.BadRequest, "form"},
		"cut in a header":     {three + "--" + boundary + "\r\nContent-Disp", exchange.BadRequest, "form"},
		"other boundary":      {strings.ReplaceAll(three+ending, boundary, "other"), exchange.BadRequest, "form"},
		"large manifest":      {named("manifest", api.MediaJOSE, strings.Repeat("m", maxJWS+1)) + ending, exchange.TooLarge, "part-size"},
		"large content":       {pieceManifest + pieceStatement + named("content", api.MediaJOSEJSON, strings.Repeat("c", envelope.MaxContent+1)) + ending, exchange.TooLarge, "part-size"},
		"large attachment":    {three + named("attachment", api.MediaBinary, "0123456789a") + ending, exchange.TooLarge, "part-size"},
		"many attachments":    {three + strings.Repeat(pieceAttachment, envelope.MaxAttachments+1) + ending, exchange.TooLarge, "attachment-count"},
		"large part header":   {strings.Replace(three, "Content-Type", "X-Filler: "+strings.Repeat("x", maxPartFrame)+"\r\nContent-Type", 1) + ending, exchange.BadRequest, "form-frame"},
		"large preamble":      {strings.Repeat("x\r\n", maxPartFrame) + three + ending, exchange.BadRequest, "form-frame"},
		"large epilogue":      {three + ending + strings.Repeat("x", 2*maxPartFrame), exchange.BadRequest, "form-frame"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := receive(newForm(strings.NewReader(c.body), boundary, 10))
			r := exchange.AsRefusal(err)
			if r == nil || r.Kind != c.kind || r.Reason != c.reason {
				t.Errorf("got %v, want %s (%s); received %+v", err, c.kind, c.reason, got)
			}
		})
	}
}

// An attachment that the domain stops reading is passed over, not kept.
func TestFormAttachmentLeftUnread(t *testing.T) {
	f := newForm(strings.NewReader(pieceManifest+pieceStatement+pieceContent+pieceAttachment+pieceAttachment+ending), boundary, 10)
	for _, read := range []func() ([]byte, error){f.Manifest, f.Statement, f.Content} {
		if _, err := read(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := f.Attachment(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := f.Attachment(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last: %v", err)
		}
	}
}

// endless is a body that never ends, and counts what was taken of it.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n += int64(len(p))
	return len(p), nil
}

// Nothing of a body that never ends is read beyond the limits.
func TestFormEndless(t *testing.T) {
	three := pieceManifest + pieceStatement + pieceContent
	head := strings.TrimSuffix(named("attachment", api.MediaBinary, ""), "\r\n")
	const limit = 1 << 20
	for name, start := range map[string]string{
		"preamble": "", "header": "--" + boundary + "\r\nX: ", "manifest": strings.TrimSuffix(named("manifest", api.MediaJOSE, ""), "\r\n"),
		"attachment": three + head, "epilogue": three + ending,
	} {
		rest := &endless{}
		_, err := receive(newForm(io.MultiReader(strings.NewReader(start), rest), boundary, limit))
		if exchange.AsRefusal(err) == nil || rest.n > limit+4*maxPartFrame {
			t.Errorf("%s: %v after %d bytes", name, err, rest.n)
		}
	}
}

// An attachment passes through in pieces; memory does not grow with it.
func TestFormStreams(t *testing.T) {
	const size = 64 << 20
	head := strings.TrimSuffix(named("attachment", api.MediaBinary, ""), "\r\n")
	body := io.MultiReader(strings.NewReader(pieceManifest+pieceStatement+pieceContent+head), io.LimitReader(zeros{}, size), strings.NewReader("\r\n"+ending))
	f := newForm(body, boundary, size)
	for _, read := range []func() ([]byte, error){f.Manifest, f.Statement, f.Content} {
		if _, err := read(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := f.Attachment()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 32<<10))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err != nil || n != size || took > 1<<20 {
		t.Errorf("%d bytes, %v, with %d bytes allocated", n, err, took)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Whatever comes, a form gives parts within their limits, or a refusal.
func FuzzForm(f *testing.F) {
	three := pieceManifest + pieceStatement + pieceContent
	f.Add([]byte(three + pieceAttachment + ending))
	f.Add([]byte(three + ending + "epilogue"))
	f.Add([]byte("--b0und\nContent-Disposition: form-data; name=manifest\n\nx\n--b0und--"))
	f.Add([]byte("--b0und--\r\n" + three))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := receive(newForm(bytes.NewReader(body), boundary, 64))
		if err != nil && exchange.AsRefusal(err) == nil {
			t.Fatalf("%v is no refusal", err)
		}
		if len(got.manifest) > maxJWS || len(got.statement) > maxJWS || len(got.content) > envelope.MaxContent || len(got.attachments) > envelope.MaxAttachments {
			t.Error("a part is larger than its limit")
		}
		for _, a := range got.attachments {
			if len(a) > 64 {
				t.Error("an attachment is larger than its limit")
			}
		}
		if err == nil && !bytes.Contains(body, []byte("--"+boundary+"--")) {
			t.Error("a form without its end was taken")
		}
	})
}

func BenchmarkForm(b *testing.B) {
	content := make([]byte, 4<<10)
	if _, err := rand.Read(content); err != nil {
		b.Fatal(err)
	}
	body := pieceManifest + pieceStatement + named("content", api.MediaJOSEJSON, string(content)) + ending
	b.ReportAllocs()
	for b.Loop() {
		if _, err := receive(newForm(strings.NewReader(body), boundary, 10)); err != nil {
			b.Fatal(err)
		}
	}
}
