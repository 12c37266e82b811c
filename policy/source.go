package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Statuses of a Source.
const (
	Sample        = "sample"
	Authoritative = "authoritative"
)

// Limits of one Source. Larger ones are refused before anything of them is parsed.
const (
	MaxFiles     = 64
	MaxFileSize  = 64 << 10
	MaxTotalSize = 256 << 10
)

// Source is one of the inputs of policy: its files by slash-separated path, whether it is a sample, and its place in
// the sequence of its kind. It must not be changed once it was given to Build.
type Source struct {
	Files  map[string][]byte
	Status string // Sample or Authoritative
	Seq    int64
}

// SourceFS reads all regular files under dir of fsys into a Source. Limits are checked by Build, not here.
func SourceFS(fsys fs.FS, dir, status string, seq int64) (Source, error) {
	s := Source{Files: map[string][]byte{}, Status: status, Seq: seq}
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return Source{}, fmt.Errorf("source %s: %w", dir, err)
	}
	err = fs.WalkDir(sub, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		s.Files[p], err = fs.ReadFile(sub, p)
		return err
	})
	if err != nil {
		return Source{}, fmt.Errorf("source %s: %w", dir, err)
	}
	return s, nil
}

// Revision is base64url(SHA-256) over the number of files and, for each path in byte order, path and content, each
// preceded by its length as 8 bytes, big endian.
func (s Source) Revision() string {
	h := sha256.New()
	length := func(n int) { _ = binary.Write(h, binary.BigEndian, uint64(n)) }
	length(len(s.Files))
	for _, p := range s.paths() {
		length(len(p))
		h.Write([]byte(p))
		length(len(s.Files[p]))
		h.Write(s.Files[p])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s Source) paths() []string { return slices.Sorted(maps.Keys(s.Files)) }
