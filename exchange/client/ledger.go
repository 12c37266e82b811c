package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// CheckpointStore keeps the newest checkpoint of a ledger that was verified, as a signed note.
type CheckpointStore interface {
	// Load returns what was saved last; an error that is fs.ErrNotExist if nothing was.
	Load() ([]byte, error)
	// Save replaces it, whole or not at all.
	Save(note []byte) error
}

// CheckpointFile is the path of a file that is a CheckpointStore. Several processes may use the same file: each reads it
// again before it believes a checkpoint. If two write at the same moment, the file may be left with the older of the two,
// which was verified as well.
type CheckpointFile string

// Load reads the file.
func (f CheckpointFile) Load() ([]byte, error) {
	r, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAtMost(r, audit.MaxCheckpoint)
}

// Save replaces the file.
func (f CheckpointFile) Save(note []byte) error { return certs.WritePublic(string(f), note) }

// ledger is what a client believes of the exchange's ledger: one history, of which each checkpoint that is shown must be a
// part. A server that shows two people different histories has to sign two heads that do not fit together; a client that
// remembers the newest head, and compares it with those of others, finds out.
type ledger struct {
	keys  audit.Keys
	store CheckpointStore
	turn  chan struct{} // holds one token: whoever has it may use the members below
	known audit.Checkpoint
	cache tileCache
}

func newLedger(keys audit.Keys, store CheckpointStore) (*ledger, error) {
	if keys.Origin() == "" {
		return nil, errors.New("a client needs the verifier keys of the exchange's ledger")
	}
	if store == nil {
		store = &memoryStore{}
	}
	l := &ledger{keys: keys, store: store, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l, nil
}

// memoryStore is used within the turn of its ledger.
type memoryStore struct{ note []byte }

func (m *memoryStore) Load() ([]byte, error) {
	if m.note == nil {
		return nil, fs.ErrNotExist
	}
	return m.note, nil
}

func (m *memoryStore) Save(note []byte) error {
	m.note = bytes.Clone(note)
	return nil
}

// open verifies a signed checkpoint with the keys of the ledger.
func (l *ledger) open(note []byte) (audit.Checkpoint, error) {
	cp, err := audit.OpenCheckpoint(note, l.keys)
	if err != nil {
		return audit.Checkpoint{}, unverified("checkpoint", err)
	}
	return cp, nil
}

// admit accepts a checkpoint into the one history: it must extend the newest one known, or be a part of it. Whichever of the
// two is newer is kept.
func (l *ledger) admit(ctx context.Context, cp audit.Checkpoint, extends func(ctx context.Context, older, newer audit.Checkpoint) error) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if err := l.reload(); err != nil {
		return err
	}
	known := l.known
	if known.Note == nil {
		return l.keep(cp)
	}
	older, newer := known, cp
	if cp.Size < known.Size {
		older, newer = cp, known
	}
	if err := extends(ctx, older, newer); err != nil {
		return err
	}
	if cp.Size > known.Size {
		return l.keep(cp)
	}
	return nil
}

// latest is the newest checkpoint known, if there is one.
func (l *ledger) latest(ctx context.Context) (audit.Checkpoint, bool, error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return audit.Checkpoint{}, false, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if err := l.reload(); err != nil {
		return audit.Checkpoint{}, false, err
	}
	return l.known, l.known.Note != nil, nil
}

// reload takes over what another process has saved meanwhile.
func (l *ledger) reload() error {
	note, err := l.store.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("newest verified checkpoint: %w", err)
	}
	if bytes.Equal(note, l.known.Note) {
		return nil
	}
	cp, err := l.open(note)
	if err != nil {
		return fmt.Errorf("newest verified checkpoint, as saved: %w", err)
	}
	if l.known.Note == nil || cp.Size > l.known.Size {
		l.known = cp
	}
	return nil
}

func (l *ledger) keep(cp audit.Checkpoint) error {
	if err := l.store.Save(cp.Note); err != nil {
		return fmt.Errorf("save the newest verified checkpoint: %w", err)
	}
	l.known = cp
	return nil
}

// tileCache keeps full tiles that were proven to be a part of the ledger: they never change. It is safe for concurrent use.
type tileCache struct {
	mu    sync.Mutex
	tiles map[audit.TilePath][]byte
}

