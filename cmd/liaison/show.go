package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// shown is a package as show prints it with --json: the descriptor, and the
// manifest's claims, whose signature was verified.
type shown struct {
	api.Descriptor
	Manifest json.RawMessage `json:"manifest,omitempty"` // absent once erased
}

func newShow(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show who sent a package, on what basis, and with which obligations",
		Long: `show prints what can be read without opening a package: its manifest, whose
signature is verified against the sender's authority in your profile, and what
became of it, with the obligations that you accept when you open it. Of a package that
was erased it prints what is left.`,
		Example: `  liaison show 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d
  liaison show 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --json | jq .manifest.meta`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			d, err := c.Package(ctx, args[0])
			if err != nil {
				return err
			}
			if d.State == "erased" {
				return env.output().value(shown{Descriptor: *d}, describeErased(d))
			}
			m, key, err := c.Signed(ctx, d)
			if err != nil {
				return err
			}
			return env.output().value(shown{*d, m.Payload}, describePackage(d, m, &key))
		}),
	}
	profile.add(c)
	return c
}

// describeErased says what is left of a package.
func describeErased(d *api.Descriptor) string {
	var b strings.Builder
	for _, line := range [][2]string{{"package", d.ID}, {"from", d.From}, {"to", strings.Join(d.To, ", ")}, {"state", d.State}, {"message", d.Type}} {
		fmt.Fprintf(&b, "%-14s %s\n", line[0], printable(line[1]))
	}
	b.WriteString("Its content and its manifest are no more here. What you received before is your own record.\noutcomes\n")
	for _, o := range d.Outcomes {
		writeDecided(&b, o)
	}
	return b.String()
}

func describePackage(d *api.Descriptor, m *envelope.SignedManifest, key *client.Key) string {
	var b strings.Builder
	say := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-14s %s\n", label, printable(text))
		}
	}
	meta := m.Claimed
	say("package", m.JTI)
	say("from", m.Iss+" (signature verified)")
	if ended := key.Ended(); ended != "" {
		say("its key", ended+", after this was signed")
	}
	say("to", strings.Join(m.Aud, ", "))
	say("state", d.State)
	say("signed", time.Unix(m.IAT, 0).UTC().Format(time.RFC3339))
	say("lapses", time.Unix(m.EXP, 0).UTC().Format(time.RFC3339))
	say("due", d.DueAt)
	say("message", meta.MessageType+", "+meta.ContentKind)
	say("case", meta.CaseRef)
	say("purpose", meta.Purpose)
	for _, l := range meta.LegalBasis {
		say("legal basis", l.Instrument+", article "+l.Article+" ("+l.Jurisdiction+")")
	}
	say("transfer", strings.Join(nonEmpty(meta.TransferBasis, meta.TransferInstrument), ", "))
	say("crime areas", strings.Join(meta.CrimeAreas, ", "))
	say("handling", strings.Join(nonEmpty(meta.Handling.Code, meta.Classification), ", "))
	say("urgency", meta.Urgency.Level)
	say("originator", strings.Join(meta.Originator, ", "))
	for i, a := range m.Attachments {
		say("attachment", fmt.Sprintf("%d: %d bytes, encrypted", i, a.Size))
	}
	b.WriteString("outcomes\n")
	for _, o := range d.Outcomes {
		writeDecided(&b, o)
	}
	return b.String()
}
