package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newReceipt(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "receipt",
		Short: "Prove what happened",
		Long:  "A receipt proves that an entry is in the exchange's ledger, to anybody who has the ledger's public key, without asking the exchange.",
		Example: `  liaison receipt verify receipt.txt
  liaison receipt upgrade receipt.txt`,
	}
	c.AddCommand(newReceiptVerify(env), newReceiptUpgrade(env))
	return c
}

// ledgerFlags say whose ledger is meant and which witnesses count.
type ledgerFlags struct {
	profileFlags
	key       string
	witnesses []string
}

func (l *ledgerFlags) add(c *cobra.Command) {
	l.profileFlags.add(c)
	c.Flags().StringVar(&l.key, "log-key", "", "verifier key of the ledger, or a file with its keys (default: the profile's log.vkey)")
	c.Flags().StringArrayVar(&l.witnesses, "witness", nil, "verifier key of a witness that counts; repeat for more (default: the profile's witnesses.yaml)")
}

// load returns keys and witnesses, from the flags or else from the profile.
func (l *ledgerFlags) load(env *environment) (audit.Keys, []audit.Witness, error) {
	if l.key == "" {
		return l.fromProfile(env)
	}
	text := []byte(l.key)
	if !strings.Contains(l.key, "+") {
		var err error
		if text, err = os.ReadFile(l.key); err != nil {
			return audit.Keys{}, nil, usageError(err, "give the verifier key of the ledger, or a file that has it")
		}
	}
	keys, err := audit.ParseKeys(text)
	if err != nil {
		return audit.Keys{}, nil, usageError(err, "give the verifier key as the operator published it: NAME+HASH+KEY")
	}
	witnesses, err := l.given()
	return keys, witnesses, err
}

func (l *ledgerFlags) given() ([]audit.Witness, error) {
	var list []audit.Witness
	for _, vkey := range l.witnesses {
		w, err := audit.ParseWitness(vkey)
		if err != nil {
			return nil, usageError(err, "give the witness's verifier key: NAME+HASH+KEY")
		}
		list = append(list, w)
	}
	return list, nil
}

func (l *ledgerFlags) fromProfile(env *environment) (audit.Keys, []audit.Witness, error) {
	dir, err := l.path(env)
	if err != nil {
		return audit.Keys{}, nil, usageError(errors.New("no key of the ledger"), "give --log-key VKEY, or --profile DIR, whose log.vkey is used")
	}
	p, err := client.LoadProfile(dir)
	if err != nil {
		return audit.Keys{}, nil, clientError(err)
	}
	keys, err := p.LedgerKeys()
	if err != nil {
		return audit.Keys{}, nil, clientError(err)
	}
	witnesses, err := p.Witnesses()
	if err != nil {
		return audit.Keys{}, nil, clientError(err)
	}
	more, err := l.given()
	return keys, append(witnesses, more...), err
}

// verifiedReceipt is what receipt verify prints with --json.
type verifiedReceipt struct {
	Verdict   string      `json:"verdict"`
	Witnessed int         `json:"witnessed"`
	Ledger    string      `json:"ledger"`
	Index     int64       `json:"index"`
	Size      int64       `json:"size"`
	Entry     audit.Entry `json:"entry"`
}

func newReceiptVerify(env *environment) *cobra.Command {
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a receipt offline and say what it proves",
		Long: `verify checks a receipt without talking to anybody: the signature of the ledger's
head, that the entry is in the ledger below that head, and that the entry is whole.
It says "included", or "included and witnessed by K" if K witnesses cosigned the
head, and tells the entry in words. FILE may be - for standard input.

A receipt that does not verify has the exit code 5.`,
		Example: `  liaison receipt verify receipt.txt --log-key "exchange.example/ledger+8c3a1f02+AS…"
  liaison receipt verify receipt.txt --profile profiles/ee-pbgb-unit
  liaison receipt verify - --json < receipt.txt | jq .entry.package`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			keys, witnesses, err := ledger.load(env)
			if err != nil {
				return err
			}
			text, err := readReceipt(env, args[0])
			if err != nil {
				return err
			}
			v, err := verifyReceipt(text, keys, witnesses)
			if err != nil {
				return err
			}
			return env.output().value(v, v.String())
		},
	}
	ledger.add(c)
	return c
}

func readReceipt(env *environment, path string) (string, error) {
	r := env.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", usageError(err, "give the file of a receipt, or - for standard input")
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, audit.MaxReceipt+1))
	if err != nil {
		return "", fmt.Errorf("read the receipt: %w", err)
	}
	return string(text), nil
}

