package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzBlobName: a name is refused, or its path stays in its shard, and comes
// back to the same name when the directory is swept.
func FuzzBlobName(f *testing.F) {
	id, digest := "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", strings.Repeat("A", 42)+"-"
	for _, name := range []string{id + "/content." + digest, id + "/0." + digest, "../" + id + "/0." + digest, id + "/../0." + digest, id + "/0." + digest + "\n", "", "/"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		shard, path, err := blobPath(name)
		if err != nil {
			if !errors.Is(err, ErrBlobName) {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		dir, file := filepath.Split(path)
		if !filepath.IsLocal(path) || dir != shard+string(filepath.Separator) || len(shard) != 2 || strings.ContainsAny(file, "/\\\x00\n") {
			t.Errorf("%q lies at %q", name, path)
		}
		if m := blobFile.FindStringSubmatch(file); m == nil || m[1]+"/"+m[2] != name {
			t.Errorf("%q is swept as %q", name, m)
		}
	})
}
