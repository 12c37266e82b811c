package client

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// TestLyingHistory: heads that are signed, and do not belong to one history.
func TestLyingHistory(t *testing.T) {
	skey, vkey, err := audit.GenerateKey(testOrigin)
	must(t, err)
	start := func(t *testing.T) (*testExchange, *Client) {
		x := newTestExchange(t)
		x.ledger = newTestLedger(t, skey, vkey)
		x.ledger.fill(300)
		c := x.client("ee/pbgb")
		_, err := c.Checkpoint(t.Context())
		must(t, err)
		return x, c
	}
	fork := func(x *testExchange, entries int) {
		x.ledger = newTestLedger(x.t, skey, vkey)
		x.ledger.fill(entries)
	}
	t.Run("a fork that is longer", func(t *testing.T) {
		x, c := start(t)
		fork(x, 600)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		wantUnverified(t, err)
	})
	t.Run("a fork of equal length", func(t *testing.T) {
		x, c := start(t)
		fork(x, 300)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("a shorter ledger", func(t *testing.T) {
		x, c := start(t)
		fork(x, 10)
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("a receipt of a shorter fork", func(t *testing.T) {
		x, c := start(t)
		honest := x.ledger
		lie := newTestLedger(t, skey, vkey)
		x.receipt = func(e audit.Entry) string { return lie.add(e) }
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		if err == nil || honest.tree.Size() != 300 {
			t.Errorf("not caught: %v", err)
		}
		wantUnverified(t, err)
	})
	t.Run("growth is believed", func(t *testing.T) {
		x, c := start(t)
		for _, n := range []int{1, 255, 256, 300} {
			x.ledger.fill(n)
			_, err := c.Checkpoint(t.Context())
			must(t, err)
		}
	})
	t.Run("forged tiles", func(t *testing.T) {
		x, c := start(t)
		x.ledger.fill(100)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/log/tile/") {
				return false
			}
			r.SetPathValue("path", strings.TrimPrefix(r.URL.Path, "/log/"))
			status, body := x.getTile(r, "")
			b, ok := body.([]byte)
			if !ok {
				reply(w, r, status, body)
				return true
			}
			b[0] ^= 1
			reply(w, r, status, b)
			return true
		}
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
		if x.intercept = nil; func() error { _, err := c.Checkpoint(t.Context()); return err }() != nil {
			t.Error("forged tiles were kept")
		}
	})
	t.Run("short tiles", func(t *testing.T) {
		x, c := start(t)
		x.ledger.fill(100)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/log/tile/") {
				reply(w, r, 200, []byte("short"))
				return true
			}
			return false
		}
		_, err := c.Checkpoint(t.Context())
		wantUnverified(t, err)
	})
	t.Run("no tiles", func(t *testing.T) {
		x, c := start(t)
		x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/log/tile/") {
				reply(w, r, 0, api.Unavailable.New("", ""))
				return true
			}
			return false
		}
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		defer sent.Close()
		if !errors.Is(err, api.Unavailable) || sent.Receipt == nil || sent.Outcomes == nil {
			t.Errorf("sent %+v, %v: want the receipt beside the error", sent, err)
		}
	})
}

// TestCheckpointFile: what one process verified binds the next.
func TestCheckpointFile(t *testing.T) {
	x := newTestExchange(t)
	path := filepath.Join(t.TempDir(), FileCheckpoint)
	config := x.config("ee/pbgb")
	config.Checkpoints = CheckpointFile(path)
	x.ledger.fill(20)
	_, err := x.clientOf(config).Checkpoint(t.Context())
	must(t, err)
	first, err := os.ReadFile(path)
	must(t, err)
	x.ledger.fill(20)
	second := x.clientOf(config)
	_, err = second.Checkpoint(t.Context())
	must(t, err)
	newer, err := os.ReadFile(path)
	must(t, err)
	if bytes.Equal(first, newer) {
		t.Error("the newer checkpoint was not kept")
	}
	must(t, os.WriteFile(path, bytes.Replace(newer, []byte("\n40\n"), []byte("\n41\n"), 1), 0o600))
	_, err = x.clientOf(config).Checkpoint(t.Context())
	wantUnverified(t, err)
	must(t, os.WriteFile(path, newer, 0o600))
	x.ledger.stored, x.ledger.tree, x.ledger.items = nil, audit.EmptyTree(), map[string][]audit.Item{}
	x.ledger.fill(60)
	_, err = x.clientOf(config).Checkpoint(t.Context())
	wantUnverified(t, err)
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, newer) {
		t.Error("a fork replaced the newest verified checkpoint")
	}
}
