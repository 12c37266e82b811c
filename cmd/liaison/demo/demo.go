package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/liaison-exchange/liaison/exchange/node"
)

// ReadyFile tells that a demo runs: it is written last, by rename.
const ReadyFile = "demo.json"

// LogFile is where the demo's server logs.
const LogFile = "exchange.log"

// Ready is what ReadyFile holds.
type Ready struct {
	Server   string   `json:"server"` // URL of the API
	Admin    string   `json:"admin"`  // URL of health and metrics
	PID      int      `json:"pid"`
	Redis    string   `json:"redis,omitempty"` // host and port of where limits are counted; empty: in the exchange itself
	Packages []string `json:"packages"`        // accepted in the story

	Supervisor string `json:"supervisor,omitempty"` // the supervisory authority, if the demo has one
}

// Options says how a demo runs.
type Options struct {
	Dir  string // kept; empty: a temporary one that is removed at the end
	Once bool   // end after the story

	// Redis is where this run counts its limits; nil: in the exchange itself.
	// The directory does not keep it, since it may hold a password.
	Redis *node.Redis

	Begin func(dir string, r Ready) // told when the server runs; may be nil
	Tell  func(Step)                // told each step
	End   func(dir string, r Ready) // told when the story went as it should and ReadyFile is written; may be nil
}

// Run runs a demo: a world, an exchange on it, the story. Without Once it
// serves until ctx ends. The error says which step did not go as told.
func Run(ctx context.Context, o Options) (err error) {
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "liaison-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	w, err := open(o.Dir)
	if err != nil {
		return err
	}
	n, closeAll, err := w.start(ctx, o.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	defer func() { err = errors.Join(err, stop(n)) }()
	return w.run(ctx, n, o)
}

// open takes up the world of an earlier demo in the directory, or makes one.
func open(dir string) (*World, error) {
	w, err := Existing(dir, nil)
	if err == nil {
		return w, removeStale(filepath.Join(dir, ReadyFile))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and holds no demo: choose another directory", dir)
	}
	return Build(Config{Dir: dir})
}

// removeStale removes a ReadyFile whose exchange runs no longer.
func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// start starts the world's witnesses and its exchange; they log to a file.
func (w *World) start(ctx context.Context, redis *node.Redis) (*node.Node, func() error, error) {
	cfg, err := w.NodeConfig()
	if err != nil {
		return nil, nil, err
	}
	if redis != nil {
		cfg.Redis = redis
	}
	log, err := os.OpenFile(w.path(LogFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
	witnesses, stopWitnesses, err := w.StartWitnesses(ctx, cfg.Log, nil)
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	closeAll := func() error { return errors.Join(stopWitnesses(), log.Close()) }
	cfg.Witnesses = witnesses
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return n, closeAll, nil
}

// stop drains the exchange; what runs longer than the drain is cut off.
func stop(n *node.Node) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return n.Shutdown(ctx)
}

// run tells the story on the running exchange and serves on.
func (w *World) run(ctx context.Context, n *node.Node, o Options) error {
	ready := Ready{Server: "https://" + n.Addr(), Admin: "http://" + n.AdminAddr(), PID: os.Getpid(), Packages: []string{}, Supervisor: w.Supervisor}
	if o.Redis != nil {
		ready.Redis = o.Redis.Addresses[0]
	}
	if err := w.WriteProfiles(ready.Server); err != nil {
		return err
	}
	if o.Begin != nil {
		o.Begin(w.Dir, ready)
	}
	packages, err := w.Tell(ctx, o.Tell)
	if err != nil {
		return err
	}
	ready.Packages = packages
	if err := w.writeReady(ready); err != nil {
		return err
	}
	if o.End != nil {
		o.End(w.Dir, ready)
	}
	if o.Once {
		return nil
	}
	select {
	case <-ctx.Done():
		return removeStale(w.path(ReadyFile))
	case <-n.Done():
		return n.Err()
	}
}

// writeReady writes ReadyFile so that it is whole when it is seen.
func (w *World) writeReady(r Ready) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temporary := w.path("." + ReadyFile)
	if err := os.WriteFile(temporary, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, w.path(ReadyFile))
}
