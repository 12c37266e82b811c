package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// The files of a copied log. Tiles lie under their own paths, tile/….
const (
	copiedCheckpoint = "checkpoint"
	copiedWitnessed  = "witnessed"            // the newest head that witnesses cosigned; may be absent
	copiedReceipt    = "consultation.receipt" // of the reading that made the copy
	copiedEntries    = "entries.jsonl"        // as the API gives them, one a line
	copiedOwner      = "owner"                // whose log it is, if not the reader's own agency's
)

// maxOwner is more than any agency's id is long.
const maxOwner = 256

// logCopy is a directory with all that proves an agency's log: whoever has
// it, and the ledger's key, needs nobody else.
type logCopy struct {
	dir  string
	more audit.FetchTile // where tiles that are not in it yet come from; nil: nowhere
}

func newAuditCopy(env *environment) *cobra.Command {
	v := &verifying{env: env}
	c := &cobra.Command{
		Use:   "copy DIR --reason TEXT",
		Short: "Keep your agency's log, and all that proves it, in a directory",
		Long: `copy fetches all entries of your agency, the ledger's signed head and those parts
of its tree that prove them, keeps them in a new directory, and verifies what it
kept. "audit verify --dir DIR" verifies the directory again whenever you like, on
any machine, without talking to anybody: only the ledger's key must come from your
profile or from --log-key.

The directory holds your entries in clear. Keep it as you keep the log.`,
		Example: `  liaison audit copy 2026-11 --reason "Copy of the log for the yearly archive"
  liaison audit copy lv-2026-11 --owner lv/vp --reason "Inspection 2026-7 of lv/vp"
  liaison audit verify --dir 2026-11 --log-key "exchange.example/ledger+8c3a1f02+AS…"`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &v.profileFlags, func(ctx context.Context, c *client.Client, args []string) error {
			if err := os.Mkdir(args[0], 0o700); err != nil {
				return usageError(err, "give a directory that is not there yet")
			}
			return v.online(ctx, c, args[0])
		}),
	}
	v.profileFlags.add(c)
	v.officerFlags.add(c)
	v.ownerFlag.add(c)
	c.Flags().StringVar(&v.caseRef, "case", "", "your own case reference, for the record")
	return c
}

func (l *logCopy) path(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }

func (l *logCopy) write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(l.path(name)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(l.path(name), data, 0o600)
}

// read reads a small file of the copy.
func (l *logCopy) read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(l.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// writeEntries keeps entries as they come, and calls seen for each.
func (l *logCopy) writeEntries(items iter.Seq2[audit.Item, error], seen func()) (err error) {
	f, err := os.OpenFile(l.path(copiedEntries), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	var line []byte
	for item, err := range items {
		if err != nil {
			return err
		}
		if line, err = audit.AppendItem(line[:0], item); err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		seen()
	}
	return nil
}

// entries reads the entries, and tells how many bytes of their file were read.
func (l *logCopy) entries(read func(done, total int64)) iter.Seq2[audit.Item, error] {
	return func(yield func(audit.Item, error) bool) {
		f, err := os.Open(l.path(copiedEntries))
		if err != nil {
			yield(audit.Item{}, err)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			yield(audit.Item{}, err)
			return
		}
		audit.ReadItems(&counter{f, 0, func(done int64) { read(done, info.Size()) }})(yield)
	}
}

// counter tells how much of a reader was read.
type counter struct {
	io.Reader
	done int64
	tell func(done int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.done += int64(n)
	c.tell(c.done)
	return n, err
}

// tile reads a tile of the copy; one that is not there yet is fetched and kept.
func (l *logCopy) tile(ctx context.Context, t audit.TilePath) ([]byte, error) {
	data, err := l.read(t.String(), audit.TileWidth*32)
	if !errors.Is(err, fs.ErrNotExist) || l.more == nil {
		return data, err
	}
	if data, err = l.more(ctx, t); err != nil {
		return nil, err
	}
	return data, l.write(t.String(), data)
}

// fetchLog reads the whole log of an owner into a directory. The
// checkpoint is fetched after the entries, so that it covers them.
func (v *verifying) fetchLog(ctx context.Context, c *client.Client, dir string) (*logCopy, error) {
	l := &logCopy{dir: dir, more: c.Tile}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: v.officer, Reason: v.reason, CaseRef: v.caseRef})
	if err != nil {
		return nil, err
	}
	bar := v.env.progress("reading entries", false)
	defer bar.end()
	total, done := int64(consultation.Receipt.Entry.Seq), int64(0)
	if owner := v.of(c); owner != c.Agency() {
		total = 0 // its length is not known
		if err := l.write(copiedOwner, []byte(owner+"\n")); err != nil {
			return nil, err
		}
	}
	err = l.writeEntries(c.EntriesOf(ctx, consultation.ID, v.owner, 0), func() {
		done++
		bar.set(done, max(total, done))
	})
	if err != nil {
		return nil, err
	}
	if err := l.write(copiedReceipt, []byte(consultation.Receipt.Text)); err != nil {
		return nil, err
	}
	cp, err := c.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.write(copiedCheckpoint, cp.Note); err != nil {
		return nil, err
	}
	return l, l.fetchWitnessed(ctx, c, cp)
}

// fetchWitnessed keeps the newest head that witnesses cosigned, if there is
// one that the checkpoint covers.
func (l *logCopy) fetchWitnessed(ctx context.Context, c *client.Client, cp audit.Checkpoint) error {
	witnessed, _, err := c.Witnessed(ctx)
	if errors.Is(err, api.NotFound) || err == nil && witnessed.Size > cp.Size {
		return nil // or it was cosigned a moment ago: the checkpoint's own cosignatures count
	}
	if err != nil {
		return err
	}
	return l.write(copiedWitnessed, witnessed.Note)
}

// copyError says what is wrong with a directory that is no copy of a log.
func copyError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usageError(fmt.Errorf("no copy of a log: %w", err), "give a directory that liaison audit copy made")
	}
	return err
}
