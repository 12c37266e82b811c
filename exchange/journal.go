package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Errors of Commit and Health. They say nothing to a caller of the exchange
// but "try again": nothing of the change happened, or all of it.
var (
	ErrBusy    = errors.New("the journal's queue is full")
	ErrStorage = errors.New("storage failed: nothing of the change happened, or all of it")
	ErrStopped = errors.New("the journal has stopped")
)

// ErrErased is what Receipt returns for an entry that has been erased.
var ErrErased = errors.New("the entry has been erased")

// ErrEarlier is what Receipt returns for an entry of before the ledger was
// restored under a new origin: the key that signed then signs no more.
var ErrEarlier = errors.New("the entry is of an earlier epoch of the ledger")

// JournalConfig is what a Journal is made of.
type JournalConfig struct {
	Store  Store         // required
	Signer *audit.Signer // required

	// AnchorPath names the file with the last head that was signed. It lies
	// beside the ledger's key, never in the store's directory: an old copy of
	// the store must not bring an old anchor with it. Required.
	AnchorPath string

	// Keys verify the anchor: the signer's key, and those that it replaced.
	// The zero value stands for the signer's key alone.
	Keys audit.Keys

	Clock func() time.Time // nil: time.Now
	Queue int              // changes that may wait; 0: 1024
	Batch int              // changes in one transaction; 0: 256
	Log   *slog.Logger     // nil: slog.Default

	// Fatal is called once, from a goroutine of the journal, when it cannot
	// be told whether a batch was committed: the process must end, and the
	// next start finds out. nil: panic.
	Fatal func(error)

	// Observe is told of each batch that was committed; nil: nobody.
	Observe func(Batch)
}

// Batch is what Observe is told.
type Batch struct {
	Changes, Entries int
	Took             time.Duration // from the batch's begin to its signed head
}

// Journal is the one door: everything that becomes true goes through Commit.
// It is safe for concurrent use. No two journals may share a store.
type Journal struct {
	cfg    JournalConfig
	ctx    context.Context // of all transactions; never a caller's
	cancel context.CancelFunc
	hook   func(step string)

	door    sync.RWMutex // guards stopped and the closing of queue
	stopped bool
	queue   chan *request
	ended   chan struct{} // closed when no batch will follow

	memory *memory // of the batch goroutine; nil: to be read again

	// current is the newest head that was signed. It follows a commit while
	// publish is held.
	publish sync.Mutex
	current atomic.Pointer[audit.Checkpoint]
	recent  []*audit.Checkpoint // the last ones up to current, guarded by publish

	trouble  atomic.Pointer[trouble] // the last failure of storage or signing
	unknown  atomic.Pointer[error]   // why the journal failed for good
	unanchor atomic.Pointer[error]   // why the anchor is not written
	moved    chan struct{}           // a head was signed since the anchor was written
	anchored chan struct{}           // closed after the last anchor
}

// memory is what the journal remembers of the store as of the last commit.
type memory struct {
	tree   audit.Tree
	chains map[string]link // by owner; read when first needed
}

// link is the newest entry of an owner.
type link struct {
	seq  uint64
	prev audit.Commitment
}

// trouble is a failure and when it was seen.
type trouble struct {
	err error
	at  time.Time
}

// OpenJournal proves that the store's ledger extends the last head that was
// signed, signs its head, and starts. It refuses a store that is behind the
// anchor (audit.ErrBehind) or beside it (audit.ErrFork), and one with entries
// but no anchor (audit.ErrNoAnchor). The context's values are kept, its end
// is not: Close ends the journal.
func OpenJournal(ctx context.Context, cfg JournalConfig) (*Journal, error) {
	return openJournal(ctx, cfg, nil)
}

func openJournal(ctx context.Context, cfg JournalConfig, hook func(string)) (*Journal, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	j := &Journal{
		cfg: cfg, hook: hook, queue: make(chan *request, cfg.Queue),
		ended: make(chan struct{}), moved: make(chan struct{}, 1), anchored: make(chan struct{}),
	}
	if err := cfg.Store.View(ctx, j.start); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := audit.WriteAnchor(cfg.AnchorPath, j.Checkpoint()); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.ctx, j.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go j.run()
	go j.keepAnchor()
	return j, nil
}

