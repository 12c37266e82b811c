package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Log is the ledger that a collector asks its witnesses about.
type Log interface {
	// Checkpoint is the newest signed head.
	Checkpoint() []byte
	// Submission is that of a signed head to a witness that has cosigned the given size.
	Submission(ctx context.Context, old int64, head audit.Checkpoint) (audit.Submission, error)
	// Extends proves that the ledger, as it is, extends a head. audit.ErrBehind and audit.ErrFork say that it does not.
	Extends(ctx context.Context, older audit.Checkpoint) error
}

// Peer is a witness that a collector asks.
type Peer struct {
	Witness audit.Witness
	URL     string       // its submission prefix
	HTTP    *http.Client // nil: http.DefaultClient
}

// CollectorConfig is what a Collector is made of. All but what has a default is required.
type CollectorConfig struct {
	Log   Log
	Keys  audit.Keys // of the ledger
	Peers []Peer

	// Quorum is how many cosignatures a head needs, Tolerance how long it may go on without new ones.
	Quorum    int
	Tolerance time.Duration

	// Path is the file with the newest head that had its quorum. It lies beside the ledger's key, never in the store's directory.
	Path string

	Every   time.Duration    // between two rounds; 0: 2s
	Timeout time.Duration    // of one question; 0: 5s
	Clock   func() time.Time // nil: time.Now
	Slog    *slog.Logger     // nil: slog.Default
}

// Collector asks witnesses for cosignatures and keeps them. It is safe for concurrent use. Nothing of it is in the way of a commit.
type Collector struct {
	cfg    CollectorConfig
	round  sync.Mutex // one at a time
	saving sync.Mutex // of the file; taken before mu, which no disk is waited for with

	mu        sync.Mutex // guards what follows
	peers     []peer
	newest    audit.Checkpoint // the head of the last round, with the cosignatures that came
	witnessed audit.Checkpoint // the newest with its quorum; without a note: none yet
	since     time.Time        // when it had it; before the first, when the counting began
	wanting   bool             // the last round had no quorum
}

// peer is what is known of one witness.
type peer struct {
	Peer
	asked bool
	size  int64     // of the newest head that it cosigned, as far as is known
	at    time.Time // when, by our clock
	fault error     // why the last question had no cosignature; nil: it had
}

// PeerStatus is what is known of one witness.
type PeerStatus struct {
	Name, VKey string
	Size       int64
	At         time.Time // zero: never, as far as is known
	Fault      string    // empty: it cosigned when it was last asked
}

// Status is what a collector knows.
type Status struct {
	Quorum    int
	Tolerance time.Duration
	Peers     []PeerStatus
	Witnessed int64     // size of the newest head with its quorum
	Since     time.Time // when it had it; before the first, when the counting began
	Wanting   bool      // the last round had no quorum
	Missing   bool      // for longer than the tolerance
}

// NewCollector reads what was collected before, and proves that the ledger extends it: a store that was rolled back behind what witnesses
// have cosigned is not built upon (audit.ErrBehind, audit.ErrFork).
func NewCollector(ctx context.Context, cfg CollectorConfig) (*Collector, error) {
	if cfg.Every <= 0 {
		cfg.Every = 2 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Slog == nil {
		cfg.Slog = slog.Default()
	}
	if cfg.Quorum < 1 || cfg.Quorum > len(cfg.Peers) || cfg.Tolerance <= 0 {
		return nil, errors.New("witnesses: a quorum is at least 1 and at most the number of witnesses, a tolerance more than nothing")
	}
	c := &Collector{cfg: cfg}
	for _, p := range cfg.Peers {
		if p.HTTP == nil {
			p.HTTP = http.DefaultClient
		}
		c.peers = append(c.peers, peer{Peer: p, size: -1})
	}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("newest witnessed head, %s: %w", cfg.Path, err)
	}
	if c.witnessed.Note != nil {
		if err := cfg.Log.Extends(ctx, c.witnessed); err != nil {
			return nil, fmt.Errorf("held against the newest witnessed head, %s: %w", cfg.Path, err)
		}
	}
	return c, c.ask(ctx)
}

// kept is the form of the file.
type kept struct {
	Since      time.Time `json:"since"`
	Checkpoint string    `json:"checkpoint,omitempty"`
}

