package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
	figures "github.com/liaison-exchange/liaison/exchange/report"
)

// exportVerifying is what the flags of audit export verify say.
type exportVerifying struct {
	env *environment
	ledgerFlags
	copied string
	online bool
}

func newAuditExportVerify(env *environment) *cobra.Command {
	x := &exportVerifying{env: env}
	c := &cobra.Command{
		Use:   "verify FILE [--dir COPY | --online]",
		Short: "Verify an export by its manifest, the ledger's key, and the ledger's tree",
		Long: `verify proves the manifest, FILE.manifest, by the ledger's key, and the file by
the manifest: its SHA-256 and how many entries it has. Of jsonl it holds each entry
against its commitment as well, and checks that they are of the owner and in order.
It asks nobody: the key comes from your profile or --log-key.

With --dir COPY, a directory that "audit copy" made, each entry of the file is proven
in the ledger's tree too, offline: that it stands at its place below the ledger's
signed head. --online fetches head and tree from the exchange instead; they prove
themselves. Without either, who can sign for the ledger is believed about each line.

An exchange whose head is older than the one that it signed for the export has lost,
or hides, what it had: that is a fault, too. A copy may be older.

Of csv only the manifest, the SHA-256 and the number of rows are proven: a table has
no salts, with which alone an entry can be held against the tree.

Each fault is named, with what it means and what to do, and the exit code is 5.`,
		Example: `  liaison audit export verify october.jsonl
  liaison audit export verify october.jsonl --dir 2026-11
  liaison audit export verify october.jsonl --log-key "exchange.example/ledger+8c3a1f02+AS…"`,
		Args: cobra.ExactArgs(1),
		RunE: x.run,
	}
	x.ledgerFlags.add(c)
	f := c.Flags()
	f.StringVar(&x.copied, "dir", "", "prove each entry in the tree that audit copy kept in this directory")
	f.BoolVar(&x.online, "online", false, "prove each entry in the tree that the exchange has")
	c.MarkFlagsMutuallyExclusive("dir", "online")
	_ = c.MarkFlagDirname("dir") // fails only for a flag that is not declared
	return c
}

// maxManifest is more than any manifest is long.
const maxManifest = 1 << 20

// verifiedExport is what audit export verify prints with --json.
type verifiedExport struct {
	exportedJSON
	Verdict    string        `json:"verdict"`        // "verified" or "faulty"
	Tree       string        `json:"tree,omitempty"` // that it was held against: "copy", "exchange"
	Head       int64         `json:"head,omitempty"` // size of that tree
	Extends    bool          `json:"extends"`        // that tree extends the one of the manifest
	Faults     []audit.Fault `json:"faults,omitempty"`
	MoreFaults int           `json:"more_faults,omitempty"`
}

// Where a tree comes from.
const (
	fromCopy     = "copy"
	fromExchange = "exchange"
)

// theTree is a tree to hold entries against, with its signed head.
type theTree struct {
	from string // empty: none
	head audit.Checkpoint
	tile audit.FetchTile
}

func (x *exportVerifying) run(cmd *cobra.Command, args []string) error {
	switch {
	case x.online && x.key != "":
		return usageError(errors.New("--online with --log-key"), "leave --log-key out: the profile's log.vkey is used")
	case x.online:
		return withClient(x.env, &x.profileFlags, func(ctx context.Context, c *client.Client, args []string) error {
			head, err := c.Checkpoint(ctx)
			if err != nil {
				return err
			}
			return x.verify(ctx, args[0], theTree{fromExchange, head, c.Tile})
		})(cmd, args)
	case x.copied == "":
		return x.verify(cmd.Context(), args[0], theTree{})
	}
	keys, _, err := x.load(x.env)
	if err != nil {
		return err
	}
	l := &logCopy{dir: x.copied}
	note, err := l.read(copiedCheckpoint, audit.MaxCheckpoint)
	if err != nil {
		return copyError(err)
	}
	head, err := audit.OpenCheckpoint(note, keys)
	if err != nil {
		return verificationError(fmt.Errorf("the head in %s: %w", x.copied, err), audit.FaultHead.Do())
	}
	return x.verify(cmd.Context(), args[0], theTree{fromCopy, head, l.tile})
}

