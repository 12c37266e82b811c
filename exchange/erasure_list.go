package exchange

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// ErasureListSuffix is what the name of the list of erasures adds to that of
// the ledger's key, beside which it lies: not on the disk of the state.
const ErasureListSuffix = ".erasures"

// The list of erasures says in one line for each act what was erased, by ids
// and numbers: no text of a person. It only grows. It lies apart from the
// state, so that who restores an older copy of the state erases all of it
// again, before anything is served.

// ListedErasure is one line of the list.
type ListedErasure struct {
	Origin, Owner string
	Index         int64
	Class         string     // package, content, entries, inputs or consultation
	Package       string     // id
	Entries       []SeqRange //
	Before        time.Time  // inputs and consultations
}

var listedForm = regexp.MustCompile(`^([A-Za-z0-9./:_-]{1,255}) (0|[1-9][0-9]{0,18}) ([a-z0-9-]+/[a-z0-9-]+) (package|content|entries|inputs|consultation) ([0-9a-f,-]+)$`)

// ErrErasureList says that a file is no list of erasures, or not whole.
var ErrErasureList = errors.New("damaged list of erasures")

func parseListed(line string) (e ListedErasure, err error) {
	m := listedForm.FindStringSubmatch(line)
	if m == nil {
		return e, ErrErasureList
	}
	e = ListedErasure{Origin: m[1], Owner: m[3], Class: m[4]}
	if e.Index, err = strconv.ParseInt(m[2], 10, 64); err != nil {
		return e, ErrErasureList
	}
	switch e.Class {
	case ClassPackage, ClassContent:
		e.Package = m[5]
	case "entries":
		e.Entries, err = parseRanges(m[5])
	default:
		var ms int64
		ms, err = strconv.ParseInt(m[5], 10, 64)
		e.Before = time.UnixMilli(ms).UTC()
	}
	if err != nil {
		return e, ErrErasureList
	}
	return e, nil
}

// parseRanges reads what formatRanges wrote.
func parseRanges(s string) (all []SeqRange, err error) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, more := strings.Cut(part, "-")
		var r SeqRange
		if r.From, err = strconv.ParseUint(first, 10, 64); err != nil {
			return nil, err
		}
		if r.To = r.From; more {
			if r.To, err = strconv.ParseUint(last, 10, 64); err != nil {
				return nil, err
			}
		}
		if r.From == 0 || r.To < r.From {
			return nil, ErrErasureList
		}
		all = append(all, r)
	}
	return all, nil
}

// ReadErasureList reads a list. Its last line may be cut off: it was being
// written when the machine stopped, and stands in the state as well.
func ReadErasureList(path string) (all []ListedErasure, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			return all, nil
		}
		e, err := parseListed(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		all = append(all, e)
	}
}

// listErasures appends the acts that the list does not have yet.
func (s *Service) listErasures(ctx context.Context) error {
	if s.ErasureList == "" {
		return nil
	}
	if !s.erasing.read {
		if err := s.readListed(); err != nil {
			return err
		}
	}
	for {
		var acts []ErasureRow
		if err := s.view(ctx, func(rows Reader) (err error) {
			acts, err = rows.ErasuresSince(s.erasing.listed, 1000)
			return err
		}); err != nil || len(acts) == 0 {
			return err
		}
		var b strings.Builder
		for _, a := range acts {
			fmt.Fprintf(&b, "%s %d %s %s\n", s.origin, a.Index, a.Owner, a.What)
		}
		if err := appendFile(s.ErasureList, b.String()); err != nil {
			return err
		}
		s.erasing.listed = acts[len(acts)-1].Index
	}
}

// readListed finds how far the list goes, and takes off a line that a crash
// has cut. A list that is not there begins empty: to restore without one is to
// say that it is lost.
func (s *Service) readListed() error {
	all, err := ReadErasureList(s.ErasureList)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.erasing.listed = -1
	for _, e := range all {
		if e.Origin == s.origin {
			s.erasing.listed = max(s.erasing.listed, e.Index)
		}
	}
	if err == nil {
		err = wholeLines(s.ErasureList)
	} else {
		err = appendFile(s.ErasureList, "")
	}
	s.erasing.read = err == nil
	return err
}

// wholeLines cuts a file after its last line feed.
func wholeLines(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if end := strings.LastIndexByte(string(raw), '\n') + 1; end < len(raw) {
		return os.Truncate(path, int64(end))
	}
	return nil
}

// appendFile appends and makes it durable, its name included.
func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Epoch is what the first entry of a ledger's new epoch says.
type Epoch struct {
	Operator   string
	Lost       audit.Checkpoint // the newest head that was signed before
	BackupMade string           // when the state that goes on was copied
	Listed     []ListedErasure  // to erase again
	NoList     bool             // there was no list: what was erased since is not known
}