// maxCachedTiles bounds the cache: 512 tiles of 8 KiB.
const maxCachedTiles = 512

func (t *tileCache) get(tile audit.TilePath) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	data, ok := t.tiles[tile]
	return data, ok
}

func (t *tileCache) add(fetched map[audit.TilePath][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.tiles)+len(fetched) > maxCachedTiles || t.tiles == nil {
		t.tiles = map[audit.TilePath][]byte{}
	}
	for tile, data := range fetched {
		if len(t.tiles) < maxCachedTiles {
			t.tiles[tile] = data
		}
	}
}

// proof is one proof that a checkpoint belongs to the ledger's one history. The full tiles that it fetches are kept for later
// ones if it succeeds.
type proof struct {
	c       *Client
	fetched map[audit.TilePath][]byte
}

func (p *proof) fetch(ctx context.Context, tile audit.TilePath) ([]byte, error) {
	full := tile
	full.Width = audit.TileWidth
	if data, ok := p.c.ledger.cache.get(full); ok && tile.Level != audit.EntriesLevel {
		return data[:tile.Width*sha256.Size], nil
	}
	data, err := p.c.Tile(ctx, tile)
	if err == nil && tile == full {
		p.fetched[tile] = data
	}
	return data, err
}

func (p *proof) extends(ctx context.Context, older, newer audit.Checkpoint) error {
	err := audit.VerifyExtends(older, newer, audit.VerifyTiles(ctx, newer, p.fetch))
	switch {
	case err == nil:
		p.c.ledger.cache.add(p.fetched)
		return nil
	case errors.Is(err, audit.ErrFork), errors.Is(err, audit.ErrBehind), errors.Is(err, audit.ErrTiles), errors.Is(err, audit.ErrOtherLedger):
		return unverified("ledger", err)
	}
	return err
}

// Tile fetches one tile of hashes of the ledger; where a partial one is gone because it is full by now, the first part of the
// full one. It is not verified: give this method to audit.VerifyTiles.
func (c *Client) Tile(ctx context.Context, tile audit.TilePath) ([]byte, error) {
	data, err := c.tile(ctx, tile)
	if errors.Is(err, api.NotFound) && tile.Width < audit.TileWidth {
		full := tile
		full.Width = audit.TileWidth
		data, err = c.tile(ctx, full)
	}
	if err != nil {
		return nil, err
	}
	size := tile.Width * sha256.Size
	if len(data) < size {
		return nil, unverifiedf(tile.String(), "%d bytes instead of %d", len(data), size)
	}
	return data[:size], nil
}

func (c *Client) tile(ctx context.Context, tile audit.TilePath) ([]byte, error) {
	k := get("/log/"+tile.String(), nil)
	k.max = audit.TileWidth * sha256.Size
	a, err := c.fetch(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// admit accepts a verified checkpoint into the one history of the ledger that this client knows.
func (c *Client) admit(ctx context.Context, cp audit.Checkpoint) error {
	p := proof{c: c, fetched: map[audit.TilePath][]byte{}}
	return c.ledger.admit(ctx, cp, p.extends)
}

// Checkpoint fetches the current head of the ledger and verifies its signature and that it extends the newest one known.
func (c *Client) Checkpoint(ctx context.Context) (audit.Checkpoint, error) {
	k := get(api.RouteCheckpoint, nil)
	k.max = audit.MaxCheckpoint
	a, err := c.fetch(ctx, k)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	cp, err := c.ledger.open(a.body)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	known, ok, err := c.ledger.latest(ctx)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	if ok && cp.Size < known.Size {
		return audit.Checkpoint{}, unverifiedf("checkpoint", "the ledger has shrunk from %d entries to %d", known.Size, cp.Size)
	}
	if err := c.admit(ctx, cp); err != nil {
		return audit.Checkpoint{}, err
	}
	return cp, nil
}

// Hashes reads hashes of the tree below a verified checkpoint from the server's tiles, and proves each against it. It is for
// the time of the context, and for one goroutine at a time.
func (c *Client) Hashes(ctx context.Context, cp audit.Checkpoint) tlog.HashReader {
	return audit.VerifyTiles(ctx, cp, c.Tile)
}
