// Package exchangetest runs a whole exchange inside a test: real state, real
// certificates, real policies, a real listener, and one client for each
// identity. Tests act as agencies in turn.
package exchangetest

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/policy"
)

// Exchange is a running exchange of a test, with the demo's agencies.
type Exchange struct {
	TB    testing.TB
	World *demo.World
	Node  *node.Node
	Clock *Clock
	Log   *Log

	Witnesses *Cosigners // nil: none

	wrap func(http.RoundTripper) http.RoundTripper
	edit func(*node.Config)

	mu      sync.Mutex                // guards the clients, by identity
	clients map[string]*client.Client // of this run of the node
	bare    map[string]*http.Client
	heads   map[string]*head
	revoked map[string][]*big.Int // serial numbers, by jurisdiction
	lists   int64                 // the highest number of a list
}

// Option changes how an exchange of a test runs.
type Option func(*Exchange)

// Configure edits the node's configuration before each start.
func Configure(edit func(*node.Config)) Option { return func(x *Exchange) { x.edit = edit } }

// Unwatched leaves the answers unvalidated: for tests that break the wire on
// purpose.
func Unwatched() Option { return func(x *Exchange) { x.wrap = nil } }

// New starts an exchange; the end of the test stops it. Every answer to its
// clients is held against the OpenAPI document.
func New(t testing.TB, options ...Option) *Exchange {
	t.Helper()
	x := &Exchange{TB: t, Clock: &Clock{}, Log: &Log{}, bare: map[string]*http.Client{}, heads: map[string]*head{}}
	x.wrap = func(rt http.RoundTripper) http.RoundTripper { return Watch(t, rt) }
	for _, o := range options {
		o(x)
	}
	dir := t.TempDir()
	files, err := template()
	if err == nil {
		err = writeTree(dir, files)
	}
	if err == nil {
		x.World, err = demo.Existing(dir, x.Clock.Now)
	}
	if err != nil {
		t.Fatal(err)
	}
	if x.Witnesses != nil {
		x.Witnesses.start(x)
	}
	x.Start()
	t.Cleanup(x.Stop)
	return x
}

// Start starts the node on the world's state.
func (x *Exchange) Start() {
	x.TB.Helper()
	cfg, err := x.World.NodeConfig()
	if err != nil {
		x.TB.Fatal(err)
	}
	cfg.Clock, cfg.Log = x.Clock.Now, x.logger()
	cfg.PolicyTimeout = patience
	if cfg.Policies, err = Policies(); err != nil {
		x.TB.Fatal(err)
	}
	if x.Witnesses != nil {
		cfg.Witnesses = x.Witnesses.Config
	}
	if x.edit != nil {
		x.edit(&cfg)
	}
	if x.Node, err = node.Start(context.Background(), cfg); err != nil {
		x.TB.Fatal(err)
	}
	if err := x.World.WriteProfiles("https://" + x.Node.Addr()); err != nil {
		x.TB.Fatal(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.clients = map[string]*client.Client{}
}

func (x *Exchange) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(x.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// patience is how long policy and a search may take: tests share a slow machine.
const patience = node.Duration(30 * time.Second)

// Policies are the embedded ones, built once for all exchanges of a process.
var Policies = sync.OnceValues(func() (*policy.Set, error) { return policy.Build(policy.Samples()) })

// Stop drains and stops the node; a stopped one stays so.
func (x *Exchange) Stop() {
	if x.Node == nil {
		return
	}
	x.hangUp()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := x.Node.Shutdown(ctx); err != nil {
		x.TB.Errorf("shutdown: %v", err)
	}
	x.Node = nil
}

// hangUp closes the clients' connections: HTTP/2 lets a server that shuts
// down wait a second for open ones.
func (x *Exchange) hangUp() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.clients {
		c.Close()
	}
	for _, c := range x.bare {
		c.CloseIdleConnections()
	}
}

// Reload has the node read its files again. The clients hang up: who is not
// admitted any more was cut off, and might find out in the middle of a request.
func (x *Exchange) Reload() {
	x.TB.Helper()
	x.must(x.Node.Reload(x.TB.Context()))
	x.hangUp()
}

// Restart stops the node and starts it again on the same state.
func (x *Exchange) Restart() {
	x.TB.Helper()
	x.Stop()
	x.Start()
}

// As returns the client of an identity, by its profile. Start makes new
// ones: the node has another address.
func (x *Exchange) As(agency, role string) *client.Client {
	x.TB.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.clients[agency+role] == nil {
		x.clients[agency+role] = x.newClient(agency, role)
	}
	return x.clients[agency+role]
}

func (x *Exchange) newClient(agency, role string) *client.Client {
	x.TB.Helper()
	p, err := client.LoadProfile(x.World.Profile(agency, role))
	if err != nil {
		x.TB.Fatal(err)
	}
	cfg, err := p.Config()
	if err != nil {
		x.TB.Fatal(err)
	}
	cfg.Now, cfg.Wrap = x.Clock.Now, x.wrap
	if x.heads[agency+role] == nil {
		x.heads[agency+role] = &head{}
	}
	cfg.Checkpoints = x.heads[agency+role]
	c, err := client.New(cfg)
	if err != nil {
		x.TB.Fatal(err)
	}
	x.TB.Cleanup(c.Close)
	return c
}

// head keeps the newest head that an identity has verified, for all runs of
// the node. The file that a profile has for it would be fsynced each time.
type head struct {
	mu   sync.Mutex
	note []byte
}

// Load implements client.CheckpointStore.
func (h *head) Load() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.note == nil {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(h.note), nil
}

// Save implements client.CheckpointStore.
func (h *head) Save(note []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note = bytes.Clone(note)
	return nil
}

// Clock is the exchange's clock: the time of day and what a test added to it.
// It is safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
	stood time.Time // if it stands still
}

// Now is the exchange's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stood.IsZero() {
		return c.stood.Add(c.ahead)
	}
	return time.Now().Add(c.ahead)
}

// Freeze makes the clock stand still: only Advance moves it.
func (c *Clock) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stood = time.Now()
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// Log holds what the node logged. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text []byte
}

// Write appends.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	return len(b), nil
}

// String is everything that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
