package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// verifying is what the flags of audit verify and audit copy say.
type verifying struct {
	env *environment
	ledgerFlags
	officerFlags
	ownerFlag
	caseRef, from, receipts string
}

func newAuditVerify(env *environment) *cobra.Command {
	v := &verifying{env: env}
	c := &cobra.Command{
		Use:   "verify --reason TEXT | verify --dir DIR",
		Short: "Prove that your agency's log is whole and unchanged, or say what is wrong",
		Long: `verify fetches all entries of your agency and the ledger's tree, and proves on
your own machine: that no number is missing, that each entry follows the one
before it, that each is the one that was recorded and stands in the tree below
the ledger's signed head, that this head extends the newest one that this profile
has verified, that witnesses did not sign another one, and that the log does not
end before its newest receipt, which is that of this very reading. --receipts DIR
holds it against more receipts.

--dir DIR verifies what "audit copy" has kept, without talking to anybody: only
the ledger's key must come from your profile or --log-key.

A supervisor verifies another agency's log with --owner. No receipt of that log is
among what a supervisor gets: that nothing is missing at its end show only receipts
of its owner (--receipts) and, from the second time on, the place where it ended when
this profile verified it last, which the profile keeps.

Each fault is named, with what it means and what to do, and the exit code is 5.`,
		Example: `  liaison audit verify --reason "Monthly check of the log"
  liaison audit verify --reason "Monthly check of the log" --receipts ~/unit/receipts
  liaison audit verify --owner lv/vp --receipts from-lv/ --reason "Inspection 2026-7 of lv/vp"
  liaison audit verify --dir 2026-11 --log-key "exchange.example/ledger+8c3a1f02+AS…"`,
		Args: cobra.NoArgs,
		RunE: v.run,
	}
	v.ledgerFlags.add(c)
	v.officerFlags.add(c)
	v.ownerFlag.add(c)
	f := c.Flags()
	f.StringVar(&v.caseRef, "case", "", "your own case reference, for the record")
	f.StringVar(&v.from, "dir", "", "verify what audit copy kept in this directory, offline")
	f.StringVar(&v.receipts, "receipts", "", "directory of receipts that the log must agree with, such as receipts/ of a unit's profile")
	for _, name := range []string{"dir", "receipts"} {
		_ = c.MarkFlagDirname(name) // fails only for a flag that is not declared
	}
	return c
}

func (v *verifying) run(cmd *cobra.Command, _ []string) error {
	if v.from != "" && v.owner != "" {
		return usageError(errors.New("--owner is for a log that is fetched"), "leave it out: a copy says whose log it is")
	}
	if v.from != "" {
		return clientError(v.offline(cmd.Context()))
	}
	if v.key != "" {
		return usageError(errors.New("--log-key is for --dir DIR"), "leave it out: the profile's log.vkey is used")
	}
	return withClient(v.env, &v.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error {
		return v.online(ctx, c, "")
	})(cmd, nil)
}

