package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// erasing is what the flags of audit erase say.
type erasing struct {
	env *environment
	profileFlags
	officerFlags
	pkg, entries, out, order, on string
	preview                      bool
	limit                        int
}

func newAuditErase(env *environment) *cobra.Command {
	e := &erasing{env: env}
	c := &cobra.Command{
		Use:   "erase --preview | --package ID --output FILE | --entries N-M --output FILE | --order FILE",
		Short: "See what will be erased, or erase records of your agency before their time",
		Long: `Records are erased by themselves when their time has come. --preview says what that
will be by a day (--on, default today) if nobody does anything; it is for
data-protection officers and supervisors. "audit hold" keeps what is still needed.

To erase sooner takes two persons. One who approves, with approve.jwk in the
profile, signs an order into a file: of a package that your agency sent, or of
entries of its log. Your data-protection officer reads it and brings it with --order:
that is the countersignature. An order waits for it for at most a week.

A package goes with content, attachments and all that policy was asked; who sent it
to whom, when, and its digests stay. Its recipients are told; what they received is
their own. Of an entry the commitment stays, so that the log still verifies. Entries
that tell of erasures and holds stay until their own time. Say in --reason why, and
nothing of what is erased: the reason is kept.

Exit code 4: no such record of your agency; 7: a hold keeps it, or it is erased.`,
		Example: `  liaison audit erase --preview --on 2027-03-01 --reason "Quarterly look at what goes"
  liaison audit erase --package 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --reason "Court order 2026-117: no legal basis" --output order.jws
  liaison audit erase --entries 1207-1210 --reason "Court order 2026-117: no legal basis" --output order.jws
  liaison audit erase --order order.jws --profile ee-pbgb-dpo`,
		Args: cobra.NoArgs,
		RunE: e.run,
	}
	e.profileFlags.add(c)
	e.officerFlags.add(c)
	f := c.Flags()
	f.BoolVar(&e.preview, "preview", false, "say what will be erased, and erase nothing")
	f.StringVar(&e.on, "on", "", "with --preview: by the end of this day, as 2027-03-01 (default: today)")
	f.IntVar(&e.limit, "limit", 50, "with --preview: list at most so many")
	f.StringVar(&e.pkg, "package", "", "sign an order to erase this package, which your agency sent")
	f.StringVar(&e.entries, "entries", "", "sign an order to erase these entries of your agency's log, as 1207 or 1207-1210")
	f.StringVar(&e.entries, "seq", "", "the same as --entries; N..M is taken too")
	f.StringVarP(&e.out, "output", "o", "", "file for the signed order")
	f.StringVar(&e.order, "order", "", "bring the order in this file")
	_ = f.MarkHidden("seq")
	c.MarkFlagsMutuallyExclusive("preview", "package", "entries", "seq", "order")
	c.MarkFlagsOneRequired("preview", "package", "entries", "seq", "order")
	_ = c.MarkFlagFilename("output")
	_ = c.MarkFlagFilename("order")
	return c
}

func (e *erasing) run(cmd *cobra.Command, _ []string) error {
	switch {
	case e.preview:
		return withClient(e.env, &e.profileFlags, e.show)(cmd, nil)
	case e.order != "":
		return withClient(e.env, &e.profileFlags, e.bring)(cmd, nil)
	}
	return clientError(e.sign())
}

