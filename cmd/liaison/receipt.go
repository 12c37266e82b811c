package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newReceipt(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:     "receipt",
		Short:   "Prove what happened",
		Long:    "A receipt proves that an entry is in the exchange's ledger, to anybody who has the ledger's public key, without asking the exchange.",
		Example: `  liaison receipt verify receipt.txt`,
	}
	c.AddCommand(newReceiptVerify(env))
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