// verify proves manifest and file, and prints the verdict.
func (x *exportVerifying) verify(ctx context.Context, file string, tree theTree) error {
	keys, witnesses, err := x.load(x.env)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return usageError(err, "give the file that audit export wrote")
	}
	defer f.Close()
	raw, err := readShort(file+manifestSuffix, maxManifest)
	if err != nil {
		return usageError(err, "keep the manifest beside the file: "+file+manifestSuffix)
	}
	m, err := figures.VerifyManifest(raw, keys, witnesses)
	if err != nil {
		return verificationError(err, audit.FaultDigest.Do())
	}
	if m.Format == figures.Table && tree.from != "" {
		return usageError(errors.New("a table cannot be held against the tree"), "export it as jsonl, which has the salts; of csv the manifest, the SHA-256 and the number of rows are proven")
	}
	p := &exportProof{env: x.env, m: m, tree: tree, result: verifiedExport{exportedJSON: describeExport(file, m), Tree: tree.from, Head: tree.head.Size}}
	if p.log.Former, err = x.formerOrigins(x.env); err != nil {
		return err
	}
	if err := p.prove(ctx, f); err != nil {
		return err
	}
	return p.conclude(file)
}

func readShort(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// exportProof is one verification of an exported file.
type exportProof struct {
	env    *environment
	m      figures.Manifest
	tree   theTree
	log    audit.OwnerLog
	result verifiedExport
}

func (p *exportProof) fault(kind audit.FaultKind, format string, args ...any) {
	p.result.Faults = append(p.result.Faults, audit.Fault{Kind: kind, Owner: p.m.Of, Index: -1, Detail: fmt.Sprintf(format, args...)})
}

// prove holds the file against the manifest, and its lines against the tree.
func (p *exportProof) prove(ctx context.Context, f io.ReadSeeker) error {
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), p.m.SHA256) {
		p.fault(audit.FaultDigest, "it is %x, of %d bytes", sum.Sum(nil), size)
		if p.m.Format == figures.Table {
			return nil // one quote without its end makes the rest a single row, however long it is
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	counting := p.lines
	if p.m.Format == figures.Table {
		counting = rowsOfTable
	}
	count, err := counting(ctx, f)
	if err != nil {
		return err
	}
	if count != p.m.Entry.Count {
		p.fault(audit.FaultCount, "it has %d, the manifest says %d", count, p.m.Entry.Count)
	}
	return nil
}

// rowsOfTable counts the rows of a table below its heading. It is for a table
// whose digest is right: a row of another may be as long as the file.
func rowsOfTable(_ context.Context, f io.Reader) (rows uint64, err error) {
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	for {
		_, err := r.Read()
		if err != nil {
			var bad *csv.ParseError
			if errors.Is(err, io.EOF) || errors.As(err, &bad) {
				return max(rows, 1) - 1, nil
			}
			return 0, err
		}
		rows++
	}
}

// lines verifies the entries of a file, and counts them.
func (p *exportProof) lines(ctx context.Context, f io.Reader) (count uint64, err error) {
	p.log.Owner, p.log.Checkpoint = p.m.Of, p.m.Checkpoint
	if p.tree.from != "" {
		p.log.Checkpoint, p.log.Hashes = p.tree.head, audit.VerifyTiles(ctx, p.tree.head, p.tree.tile)
		if err := p.extends(); err != nil {
			return 0, err
		}
	}
	bar := p.env.progress("verifying", false)
	found, err := audit.VerifySelection(func(yield func(audit.Item, error) bool) {
		for item, err := range audit.ReadItems(f) {
			if err == nil {
				count++
				bar.set(int64(count), int64(p.m.Entry.Count))
			}
			if !yield(item, err) {
				return
			}
		}
	}, p.log)
	bar.end()
	switch {
	case errors.Is(err, audit.ErrItem):
		p.fault(audit.FaultMalformed, "%v", err)
		return p.m.Entry.Count, nil // how many there are cannot be said
	case errors.Is(err, audit.ErrTiles):
		p.fault(audit.FaultTiles, "%v", err)
		return p.m.Entry.Count, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, usageError(fmt.Errorf("this copy does not have the parts of the tree that prove the export: %w", err), "give a copy of the same log that is not older than the export, or --online")
	case err != nil:
		return 0, err
	}
	if p.older(found) {
		return 0, usageError(fmt.Errorf("the tree has %d entries, and the export has newer ones", p.tree.head.Size), "make a newer copy with liaison audit copy, or give --online")
	}
	p.result.Faults, p.result.MoreFaults = append(p.result.Faults, found.Faults...), found.More
	return count, nil
}

// older reports whether all that is wrong is that the tree is older than the
// export.
func (p *exportProof) older(found audit.Report) bool {
	other := func(f audit.Fault) bool { return f.Kind != audit.FaultBeyond || f.Index >= p.m.Checkpoint.Size }
	return p.tree.from == fromCopy && len(found.Faults) > 0 && p.tree.head.Size < p.m.Checkpoint.Size && !slices.ContainsFunc(found.Faults, other)
}

// extends holds the tree's head against that of the manifest: both are signed,
// and must be of one history. A copy need not have what proves it, and may be older;
// the exchange has signed the manifest's head, and cannot have an older one.
func (p *exportProof) extends() error {
	if p.m.Checkpoint.Size > p.tree.head.Size {
		if p.tree.from == fromExchange {
			p.fault(audit.FaultHead, "the exchange has signed a head of %d entries, and now shows one of %d", p.m.Checkpoint.Size, p.tree.head.Size)
		}
		return nil
	}
	err := audit.VerifyExtends(p.m.Checkpoint, p.tree.head, p.log.Hashes)
	switch {
	case err == nil:
		p.result.Extends = true
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, audit.ErrFork), errors.Is(err, audit.ErrOtherLedger), errors.Is(err, audit.ErrBehind):
		p.fault(audit.FaultHead, "held against the head of the manifest: %v", err)
	case errors.Is(err, audit.ErrTiles):
		p.fault(audit.FaultTiles, "%v", err)
	default:
		return err
	}
	return nil
}

