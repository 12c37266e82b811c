package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// provingEntry is what the flags of audit proof say.
type provingEntry struct {
	env *environment
	profileFlags
	officerFlags
	ownerFlag
	caseRef, file string
}

func newAuditProof(env *environment) *cobra.Command {
	p := &provingEntry{env: env}
	c := &cobra.Command{
		Use:   "proof NO --reason TEXT [-o FILE]",
		Short: "Make a proof of one entry of a log, for others to verify",
		Long: `proof makes a file that proves one entry of your agency's log to whoever has the
ledger's public key: a court, a supervisory authority. It is a receipt
(c2sp.org/tlog-proof), the same as the exchange gave when the entry was written,
under the newest head that witnesses have cosigned, or the newest one there is.
"liaison receipt verify FILE" verifies it, without asking the exchange.

The file holds the whole entry in clear: give it only to whom the entry may be
shown. That it was made is an entry, too.`,
		Example: `  liaison audit proof 1207 -o entry-1207.txt --reason "Proceedings 2026-114 before the court"
  liaison receipt verify entry-1207.txt --log-key "exchange.example/ledger+8c3a1f02+AS…"`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &p.profileFlags, p.run),
	}
	p.profileFlags.add(c)
	p.officerFlags.add(c)
	p.ownerFlag.add(c)
	c.Flags().StringVar(&p.caseRef, "case", "", "your own case reference, for the record")
	c.Flags().StringVarP(&p.file, "output", "o", "", "write the proof to this file (default: standard output)")
	return c
}

func (p *provingEntry) run(ctx context.Context, c *client.Client, args []string) error {
	if err := p.needReason(); err != nil {
		return err
	}
	no, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil || no == 0 {
		return usageError(fmt.Errorf("%q is no number of an entry", args[0]), "give a number from 1, as audit show lists them")
	}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: p.officer, Reason: p.reason, CaseRef: p.caseRef})
	if err != nil {
		return err
	}
	owner := p.of(c)
	item, err := c.Entry(ctx, consultation.ID, owner, no)
	if err != nil {
		return err
	}
	if item.Owner != owner || item.Seq != no {
		return verificationError(fmt.Errorf("entry %d of %q came instead of entry %d of %s", item.Seq, item.Owner, no, owner), audit.FaultSeq.Do())
	}
	head, err := c.ProofHead(ctx, item.Index)
	if err != nil {
		return err
	}
	receipt, proven, err := c.Prove(ctx, item, head)
	if err != nil {
		return err
	}
	return p.deliver(receipt.Encode(), proven, no)
}

// deliver writes the proof, after a last look at what it proves.
func (p *provingEntry) deliver(text string, v audit.Verified, no uint64) error {
	if v.Entry.Seq != no {
		return verificationError(fmt.Errorf("entry %d says that it is entry %d", no, v.Entry.Seq), audit.FaultSeq.Do())
	}
	if p.file == "" {
		_, err := fmt.Fprint(p.env.Stdout, text)
		return err
	}
	if err := certs.WriteSecret(p.file, []byte(text)); err != nil {
		return err
	}
	shown := verifiedReceipt{Verdict: verdict(v.Witnessed), Witnessed: v.Witnessed, Ledger: v.Checkpoint.Origin, Index: v.Index, Size: v.Size, Entry: v.Entry}
	return p.env.output().value(shown, fmt.Sprintf("%s proves entry %d of %s: %s under a head of %d entries.", printable(p.file), no, v.Entry.Owner, shown.Verdict, v.Size))
}
