package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestWrongContent: bytes that are not those of the manifest.
func TestWrongContent(t *testing.T) {
	x := newTestExchange(t)
	first, second := x.send(x.input("lv/vp")), x.send(x.input("lv/vp"))
	c := x.client("lv/vp")
	for name, spoil := range map[string]func([]byte) []byte{
		"another package's": func([]byte) []byte { return second.Sealed.Content },
		"one bit":           func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"short":             func(b []byte) []byte { return b[:len(b)-1] },
		"empty":             func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			x.content = spoil
			_, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
			wantUnverified(t, err)
		})
	}
	x.content = func([]byte) []byte { return make([]byte, envelope.MaxContent+1) }
	if _, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason}); !errors.Is(err, errTooLong) {
		t.Errorf("content without end: %v", err)
	}
	x.content = nil
	_, err := c.Open(t.Context(), first.ID(), OpenOptions{Reason: testReason})
	must(t, err)
}

// TestWrongManifest: a manifest, or a descriptor, of another package.
func TestWrongManifest(t *testing.T) {
	x := newTestExchange(t)
	first, second := x.send(x.input("lv/vp")), x.send(x.input("lv/vp"))
	c := x.client("lv/vp")
	open := func(id string) error {
		_, err := c.Open(t.Context(), id, OpenOptions{Reason: testReason, Accept: acceptAll})
		return err
	}
	own := x.held[first.ID()]
	x.held[first.ID()] = x.held[second.ID()]
	wantUnverified(t, open(first.ID())) // both of another package
	_, err := c.Manifest(t.Context(), first.ID())
	wantUnverified(t, err)
	x.held[first.ID()] = own
	x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifest") {
			reply(w, r, 200, x.held[second.ID()].signed.Raw)
			return true
		}
		return false
	}
	wantUnverified(t, open(first.ID()))
	for _, spoil := range []func(*api.Descriptor){
		func(d *api.Descriptor) { d.ManifestSHA256 = digest(nil) },
		func(d *api.Descriptor) { d.From = "ua/npu" },
	} {
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, first.ID()) {
				return false
			}
			d := x.descriptor(own, "lv/vp")
			spoil(&d)
			reply(w, r, 200, d)
			return true
		}
		wantUnverified(t, open(first.ID()))
	}
	if own.outcome != "delivered" {
		t.Error("acknowledged all the same")
	}
}

// TestBrokenAttachments: connections that break are taken up; bytes that are wrong are caught.
func TestBrokenAttachments(t *testing.T) {
	x := newTestExchange(t)
	plain := bytes.Repeat([]byte("attachment "), 1<<18)
	in := x.input("lv/vp")
	in.Attachments = []envelope.AttachmentSource{x.attach("a.pdf", plain)}
	sent := x.send(in)
	opened, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	must(t, err)
	sealed := x.held[sent.ID()].attachments[0]
	breaks := 0
	cut := func(bytes int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/attachments/") {
				return false
			}
			if breaks++; breaks > 3 && bytes > 0 {
				return false
			}
			reply(&shortWriter{ResponseWriter: w, left: bytes}, r, 200, sealed)
			panic(http.ErrAbortHandler)
		}
	}
	t.Run("taken up", func(t *testing.T) {
		x.intercept = cut(1 << 20)
		var got bytes.Buffer
		must(t, opened.Attachment(t.Context(), 0, &got, nil))
		if !bytes.Equal(got.Bytes(), plain) || breaks != 3 {
			t.Errorf("got %d bytes of %d after %d calls", got.Len(), len(plain), breaks)
		}
	})
	t.Run("without progress", func(t *testing.T) {
		x.intercept, breaks = cut(0), 0
		if err := opened.Attachment(t.Context(), 0, io.Discard, nil); err == nil || breaks > 100 {
			t.Errorf("%v after %d calls", err, breaks)
		}
	})
	for name, wrong := range map[string][]byte{
		"one bit": append(append([]byte{}, sealed[:len(sealed)-1]...), sealed[len(sealed)-1]^1),
		"longer":  append(append([]byte{}, sealed...), 0),
	} {
		t.Run(name, func(t *testing.T) {
			x.intercept, x.held[sent.ID()].attachments[0] = nil, wrong
			err := opened.Attachment(t.Context(), 0, io.Discard, nil)
			if name == "one bit" {
				wantUnverified(t, err)
			} else if err != nil {
				t.Errorf("bytes after the end were read: %v", err)
			}
		})
	}
	t.Run("another range", func(t *testing.T) {
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Set("Range", "bytes=1-")
			return false
		}
		if _, err := x.client("lv/vp").Attachment(t.Context(), opened.Consultation.ID, sent.ID(), 0, 7); err == nil {
			t.Error("another range was taken")
		}
		if _, err := x.client("lv/vp").Attachment(t.Context(), opened.Consultation.ID, sent.ID(), 0, 0); err == nil {
			t.Error("a part was taken for the whole")
		}
	})
}

// shortWriter stops after some bytes.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (s *shortWriter) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	s.left -= n
	if n > 0 {
		s.ResponseWriter.Write(b[:n])
		s.ResponseWriter.(http.Flusher).Flush()
	}
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
