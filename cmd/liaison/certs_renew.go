package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/authority"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// renewal is what the flags of renew say.
type renewal struct {
	env           *environment
	profile       profileFlags
	ca            string
	daemon, force bool
}

func newCertsRenew(env *environment) *cobra.Command {
	r := &renewal{env: env}
	c := &cobra.Command{
		Use:   "renew --ca URL",
		Short: "Renew the profile's client certificate",
		Long: `renew makes a new key, asks the service of your authority (liaison certs ca serve)
for its certificate with the current one, checks the answer against your own
anchors/<jurisdiction>.pem, and puts both in place. The old pair stays good until
then, whatever happens in between; programs that use the profile follow without a
restart.

Without --daemon it renews if two thirds of the certificate's life are over, or with
--now. With --daemon it waits for that, again and again; logs are JSON lines on
standard error.`,
		Example: `  liaison certs renew --profile ee-pbgb-unit --ca https://ca.example:8445
  liaison certs renew --profile ee-pbgb-unit --ca https://ca.example:8445 --daemon`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c.Context()) },
	}
	r.profile.add(c)
	c.Flags().StringVar(&r.ca, "ca", "", "address of the authority's service, https")
	c.Flags().BoolVar(&r.daemon, "daemon", false, "keep running, and renew each time it is due")
	c.Flags().BoolVar(&r.force, "now", false, "renew even if it is not due yet")
	_ = c.MarkFlagRequired("ca") // fails only for a flag that is not declared
	return c
}

func (r *renewal) run(ctx context.Context) error {
	renewer, err := r.renewer()
	if err != nil {
		return err
	}
	if r.daemon {
		return renewalError(renewer.Run(ctx))
	}
	due, err := renewer.Due()
	if err != nil {
		return err
	}
	if !r.force && r.env.Now().Before(due) {
		return r.env.output().value(map[string]any{"renewed": false, "due": due.UTC()},
			"not due before "+due.UTC().Format(time.RFC3339)+"; --now renews all the same")
	}
	leaf, err := renewer.Once(ctx)
	if err != nil {
		return renewalError(err)
	}
	return r.env.output().value(map[string]any{"renewed": true, "certificate": renewer.CertFile, "serial": leaf.SerialNumber.Text(16), "not_after": leaf.NotAfter.UTC()},
		fmt.Sprintf("renewed %s until %s", renewer.CertFile, leaf.NotAfter.UTC().Format(time.RFC3339)))
}

func (r *renewal) renewer() (*authority.Renewer, error) {
	dir, err := r.profile.path(r.env)
	if err != nil {
		return nil, err
	}
	p, err := client.LoadProfile(dir)
	if err != nil {
		return nil, clientError(err)
	}
	jurisdiction, _, err := certs.ParseAgencyID(p.Agency)
	if err != nil {
		return nil, err
	}
	anchors, err := certs.LoadChain(filepath.Join(dir, client.DirAnchors, jurisdiction+".pem"))
	if err != nil {
		return nil, err
	}
	return &authority.Renewer{CertFile: filepath.Join(dir, client.FileTLSCert), KeyFile: filepath.Join(dir, client.FileTLSKey), URL: r.ca,
		Anchors: anchors, Clock: r.env.Now, Log: slog.New(slog.NewJSONHandler(r.env.Stderr, nil))}, nil
}

// renewalError gives a refusal its fix, and a service that is not there its exit code.
func renewalError(err error) error {
	var refused *authority.RefusedError
	switch {
	case errors.As(err, &refused):
		fix := refused.Fix
		if fix == "" {
			fix = "look at the certificate with liaison certs show; its log tells the people of the authority why"
		}
		return withFix(err, fix)
	case err != nil && certs.Failed(err) == "" && exitCode(err) == exitFailed:
		return &exitError{err: err, code: exitUnavailable, fix: "try again; the old certificate stays in use"}
	}
	return err
}