func verifyReceipt(text string, keys audit.Keys, witnesses []audit.Witness) (verifiedReceipt, error) {
	const fix = "take the receipt as it was given, byte for byte, and the ledger's key from the operator, not from whoever gave you the receipt"
	r, err := audit.ParseReceipt(text)
	if err != nil {
		return verifiedReceipt{}, verificationError(fmt.Errorf("the receipt does not verify: %w", err), fix)
	}
	v, err := r.Verify(keys, witnesses)
	if err != nil {
		return verifiedReceipt{}, verificationError(fmt.Errorf("the receipt does not verify: %w", err), fix)
	}
	return verifiedReceipt{Verdict: verdict(v.Witnessed), Witnessed: v.Witnessed, Ledger: keys.Origin(), Index: v.Index, Size: v.Size, Entry: v.Entry}, nil
}

// verdict says what a receipt proves that verifies.
func verdict(witnessed int) string {
	if witnessed == 0 {
		return "included"
	}
	return fmt.Sprintf("included and witnessed by %d", witnessed)
}

// String tells the receipt in words.
func (v verifiedReceipt) String() string {
	lines := []string{v.Verdict,
		fmt.Sprintf("%-14s %d of %s, at place %d of %d in %s", "entry", v.Entry.Seq, v.Entry.Owner, v.Index, v.Size, v.Ledger)}
	return strings.Join(append(lines, entryWords(v.Entry)...), "\n")
}

// upgrading is what the flags of receipt upgrade say.
type upgrading struct {
	env *environment
	profileFlags
	file string
	wait time.Duration
}

func newReceiptUpgrade(env *environment) *cobra.Command {
	u := &upgrading{env: env}
	c := &cobra.Command{
		Use:   "upgrade FILE",
		Short: "Prove a receipt under a head that witnesses have cosigned",
		Long: `upgrade asks the exchange for the newest head that witnesses have cosigned, proves
the receipt's entry under it, and writes the receipt anew. A receipt as the
exchange gave it proves that the exchange promised the entry; one with witnesses
proves besides that the exchange shows the same history to others. Which witnesses
count says the profile's witnesses.yaml.

Witnesses cosign within seconds: --wait is how long to wait for that. If no such
head covers the entry by then the receipt stays as it is (exit code 6).`,
		Example: `  liaison receipt upgrade receipt.txt --wait 10s
  liaison receipt upgrade receipt.txt -o witnessed.txt`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &u.profileFlags, u.run),
	}
	u.profileFlags.add(c)
	c.Flags().StringVarP(&u.file, "output", "o", "", "write the new receipt to this file (default: the same file)")
	c.Flags().DurationVar(&u.wait, "wait", 0, "wait so long for witnesses to cosign")
	return c
}

// upgrade asks until witnesses have cosigned, or the wait is over.
func (u *upgrading) upgrade(ctx context.Context, c *client.Client, r audit.Receipt) (audit.Receipt, audit.Verified, error) {
	over := time.After(u.wait)
	for {
		upgraded, v, err := c.Upgrade(ctx, r)
		if !errors.Is(err, client.ErrNotWitnessed) || u.wait == 0 {
			return upgraded, v, err
		}
		select {
		case <-over:
			return upgraded, v, err
		case <-ctx.Done():
			return upgraded, v, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (u *upgrading) run(ctx context.Context, c *client.Client, args []string) error {
	text, err := readReceipt(u.env, args[0])
	if err != nil {
		return err
	}
	r, err := audit.ParseReceipt(text)
	if err != nil {
		return verificationError(fmt.Errorf("the receipt does not verify: %w", err), "take the receipt as it was given, byte for byte")
	}
	upgraded, v, err := u.upgrade(ctx, c, r)
	if errors.Is(err, client.ErrNotWitnessed) {
		return &exitError{err: err, code: exitUnavailable, fix: "wait for them with --wait 30s; if it stays so, compare witnesses.yaml in the profile with what the agencies published, and ask the operator"}
	}
	if err != nil {
		return err
	}
	file := u.file
	if file == "" {
		file = args[0]
	}
	if file == "-" {
		_, err := fmt.Fprint(u.env.Stdout, upgraded.Encode())
		return err
	}
	if err := certs.WriteSecret(file, []byte(upgraded.Encode())); err != nil {
		return err
	}
	shown := verifiedReceipt{Verdict: verdict(v.Witnessed), Witnessed: v.Witnessed, Ledger: v.Checkpoint.Origin, Index: v.Index, Size: v.Size, Entry: v.Entry}
	return u.env.output().value(shown, fmt.Sprintf("%s: %s, under a head of %d entries", printable(file), shown.Verdict, v.Size))
}
