package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

func newWitness(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "witness",
		Short: "Watch an exchange's ledger for your agency",
		Long: `A witness sees that an exchange has one history only. The exchange sends it each
new head of its ledger with a proof that it extends the one before; the witness
checks the proof, remembers the head, and cosigns it. Whoever is shown a head with
your cosignature is shown the history that you have seen. It sees heads only,
nothing of any entry, and needs a small machine that is yours, not the exchange's.

It speaks c2sp.org/tlog-witness, with any ledger that does.`,
		Example: `  liaison witness init /var/lib/witness --name witness.police.example/lv
  liaison witness watch /var/lib/witness --log-key log.vkey
  liaison witness run /var/lib/witness --listen 0.0.0.0:8450 --tls-cert server.crt --tls-key server.key`,
	}
	c.AddCommand(newWitnessInit(env), newWitnessWatch(env), newWitnessRun(env), newWitnessShow(env), newWitnessEnd(env))
	return c
}

func newWitnessInit(env *environment) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "init DIR --name NAME",
		Short: "Make a witness's directory and its key",
		Long: `init makes the directory of a new witness, with its private key, and prints its
verifier key: give that to the operator of the exchange, and to all agencies for
their witnesses.yaml, by a way that is not the exchange.

NAME says whose witness it is: a URL without https://, of letters, digits and ./:_-.

The directory holds what the witness has cosigned. Never restore it from a backup:
a witness that forgot could cosign a second history. If it is lost, make a new one.`,
		Example: `  liaison witness init /var/lib/witness --name witness.police.example/lv`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			vkey, err := witness.Init(args[0], name)
			if errors.Is(err, audit.ErrKey) || errors.Is(err, os.ErrExist) {
				return usageError(err, "give a name like witness.police.example/lv, and a directory that is not there yet")
			}
			if err != nil {
				return err
			}
			return env.output().value(map[string]string{"vkey": vkey, "dir": args[0]}, vkey)
		},
	}
	c.Flags().StringVar(&name, "name", "", "whose witness it is, as it stands in cosignatures")
	_ = c.MarkFlagRequired("name")
	return c
}

func newWitnessWatch(env *environment) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "watch DIR --log-key VKEY|FILE",
		Short: "Add a ledger to those that a witness watches",
		Long: `watch adds a ledger by its verifier key, as the operator of the exchange published
it (log.vkey). For a ledger that is watched already it replaces the keys; what was
cosigned stays. A witness that runs reads it when it is started again.

A new epoch is another ledger: after a real loss an exchange goes on under a new
origin and key, and no witness follows by itself. Ask why, by a way that is not the
exchange, and what was lost; then watch the new one, and end the old one.`,
		Example: `  liaison witness watch /var/lib/witness --log-key log.vkey`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l := ledgerFlags{key: key}
			keys, _, err := l.load(env)
			if err != nil {
				return err
			}
			before, err := witness.Look(args[0])
			if err == nil {
				err = witness.Watch(args[0], keys)
			}
			switch {
			case errors.Is(err, witness.ErrEnded):
				return usageError(err, "watch the ledger that it went on as")
			case err != nil:
				return usageError(err, "give the directory that liaison witness init made")
			}
			others := otherLedgers(before, keys.Origin())
			return env.output().value(map[string]any{"ledger": keys.Origin(), "others": others, "runs": before.Runs}, watchedWords(keys.Origin(), others, before.Runs))
		},
	}
	c.Flags().StringVar(&key, "log-key", "", "verifier key of the ledger, or a file with its keys")
	_ = c.MarkFlagRequired("log-key")
	return c
}

// otherLedgers are those that are watched beside one; none if it is among them.
func otherLedgers(known witness.Known, origin string) []string {
	others := []string{}
	for _, h := range known.Heads {
		if h.Origin == origin {
			return []string{}
		}
		others = append(others, h.Origin)
	}
	return others
}

func watchedWords(origin string, others []string, runs bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is watched", printable(origin))
	if len(others) > 0 {
		fmt.Fprintf(&b, ", from its next head on.\nIt is another ledger than %s: that it holds what that one held, nothing has proven to this witness", printable(strings.Join(others, ", ")))
	}
	if runs {
		b.WriteString(".\nStart the witness again: it reads this at its start")
	}
	return b.String()
}

