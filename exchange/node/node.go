// Package node is where the parts meet: a configuration goes in, a running
// exchange comes out. The command serve, the demo and the tests all call
// Start.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/ratelimit"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/exchange/server"
	"github.com/liaison-exchange/liaison/exchange/siem"
	"github.com/liaison-exchange/liaison/exchange/store"
	"github.com/liaison-exchange/liaison/exchange/witness"
	"github.com/liaison-exchange/liaison/policy"
)

// Node is a running exchange. It is safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	gate    *certs.Gatekeeper
	policy  *policy.Engine
	service *exchange.Service
	server  *server.Server
	search  *search.Index
	closers []io.Closer // in the order of opening
	api     net.Listener
	admin   net.Listener
	http    *http.Server // admin

	collector   *witness.Collector // nil: no witnesses
	recording   sync.Mutex
	unwitnessed bool // as recorded; guarded by recording

	metrics     *metrics
	loading     sync.Mutex // one load of trust at a time; guards revocations and bound
	revocations revocations
	policies    policyFiles
	siem        *siem.Feed // nil: nobody is told
	disk        *disk
	bound       int64 // version of the registry whose bindings are in force

	running sync.WaitGroup
	stopped chan struct{} // closed by the first of Shutdown and a failure
	once    sync.Once
	failure error
}

// Start starts an exchange: state, journal, policy, registry, then the
// listeners. What it returned an error for is closed again.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	n := &Node{cfg: cfg, log: cfg.Log, stopped: make(chan struct{})}
	n.metrics = newMetrics(n)
	if err := n.finishRestore(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{n.openTrust, n.openService, n.openRevocations, n.openPolicy, n.openRegistry, n.openServer, n.listen} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	n.serve()
	return n, nil
}

// openTrust loads who is believed.
func (n *Node) openTrust(context.Context) error {
	trust, err := n.cfg.trust().Load(nil, n.cfg.Clock())
	if err != nil {
		return err
	}
	n.gate, err = certs.NewGatekeeper(trust, n.cfg.Clock)
	return err
}

// openService opens state and journal and puts the domain on them.
func (n *Node) openService(ctx context.Context) error {
	signer, err := loadSigner(n.cfg.LedgerKey)
	if err != nil {
		return err
	}
	state, err := store.Open(ctx, store.Config{Dir: n.cfg.State})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, state)
	n.disk = newDisk(n.cfg.Disk, state.LogSize, n.log, n.cfg.State, filepath.Dir(n.cfg.LedgerKey))
	blobs, err := store.OpenBlobs(filepath.Join(n.cfg.State, "blobs"))
	if err != nil {
		return err
	}
	n.closers = append(n.closers, blobs)
	if n.search, err = n.openIndex(state); err != nil {
		return err
	}
	journal, err := exchange.OpenJournal(ctx, exchange.JournalConfig{Store: state, Signer: signer,
		AnchorPath: n.cfg.LedgerKey + ".anchor", Clock: n.cfg.Clock, Log: n.log, Fatal: n.fail,
		Observe: func(exchange.Batch) { n.search.Wake() }})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, journal)
	if err := n.openWitnesses(ctx, exchange.HeadLog{Journal: journal, Store: state}, signer); err != nil {
		return err
	}
	n.policy = policy.NewEngine(policy.Config{Timeout: time.Duration(n.cfg.PolicyTimeout), AllowSamples: n.cfg.AllowSamplePolicies, Clock: n.cfg.Clock})
	n.service, err = exchange.NewService(ctx, exchange.Config{Operator: n.cfg.Operator, Store: state, Blobs: blobs, Journal: journal,
		Policy: n.policy, Index: n.search, Trust: n.gate.Trust, Renew: n.renew, OnePerson: n.cfg.TwoPersons != nil && !*n.cfg.TwoPersons,
		CommonQuorum: n.cfg.CommonQuorum, Witnesses: n.witnesses(), Retention: exchange.Retention(n.cfg.Retention),
		ErasureList: n.cfg.LedgerKey + exchange.ErasureListSuffix, Rates: n.cfg.Limits.table(),
		AttachmentLimit: n.cfg.AttachmentLimit, Clock: n.cfg.Clock, Log: n.log})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.service)
	return nil
}