// sign has the holder of the profile's approve key order an erasure. It talks
// to nobody.
func (e *erasing) sign() error {
	if err := e.needReason(); err != nil {
		return err
	}
	if e.out == "" {
		return usageError(errors.New("no --output"), "name a file for the order: your data-protection officer brings it with --order")
	}
	dir, err := e.path(e.env)
	if err != nil {
		return err
	}
	p, err := client.LoadProfile(dir)
	if err != nil {
		return err
	}
	key, err := p.ApproveKey()
	if errors.Is(err, client.ErrNoKey) {
		return usageError(err, "use the profile of a person who approves: liaison keys rotate --use approve makes a key")
	}
	if err != nil {
		return err
	}
	config, err := p.Config()
	if err != nil {
		return err
	}
	o := envelope.Erasure{Exchange: config.Ledger.Origin(), Iss: p.Agency, JTI: uuid.Must(uuid.NewV7()).String(), IAT: e.env.Now().Unix(), Package: e.pkg, Reason: e.reason}
	if e.pkg == "" {
		if o.From, o.To, err = parseEntries(e.entries); err != nil {
			return err
		}
	}
	raw, err := envelope.SignErasure(o, key)
	if err != nil {
		return usageError(err, "give the id of a package, or at most 100000 entries")
	}
	if err := os.WriteFile(e.out, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return e.env.output().value(orderJSON{Erasure: o, File: e.out},
		fmt.Sprintf("Order %s to erase %s is in %s.\nIt takes effect when your data-protection officer brings it within a week: liaison audit erase --order %s\n", o.JTI, what(o), e.out, e.out))
}

// orderJSON is a signed order as audit erase prints it with --json.
type orderJSON struct {
	envelope.Erasure
	File string `json:"file"`
}

// what says in words what an order is about.
func what(o envelope.Erasure) string {
	switch {
	case o.Package != "":
		return "package " + o.Package
	case o.From == o.To:
		return fmt.Sprintf("entry %d of %s", o.From, o.Iss)
	}
	return fmt.Sprintf("entries %d to %d of %s", o.From, o.To, o.Iss)
}

// parseEntries reads "7", "7-9" or "7..9".
func parseEntries(s string) (from, to int64, err error) {
	first, last, more := strings.Cut(strings.Replace(s, "..", "-", 1), "-")
	from, err = strconv.ParseInt(first, 10, 64)
	if to = from; err == nil && more {
		to, err = strconv.ParseInt(last, 10, 64)
	}
	if err != nil || from < 1 || to < from {
		return 0, 0, usageError(fmt.Errorf("%q names no entries", s), "write their numbers as audit show lists them: 1207, or 1207-1210")
	}
	return from, to, nil
}

// bring countersigns an order.
func (e *erasing) bring(ctx context.Context, c *client.Client, _ []string) error {
	raw, err := os.ReadFile(e.order)
	if err != nil {
		return usageError(err, "name the file that audit erase --output made")
	}
	done, err := c.Erase(ctx, []byte(strings.TrimSpace(string(raw))))
	if err != nil {
		return err
	}
	var b strings.Builder
	if done.Package != "" {
		fmt.Fprintf(&b, "Package %s is erased; its recipients are told.\n", done.Package)
	} else {
		fmt.Fprintf(&b, "Of entries %d to %d, %d are erased.\n", done.First, done.Last, done.Erased)
		if done.Held > 0 {
			fmt.Fprintf(&b, "%d stay: a hold keeps them.\n", done.Held)
		}
		if done.Kept > 0 {
			fmt.Fprintf(&b, "%d stay: they tell of erasures and holds.\n", done.Kept)
		}
		if !done.Done {
			b.WriteString("The rest follows by itself.\n")
		}
	}
	fmt.Fprintf(&b, "Order %s, entry %d of your log.\n", done.ID, done.Receipt.Entry.Seq)
	return e.env.output().value(done.ErasureDone, b.String())
}

// show says what will be erased.
func (e *erasing) show(ctx context.Context, c *client.Client, _ []string) error {
	if err := e.needReason(); err != nil {
		return err
	}
	on := e.env.Now()
	if e.on != "" {
		day, err := time.Parse(time.DateOnly, e.on)
		if err != nil {
			return usageError(fmt.Errorf("--on %q", e.on), "write a day as 2027-03-01")
		}
		on = day.UTC().Add(24*time.Hour - time.Millisecond)
	}
	opened, err := c.Consult(ctx, client.ConsultInput{Officer: e.officer, Reason: e.reason})
	if err != nil {
		return err
	}
	p, err := c.ErasurePreview(ctx, opened.ID, on, e.limit)
	if err != nil {
		return err
	}
	if e.env.json {
		return e.env.output().value(p, "")
	}
	if _, err := fmt.Fprintf(e.env.Stdout, "By %s, if nobody does anything:\n\n", on.UTC().Format(time.DateOnly)); err != nil {
		return err
	}
	t := e.env.output().table("CLASS", "ERASED", "HELD", "KEPT FOR")
	for _, k := range p.Classes {
		t.row(k, k.Class, fmt.Sprint(k.Count), fmt.Sprint(k.Held), kept(k))
	}
	if err := t.flush(); err != nil || len(p.Items) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(e.env.Stdout); err != nil {
		return err
	}
	t = e.env.output().table("CLASS", "WHAT", "DUE", "")
	for _, i := range p.Items {
		name, held := i.Package, ""
		if i.Package == "" {
			name = fmt.Sprintf("entries %d to %d", i.First, i.Last)
		}
		if i.Held {
			held = "held"
		}
		t.row(i, i.Class, name, strings.TrimSuffix(i.Due, "T00:00:00.000Z"), held)
	}
	if err := t.flush(); err != nil || !p.More {
		return err
	}
	_, err = fmt.Fprintln(e.env.Stderr, "there are more: --limit shows up to 200")
	return err
}

// kept says how long records of a class are kept.
func kept(k api.ErasureClass) string {
	switch k.Class {
	case "package":
		return fmt.Sprintf("until its erase_by, else %d days", k.Days)
	case "content":
		return fmt.Sprintf("%d days after it lapsed, if nobody acknowledged it", k.Days)
	}
	return fmt.Sprintf("%d days", k.Days)
}
