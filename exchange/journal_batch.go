package exchange

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// request is a change that waits.
type request struct {
	change Change
	needs  []Need
	answer chan answer // has room for the one answer
	state  atomic.Int32
	first  int // its first row in the batch
}

// The states of a request: taken into a batch, or abandoned by its caller
// before that.
const (
	waiting int32 = iota
	taken
	abandoned
)

func (r *request) take() bool { return r.state.CompareAndSwap(waiting, taken) }
func (r *request) abandon()   { r.state.CompareAndSwap(waiting, abandoned) }

// answer is what Commit makes its receipt of; the proof is the caller's work,
// not the batch's.
type answer struct {
	err    error
	row    EntryRow
	growth *audit.Growth
	note   []byte
}

func (a answer) receipt() (audit.Receipt, error) {
	if a.err != nil {
		return audit.Receipt{}, a.err
	}
	proof, err := a.growth.Proof(a.row.Index)
	if err != nil {
		return audit.Receipt{}, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return audit.Receipt{Entry: a.row.Entry, Salt: a.row.Salt, Index: a.row.Index, Proof: proof, Checkpoint: a.note}, nil
}

// run serves batches until the door is shut and the queue is empty, or until
// the outcome of a commit is unknown.
func (j *Journal) run() {
	for r := range j.queue {
		if j.unknown.Load() != nil {
			r.answer <- answer{err: ErrStopped}
			continue
		}
		j.serve(r)
	}
	close(j.ended)
	if cause := j.unknown.Load(); cause != nil {
		j.cfg.Fatal(*cause)
	}
}

// serve commits one batch: the first request and all that wait once the
// transaction is open.
func (j *Journal) serve(first *request) {
	j.at(stepBegin)
	b := &batch{journal: j, began: j.cfg.Clock()}
	for again := true; again; {
		tx, err := j.begin()
		if b.requests == nil {
			b.fill(first)
		}
		if err == nil {
			again, err = b.try(tx)
		}
		if err != nil {
			j.memory = nil
			b.fail(err)
			return
		}
	}
}

// begin opens a transaction and makes sure that the journal remembers the
// head that is in the store.
func (j *Journal) begin() (Transaction, error) {
	tx, err := j.cfg.Store.Begin(j.ctx)
	if err != nil {
		return nil, err
	}
	if err := j.remember(tx); err != nil {
		tx.Rollback()
		return nil, err
	}
	return tx, nil
}

// remember reads the head. One that is not the remembered one is read anew,
// and nothing is built on it before it is proven to extend what was signed.
func (j *Journal) remember(rows Reader) error {
	head, err := rows.Head()
	if err != nil {
		return err
	}
	if m := j.memory; m != nil && m.tree.Size() == head.Size && m.tree.Root() == head.Root {
		return nil
	}
	j.memory = nil
	tree, err := loadTree(rows)
	if err != nil {
		return err
	}
	if err := audit.CheckExtends(*j.current.Load(), tree, rows); err != nil {
		return err
	}
	j.memory = &memory{tree: tree, chains: map[string]link{}}
	return nil
}

// batch is the changes of one transaction, and the entries that they made.
type batch struct {
	journal  *Journal
	began    time.Time
	requests []*request

	now   time.Time
	rows  []EntryRow
	links map[string]link // of this batch's entries
}

// fill takes what waits. A request whose caller has gone is left out.
func (b *batch) fill(first *request) {
	b.requests = []*request{} // not nil, even if nobody is left
	for r := first; ; {
		if r.take() {
			b.requests = append(b.requests, r)
		}
		if len(b.requests) == b.journal.cfg.Batch {
			return
		}
		select {
		case next, open := <-b.journal.queue:
			if !open {
				return
			}
			r = next
		default:
			return
		}
	}
}

// try runs the changes in a transaction and commits it. A change that fails
// is answered and leaves the batch; if it wrote before, the transaction is
// rolled back and the batch has to be tried again. The error is the storage's.
func (b *batch) try(tx Transaction) (again bool, err error) {
	defer tx.Rollback()
	b.now, b.rows, b.links = b.journal.cfg.Clock().UTC().Truncate(time.Millisecond), nil, map[string]link{}
	if err := tx.Load(b.needs()); err != nil {
		return false, err
	}
	for i := 0; i < len(b.requests); {
		r, writes := b.requests[i], tx.Writes()
		err := b.run(tx, r)
		if tx.Err() != nil {
			return false, tx.Err()
		}
		if err == nil {
			i++
			continue
		}
		r.answer <- answer{err: err}
		b.requests = append(b.requests[:i], b.requests[i+1:]...)
		if tx.Writes() != writes {
			return len(b.requests) > 0, nil
		}
	}
	if len(b.requests) == 0 {
		return false, nil
	}
	return false, b.commit(tx)
}

func (b *batch) needs() []Need {
	var all []Need
	for _, r := range b.requests {
		all = append(all, r.needs...)
	}
	return all
}

// run runs one change and adds its entries. A panic becomes an error.
func (b *batch) run(tx Transaction, r *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = b.journal.panicked(p)
		}
	}()
	size := b.journal.memory.tree.Size() + int64(len(b.rows))
	last := func(owner string) (link, error) { return b.last(tx, owner) }
	entries, err := r.change(&Tx{Reader: tx, Writer: tx, now: b.now, last: last, index: size})
	if err != nil {
		return err
	}
	return b.add(tx, r, entries)
}

