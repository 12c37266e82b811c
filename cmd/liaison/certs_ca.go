package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/authority"
)

func newCertsCA(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "ca",
		Short: "The built-in authority of one jurisdiction: make it, list what it issued, let holders renew",
		Long: `One authority for each jurisdiction, with a P-256 key of its own. Its certificate,
ca.crt, is what others put among their anchors as <jurisdiction>.pem. Every
certificate is on its record before it leaves.`,
		Example: `  liaison certs ca init --dir ca --jurisdiction ee
  liaison certs ca list --dir ca
  liaison certs ca serve --dir ca --listen :8445 --host ca.example`,
	}
	c.AddCommand(newCAInit(env), newCAList(env), newCAServe(env))
	return c
}

func newCAInit(env *environment) *cobra.Command {
	var office officeFlags
	var jurisdiction string
	years := 5
	c := &cobra.Command{
		Use:   "init --dir DIR --jurisdiction ID",
		Short: "Make an authority",
		Long: `init makes a directory with the key and the certificate of a new authority, and
its first revocation list. The certificate is limited to its own jurisdiction:
no verifier believes it about another one. Whoever has ca.key can be anybody of
that jurisdiction: keep it on a machine of its own, and back it up.`,
		Example: `  liaison certs ca init --dir ca --jurisdiction ee`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if years < 1 || years > 30 {
				return usageError(errors.New("an authority lasts 1 to 30 years"), "give --years")
			}
			o, err := certs.FoundOffice(office.dir, jurisdiction, env.Now, time.Duration(years)*365*24*time.Hour)
			if err != nil {
				return usageError(err, fixOf(err))
			}
			if _, err := o.NextCRL(certs.CRLValidity); err != nil {
				return err
			}
			cert := o.Certificate()
			return env.output().value(map[string]any{"dir": office.dir, "jurisdiction": jurisdiction, "certificate": office.dir + "/ca.crt",
				"crl": o.CRLFile(), "fingerprint": certs.Fingerprint(cert), "not_after": cert.NotAfter.UTC()},
				fmt.Sprintf(`%[1]s has the authority of %[2]s until %[3]s. Back up the directory; keep it to yourself.

1. Give %[1]s/ca.crt to the operator of the exchange and to each jurisdiction that you exchange with, over a way
   that they trust. It becomes their anchors/%[2]s.pem. Its fingerprint, to be compared by another way, is
     %[4]s
2. Give them %[5]s as well, and each newer one: liaison certs ca serve makes them.
3. Issue: liaison certs issue --dir %[1]s --csr FILE`,
					office.dir, jurisdiction, cert.NotAfter.UTC().Format(time.DateOnly), certs.Fingerprint(cert), o.CRLFile()))
		},
	}
	office.add(c)
	c.Flags().StringVar(&jurisdiction, "jurisdiction", "", "whose authority it is, such as ee")
	_ = c.MarkFlagRequired("jurisdiction") // fails only for a flag that is not declared
	c.Flags().IntVar(&years, "years", years, "how long it lasts")
	return c
}

func newCAList(env *environment) *cobra.Command {
	var office officeFlags
	c := &cobra.Command{
		Use:   "list --dir DIR",
		Short: "List all certificates that the authority issued",
		Long: `list reads the authority's record: each certificate that it ever issued, for whom, until
when, and whether it is revoked.`,
		Example: `  liaison certs ca list --dir ca --json | jq -r 'select(.revoked | not) | .identity'`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := office.open(env)
			if err != nil {
				return err
			}
			issued, err := o.Issued()
			if err != nil {
				return err
			}
			t := env.output().table("SERIAL", "IDENTITY", "ISSUED", "UNTIL", "STATE")
			for _, i := range issued {
				t.row(i, i.Serial, i.Identity, i.At.Format(time.RFC3339), i.NotAfter.Format(time.RFC3339), issueState(i, env.Now()))
			}
			if text := authority.Warning(o.Certificate(), env.Now()); text != "" {
				fmt.Fprintln(env.Stderr, "warning: "+text)
			}
			return t.flush()
		},
	}
	office.add(c)
	return c
}

func issueState(i certs.Issue, now time.Time) string {
	switch {
	case !i.Revoked.IsZero():
		return "revoked " + i.Revoked.UTC().Format(time.RFC3339)
	case now.After(i.NotAfter):
		return "expired"
	case i.Renews != "":
		return "good, renews " + i.Renews
	}
	return "good"
}

// caService is what the flags of ca serve say.
type caService struct {
	env           *environment
	office        officeFlags
	listen, crl   string
	hosts         []string
	validity, due days
}

func newCAServe(env *environment) *cobra.Command {
	s := &caService{env: env}
	c := &cobra.Command{
		Use:   "serve --dir DIR --listen ADDRESS --host HOST",
		Short: "Let holders of certificates renew them, and keep the revocation list fresh",
		Long: `serve runs a small service of the jurisdiction's own authority. Who connects with
a certificate that this authority issued, and that is neither expired nor revoked,
gets the next one for the very same identity and a new key (liaison certs renew).
Nobody gets anything else: not another identity, not the certificate of a key.

It signs the next revocation list at half-life of the last one and after each
revocation, and copies it to --crl. Logs are JSON lines on standard error.

Run it on a machine of the jurisdiction, never on the exchange's.`,
		Example: `  liaison certs ca serve --dir ca --listen :8445 --host ca.example --crl /srv/www/ee.crl`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return s.run(c.Context()) },
	}
	s.office.add(c)
	c.Flags().StringVar(&s.listen, "listen", "127.0.0.1:8445", "address to listen on")
	c.Flags().StringSliceVar(&s.hosts, "host", nil, "DNS name or IP address by which holders reach it; repeat for more (default: that of --listen)")
	c.Flags().StringVar(&s.crl, "crl", "", "file to copy each new revocation list to")
	daysFlag(c, &s.validity, "days", certs.LeafValidity, "how long a renewed certificate lasts")
	daysFlag(c, &s.due, "crl-days", certs.CRLValidity, "how long a revocation list serves")
	_ = c.MarkFlagFilename("crl", "crl")
	return c
}

func (s *caService) run(ctx context.Context) error {
	office, err := s.office.open(s.env)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return usageError(err, "choose another --listen")
	}
	if len(s.hosts) == 0 {
		host, _, err := net.SplitHostPort(s.listen)
		if err != nil || host == "" {
			return usageError(errors.Join(errors.New("no host: by which name do holders reach the service?"), l.Close()), "give --host")
		}
		s.hosts = []string{host}
	}
	log := slog.New(slog.NewJSONHandler(s.env.Stderr, nil))
	service, err := authority.New(authority.Config{Office: office, Hosts: s.hosts, Validity: s.validity.duration(), CRLValidity: s.due.duration(),
		OnCRL: func() error { return s.copyCRL(office) }, Clock: s.env.Now, Log: log})
	if err == nil {
		err = s.copyCRL(office)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err := s.env.output().value(map[string]string{"address": "https://" + l.Addr().String(), "jurisdiction": office.Jurisdiction()},
		"the authority of "+office.Jurisdiction()+" serves on https://"+l.Addr().String()); err != nil {
		return err
	}
	return service.Serve(ctx, l)
}

func (s *caService) copyCRL(office *certs.Office) error {
	if s.crl == "" {
		return nil
	}
	data, err := os.ReadFile(office.CRLFile())
	if err != nil {
		return err
	}
	return certs.WritePublic(s.crl, data)
}