// complete fills the defaults.
func (cfg *JournalConfig) complete() error {
	if cfg.Store == nil || cfg.Signer == nil || cfg.AnchorPath == "" {
		return errors.New("open journal: store, signer or anchor is missing")
	}
	if cfg.Keys.String() == "" {
		keys, err := audit.ParseKeys([]byte(cfg.Signer.VerifierKey()))
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		cfg.Keys = keys
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 1024
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 256
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Fatal == nil {
		cfg.Fatal = func(err error) { panic(err) }
	}
	return nil
}

// start proves that the store extends the anchor and signs its head.
func (j *Journal) start(rows Reader) error {
	tree, err := loadTree(rows)
	if err != nil {
		return err
	}
	if _, err := audit.CheckAnchor(j.cfg.AnchorPath, j.cfg.Keys, tree, rows); err != nil {
		return err
	}
	j.memory = &memory{tree: tree, chains: map[string]link{}}
	_, err = j.sign(tree)
	return err
}

// loadTree reads the tree and compares it with the head that was stored.
func loadTree(rows Reader) (audit.Tree, error) {
	head, err := rows.Head()
	if err != nil {
		return audit.Tree{}, err
	}
	tree, err := audit.LoadTree(head.Size, rows)
	if err != nil {
		return audit.Tree{}, err
	}
	if tree.Root() != head.Root {
		return audit.Tree{}, fmt.Errorf("stored hashes and stored head of size %d differ: the store is damaged", head.Size)
	}
	return tree, nil
}

// sign signs a head that was proven to extend the one before it, and makes it
// the current one.
func (j *Journal) sign(tree audit.Tree) (*audit.Checkpoint, error) {
	note, err := j.cfg.Signer.Checkpoint(tree.Size(), tree.Root())
	if err != nil {
		return nil, err
	}
	cp := &audit.Checkpoint{Origin: j.cfg.Signer.Origin(), Size: tree.Size(), Root: tree.Root(), Note: note}
	j.current.Store(cp)
	if j.recent = append(j.recent, cp); len(j.recent) > 2*recentHeads {
		j.recent = slices.Clone(j.recent[recentHeads:])
	}
	return cp, nil
}

// recentHeads is how many signed heads are kept at least: enough for every
// snapshot that a reader may still hold.
const recentHeads = 1024

// Origin is the ledger's origin.
func (j *Journal) Origin() string { return j.cfg.Signer.Origin() }

// Checkpoint is the newest signed head. The caller must not change it.
func (j *Journal) Checkpoint() []byte { return j.current.Load().Note }

// Commit runs a change in the next batch and returns when it is durable, with
// the receipt of its first entry. Needs names the rows that the change will
// read, for economy. It returns the change's own error as it is; ErrBusy if
// too many wait; ErrStorage if the batch, the head's signature or the anchor
// failed; ErrStopped after Close.
//
// If ctx ends first its error is returned, and the change may still happen.
func (j *Journal) Commit(ctx context.Context, c Change, needs ...Need) (audit.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return audit.Receipt{}, err
	}
	r := &request{change: c, needs: needs, answer: make(chan answer, 1)}
	if err := j.enqueue(r); err != nil {
		return audit.Receipt{}, err
	}
	select {
	case a := <-r.answer:
		return a.receipt()
	case <-ctx.Done():
		r.abandon()
		return audit.Receipt{}, ctx.Err()
	}
}

func (j *Journal) enqueue(r *request) error {
	j.door.RLock()
	defer j.door.RUnlock()
	if j.stopped {
		return ErrStopped
	}
	if cause := j.unanchor.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrStorage, *cause)
	}
	select {
	case j.queue <- r:
		return nil
	default:
		return ErrBusy
	}
}

// troubleFor is how long Health remembers a failure that no success followed:
// then the next change may show that it is over.
const troubleFor = 10 * time.Second

// Health is nil while the journal takes changes and commits them.
func (j *Journal) Health() error {
	if cause := j.unknown.Load(); cause != nil {
		return *cause
	}
	if cause := j.unanchor.Load(); cause != nil {
		return *cause
	}
	if t := j.trouble.Load(); t != nil && j.cfg.Clock().Sub(t.at) < troubleFor {
		return t.err
	}
	j.door.RLock()
	defer j.door.RUnlock()
	if j.stopped {
		return ErrStopped
	}
	return nil
}

// Close refuses new changes, commits those that wait, and writes the anchor.
func (j *Journal) Close() error {
	j.shut()
	<-j.anchored
	j.cancel()
	if cause := j.unknown.Load(); cause != nil {
		return *cause
	}
	if cause := j.unanchor.Load(); cause != nil {
		return *cause
	}
	return nil
}

// shut closes the door: what waits in the queue is the last.
func (j *Journal) shut() {
	j.door.Lock()
	defer j.door.Unlock()
	if !j.stopped {
		j.stopped = true
		close(j.queue)
	}
}

// at names a step of a commit to the tests, which kill the process there.
func (j *Journal) at(step string) {
	if j.hook != nil {
		j.hook(step)
	}
}
