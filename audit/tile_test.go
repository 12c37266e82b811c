package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTilePath(t *testing.T) {
	for path, want := range map[string]TilePath{
		"tile/0/000": {0, 0, 256}, "tile/0/x001/234": {0, 1234, 256}, "tile/4/x001/x234/067.p/1": {4, 1234067, 1}, "tile/63/000.p/255": {63, 0, 255},
		"tile/entries/000": {-1, 0, 256}, "tile/entries/x001/000.p/17": {-1, 1000, 17}, "tile/0/x999/999": {0, 999999, 256},
	} {
		got, err := ParseTilePath(path)
		if err != nil || got != want || got.String() != path {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "/tile/0/000", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1000", "tile/0/x000/001", "tile/0/001/234", "tile/0/x001", "tile/0/x1/234",
		"tile/8/0/000/x", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/data/000", "tile/Entries/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/-1", "tile/0/000.p",
		"tile/0/000.p/", "tile/0/000.p/1/2", "tile/0/000.p/1.p/1", "tile/0//000", "tile/0/000/", "tile/0/../000", "tile/0/-01", "tile/0/x001/x234", "tile/0/ 00", "tile/0/000\n", "tile/0/00٣", "tile/0/xx01/000",
		"tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/x000/000", "tile/0/0x0", "tile/0/" + strings.Repeat("x001/", 50) + "000"} {
		if got, err := ParseTilePath(path); !errors.Is(err, ErrTilePath) {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

// The tiles are those of the C2SP text, and the tree has exactly those that its size says.
func TestTileData(t *testing.T) {
	l := newLedger(t)
	g, err := EmptyTree().Grow(commitments(256*256 + 600))
	must(t, err)
	l.tree, l.stored = g.Tree(), g.Stored()
	size := l.tree.Size()
	for path, ok := range map[string]bool{
		"tile/0/000": true, "tile/0/x000/000": false, "tile/0/257": true, "tile/0/258": false, "tile/0/258.p/88": true, "tile/0/258.p/87": true, "tile/0/258.p/89": false, "tile/0/000.p/3": true,
		"tile/1/000": true, "tile/1/001": false, "tile/1/001.p/2": true, "tile/1/001.p/3": false, "tile/2/000.p/1": true, "tile/2/000.p/2": false, "tile/3/000.p/1": false, "tile/63/000.p/1": false,
		"tile/entries/000": false, "tile/0/x999/x999/x999/x999/999": false,
	} {
		p, err := ParseTilePath(path)
		if err != nil {
			continue
		}
		data, err := TileData(p, size, l)
		if ok != (err == nil) || ok && len(data) != 32*p.Width || !ok && !errors.Is(err, ErrNoTile) {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
	data, err := TileData(TilePath{1, 0, 256}, size, l)
	must(t, err)
	root256, err := LoadTree(256, l)
	must(t, err)
	if tlog.Hash(data[:32]) != root256.Root() {
		t.Error("the first hash of level 1 is not the root of the first 256 leaves")
	}
	if first, n := (TilePath{-1, 3, 7}).Range(); first != 768 || n != 7 {
		t.Errorf("range %d, %d", first, n)
	}
}

func TestBundle(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256} {
		cs := commitments(n)
		got, err := ParseBundle(EncodeBundle(cs))
		if err != nil || !slices.Equal(got, cs) {
			t.Errorf("%d: %v", n, err)
		}
	}
	good := EncodeBundle(commitments(2))
	wrong := slices.Clone(good)
	wrong[1] = 31
	for _, b := range [][]byte{nil, good[:33], good[:len(good)-1], append(slices.Clone(good), 0), wrong, EncodeBundle(commitments(257))} {
		if _, err := ParseBundle(b); !errors.Is(err, ErrBundle) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

// Whichever hash of whichever tile is forged, at each level and in partial tiles, no hash is given out.
func TestForgedTiles(t *testing.T) {
	l := newLedger(t)
	g, err := EmptyTree().Grow(commitments(256*2 + 77))
	must(t, err)
	l.tree, l.stored = g.Tree(), g.Stored()
	cp := l.checkpoint()
	var all []int64
	for i := range cp.Size {
		all = append(all, tlog.StoredHashIndex(0, i))
	}
	var used []TilePath
	hashes, err := VerifyTiles(context.Background(), cp, func(ctx context.Context, p TilePath) ([]byte, error) {
		used = append(used, p)
		return l.fetch(ctx, p)
	}).ReadHashes(all)
	must(t, err)
	if want, err := l.ReadHashes(all); err != nil || !slices.Equal(hashes, want) {
		t.Fatal("proven hashes are not the ledger's")
	}
	if len(used) != 4 {
		t.Fatalf("tiles fetched: %v", used)
	}
	for _, target := range used {
		for position := range target.Width {
			forge := func(ctx context.Context, p TilePath) ([]byte, error) {
				data, err := l.fetch(ctx, p)
				if err == nil && p == target {
					data[32*position+position%32] ^= 1 << (position % 8)
				}
				return data, err
			}
			if _, err := VerifyTiles(context.Background(), cp, forge).ReadHashes(all); !errors.Is(err, ErrTiles) {
				t.Fatalf("%s, hash %d forged: %v", target, position, err)
			}
		}
		for name, change := range map[string]func([]byte) []byte{
			"too short": func(b []byte) []byte { return b[:len(b)-32] }, "too long": func(b []byte) []byte { return append(b, make([]byte, 32)...) },
			"cut": func(b []byte) []byte { return b[:len(b)-1] }, "empty": func([]byte) []byte { return nil },
			"swapped": func(b []byte) []byte {
				return append(slices.Clone(b[32:64]), append(slices.Clone(b[:32]), b[64:]...)...)
			},
		} {
			if name == "swapped" && target.Width < 2 {
				continue
			}
			forge := func(ctx context.Context, p TilePath) ([]byte, error) {
				data, err := l.fetch(ctx, p)
				if err == nil && p == target {
					data = change(data)
				}
				return data, err
			}
			if _, err := VerifyTiles(context.Background(), cp, forge).ReadHashes(all); !errors.Is(err, ErrTiles) {
				t.Errorf("%s, %s: %v", target, name, err)
			}
		}
	}
}

func TestVerifyTilesBounds(t *testing.T) {
	l := newLedger(t)
	empty := VerifyTiles(context.Background(), l.checkpoint(), l.fetch)
	if h, err := empty.ReadHashes(nil); err != nil || len(h) != 0 {
		t.Errorf("no hashes of an empty tree: %v", err)
	}
	l.fill(3, "ee/pbgb")
	lost := errors.New("connection lost")
	broken := VerifyTiles(context.Background(), l.checkpoint(), func(context.Context, TilePath) ([]byte, error) { return nil, lost })
	if _, err := broken.ReadHashes([]int64{0}); !errors.Is(err, lost) || errors.Is(err, ErrTiles) {
		t.Errorf("a tile that cannot be fetched: %v", err)
	}
	r := VerifyTiles(context.Background(), l.checkpoint(), l.fetch)
	for _, x := range []int64{-1, 4, 1 << 62} {
		if _, err := empty.ReadHashes([]int64{x}); !errors.Is(err, ErrSize) {
			t.Errorf("hash %d of an empty tree: %v", x, err)
		}
		if _, err := r.ReadHashes([]int64{x}); !errors.Is(err, ErrSize) {
			t.Errorf("hash %d: %v", x, err)
		}
	}
	fetched := 0
	counting := VerifyTiles(context.Background(), l.checkpoint(), func(ctx context.Context, p TilePath) ([]byte, error) { fetched++; return l.fetch(ctx, p) })
	for range 3 {
		_, err := counting.ReadHashes([]int64{0, 1})
		must(t, err)
	}
	if fetched != 1 {
		t.Errorf("the same tile was fetched %d times", fetched)
	}
}
