package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// verifying is what the flags of audit verify say.
type verifying struct {
	env *environment
	ledgerFlags
	officerFlags
	caseRef, save, from, receipts string
}

func newAuditVerify(env *environment) *cobra.Command {
	v := &verifying{env: env}
	c := &cobra.Command{
		Use:   "verify --reason TEXT [--save DIR] | verify --from DIR",
		Short: "Prove that your agency's log is whole and unchanged, or say what is wrong",
		Long: `verify fetches all entries of your agency and the ledger's tree, and proves on
your own machine: that no number is missing, that each entry follows the one
before it, that each is the one that was recorded and stands in the tree below
the ledger's signed head, that this head extends the newest one that this profile
has verified, and that the log does not end before its newest receipt, which is
that of this very reading. --receipts DIR holds it against more receipts.

--save DIR keeps all that it needs in a directory; --from DIR verifies such a
directory later, or elsewhere, without talking to anybody: only the ledger's key
must come from your profile or --log-key.

Any fault is named, and the exit code is 5.`,
		Example: `  liaison audit verify --reason "Monthly check of the log"
  liaison audit verify --save 2026-11 --reason "Monthly check of the log"
  liaison audit verify --from 2026-11 --log-key "exchange.example/ledger+8c3a1f02+AS…"`,
		Args: cobra.NoArgs,
		RunE: v.run,
	}
	v.ledgerFlags.add(c)
	v.officerFlags.add(c)
	f := c.Flags()
	f.StringVar(&v.caseRef, "case", "", "your own case reference, for the record")
	f.StringVar(&v.save, "save", "", "keep entries, tiles and checkpoint in this new directory")
	f.StringVar(&v.from, "from", "", "verify what --save kept in this directory, offline")
	f.StringVar(&v.receipts, "receipts", "", "directory of receipts that the log must agree with, such as receipts/ of a unit's profile")
	for _, name := range []string{"save", "from", "receipts"} {
		_ = c.MarkFlagDirname(name) // fails only for a flag that is not declared
	}
	c.MarkFlagsMutuallyExclusive("save", "from")
	return c
}

func (v *verifying) run(cmd *cobra.Command, _ []string) error {
	if v.from != "" {
		return clientError(v.offline(cmd.Context()))
	}
	if v.key != "" {
		return usageError(errors.New("--log-key is for --from DIR"), "leave it out: the profile's log.vkey is used")
	}
	if err := v.needReason(); err != nil {
		return err
	}
	return withClient(v.env, &v.profileFlags, v.online)(cmd, nil)
}

// online fetches and verifies. The checkpoint is fetched after the entries,
// so that it covers them.
func (v *verifying) online(ctx context.Context, c *client.Client, _ []string) error {
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: v.officer, Reason: v.reason, CaseRef: v.caseRef})
	if err != nil {
		return err
	}
	copied, err := newLogCopy(v.save)
	if err != nil {
		return err
	}
	entries, err := v.fetchEntries(ctx, c, consultation, copied)
	if err != nil {
		return err
	}
	cp, err := c.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(copied.write(savedCheckpoint, cp.Note), copied.write(savedReceipt, []byte(consultation.Receipt.Text))); err != nil {
		return err
	}
	log := audit.OwnerLog{Owner: c.Agency(), Checkpoint: cp, Hashes: audit.VerifyTiles(ctx, cp, copied.tiles(c.Tile)),
		Known: []audit.Position{position(consultation.Receipt.Verified)}}
	keys, _, err := v.load(v.env)
	if err != nil {
		return err
	}
	return v.verify(entries, log, keys)
}

// fetchEntries reads all entries before any is verified: the checkpoint that
// covers them is fetched after them.
func (v *verifying) fetchEntries(ctx context.Context, c *client.Client, consultation *client.Consultation, copied *logCopy) ([]audit.Item, error) {
	bar := v.env.progress("reading entries", false)
	defer bar.end()
	total := int64(consultation.Receipt.Entry.Seq)
	var items []audit.Item
	for item, err := range c.Entries(ctx, consultation.ID, 0) {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		bar.set(int64(len(items)), max(total, int64(len(items))))
	}
	return items, copied.entries(items)
}

