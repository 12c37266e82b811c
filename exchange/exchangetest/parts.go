package exchangetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/exchange/store"
	"github.com/liaison-exchange/liaison/policy"
)

// Parts are the parts of an exchange without its server, put together by the
// test on the world's state, so that it can reach between them.
type Parts struct {
	Store   *store.SQLite
	Blobs   *store.Directory
	Journal *exchange.Journal
	Policy  *policy.Engine
	Service *exchange.Service
	Dir     string        // of the state
	Index   *search.Index // call Round to bring it up to date

	x *Exchange
}

// PartsConfig changes what Parts puts together. All fields are optional.
type PartsConfig struct {
	Store  store.Config                        // Dir is filled in
	Wrap   func(exchange.Store) exchange.Store // between the store and all that use it
	Policy policy.Config                       // Timeout zero: a patient one
	// Journal opens the journal; nil: exchange.OpenJournal.
	Journal func(context.Context, exchange.JournalConfig) (*exchange.Journal, error)
}

// Parts stops the node and opens its parts. Close them before the node starts
// again; the end of the test does, too.
func (x *Exchange) Parts(cfg PartsConfig) *Parts {
	x.TB.Helper()
	x.Stop()
	nc, err := x.World.NodeConfig()
	x.must(err)
	p := &Parts{x: x, Dir: nc.State}
	x.TB.Cleanup(p.Close)
	cfg.Store.Dir = nc.State
	p.Store, err = store.Open(context.Background(), cfg.Store)
	x.must(err)
	p.Blobs, err = store.OpenBlobs(filepath.Join(nc.State, "blobs"))
	x.must(err)
	var rows exchange.Store = p.Store
	if cfg.Wrap != nil {
		rows = cfg.Wrap(rows)
	}
	p.openJournal(nc, rows, cfg.Journal)
	if cfg.Policy.Timeout == 0 {
		cfg.Policy.Timeout = time.Duration(patience)
	}
	cfg.Policy.AllowSamples, cfg.Policy.Clock = true, x.Clock.Now
	p.Policy = policy.NewEngine(cfg.Policy)
	p.openService(nc, rows)
	return p
}

func (p *Parts) openJournal(nc node.Config, rows exchange.Store, open func(context.Context, exchange.JournalConfig) (*exchange.Journal, error)) {
	x := p.x
	x.TB.Helper()
	if open == nil {
		open = exchange.OpenJournal
	}
	raw, err := os.ReadFile(nc.LedgerKey)
	x.must(err)
	signer, err := audit.NewSigner(strings.TrimSpace(string(raw)))
	x.must(err)
	p.Journal, err = open(context.Background(), exchange.JournalConfig{Store: rows, Signer: signer,
		AnchorPath: nc.LedgerKey + ".anchor", Clock: x.Clock.Now, Log: x.logger()})
	x.must(err)
}

func (p *Parts) openService(nc node.Config, rows exchange.Store) {
	x := p.x
	x.TB.Helper()
	operator, _, err := certs.ParseAgencyID(nc.Operator)
	x.must(err)
	trust, err := certs.TrustFiles{Anchors: nc.Anchors, Operator: operator, Revocations: certs.RevocationConfig{Dir: nc.Revocations}}.Load(nil, x.Clock.Now())
	x.must(err)
	key, err := search.LoadKey(nc.LedgerKey+".search", rand.Read)
	x.must(err)
	p.Index, err = search.Open(search.Config{Dir: filepath.Join(nc.State, "search"), Key: key, View: exchange.ViewOfLog(rows), Log: x.logger()})
	x.must(err)
	p.Service, err = exchange.NewService(context.Background(), exchange.Config{Operator: nc.Operator, Store: rows, Blobs: p.Blobs, Index: p.Index,
		Journal: p.Journal, Policy: p.Policy, Trust: func() *certs.Trust { return trust }, Clock: x.Clock.Now, Log: x.logger()})
	x.must(err)
	p.Service.SearchTime = time.Duration(patience)
	set, err := Policies()
	x.must(err)
	x.must(p.Service.Activate(context.Background(), set))
}

// Close closes the parts.
func (p *Parts) Close() {
	var errs []error
	if p.Service != nil {
		errs = append(errs, p.Service.Close())
	}
	if p.Journal != nil {
		errs = append(errs, p.Journal.Close())
	}
	if p.Blobs != nil {
		errs = append(errs, p.Blobs.Close())
	}
	if p.Store != nil {
		errs = append(errs, p.Store.Close())
	}
	p.Journal, p.Blobs, p.Store = nil, nil, nil
	if err := errors.Join(errs...); err != nil {
		p.x.TB.Errorf("close: %v", err)
	}
}

// Caller is an identity as the server passes it to the service.
func (x *Exchange) Caller(agency, role string) exchange.Caller {
	x.TB.Helper()
	return exchange.Caller{Peer: x.Peer(agency, role), Request: "00000000-0000-7000-8000-000000000000"}
}
