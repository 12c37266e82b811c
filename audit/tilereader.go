package audit

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrTiles says that fetched tiles are not those of the checkpoint.
var ErrTiles = errors.New("the tiles do not match the checkpoint")

// FetchTile fetches one tile of hashes, Width * 32 bytes, from wherever the log is served.
type FetchTile func(ctx context.Context, t TilePath) ([]byte, error)

// VerifyTiles reads hashes of the checkpoint's tree out of tiles that nobody needs to trust: each tile is proven up to the checkpoint's
// root before a hash of it is given out. Errors: ErrTiles for a tile that is wrong, that of fetch if it fails.
// Tiles once proven are kept (at most 4 MiB of them) for the next call. For one goroutine at a time.
func VerifyTiles(ctx context.Context, c Checkpoint, fetch FetchTile) tlog.HashReader {
	return &tileReader{ctx: ctx, fetch: fetch, tree: tlog.Tree{N: c.Size, Hash: c.Root}, proven: map[tlog.Tile][]byte{}}
}

// maxProven bounds the tiles that are kept.
const maxProven = 512

// tileReader lives as long as one verification and so holds its context: tlog's interface has none.
type tileReader struct {
	ctx    context.Context
	fetch  FetchTile
	tree   tlog.Tree
	proven map[tlog.Tile][]byte
	failed error // of fetch, in the call under way
}

// ReadHashes gives out proven hashes.
func (r *tileReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	for _, x := range indexes {
		if x < 0 || x >= tlog.StoredHashCount(r.tree.N) {
			return nil, fmt.Errorf("%w: stored hash %d of a tree of size %d", ErrSize, x, r.tree.N)
		}
	}
	r.failed = nil
	hashes, err := tlog.TileHashReader(r.tree, tiles{r}).ReadHashes(indexes)
	if r.failed != nil {
		return nil, fmt.Errorf("fetch tile: %w", r.failed)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTiles, err)
	}
	return hashes, nil
}

// tiles is the tlog.TileReader of a tileReader.
type tiles struct{ r *tileReader }

func (t tiles) Height() int { return TileHeight }

func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(list))
	for i, tile := range list {
		if data[i] = t.r.proven[tile]; data[i] != nil {
			continue
		}
		b, err := t.r.fetch(t.r.ctx, TilePath{Level: tile.L, Index: tile.N, Width: tile.W})
		if err != nil {
			t.r.failed = err
			return nil, err
		}
		data[i] = b
	}
	return data, nil
}

func (t tiles) SaveTiles(list []tlog.Tile, data [][]byte) {
	if len(t.r.proven)+len(list) > maxProven {
		clear(t.r.proven)
	}
	for i, tile := range list {
		if len(t.r.proven) < maxProven {
			t.r.proven[tile] = data[i]
		}
	}
}
