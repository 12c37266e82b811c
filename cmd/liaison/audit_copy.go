package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// The files of a saved log. Tiles lie under their own paths, tile/….
const (
	savedCheckpoint = "checkpoint"
	savedReceipt    = "consultation.receipt" // of the reading that made the copy
	savedEntries    = "entries.jsonl"        // as the API gives them, one a line
)

// logCopy is a directory that a log is saved in; with no directory it saves
// nothing.
type logCopy struct{ dir string }

func newLogCopy(dir string) (*logCopy, error) {
	if dir == "" {
		return &logCopy{}, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, usageError(err, "give a directory that is not there yet")
	}
	return &logCopy{dir: dir}, nil
}

func (l *logCopy) write(name string, data []byte) error {
	if l.dir == "" {
		return nil
	}
	path := filepath.Join(l.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

func (l *logCopy) entries(items []audit.Item) (err error) {
	if l.dir == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.dir, savedEntries), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, item := range items {
		if err := writeJSON(w, client.WireItem(item)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// tiles saves each tile that is fetched.
func (l *logCopy) tiles(fetch audit.FetchTile) audit.FetchTile {
	return func(ctx context.Context, t audit.TilePath) ([]byte, error) {
		data, err := fetch(ctx, t)
		if err != nil {
			return nil, err
		}
		return data, l.write(t.String(), data)
	}
}

// savedLog is a log that was saved, opened again.
type savedLog struct {
	dir        string
	checkpoint audit.Checkpoint
	receipt    audit.Verified
	items      []audit.Item
}

// openLogCopy reads a saved log. Whose it is says its receipt, which the
// ledger's key proves.
func openLogCopy(dir string, keys audit.Keys) (*savedLog, error) {
	l := &savedLog{dir: dir}
	note, err := l.read(savedCheckpoint, audit.MaxCheckpoint)
	if err != nil {
		return nil, err
	}
	const fix = "use the copy as --save made it, and the key of the ledger that it is from"
	if l.checkpoint, err = audit.OpenCheckpoint(note, keys); err != nil {
		return nil, verificationError(fmt.Errorf("the saved checkpoint does not verify: %w", err), fix)
	}
	text, err := l.read(savedReceipt, audit.MaxReceipt)
	if err != nil {
		return nil, err
	}
	r, err := audit.ParseReceipt(string(text))
	if err == nil {
		l.receipt, err = r.Verify(keys, nil)
	}
	if err != nil {
		return nil, verificationError(fmt.Errorf("the saved receipt does not verify: %w", err), fix)
	}
	return l, l.readEntries()
}

func (l *savedLog) read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(l.dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, usageError(err, "give a directory that --save made")
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func (l *savedLog) readEntries() error {
	f, err := os.Open(filepath.Join(l.dir, savedEntries))
	if err != nil {
		return usageError(err, "give a directory that --save made")
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	for {
		var wire api.AuditItem
		if err := d.Decode(&wire); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return verificationError(fmt.Errorf("%s, entry %d: %w", savedEntries, len(l.items)+1, err), "use the copy as --save made it")
		}
		item, err := client.Item(wire)
		if err != nil {
			return verificationError(fmt.Errorf("%s, line %d: %w", savedEntries, len(l.items)+1, err), "use the copy as --save made it")
		}
		l.items = append(l.items, item)
	}
}

// fetch reads a saved tile.
func (l *savedLog) fetch(_ context.Context, t audit.TilePath) ([]byte, error) {
	return l.read(t.String(), audit.TileWidth*32)
}
