package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/textproto"
	"sync"
)

// part is one part of a form. open is asked for anew for every attempt.
type part struct {
	name, mediaType string
	size            int64
	open            func() (io.ReadCloser, error)
}

func bytesPart(name, mediaType string, b []byte) part {
	return part{name: name, mediaType: mediaType, size: int64(len(b)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// form makes a multipart/form-data body (RFC 7578) of the parts in their order, of a length known beforehand, that holds no
// part in memory: each is opened when the one before it has been sent.
func form(parts []part) (contentType string, body func() (io.ReadCloser, int64, error), err error) {
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	pieces := make([]part, 0, 2*len(parts)+1)
	for _, p := range parts {
		_, err = w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q", p.name)},
			"Content-Type":        {p.mediaType},
		})
		if err != nil {
			return "", nil, fmt.Errorf("frame part %s: %w", p.name, err)
		}
		pieces = append(pieces, bytesPart("frame", "", bytes.Clone(frame.Bytes())), p)
		frame.Reset()
	}
	if err = w.Close(); err != nil {
		return "", nil, fmt.Errorf("frame the form: %w", err)
	}
	pieces = append(pieces, bytesPart("frame", "", bytes.Clone(frame.Bytes())))
	var size int64
	for _, p := range pieces {
		size += p.size
	}
	return w.FormDataContentType(), func() (io.ReadCloser, int64, error) {
		return &sequence{rest: pieces}, size, nil
	}, nil
}

// sequence reads parts one after another. A part that is not as long as it should be is an error: half a part never passes
// for a whole one. The transport may close it in one goroutine while another still reads.
type sequence struct {
	mu      sync.Mutex
	rest    []part
	current io.ReadCloser
	left    int64
	closed  bool
}

func (s *sequence) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, fs.ErrClosed
	}
	for {
		if s.current == nil {
			if len(s.rest) == 0 {
				return 0, io.EOF
			}
			if err := s.next(); err != nil {
				return 0, err
			}
		}
		n, err := s.current.Read(b)
		if s.left -= int64(n); s.left < 0 {
			return 0, errors.New("a part grew while it was sent")
		}
		switch {
		case errors.Is(err, io.EOF):
			err = s.end()
		case err != nil:
			err = fmt.Errorf("read a part: %w", err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *sequence) next() error {
	p := s.rest[0]
	r, err := p.open()
	if err != nil {
		return fmt.Errorf("open part %s: %w", p.name, err)
	}
	s.rest, s.current, s.left = s.rest[1:], r, p.size
	return nil
}

func (s *sequence) end() error {
	short := s.left
	if err := s.endPart(); err != nil {
		return fmt.Errorf("close a part: %w", err)
	}
	if short != 0 {
		return errors.New("a part shrank while it was sent")
	}
	return nil
}

// Close closes the part that is being read. Nothing is read any more.
func (s *sequence) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.endPart()
}

func (s *sequence) endPart() error {
	if s.current == nil {
		return nil
	}
	r := s.current
	s.current = nil
	return r.Close()
}