// openRevocations joins what the state remembers with the files.
func (n *Node) openRevocations(ctx context.Context) error {
	n.renew(ctx)
	return nil
}

// loadSigner reads the ledger's key from a file that only its owner reads.
func loadSigner(path string) (*audit.Signer, error) {
	if err := certs.CheckPrivate(path); err != nil {
		return nil, fmt.Errorf("ledger_key: %w", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger_key: %w", err)
	}
	signer, err := audit.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("ledger_key %s: %w", path, err)
	}
	return signer, nil
}

// openRegistry admits what is new. What is refused is told and does not keep
// the others from being served.
func (n *Node) openRegistry(ctx context.Context) error {
	if err := n.admitAll(ctx); err != nil {
		n.log.ErrorContext(ctx, "some of the registry was not admitted", slog.Any("error", err))
	}
	n.bind(ctx)
	return nil
}

// openServer puts the API on the domain.
func (n *Node) openServer(context.Context) error {
	registry := prometheus.NewRegistry()
	metrics := server.NewMetrics()
	registry.MustRegister(metrics, n.metrics, n.disk, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	files, err := openFiles()
	if err != nil {
		return err
	}
	warnings := []server.Check{{Name: "revocations", Run: n.warnings}, {Name: "policies", Run: n.policyWarnings}, {Name: "disk", Run: n.disk.scarce}, {Name: "witnesses", Run: n.witnessWarnings}}
	limiter, err := n.openLimiter()
	if err != nil {
		return err
	}
	if shared, ok := limiter.(*ratelimit.Fallback); ok {
		registry.MustRegister(shared)
		warnings = append(warnings, server.Check{Name: "limits", Run: func(context.Context) error { return shared.Status() }})
	}
	told, err := n.openSIEM(registry)
	if err != nil {
		return err
	}
	warnings = append(warnings, told...)
	limits := n.cfg.Limits.server(n.cfg.AttachmentLimit, files)
	n.server, err = server.New(server.Config{Exchange: n.service, Gatekeeper: n.gate,
		Limits: limits, Limiter: limiter, Metrics: metrics, Gatherer: registry,
		Space: n.disk.space, Checks: []server.Check{{Name: "disk", Run: n.disk.spent}}, Warnings: warnings, Clock: n.cfg.Clock, Log: n.log})
	return err
}

// listen opens both listeners.
func (n *Node) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if n.api, err = lc.Listen(ctx, "tcp", n.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	n.closers = append(n.closers, closeOnce{n.api})
	if n.cfg.Admin == "" {
		return nil
	}
	if n.admin, err = lc.Listen(ctx, "tcp", n.cfg.Admin); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	n.closers = append(n.closers, closeOnce{n.admin})
	return nil
}

// closeOnce closes a listener that its server may have closed already.
type closeOnce struct{ l net.Listener }

func (c closeOnce) Close() error {
	if err := c.l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serve starts what runs until Shutdown.
func (n *Node) serve() {
	n.running.Go(func() {
		if err := n.server.Serve(n.api); err != nil {
			n.fail(err)
		}
	})
	if n.admin != nil {
		n.http = &http.Server{Handler: n.server.AdminHandler(), ReadHeaderTimeout: 5 * time.Second}
		n.running.Go(func() {
			if err := n.http.Serve(n.admin); !errors.Is(err, http.ErrServerClosed) {
				n.fail(err)
			}
		})
	}
	n.running.Go(n.sweep)
	n.running.Go(n.index)
	n.running.Go(n.watch)
	if n.siem != nil {
		n.running.Go(n.feed)
	}
	if n.collector != nil {
		n.running.Go(n.collect)
	}
}

// sweep erases what is due, and removes what broken uploads left: at the start
// and once an hour.
func (n *Node) sweep() {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		<-n.stopped
		stop()
	}()
	n.erase(ctx)
	for {
		select {
		case <-n.stopped:
			return
		case <-tick.C:
			n.erase(ctx)
			if swept, err := n.service.Sweep(context.Background()); err != nil {
				n.log.Error("sweeping blobs failed", slog.Any("error", err))
			} else if swept > 0 {
				n.log.Info("orphaned blobs removed", slog.Int("count", swept))
			}
		}
	}
}

// erase erases what is due.
func (n *Node) erase(ctx context.Context) {
	swept, err := n.service.SweepDue(ctx)
	total := 0
	attrs := make([]slog.Attr, 0, len(swept)+1)
	for class, count := range swept {
		total += count
		attrs = append(attrs, slog.Int(class, count))
	}
	if total > 0 {
		n.log.LogAttrs(ctx, slog.LevelInfo, "erased what was due", attrs...)
	}
	if err != nil && ctx.Err() == nil {
		n.log.ErrorContext(ctx, "not all that is due could be erased", slog.Any("error", err))
	}
}

// fail stops the node for a reason of its own.
func (n *Node) fail(err error) {
	n.once.Do(func() {
		n.failure = err
		n.log.Error("the exchange stops", slog.Any("error", err))
		close(n.stopped)
	})
}

// Done is closed when the node stops: after Shutdown or a failure.
func (n *Node) Done() <-chan struct{} { return n.stopped }

// Err tells why the node stopped by itself; nil after Shutdown.
func (n *Node) Err() error {
	select {
	case <-n.stopped:
		return n.failure
	default:
		return nil
	}
}

// Addr is the address of the API.
func (n *Node) Addr() string { return n.api.Addr().String() }

// AdminAddr is the address of health and metrics; empty if there is none.
func (n *Node) AdminAddr() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.Addr().String()
}