// conclude prints the verdict; faults are exit code 5.
func (p *exportProof) conclude(file string) error {
	r := &p.result
	faults := len(r.Faults) + r.MoreFaults
	r.Verdict = "verified"
	if faults > 0 {
		r.Verdict = "faulty"
	}
	var b strings.Builder
	b.WriteString(exportWords(file, p.m, r.Verdict))
	fmt.Fprintf(&b, "  %s\n", p.treeWords())
	auditReport{Faults: r.Faults, MoreFaults: r.MoreFaults}.faultWords(&b)
	if err := p.env.output().value(r, b.String()); err != nil || faults == 0 {
		return err
	}
	return verificationError(fmt.Errorf("%s has %s: %s", file, number(faults, "fault"), r.Faults[0].Kind), r.Faults[0].Kind.Do())
}

func (p *exportProof) treeWords() string {
	switch {
	case p.m.Format == figures.Table:
		return "a table: its manifest, SHA-256 and number of rows; jsonl has what proves each entry"
	case p.tree.from == "":
		return "each entry against its commitment; not against the ledger's tree: --dir COPY or --online"
	case p.result.Extends:
		return fmt.Sprintf("each entry in the ledger's tree of %d entries, which extends that of the manifest", p.tree.head.Size)
	case p.tree.from == fromExchange:
		return fmt.Sprintf("against the ledger's tree of %d entries, which does not extend that of the manifest (%d entries)", p.tree.head.Size, p.m.Checkpoint.Size)
	}
	return fmt.Sprintf("each entry in the ledger's tree of %d entries; whether it is one history with the head of the manifest this copy cannot show: --online", p.tree.head.Size)
}
