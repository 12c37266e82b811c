package envelope

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

const (
	attachmentKeySize = 32
	segmentSize       = 1 << 20 // bytes of a ciphertext segment
)

// meter counts and hashes what passes.
type meter struct {
	hash hash.Hash
	size int64
}

func newMeter() *meter { return &meter{hash: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.hash.Write(p)
}

func (m *meter) ref() AttachmentRef {
	return AttachmentRef{SHA256: encode64(m.hash.Sum(nil)), Size: m.size}
}

// attachmentCipher is Tink's AES256-GCM-HKDF streaming AEAD: HKDF-SHA256,
// derived keys of 32 bytes, segments of 1 MiB.
func attachmentCipher(key []byte) (*subtle.AESGCMHKDF, error) {
	if len(key) != attachmentKeySize {
		return nil, rejected(ReasonAttachment)
	}
	return subtle.NewAESGCMHKDF(key, "SHA256", attachmentKeySize, segmentSize, 0)
}

// associated is the associated data of an attachment: <jti>/<index>.
func associated(jti string, index int) []byte { return []byte(jti + "/" + strconv.Itoa(index)) }

// EncryptAttachment encrypts r to w under a key of 32 bytes that is used for
// nothing else, and returns digest and size of plaintext and ciphertext. It needs
// about 2 MiB of memory, whatever the size.
func EncryptAttachment(w io.Writer, r io.Reader, key []byte, jti string, index int) (plain, sealed AttachmentRef, err error) {
	c, err := attachmentCipher(key)
	if err != nil {
		return plain, sealed, err
	}
	in, out := newMeter(), newMeter()
	enc, err := c.NewEncryptingWriter(io.MultiWriter(w, out), associated(jti, index))
	if err != nil {
		return plain, sealed, fmt.Errorf("encrypt attachment: %w", err)
	}
	if _, err := io.Copy(io.MultiWriter(enc, in), r); err != nil {
		return plain, sealed, fmt.Errorf("encrypt attachment: %w", err)
	}
	if err := enc.Close(); err != nil {
		return plain, sealed, fmt.Errorf("encrypt attachment: %w", err)
	}
	return in.ref(), out.ref(), nil
}

// DecryptAttachment decrypts r to w and returns digest and size of plaintext and
// ciphertext, which the caller compares; Message.OpenAttachment does. Each
// segment is authenticated before it is written, the end only at the end: what
// was written must be thrown away after an error. An alteration is an ErrRejected.
func DecryptAttachment(w io.Writer, r io.Reader, key []byte, jti string, index int) (plain, sealed AttachmentRef, err error) {
	c, err := attachmentCipher(key)
	if err != nil {
		return plain, sealed, err
	}
	in, out := newMeter(), newMeter()
	source := &source{r: io.TeeReader(r, in)}
	dec, err := c.NewDecryptingReader(source, associated(jti, index))
	if err == nil {
		_, err = io.Copy(io.MultiWriter(&sink{w: w, source: source}, out), dec)
	}
	if source.err != nil {
		return plain, sealed, fmt.Errorf("decrypt attachment: %w", source.err)
	}
	if err != nil {
		return plain, sealed, rejected(ReasonAttachment)
	}
	return out.ref(), in.ref(), nil
}

// source and sink keep the failure of a file or connection apart from that of
// the cipher: the first is worth another try.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type sink struct {
	w      io.Writer
	source *source
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.source.err = err
	}
	return n, err
}

// AttachmentSource is a file to be sealed. Open is called once.
type AttachmentSource struct {
	Name      string
	MediaType string
	Open      func() (io.ReadCloser, error)
}

// SealedAttachment is an encrypted attachment in a temporary file.
type SealedAttachment struct {
	AttachmentRef
	path string
}

// Open opens the ciphertext for reading. It can be opened again, until the
// Sealed that it belongs to is closed.
func (a SealedAttachment) Open() (io.ReadCloser, error) { return os.Open(a.path) }

// sealAttachment encrypts a source to a temporary file: the manifest must name
// the digest before the bytes are sent, and ciphertext may lie on a disk.
func sealAttachment(dir, jti string, index int, s AttachmentSource) (sealed SealedAttachment, m MessageAttachment, err error) {
	in, err := s.Open()
	if err != nil {
		return sealed, m, fmt.Errorf("seal attachment %d: %w", index, err)
	}
	defer in.Close()
	f, err := os.CreateTemp(dir, "liaison-attachment-*")
	if err != nil {
		return sealed, m, fmt.Errorf("seal attachment %d: %w", index, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	key := make([]byte, attachmentKeySize)
	rand.Read(key) // never fails (crypto/rand)
	plain, ref, err := EncryptAttachment(f, in, key, jti, index)
	if err != nil {
		return sealed, m, fmt.Errorf("seal attachment %d: %w", index, err)
	}
	m = MessageAttachment{Name: s.Name, MediaType: s.MediaType, Key: encode64(key), Size: plain.Size, SHA256: plain.SHA256}
	return SealedAttachment{AttachmentRef: ref, path: f.Name()}, m, nil
}
