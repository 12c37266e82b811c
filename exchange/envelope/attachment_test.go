package envelope

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestAttachments(t *testing.T) {
	c := newCast(t, ES256, "lv/vp")
	big := make([]byte, 2*segmentSize+4321)
	rand.Read(big)
	files := [][]byte{big, {}, []byte("small")}
	in := c.input("lv/vp")
	in.SpoolDir = t.TempDir()
	for i, f := range files {
		in.Attachments = append(in.Attachments, AttachmentSource{
			Name: string(rune('a'+i)) + ".bin", MediaType: "application/octet-stream",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f)), nil },
		})
	}
	s := mustSeal(t, in)
	message, m, err := Open(c.open(s, "lv/vp"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		r, err := s.Attachments[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		sealed, _ := io.ReadAll(r)
		r.Close()
		var got bytes.Buffer
		if err := message.OpenAttachment(&got, bytes.NewReader(sealed), m, i); err != nil || !bytes.Equal(got.Bytes(), f) {
			t.Fatalf("attachment %d: %v", i, err)
		}
		for name, bad := range map[string][]byte{
			"cut": sealed[:len(sealed)-1], "longer": append(bytes.Clone(sealed), 0), "empty": nil,
			"flipped": flipped(sealed, len(sealed)/2), "header": flipped(sealed, 3),
		} {
			if err := message.OpenAttachment(io.Discard, bytes.NewReader(bad), m, i); !errors.Is(err, ErrRejected) {
				t.Errorf("attachment %d %s: %v", i, name, err)
			}
		}
		if err := message.OpenAttachment(io.Discard, bytes.NewReader(sealed), m, (i+1)%len(files)); !errors.Is(err, ErrRejected) {
			t.Errorf("attachment %d as another: %v", i, err)
		}
	}
	// What the sender signed must be what it sent, of ciphertext and plaintext.
	for name, change := range map[string]func(){
		"digest in the manifest": func() { m.Attachments[2].SHA256 = digest64(nil) },
		"size in the manifest":   func() { m.Attachments[2].Size++ },
		"digest in the message":  func() { message.Attachments[2].SHA256 = digest64(nil) },
		"size in the message":    func() { message.Attachments[2].Size++ },
	} {
		ref, opener := m.Attachments[2], message.Attachments[2]
		change()
		r := must2(s.Attachments[2].Open())
		if err := message.OpenAttachment(io.Discard, r, m, 2); !errors.Is(err, ErrRejected) {
			t.Errorf("another %s: %v", name, err)
		}
		r.Close()
		m.Attachments[2], message.Attachments[2] = ref, opener
	}
	if err := message.OpenAttachment(io.Discard, bytes.NewReader(nil), m, len(files)); !errors.Is(err, ErrRejected) {
		t.Errorf("no such attachment: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(in.SpoolDir); len(left) != 0 {
		t.Fatalf("left in the spool: %v", left)
	}
}

// TestCutAtASegment: a stream that ends where a segment ends is not whole.
func TestCutAtASegment(t *testing.T) {
	key := make([]byte, 32)
	var sealed bytes.Buffer
	if _, _, err := EncryptAttachment(&sealed, bytes.NewReader(make([]byte, 3*segmentSize)), key, "id", 0); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 3; n++ {
		_, _, err := DecryptAttachment(io.Discard, bytes.NewReader(sealed.Bytes()[:n*segmentSize]), key, "id", 0)
		if !errors.Is(err, ErrRejected) {
			t.Errorf("cut after %d segments: %v", n, err)
		}
	}
	for name, id := range map[string]string{"other package": "di", "other index": "id/0"} {
		if _, _, err := DecryptAttachment(io.Discard, bytes.NewReader(sealed.Bytes()), key, id, 0); !errors.Is(err, ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestBrokenPipeIsNotForgery: a failing disk or line is worth another try.
func TestBrokenPipeIsNotForgery(t *testing.T) {
	key := make([]byte, 32)
	var sealed bytes.Buffer
	if _, _, err := EncryptAttachment(&sealed, strings.NewReader("text"), key, "id", 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := DecryptAttachment(brokenWriter{}, bytes.NewReader(sealed.Bytes()), key, "id", 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("failing writer: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(sealed.Bytes()[:20]), errReader{})
	if _, _, err := DecryptAttachment(io.Discard, broken, key, "id", 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("failing reader: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// TestSealLeavesNothingBehind: a failing Seal removes what it spooled.
func TestSealLeavesNothingBehind(t *testing.T) {
	c := newCast(t, ES256, "lv/vp")
	in := c.input("lv/vp")
	in.SpoolDir = t.TempDir()
	in.Attachments = []AttachmentSource{
		{Name: "ok.txt", MediaType: "text/plain", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }},
		{Name: "gone.txt", MediaType: "text/plain", Open: func() (io.ReadCloser, error) { return io.NopCloser(errReader{}), nil }},
	}
	if s, err := Seal(in); s != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Seal = %v, %v", s, err)
	}
	if left, _ := os.ReadDir(in.SpoolDir); len(left) != 0 {
		t.Fatalf("left in the spool: %v", left)
	}
}
