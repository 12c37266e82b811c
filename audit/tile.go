package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles (c2sp.org/tlog-tiles) have height 8: up to TileWidth hashes or entries.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// EntriesLevel is TilePath.Level of an entry bundle.
const EntriesLevel = -1

// Errors of tiles.
var (
	ErrTilePath = errors.New("malformed tile path")
	ErrNoTile   = errors.New("the tree has no such tile")
	ErrBundle   = errors.New("malformed entry bundle")
)

// TilePath names a tile, or a bundle of entries: Width items, fewer than TileWidth in a partial one, from the Index-th tile of a level.
type TilePath struct {
	Level int // 0 to 63, or EntriesLevel
	Index int64
	Width int // 1 to TileWidth
}

// ParseTilePath reads "tile/<L>/<N>", "tile/entries/<N>", either with ".p/<W>" behind it, in exactly the form that String writes.
func ParseTilePath(path string) (TilePath, error) {
	bad := fmt.Errorf("%w: want tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>]", ErrTilePath)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || len(path) > 64 {
		return TilePath{}, bad
	}
	t := TilePath{Level: EntriesLevel, Width: TileWidth}
	var err error
	if level != "entries" {
		if t.Level, err = strconv.Atoi(level); err != nil || t.Level < 0 || t.Level > 63 {
			return TilePath{}, bad
		}
	}
	index, width, partial := strings.Cut(rest, ".p/")
	if partial {
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= TileWidth {
			return TilePath{}, bad
		}
	}
	index = strings.ReplaceAll(strings.ReplaceAll(index, "/", ""), "x", "")
	t.Index, err = strconv.ParseInt(index, 10, 64)
	// Writing the path again proves that each part had its one form.
	if err != nil || t.Index < 0 || t.Index > MaxSize || t.String() != path {
		return TilePath{}, bad
	}
	return t, nil
}

// String is the path, without a leading slash.
func (t TilePath) String() string {
	n := fmt.Sprintf("%03d", t.Index%1000)
	for i := t.Index / 1000; i > 0; i /= 1000 {
		n = fmt.Sprintf("x%03d/%s", i%1000, n)
	}
	level := "entries"
	if t.Level != EntriesLevel {
		level = strconv.Itoa(t.Level)
	}
	if t.Width != TileWidth {
		n += ".p/" + strconv.Itoa(t.Width)
	}
	return "tile/" + level + "/" + n
}

// Range is the leaves of a bundle of entries, or of a tile of level 0: the index of the first and their number.
func (t TilePath) Range() (first int64, count int) { return t.Index * TileWidth, t.Width }

// Exists says whether a tree of the given size has the tile. A partial tile of an earlier size is a part of the tree still.
func (t TilePath) Exists(size int64) error {
	have := size >> (TileHeight * max(t.Level, 0))
	if size > MaxSize || t.Index < 0 || t.Index > MaxSize/TileWidth || t.Width < 1 || t.Width > TileWidth || t.Index*TileWidth+int64(t.Width) > have {
		return fmt.Errorf("%w: %s at size %d", ErrNoTile, t, size)
	}
	return nil
}

// TileData is the bytes of a tile of hashes in a tree of the given size, from stored hashes. Bundles of entries hold commitments,
// not hashes: see EncodeBundle.
func TileData(t TilePath, size int64, r tlog.HashReader) ([]byte, error) {
	if t.Level < 0 {
		return nil, fmt.Errorf("%w: %s is a bundle of entries", ErrNoTile, t)
	}
	if err := t.Exists(size); err != nil {
		return nil, err
	}
	data, err := tlog.ReadTileData(tlog.Tile{H: TileHeight, L: t.Level, N: t.Index, W: t.Width}, r)
	if err != nil {
		return nil, fmt.Errorf("read tile: %w", err)
	}
	return data, nil
}

// bundleItem is the length of a commitment in a bundle, its prefix included.
const bundleItem = 2 + 32

// EncodeBundle writes an entry bundle: for each commitment its length, 32, as a big-endian uint16, then its bytes.
func EncodeBundle(cs []Commitment) []byte {
	b := make([]byte, 0, bundleItem*len(cs))
	for _, c := range cs {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(c))), c[:]...)
	}
	return b
}

// ParseBundle reads an entry bundle of 1 to TileWidth commitments.
func ParseBundle(b []byte) ([]Commitment, error) {
	n := len(b) / bundleItem
	if n < 1 || n > TileWidth || len(b)%bundleItem != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrBundle, len(b))
	}
	cs := make([]Commitment, n)
	for i := range cs {
		item := b[i*bundleItem:][:bundleItem]
		if binary.BigEndian.Uint16(item) != 32 {
			return nil, fmt.Errorf("%w: entry %d is no commitment", ErrBundle, i)
		}
		cs[i] = Commitment(item[2:])
	}
	return cs, nil
}