// online fetches the log into a directory and verifies it there; without one,
// into a directory within the profile, which is removed at the end.
func (v *verifying) online(ctx context.Context, c *client.Client, dir string) (err error) {
	if err := v.needReason(); err != nil {
		return err
	}
	keys, witnesses, err := v.load(v.env)
	if err != nil {
		return err
	}
	profile, err := v.path(v.env)
	if err != nil {
		return err
	}
	seen, err := seenHead(profile, keys)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp(profile, "verify-*"); err != nil {
			return fmt.Errorf("room for the log while it is verified: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	l, err := v.fetchLog(ctx, c, dir)
	var bad *client.VerifyError
	if errors.As(err, &bad) {
		return v.conclude(auditReport{Owner: v.of(c), Ledger: keys.Origin(), Faults: []audit.Fault{headFault(audit.FaultHead, err)}})
	}
	if err != nil {
		return err
	}
	return v.verify(ctx, l, profile, keys, witnesses, seen)
}

// offline verifies a directory that audit copy made, against the profile's
// newest head too, where there is one.
func (v *verifying) offline(ctx context.Context) error {
	keys, witnesses, err := v.load(v.env)
	if err != nil {
		return err
	}
	seen := audit.Checkpoint{}
	profile, err := v.path(v.env)
	if err != nil {
		profile = "" // none is needed
	} else if seen, err = seenHead(profile, keys); err != nil {
		return err
	}
	return v.verify(ctx, &logCopy{dir: v.from}, profile, keys, witnesses, seen)
}

// seenHead is the newest head that a profile has verified; without a note if
// there is none, or if it is of another ledger than is meant.
func seenHead(profile string, keys audit.Keys) (audit.Checkpoint, error) {
	note, err := client.CheckpointFile(filepath.Join(profile, client.FileCheckpoint)).Load()
	if errors.Is(err, fs.ErrNotExist) {
		return audit.Checkpoint{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, err
	}
	cp, err := audit.OpenCheckpoint(note, keys)
	if errors.Is(err, audit.ErrSignature) || errors.Is(err, audit.ErrCheckpoint) {
		return audit.Checkpoint{}, nil
	}
	return cp, err
}

func position(r audit.Verified) audit.Position {
	return audit.Position{Seq: r.Entry.Seq, Commitment: r.Commitment}
}

// headFault is a fault of the ledger itself.
func headFault(kind audit.FaultKind, err error) audit.Fault {
	return audit.Fault{Kind: kind, Index: -1, Detail: err.Error()}
}

// verify proves a copied log and prints the verdict. The profile, if there is
// one, remembers where another agency's log ended.
func (v *verifying) verify(ctx context.Context, l *logCopy, profile string, keys audit.Keys, witnesses []audit.Witness, seen audit.Checkpoint) error {
	p := proving{env: v.env, copy: l, keys: keys, witnesses: witnesses, seen: seen, report: auditReport{Ledger: keys.Origin()}}
	if err := p.open(); err != nil {
		return err
	}
	var err error
	if p.log.Former, err = v.formerOrigins(v.env); err != nil {
		return err
	}
	more, err := knownReceipts(v.receipts, p.log.Owner, keys)
	if err != nil {
		return err
	}
	if len(p.report.Faults) == 0 {
		p.log.Known = append(p.log.Known, more...)
		p.report.Receipts = len(p.log.Known)
		remembered := endFile(profile, p.report)
		if err := p.recall(remembered); err != nil {
			return err
		}
		if err := p.prove(ctx); err != nil {
			return err
		}
		if err := p.remember(remembered); err != nil {
			return err
		}
	}
	return v.conclude(p.report)
}

// conclude prints a report; faults are exit code 5.
func (v *verifying) conclude(r auditReport) error {
	r.Verdict = "whole"
	faults := len(r.Faults) + r.MoreFaults
	if faults > 0 {
		r.Verdict = "faulty"
	}
	if err := v.env.output().value(r, r.words(v.env.Now())); err != nil || faults == 0 {
		return err
	}
	return verificationError(fmt.Errorf("the log of %s has %s", r.Owner, number(faults, "fault")), r.Faults[0].Kind.Do())
}

// proving is one verification of a copied log.
type proving struct {
	env       *environment
	copy      *logCopy
	keys      audit.Keys
	witnesses []audit.Witness
	seen      audit.Checkpoint // the newest head that was verified before, if any
	log       audit.OwnerLog
	report    auditReport
	last      audit.Position // where the log ends
}

func (p *proving) fault(kind audit.FaultKind, err error) {
	p.report.Faults = append(p.report.Faults, headFault(kind, err))
}

// open reads head and receipt of the copy. Whose log it is says the receipt,
// which the ledger's key proves; of another agency's log, a file of the copy.
func (p *proving) open() error {
	note, err := p.copy.read(copiedCheckpoint, audit.MaxCheckpoint)
	if err != nil {
		return copyError(err)
	}
	text, err := p.copy.read(copiedReceipt, audit.MaxReceipt)
	if err != nil {
		return copyError(err)
	}
	cp, err := audit.OpenCheckpoint(note, p.keys)
	if err != nil {
		p.fault(audit.FaultHead, err)
		return nil
	}
	p.report.Size = cp.Size
	receipt, err := audit.ParseReceipt(string(text))
	var verified audit.Verified
	if err == nil {
		verified, err = receipt.Verify(p.keys, nil)
	}
	if err != nil {
		p.fault(audit.FaultReceipt, fmt.Errorf("the receipt of the reading that made the copy: %w", err))
		return nil
	}
	p.report.Owner = verified.Entry.Owner
	p.log = audit.OwnerLog{Owner: verified.Entry.Owner, Checkpoint: cp, Known: []audit.Position{position(verified)}}
	another, err := p.copy.read(copiedOwner, maxOwner)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner := strings.TrimSpace(string(another))
	if _, _, err := certs.ParseAgencyID(owner); err != nil {
		return copyError(err)
	}
	if why := notAnothers(verified.Entry, owner); why != "" {
		p.fault(audit.FaultReceipt, fmt.Errorf("the copy says that it is the log of %s, and %s: take the file %q for forged", owner, why, copiedOwner))
		return nil
	}
	// The receipt is in the reader's log, and says nothing of where this one ends.
	p.report.Reader, p.report.Owner, p.log.Owner, p.log.Known = p.log.Owner, owner, owner, nil
	return nil
}

// notAnothers says why the reading of a receipt cannot have been one of
// another agency's log; empty if it can. Otherwise a file that anybody adds to
// an agency's copy of its own log would take away the receipt that shows where
// that log ends.
func notAnothers(reading audit.Entry, owner string) string {
	switch {
	case owner == reading.Owner:
		return "so does its receipt: of the own log there is no such file"
	case reading.Actor.Role != certs.RoleSupervisor:
		return fmt.Sprintf("its receipt that a %q of %s read it: only a supervisor reads another agency's", reading.Actor.Role, reading.Owner)
	}
	return ""
}

// prove holds the entries against the tree, and the head against others.
func (p *proving) prove(ctx context.Context) error {
	p.log.Hashes = audit.VerifyTiles(ctx, p.log.Checkpoint, p.copy.tile)
	if err := p.heads(); err != nil {
		return err
	}
	tuneMemory()
	bar := p.env.progress("verifying", true)
	found, err := audit.VerifyOwner(p.copy.entries(bar.set), p.log)
	bar.end()
	if kind, is := p.finding(err); is {
		p.fault(kind, err)
		return nil
	}
	if err != nil {
		return err
	}
	p.report.Entries, p.report.Disclosed, p.report.Erased = found.Last.Seq, found.Disclosed, found.Erased
	p.report.MoreFaults, p.last = found.More, found.Last
	p.report.Faults = append(p.report.Faults, found.Faults...)
	return nil
}

// finding tells what an error in reading says about the log; in what was
// fetched from a server, what is not there is no finding.
func (p *proving) finding(err error) (audit.FaultKind, bool) {
	switch {
	case errors.Is(err, audit.ErrTiles), p.copy.more == nil && errors.Is(err, fs.ErrNotExist):
		return audit.FaultTiles, true
	case errors.Is(err, audit.ErrItem):
		return audit.FaultMalformed, true
	case errors.Is(err, audit.ErrFork), errors.Is(err, audit.ErrBehind), errors.Is(err, audit.ErrOtherLedger):
		return audit.FaultHead, true
	}
	return "", false
}

// heads holds the head against the newest one that was verified before, and
// against the newest one that witnesses cosigned.
func (p *proving) heads() error {
	if err := p.held(p.seen, "held against the newest head that this profile has verified"); err != nil {
		return err
	}
	p.report.Seen, p.report.Witnesses = p.seen.Size, len(p.witnesses)
	head, err := p.witnessed()
	if err != nil {
		return err
	}
	if err := p.held(head, "held against the newest witnessed head"); err != nil {
		return err
	}
	for _, cp := range []audit.Checkpoint{p.log.Checkpoint, head} {
		if err := p.cosignatures(cp); err != nil {
			p.fault(audit.FaultCosignature, err)
		}
	}
	return nil
}

// cosignatures verifies those of a head, and reports them if there are more
// than of the one before.
func (p *proving) cosignatures(cp audit.Checkpoint) error {
	if cp.Note == nil {
		return nil
	}
	list, err := cp.Cosignatures(p.witnesses)
	if err != nil || len(list) <= p.report.Witnessed {
		return err
	}
	p.report.Witnessed, p.report.WitnessedSize, p.report.Cosigned = len(list), cp.Size, nil
	for _, c := range list {
		p.report.Cosigned = append(p.report.Cosigned, cosigned{c.Witness, c.Time})
	}
	return nil
}

// witnessed is the newest witnessed head of the copy; without a note if there
// is none.
func (p *proving) witnessed() (audit.Checkpoint, error) {
	note, err := p.copy.read(copiedWitnessed, audit.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return audit.Checkpoint{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, err
	}
	head, err := audit.OpenCheckpoint(note, p.keys)
	if err != nil {
		p.fault(audit.FaultHead, fmt.Errorf("the witnessed head: %w", err))
		return audit.Checkpoint{}, nil
	}
	return head, nil
}

// held proves that the checkpoint extends an older head. One that is newer
// cannot be proven from this copy: the report says so.
func (p *proving) held(older audit.Checkpoint, what string) error {
	if older.Note == nil || older.Size > p.log.Checkpoint.Size {
		return nil
	}
	err := audit.VerifyExtends(older, p.log.Checkpoint, p.log.Hashes)
	if kind, is := p.finding(err); is {
		p.fault(kind, fmt.Errorf("%s: %w", what, err))
		return nil
	}
	return err
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