func (c *Collector) load() (err error) {
	c.witnessed, c.since, err = ReadWitnessed(c.cfg.Path, c.cfg.Keys)
	if errors.Is(err, fs.ErrNotExist) {
		c.since = c.cfg.Clock()
		return c.save(kept{Since: c.since})
	}
	if c.since.After(c.cfg.Clock()) {
		c.since = c.cfg.Clock()
	}
	return err
}

// ReadWitnessed reads the file of a collector: the newest head that had its quorum, without a note before the first, and when it had
// it; before the first, when the counting began.
func ReadWitnessed(path string, ledger audit.Keys) (head audit.Checkpoint, since time.Time, err error) {
	raw, err := os.ReadFile(path)
	var k kept
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err == nil && k.Checkpoint != "" {
		head, err = audit.OpenCheckpoint([]byte(k.Checkpoint), ledger)
	}
	return head, k.Since, err
}

func (c *Collector) save(k kept) error {
	k.Since = k.Since.UTC()
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return audit.WriteAnchor(c.cfg.Path, raw)
}

// firstPatience bounds the first round: an exchange starts without a witness that does not answer.
const firstPatience = 2 * time.Second

// ask is the first round. A witness that has cosigned what this ledger does not hold ends it: nothing may be signed then. One that
// cannot be reached does not.
func (c *Collector) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstPatience)
	defer cancel()
	err := c.Round(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		if errors.Is(p.fault, audit.ErrBehind) || errors.Is(p.fault, audit.ErrFork) {
			return fmt.Errorf("witness %s: %w", p.Witness.Name(), p.fault)
		}
	}
	return err
}

// Run asks until ctx ends, and calls after behind each round.
func (c *Collector) Run(ctx context.Context, after func()) {
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.Round(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Slog.ErrorContext(ctx, "witnesses not asked", slog.Any("error", err))
		}
		after()
	}
}

// Round asks all witnesses at once to cosign the newest head, those that have not, or not for a while. The error is about our own
// side; what becomes of each witness stands in Status.
func (c *Collector) Round(ctx context.Context) error {
	c.round.Lock()
	defer c.round.Unlock()
	head, err := audit.OpenCheckpoint(c.cfg.Log.Checkpoint(), c.cfg.Keys)
	if err != nil {
		return err
	}
	due := c.begin(head)
	var asked sync.WaitGroup
	errs := make([]error, len(due))
	for n, i := range due {
		asked.Go(func() { errs[n] = c.question(ctx, i, head) })
	}
	asked.Wait()
	c.tell(len(due))
	return errors.Join(errs...)
}

// refresh is how old a cosignature of the newest head may become before it is asked for again: so that the age says that the
// witness is there.
func (c *Collector) refresh() time.Duration { return min(time.Minute, c.cfg.Tolerance/4) }

// begin makes a head the newest, and says which witnesses to ask.
func (c *Collector) begin(head audit.Checkpoint) (due []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head.Size != c.newest.Size || c.newest.Note == nil {
		c.newest = head
		if c.witnessed.Note != nil && c.witnessed.Size == head.Size && c.witnessed.Root == head.Root {
			c.newest = c.witnessed // after a start
		}
	}
	now := c.cfg.Clock()
	for i, p := range c.peers {
		if p.fault != nil || p.size != head.Size || now.Sub(p.at) >= c.refresh() || now.Before(p.at) {
			due = append(due, i)
		}
	}
	return due
}

// question asks one witness; a second time if it is elsewhere than was thought. The error is our own.
func (c *Collector) question(ctx context.Context, i int, head audit.Checkpoint) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	c.mu.Lock()
	p := c.peers[i]
	c.mu.Unlock()
	var own, fault error
	for range 3 {
		var s audit.Submission
		if s, own = c.cfg.Log.Submission(ctx, max(p.size, 0), head); own != nil {
			return own
		}
		var line []byte
		line, fault = submit(ctx, p.Peer, s)
		var elsewhere *conflict
		if errors.As(fault, &elsewhere) {
			if fault = elsewhere.against(s.Old, head.Size); fault == nil {
				p.size = elsewhere.size
				fault = errors.New("the witness says at each question that it is elsewhere")
				continue
			}
		}
		if fault == nil {
			return c.take(i, head, line)
		}
		break
	}
	c.blame(i, fault)
	return nil
}