// eraseAtOnce is how many lines of the list one entry stands for.
const eraseAtOnce = 200

// OpenEpoch writes the first entry of a new epoch into a journal whose ledger
// was behind what had been signed, and erases again all that was erased since:
// before anything is served. It names the blobs that are to be removed.
func OpenEpoch(ctx context.Context, j *Journal, e Epoch) (blobs []string, receipt audit.Receipt, err error) {
	from := int64(0)
	entry := func() audit.Entry {
		d := map[string]string{"former": e.Lost.Origin, "former_size": strconv.FormatInt(e.Lost.Size, 10), "former_root": e.Lost.Root.String(),
			"kept": strconv.FormatInt(from, 10), "backup": e.BackupMade, "erased_again": strconv.Itoa(len(e.Listed))}
		if e.Lost.Size > from {
			d["lost"] = fmt.Sprintf("%d-%d", from, e.Lost.Size-1)
		}
		if e.NoList {
			d["erased_again"] = "not known: there was no list of erasures"
		}
		return audit.Entry{Owner: e.Operator, Operation: audit.Alteration, Action: string(ActEpoch), Outcome: "opened", Details: d,
			Actor: audit.Actor{Agency: e.Operator, Role: "operator"}}
	}
	receipt, err = j.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		head, err := tx.Head()
		if err != nil {
			return nil, err
		}
		from = head.Size
		return []audit.Entry{entry()}, nil
	})
	for n := 0; err == nil && n < len(e.Listed); n += eraseAtOnce {
		page := e.Listed[n:min(n+eraseAtOnce, len(e.Listed))]
		_, err = j.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
			seq, err := tx.NextSeq(e.Operator)
			if err != nil {
				return nil, err
			}
			act := ErasureRow{Index: tx.NextIndex(0), Owner: e.Operator, By: e.Operator, Seq: seq, Class: "restored", Why: "restored", What: "restored", At: tx.Now()}
			for _, l := range page {
				names, err := l.again(tx, act.Index)
				if err != nil {
					return nil, err
				}
				blobs = append(blobs, names...)
			}
			act.What = "inputs 0" // the lines themselves stand in the list
			tx.PutErasure(act)
			return []audit.Entry{{Owner: e.Operator, Operation: audit.Erasure, Action: string(ActErase), Outcome: "erased", Count: uint64(len(page)),
				Actor: audit.Actor{Agency: e.Operator, Role: "operator"}, Details: map[string]string{"why": "restored"}}}, nil
		})
	}
	return blobs, receipt, err
}

// again erases what a line names, as far as it is there.
func (l ListedErasure) again(tx *Tx, act int64) (blobs []string, err error) {
	switch l.Class {
	case "entries":
		return nil, l.entriesAgain(tx, act)
	case ClassPackage, ClassContent:
		p, err := tx.Package(l.Package)
		if err != nil || p == nil {
			return nil, err
		}
		blobs = p.blobs()
		if l.Class == ClassContent && !p.ContentErased {
			tx.EraseContent(p.ID, act)
		} else if l.Class == ClassPackage && !p.Erased {
			tx.ErasePackage(p.ID, act)
		}
	case ClassInputs:
		for after := int64(0); ; {
			stale, next, err := tx.StaleInputs(l.Before, after, 1000)
			if err != nil || next == after {
				return nil, err
			}
			tx.EraseInputs(stale)
			after = next
		}
	case ClassConsultation:
		for after := int64(0); ; {
			stale, err := tx.StaleConsultations(l.Before.Add(time.Millisecond), after, 1000)
			if err != nil || len(stale) == 0 {
				return nil, err
			}
			after = stale[len(stale)-1].Position
			own := stale[:0]
			for _, s := range stale {
				if s.Agency == l.Owner {
					own = append(own, s)
				}
			}
			tx.EraseConsultations(own)
		}
	}
	return blobs, nil
}

// entriesAgain erases the entries that a line names, if they are those of its
// time: after a loss, others have taken the numbers of what was lost.
func (l ListedErasure) entriesAgain(tx *Tx, act int64) error {
	mark := []byte(`"exchange":"` + l.Origin + `"`)
	for _, r := range l.Entries {
		seqs, err := tx.Disclosed(l.Owner, r.From-1, r.To, int(r.To-r.From)+1)
		if err != nil {
			return err
		}
		var own []uint64
		for _, seq := range seqs {
			row, err := tx.Entry(l.Owner, seq)
			if err != nil {
				return err
			}
			if row != nil && bytes.Contains(row.Entry, mark) {
				own = append(own, seq)
			}
		}
		tx.EraseEntries(l.Owner, ranges(own), act)
	}
	return nil
}
