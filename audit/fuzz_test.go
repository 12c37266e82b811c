package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/transparency-dev/formats/log"
)

// checkKind: what is refused is refused with an error of this room.
func checkKind(t *testing.T, err error, kinds ...error) {
	t.Helper()
	if !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		t.Fatalf("error out of place: %v", err)
	}
}

// What ParseEntry takes, Encode writes again in a form that reads the same, and no other reader sees other members.
func FuzzParseEntry(f *testing.F) {
	b, err := minimal().Encode()
	must(f, err)
	f.Add(b)
	f.Add(bytes.Replace(b, []byte("}"), []byte(`,"actor":{"role":"dpo"},"decisions":[{"id":"x","codes":["a"]}],"revisions":{"common":"x"},"statement":{"a":["\ud83d\ude00",1e9,null]},"count":3}`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			checkKind(t, err, ErrEntry)
			return
		}
		again, err := e.Encode()
		if err != nil || len(again) > MaxEntry {
			t.Fatalf("%d bytes, %v", len(again), err)
		}
		second, err := ParseEntry(again)
		if err != nil {
			t.Fatal(err)
		}
		third, err := second.Encode()
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable:\n%s\n%s", again, third)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if strings.ToLower(name) != name {
				t.Fatalf("member %q", name)
			}
		}
	})
}

// A receipt has one text only, and another parser reads the same from it.
func FuzzParseReceipt(f *testing.F) {
	f.Add(string(vector(f, "receipt.tlog-proof")))
	f.Add("c2sp.org/tlog-proof@v1\nextra eyJlbnRyeSI6IiIsInNhbHQiOiIifQ==\nindex 0\n\nx\n1\n\n\n— x AAAAAAA=\n")
	keys, err := ParseKeys(vector(f, "log.vkey"))
	must(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReceipt(text)
		if err != nil {
			checkKind(t, err, ErrReceipt)
			return
		}
		if r.Encode() != text {
			t.Fatal("a second text of the same receipt")
		}
		sameReceipt(t, r)
		if v, err := r.Verify(keys, nil); err == nil && v.Entry.Officer != "o-17" {
			t.Fatalf("another receipt verifies: %+v", v)
		}
	})
}

// A checkpoint that opens opens for others, too, and says the same there.
func FuzzOpenCheckpoint(f *testing.F) {
	_, signed, _ := strings.Cut(string(vector(f, "receipt.tlog-proof")), "\n\n")
	f.Add([]byte(signed))
	f.Add([]byte(signed + "— w.example AAAAAAAA\n"))
	file := vector(f, "log.vkey")
	keys, err := ParseKeys(file)
	must(f, err)
	v, err := note.NewVerifier(keys.Current())
	must(f, err)
	f.Fuzz(func(t *testing.T, signed []byte) {
		cp, err := OpenCheckpoint(signed, keys)
		if err != nil {
			checkKind(t, err, ErrCheckpoint, ErrSignature)
			return
		}
		second, rest, _, err := log.ParseCheckpoint(signed, keys.Origin(), v)
		if err != nil || len(rest) != 0 || int64(second.Size) != cp.Size || !bytes.Equal(second.Hash, cp.Root[:]) {
			t.Fatalf("another parser reads %+v, %v", second, err)
		}
		if cp.Size != 2 {
			t.Fatalf("nobody signed size %d", cp.Size)
		}
	})
}

func FuzzParseTilePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/4/x001/x234/067.p/1", "tile/entries/x001/000.p/255", "tile/63/000"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := ParseTilePath(path)
		if err != nil {
			checkKind(t, err, ErrTilePath)
			return
		}
		if p.String() != path || p.Width < 1 || p.Width > TileWidth || p.Index < 0 || strings.ContainsAny(path, "\\%?#\x00 ") || strings.Contains(path, "..") {
			t.Fatalf("%q is taken as %+v", path, p)
		}
		if p.Exists(1<<20) == nil && p.Level > 2 {
			t.Fatalf("%q exists in a tree of 2^20", path)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	file := vector(f, "log.vkey")
	f.Add(file)
	f.Add(append(bytes.Clone(file), file...))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(b)
		if err != nil {
			checkKind(t, err, ErrKey)
			return
		}
		if strings.TrimSuffix(k.String(), "\n") != strings.TrimSuffix(string(b), "\n") || checkName(k.Origin()) != nil {
			t.Fatalf("%q is read as %q", b, k)
		}
		if _, err := note.NewVerifier(k.Current()); err != nil {
			t.Fatalf("another implementation refuses %s: %v", k.Current(), err)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add(EncodeBundle(make([]Commitment, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		cs, err := ParseBundle(b)
		if err != nil {
			checkKind(t, err, ErrBundle)
			return
		}
		if !bytes.Equal(EncodeBundle(cs), b) || len(cs) < 1 || len(cs) > TileWidth {
			t.Fatal("a second form of the same bundle")
		}
	})
}