// offline verifies a directory that --save made.
func (v *verifying) offline(ctx context.Context) error {
	keys, _, err := v.load(v.env)
	if err != nil {
		return err
	}
	saved, err := openLogCopy(v.from, keys)
	if err != nil {
		return err
	}
	log := audit.OwnerLog{Owner: saved.receipt.Entry.Owner, Checkpoint: saved.checkpoint,
		Hashes: audit.VerifyTiles(ctx, saved.checkpoint, saved.fetch), Known: []audit.Position{position(saved.receipt)}}
	return v.verify(saved.items, log, keys)
}

func position(r audit.Verified) audit.Position {
	return audit.Position{Seq: r.Entry.Seq, Commitment: r.Commitment}
}

// auditReport is what audit verify prints with --json.
type auditReport struct {
	Verdict    string        `json:"verdict"` // "whole" or "faulty"
	Owner      string        `json:"owner"`
	Ledger     string        `json:"ledger"`
	Size       int64         `json:"size"` // of the ledger
	Entries    uint64        `json:"entries"`
	Disclosed  int           `json:"disclosed"`
	Erased     int           `json:"erased"`
	Receipts   int           `json:"receipts"` // that the log was held against
	Faults     []audit.Fault `json:"faults,omitempty"`
	MoreFaults int           `json:"more_faults,omitempty"`
}

// verify proves the log and prints the verdict.
func (v *verifying) verify(entries []audit.Item, log audit.OwnerLog, keys audit.Keys) error {
	more, err := knownReceipts(v.receipts, log.Owner, keys)
	if err != nil {
		return err
	}
	log.Known = append(log.Known, more...)
	bar := v.env.progress("verifying", false)
	found, err := audit.VerifyOwner(counted(entries, bar), log)
	bar.end()
	if errors.Is(err, audit.ErrTiles) {
		return verificationError(err, "what was fetched or saved is not the ledger's tree: fetch it again, and if it stays so, tell your data-protection authority")
	}
	if err != nil {
		return err
	}
	report := auditReport{Verdict: "whole", Owner: log.Owner, Ledger: log.Checkpoint.Origin, Size: log.Checkpoint.Size, Entries: found.Last.Seq,
		Disclosed: found.Disclosed, Erased: found.Erased, Receipts: len(log.Known), Faults: found.Faults, MoreFaults: found.More}
	if len(found.Faults) > 0 {
		report.Verdict = "faulty"
	}
	if err := v.env.output().value(report, report.String()); err != nil || len(found.Faults) == 0 {
		return err
	}
	return verificationError(fmt.Errorf("the log of %s has %d faults", log.Owner, len(found.Faults)+found.More),
		"keep a copy (--save DIR) and your receipts, and bring both to your supervisory authority and the operator")
}

// counted moves the bar as entries are taken.
func counted(entries []audit.Item, bar *progress) iter.Seq2[audit.Item, error] {
	return func(yield func(audit.Item, error) bool) {
		for i, item := range entries {
			if bar.set(int64(i+1), int64(len(entries))); !yield(item, nil) {
				return
			}
		}
	}
}

// number is a count of things in words.
func number(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// String says the verdict in words.
func (r auditReport) String() string {
	var b strings.Builder
	if r.Verdict == "whole" {
		fmt.Fprintf(&b, "The log of %s is whole and unchanged: entries 1 to %d", r.Owner, r.Entries)
	} else {
		fmt.Fprintf(&b, "The log of %s is NOT whole: of entries 1 to %d", r.Owner, r.Entries)
	}
	fmt.Fprintf(&b, ", %d read, %d erased, in %s of %d entries, held against %s.\n", r.Disclosed, r.Erased, r.Ledger, r.Size, number(r.Receipts, "receipt"))
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "  fault: %s\n", printable(f.Error()))
	}
	if r.MoreFaults > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.MoreFaults)
	}
	return b.String()
}

// knownReceipts verifies the receipts of a directory and returns the places
// of those that are the owner's.
func knownReceipts(dir, owner string, keys audit.Keys) ([]audit.Position, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, usageError(err, "give a directory of receipts")
	}
	var known []audit.Position
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		r, err := audit.ParseReceipt(string(text))
		if err != nil {
			return nil, verificationError(fmt.Errorf("%s: %w", f.Name(), err), "keep only receipts in that directory")
		}
		got, err := r.Verify(keys, nil)
		if err != nil {
			return nil, verificationError(fmt.Errorf("%s: %w", f.Name(), err), "this receipt is not of this ledger, or was changed")
		}
		if got.Entry.Owner == owner {
			known = append(known, position(got))
		}
	}
	return known, nil
}