// panicked logs a change's panic. A value that a change chose may hold what
// the log must not: of such a one only the type is told.
func (j *Journal) panicked(p any) error {
	err := fmt.Errorf("change panicked with a %T", p)
	if r, ok := p.(runtime.Error); ok {
		err = fmt.Errorf("change panicked: %w", r)
	}
	j.cfg.Log.Error("change panicked", slog.Any("error", err), slog.String("stack", string(debug.Stack())))
	return err
}

// last is the newest entry of an owner, this batch's included.
func (b *batch) last(rows Reader, owner string) (link, error) {
	if l, ok := b.links[owner]; ok {
		return l, nil
	}
	chains := b.journal.memory.chains
	if l, ok := chains[owner]; ok {
		return l, nil
	}
	seq, prev, err := rows.Last(owner)
	if err != nil {
		return link{}, err
	}
	chains[owner] = link{seq, prev}
	return chains[owner], nil
}

// add completes the entries of one change and chains them: all, or none.
func (b *batch) add(rows Reader, r *request, entries []audit.Entry) error {
	if len(entries) == 0 {
		return errors.New("change returned no entry")
	}
	made, links := make([]EntryRow, 0, len(entries)), make(map[string]link, len(entries))
	for _, e := range entries {
		if _, twice := links[e.Owner]; twice {
			return fmt.Errorf("change returned two entries of %s", e.Owner)
		}
		l, err := b.last(rows, e.Owner)
		if err != nil {
			return err
		}
		row, err := b.row(e, l)
		if err != nil {
			return err
		}
		row.Index = b.journal.memory.tree.Size() + int64(len(b.rows)+len(made))
		made, links[e.Owner] = append(made, row), link{row.Seq, row.Commitment}
	}
	r.first, b.rows = len(b.rows), append(b.rows, made...)
	for owner, l := range links {
		b.links[owner] = l
	}
	return nil
}

// row encodes an entry that follows the given one, and commits to it.
func (b *batch) row(e audit.Entry, after link) (EntryRow, error) {
	e.Seq, e.Prev = after.seq+1, after.prev.String()
	e.Exchange, e.Time = b.journal.Origin(), audit.FormatTime(b.now)
	raw, err := e.Encode()
	if err != nil {
		return EntryRow{}, fmt.Errorf("change returned an entry that cannot be: %w", err)
	}
	salt := audit.NewSalt()
	return EntryRow{Owner: e.Owner, Seq: e.Seq, Commitment: audit.Commit(salt, raw), Salt: salt[:], Entry: raw}, nil
}

// commit appends entries, hashes and head, makes them durable, and only then
// signs the head and answers.
func (b *batch) commit(tx Transaction) error {
	j := b.journal
	j.at(stepChanged)
	growth, err := j.memory.tree.Grow(b.commitments())
	if err != nil {
		return err
	}
	tree := growth.Tree()
	head := Head{Size: tree.Size(), Root: tree.Root(), Time: b.now}
	if err := tx.Append(b.rows, growth.FirstStored(), growth.Stored(), head); err != nil {
		return err
	}
	j.at(stepAppended)
	note, err := b.publish(tx, tree)
	if err != nil {
		return err
	}
	j.trouble.Store(nil)
	j.at(stepSigned)
	for _, r := range b.requests {
		r.answer <- answer{row: b.rows[r.first], growth: growth, note: note}
	}
	j.at(stepAnswered)
	if j.cfg.Observe != nil {
		j.cfg.Observe(Batch{Changes: len(b.requests), Entries: len(b.rows), Took: j.cfg.Clock().Sub(b.began)})
	}
	return nil
}

func (b *batch) commitments() []audit.Commitment {
	cs := make([]audit.Commitment, len(b.rows))
	for i, row := range b.rows {
		cs[i] = row.Commitment
	}
	return cs
}

// publish commits and signs. Whoever sees the committed rows before their
// head is signed waits for publish to end: see Receipt.
func (b *batch) publish(tx Transaction, tree audit.Tree) ([]byte, error) {
	j := b.journal
	j.publish.Lock()
	defer j.publish.Unlock()
	j.at(stepCommit)
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	j.at(stepCommitted)
	j.memory.tree = tree
	for owner, l := range b.links {
		j.memory.chains[owner] = l
	}
	cp, err := j.sign(tree)
	if err != nil {
		return nil, err
	}
	j.wakeAnchor()
	return cp.Note, nil
}

// fail answers the whole batch. If the commit's outcome is unknown nothing
// may follow: the journal fails for good.
func (b *batch) fail(err error) {
	j := b.journal
	err = fmt.Errorf("%w: %w", ErrStorage, err)
	j.cfg.Log.Error("batch failed", slog.Int("changes", len(b.requests)), slog.Any("error", err))
	if errors.Is(err, ErrCommitUnknown) {
		j.unknown.Store(&err)
		j.shut()
	}
	j.trouble.Store(&trouble{err, j.cfg.Clock()})
	for _, r := range b.requests {
		r.answer <- answer{err: err}
	}
}

// The steps of a commit, in order.
const (
	stepBegin     = "begin"
	stepChanged   = "changed"
	stepAppended  = "appended"
	stepCommit    = "commit"
	stepCommitted = "committed"
	stepSigned    = "signed"
	stepAnswered  = "answered"
	stepAnchored  = "anchored"
)