func newWitnessEnd(env *environment) *cobra.Command {
	var origin string
	c := &cobra.Command{
		Use:   "end DIR --ledger ORIGIN",
		Short: "Stop watching a ledger that has ended",
		Long: `end stops watching a ledger that went on under another origin. What was cosigned of
it is kept, and it is never watched again: a ledger that has ended gets no other end.
A witness that runs reads it when it is started again.`,
		Example: `  liaison witness end /var/lib/witness --ledger exchange.example/ledger`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := witness.End(args[0], origin); err != nil {
				return usageError(err, "liaison witness show names the ledgers that are watched")
			}
			return env.output().value(map[string]string{"ledger": origin, "state": "ended"}, printable(origin)+" is not watched any more; what was cosigned of it is kept")
		},
	}
	c.Flags().StringVar(&origin, "ledger", "", "origin of the ledger")
	_ = c.MarkFlagRequired("ledger")
	return c
}

func newWitnessShow(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "show DIR",
		Short:   "Show what a witness has cosigned",
		Long:    "show lists the ledgers that a witness watches, and the newest head of each that it has cosigned. The witness may run.",
		Example: `  liaison witness show /var/lib/witness`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			known, err := witness.Look(args[0])
			if err != nil {
				return witnessError(err)
			}
			t := env.output().table("LEDGER", "SIZE", "COSIGNED")
			for _, h := range known.Heads {
				at := "never"
				if !h.At.IsZero() {
					at = audit.FormatTime(h.At)
				}
				t.row(map[string]any{"ledger": h.Origin, "size": h.Size, "cosigned_at": at}, h.Origin, fmt.Sprint(h.Size), at)
			}
			return t.flush()
		},
	}
}

// witnessRun is what the flags of witness run say.
type witnessRun struct {
	env                          *environment
	listen, cert, key, clientCAs string
}

func newWitnessRun(env *environment) *cobra.Command {
	r := &witnessRun{env: env}
	c := &cobra.Command{
		Use:   "run DIR --listen ADDRESS",
		Short: "Run a witness",
		Long: `run serves POST /add-checkpoint until Ctrl-C or SIGTERM. With --tls-cert and
--tls-key it speaks TLS 1.3; without, only on this machine, behind a proxy of
yours. --client-ca asks whoever connects for a certificate of these authorities;
it is not needed: a submission is believed by the ledger's signature alone.

Logs are JSON lines on standard error. "the ledger signed a head that does not
extend" is proof that the exchange shows two histories: keep that line and call.`,
		Example: `  liaison witness run /var/lib/witness --listen 0.0.0.0:8450 --tls-cert server.crt --tls-key server.key
  liaison witness run /var/lib/witness --listen 127.0.0.1:8450`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c.Context(), args[0]) },
	}
	f := c.Flags()
	f.StringVar(&r.listen, "listen", "127.0.0.1:8450", "address to serve on")
	f.StringVar(&r.cert, "tls-cert", "", "own certificate with its intermediates, PEM")
	f.StringVar(&r.key, "tls-key", "", "its private key, PEM")
	f.StringVar(&r.clientCAs, "client-ca", "", "ask for certificates of these authorities, PEM")
	c.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	return c
}

// tls is the configuration of the flags; nil for plain HTTP.
func (r *witnessRun) tls() (*tls.Config, error) {
	host, _, err := net.SplitHostPort(r.listen)
	if err != nil {
		return nil, usageError(err, "give an address like 127.0.0.1:8450")
	}
	if r.cert == "" {
		if !witness.Loopback(host) || r.clientCAs != "" {
			return nil, usageError(errors.New("without TLS a witness serves this machine only, and asks nobody for a certificate"), "give --tls-cert and --tls-key, or --listen 127.0.0.1:PORT")
		}
		return nil, nil
	}
	if err := certs.CheckPrivate(r.key); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return nil, usageError(err, "give the witness's certificate and its private key, PEM")
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}
	if r.clientCAs != "" {
		if cfg.ClientCAs, err = certs.LoadRoots(r.clientCAs); err != nil {
			return nil, err
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

func (r *witnessRun) run(ctx context.Context, dir string) error {
	secure, err := r.tls()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(r.env.Stderr, nil))
	w, err := witness.Open(witness.Config{Dir: dir, Clock: r.env.Now, Log: log})
	if err != nil {
		return witnessError(err)
	}
	defer w.Close()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", r.listen)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "serving", slog.String("address", l.Addr().String()), slog.String("vkey", w.VerifierKey()), slog.Int("ledgers", len(w.Heads())))
	return witness.Serve(ctx, l, secure, w.Handler(), log)
}

// witnessError gives what keeps a witness from starting its fix.
func witnessError(err error) error {
	switch {
	case errors.Is(err, witness.ErrHeadLost):
		return withFix(err, "do not put an old copy there: make a new witness with liaison witness init, and tell the operator and all agencies its key")
	case errors.Is(err, witness.ErrInUse):
		return withFix(err, "stop the other one first")
	}
	return err
}