// take adds a cosignature to the newest head, and keeps the head once it has its quorum. The error is our own.
func (c *Collector) take(i int, head audit.Checkpoint, line []byte) error {
	if !c.merge(i, head, line) {
		return nil
	}
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	now, enough := c.newest, c.peers[i].at
	c.mu.Unlock()
	if err := c.save(kept{Since: enough, Checkpoint: string(now.Note)}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.witnessed, c.since = now, enough
	return nil
}

// merge says whether the newest head has its quorum now.
func (c *Collector) merge(i int, head audit.Checkpoint, line []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.peers[i]
	merged, _, err := c.newest.Merge(line, p.Witness)
	if err != nil {
		c.blameLocked(i, err)
		return false
	}
	c.newest = merged
	if p.fault != nil || !p.asked {
		c.cfg.Slog.Info("witness cosigns", slog.String("witness", p.Witness.Name()), slog.Int64("size", head.Size))
	}
	p.asked, p.fault, p.size, p.at = true, nil, head.Size, c.cfg.Clock()
	return c.fresh() >= c.cfg.Quorum
}

// fresh counts the witnesses whose cosignature of the newest head came lately.
func (c *Collector) fresh() (n int) {
	for _, p := range c.peers {
		if p.fault == nil && p.size == c.newest.Size && p.asked && c.cfg.Clock().Sub(p.at) <= 2*c.refresh() {
			n++
		}
	}
	return n
}

func (c *Collector) blame(i int, fault error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blameLocked(i, fault)
}

// blameLocked remembers why a witness did not cosign. It is told once for each change.
func (c *Collector) blameLocked(i int, fault error) {
	p := &c.peers[i]
	if p.fault == nil || p.fault.Error() != fault.Error() {
		c.cfg.Slog.Error("witness does not cosign", slog.String("witness", p.Witness.Name()), slog.Any("error", fault))
	}
	p.fault, p.size = fault, -1 // where it is will be asked anew
}

// tell logs once when the quorum is lost, and once when it is back.
func (c *Collector) tell(asked int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanting := c.fresh() < c.cfg.Quorum
	if wanting == c.wanting || asked == 0 && wanting {
		return
	}
	if c.wanting = wanting; wanting {
		c.cfg.Slog.Error("too few witnesses cosign: the exchange goes on without for a while", slog.Int("quorum", c.cfg.Quorum),
			slog.Int("cosigned", c.fresh()), slog.Time("witnessed", c.since), slog.Duration("tolerance", c.cfg.Tolerance))
	} else {
		c.cfg.Slog.Info("enough witnesses cosign", slog.Int("quorum", c.cfg.Quorum), slog.Int64("size", c.witnessed.Size))
	}
}

// Merged is a head with the cosignatures that came for it; the head itself if there are none.
func (c *Collector) Merged(head []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range []audit.Checkpoint{c.newest, c.witnessed} {
		if known.Note != nil && slices.Equal(body(known.Note), body(head)) {
			return known.Note
		}
	}
	return head
}

// body is the part of a note that is signed.
func body(note []byte) []byte {
	for i := 1; i < len(note); i++ {
		if note[i] == '\n' && note[i-1] == '\n' {
			return note[:i]
		}
	}
	return note
}

// Witnessed is the newest head that has its quorum, nil before the first.
func (c *Collector) Witnessed() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.witnessed.Note
}

// Missing says whether the quorum has been missing for longer than the tolerance.
func (c *Collector) Missing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missing()
}

func (c *Collector) missing() bool { return c.cfg.Clock().Sub(c.since) > c.cfg.Tolerance }

// Status is what is known of the witnesses.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Quorum: c.cfg.Quorum, Tolerance: c.cfg.Tolerance, Witnessed: c.witnessed.Size, Since: c.since, Wanting: c.wanting, Missing: c.missing()}
	for _, p := range c.peers {
		one := PeerStatus{Name: p.Witness.Name(), VKey: p.Witness.String(), Size: max(p.size, 0), At: p.at}
		switch {
		case p.fault != nil:
			one.Fault = p.fault.Error()
		case !p.asked:
			one.Fault = "not asked yet"
		}
		s.Peers = append(s.Peers, one)
	}
	return s
}
