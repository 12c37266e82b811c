package client

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
)

func TestForm(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 100_000)
	parts := []part{bytesPart("manifest", "application/jose", []byte("a.b.c")), bytesPart("statement", "application/jose", nil), bytesPart("content", "application/jose+json", long)}
	media, body, err := form(parts)
	must(t, err)
	for range 2 { // a repeat sends the same
		r, size, err := body()
		must(t, err)
		b, err := io.ReadAll(iotest.OneByteReader(r))
		must(t, err)
		if int64(len(b)) != size {
			t.Errorf("%d bytes, announced %d", len(b), size)
		}
		_, params, err := mime.ParseMediaType(media)
		must(t, err)
		form := multipart.NewReader(bytes.NewReader(b), params["boundary"])
		for _, want := range parts {
			got, err := form.NextRawPart()
			must(t, err)
			b, err := io.ReadAll(got)
			must(t, err)
			if got.FormName() != want.name || got.Header.Get("Content-Type") != want.mediaType || int64(len(b)) != want.size {
				t.Errorf("part %s: %v, %d bytes", want.name, got.Header, len(b))
			}
		}
		if _, err := form.NextRawPart(); err != io.EOF {
			t.Errorf("after the last part: %v", err)
		}
	}
}

// TestFormParts: a part that is not what was announced never passes for whole.
func TestFormParts(t *testing.T) {
	broken := errors.New("broken")
	source := func(r io.Reader) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	}
	for name, open := range map[string]func() (io.ReadCloser, error){
		"short":  source(strings.NewReader("123")),
		"long":   source(strings.NewReader("12345")),
		"broken": source(iotest.ErrReader(broken)),
		"gone":   func() (io.ReadCloser, error) { return nil, broken },
	} {
		_, body, err := form([]part{{name: "attachment", mediaType: "x/y", size: 4, open: open}})
		must(t, err)
		r, _, err := body()
		must(t, err)
		if _, err := io.ReadAll(r); err == nil {
			t.Errorf("%s: no error", name)
		}
		must(t, r.Close())
	}
}

// TestFormClosedWhileRead: the transport closes a body while another goroutine
// reads it, when the exchange answers early. Nothing is opened after that.
func TestFormClosedWhileRead(t *testing.T) {
	opened := 0
	parts := make([]part, 50)
	for i := range parts {
		parts[i] = part{name: "attachment", mediaType: "x/y", size: 4, open: func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(strings.NewReader("1234")), nil
		}}
	}
	_, body, err := form(parts)
	must(t, err)
	r, _, err := body()
	must(t, err)
	begun, done := make(chan struct{}), make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		close(begun)
		for err == nil {
			_, err = r.Read(make([]byte, 1))
		}
		done <- err
	}()
	<-begun
	must(t, r.Close())
	if err := <-done; !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after it was closed: %v", err)
	}
	before := opened
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) || opened != before {
		t.Errorf("%v, %d parts opened after it was closed", err, opened-before)
	}
}