// Origin is the ledger's origin.
func (n *Node) Origin() string { return n.service.Origin() }

// Reload reads anchors, certificates and revocations again, all or nothing,
// then the bundles of policy that have changed, and the registry, agency by
// agency. The error says what stays as it was.
func (n *Node) Reload(ctx context.Context) error {
	err := n.reloadTrust(ctx)
	n.metrics.reloaded("trust", err)
	if err != nil {
		err = fmt.Errorf("certificates, anchors and revocations stay as they were: %w", err)
	}
	unforced := n.reloadPolicies(ctx)
	admitted := n.admitAll(ctx)
	n.metrics.reloaded("registry", admitted)
	n.bind(ctx)
	n.server.CutOff(ctx)
	return errors.Join(err, unforced, admitted)
}

// reloadTrust reads anchors, certificates and revocations again.
func (n *Node) reloadTrust(ctx context.Context) error {
	n.loading.Lock()
	defer n.loading.Unlock()
	kept, err := n.service.KeptRevocations(ctx)
	if err != nil {
		return err
	}
	reg, err := n.service.Registry(ctx)
	if err != nil {
		return err
	}
	files := n.cfg.trust()
	files.Revocations.Kept = kept
	n.revocations.files = n.stamps()
	trust, err := files.Load(n.gate.Trust(), n.cfg.Clock())
	if err == nil {
		trust.Bindings = n.bindings(ctx, reg, trust.Anchors)
		err = n.gate.Reload(trust)
	}
	if err != nil {
		return err
	}
	n.revocations.unkept = n.keep(ctx, trust.Revocations) != nil
	n.tell(ctx)
	return nil
}

// Shutdown drains and stops the node: no new connections, requests in flight
// finish, then the journal and the store close.
func (n *Node) Shutdown(ctx context.Context) error {
	n.once.Do(func() { close(n.stopped) })
	err := n.server.Shutdown(ctx)
	if n.http != nil {
		err = errors.Join(err, n.http.Shutdown(ctx))
	}
	n.running.Wait()
	if n.server != nil {
		err = errors.Join(err, n.server.RecordLimited(context.WithoutCancel(ctx), true))
	}
	return errors.Join(err, n.close())
}

// close closes what was opened, last first.
func (n *Node) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i].Close())
	}
	n.closers = nil
	return errors.Join(errs...)
}
