package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/store"
)

func newBackup(env *environment) *cobra.Command {
	var config, out string
	var how node.BackupOptions
	var most int64
	c := &cobra.Command{
		Use:   "backup --config FILE -o DIR",
		Short: "Copy the state of an exchange while it runs",
		Long: `backup copies database, content and attachments of an exchange into a new directory,
as of one moment, while the exchange runs or not. backup.json names every file with
its digest, and the ledger's head: restore verifies all of it. Run it as the user
of the exchange, on its machine.

Keys stay out of it, unless --with-keys: keep those apart. What lies beside the
ledger's key, the anchor and the list of erasures, is what makes a restored copy
trustworthy: keep both off the disk of the state, and copy them more often than
this. What is erased later is in this copy until you delete it: let backups rotate.

While the database is copied, nothing that is committed can leave the exchange's
write-ahead log. If the log outgrows --max-log, the copy lets go, so that the log is
folded, and begins anew; after three times it gives up with exit code 6 and leaves
nothing. Copy then at a quieter hour, give it a faster disk, or a higher --max-log:
the state's disk must have as much free.`,
		Example: `  liaison backup --config /etc/liaison/exchange.yaml -o /backup/2026-11-27
  liaison backup --config /etc/liaison/exchange.yaml -o /backup/2026-11-27 --max-log 8192`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := node.LoadConfig(config)
			if err != nil {
				return usageError(err, "name the configuration of the exchange")
			}
			if most < 1 || most > 1<<40 {
				return usageError(fmt.Errorf("--max-log %d", most), "give a number of MiB, from 1")
			}
			how.MaxLog = most << 20
			bar := env.progress("copying the database", true)
			how.Progress = bar.set
			m, err := node.Backup(c.Context(), cfg, out, how)
			bar.end()
			if err != nil {
				return backupError(err)
			}
			return env.output().value(m, fmt.Sprintf("%s as of %s is in %s: %s.\n", m.Exchange, entries(uint64(m.Size)), out, number(len(m.Files), "file")))
		},
	}
	f := c.Flags()
	f.StringVar(&config, "config", "", "configuration file of the exchange")
	f.StringVarP(&out, "output", "o", "", "directory for the copy, which must not be there yet")
	f.BoolVar(&how.WithKeys, "with-keys", false, "copy the keys of ledger and server as well")
	f.Int64Var(&most, "max-log", 1024, "MiB to which the exchange's write-ahead log may grow meanwhile")
	for _, name := range []string{"config", "output"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.MarkFlagFilename("config", "yaml", "yml")
	_ = c.MarkFlagDirname("output")
	return c
}

// backupError gives what keeps a backup from being made its exit code and its
// fix.
func backupError(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return usageError(err, "name a directory that is not there yet")
	case errors.Is(err, store.ErrLogGrew):
		return tryAgainError(err, "nothing is left of the copy, and the exchange goes on: copy at a quieter hour, to a faster disk, or with a higher --max-log, for which the state's disk must have room")
	case errors.Is(err, store.ErrDamaged):
		return verificationError(err, "the database of the exchange itself is damaged: keep your older backups, stop the exchange, and see docs/operations.md for restore")
	}
	return err
}

func newRestore(env *environment) *cobra.Command {
	var config string
	var how node.Restoration
	c := &cobra.Command{
		Use:   "restore DIR --config FILE",
		Short: "Verify a backup and put it in the place of the state",
		Long: `restore verifies a backup: each file, each entry against its commitment, the ledger's
tree and head, and that it extends the head signed before it was made. Then it puts
it where the configuration has the state, which must not be there: move the damaged
one away, and keep it.

What was erased after the backup was made is erased again before anything is served:
by the list of erasures beside the ledger's key, or --erasures FILE. Without a list
nothing is restored; --without-erasure-list says that it is lost, and that stands in
the ledger.

A backup that is behind the last head that was signed is refused: to go on from it
would take back what others hold receipts for. After a real loss, when no newer copy
is left, --new-epoch goes on all the same, and says so: the ledger gets a new origin
(--origin) and key, its first entry names the old head and the lost range, old
receipts verify against the old key. Everybody needs the new key: see
docs/operations.md.

Exit code 5: the backup is damaged, or behind.`,
		Example: `  liaison restore /backup/2026-11-27 --config /etc/liaison/exchange.yaml
  liaison restore /backup/2026-11-27 --config /etc/liaison/exchange.yaml --new-epoch --origin exchange.example/ledger-2`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := node.LoadConfig(config)
			if err != nil {
				return usageError(err, "name the configuration of the exchange")
			}
			if how.NewEpoch != (how.Origin != "") {
				return usageError(errors.New("--new-epoch and --origin go together"), "name the ledger's new origin, such as exchange.example/ledger-2")
			}
			cfg.Clock = env.Now
			done, err := node.Restore(c.Context(), cfg, args[0], how)
			if err != nil {
				return restoreError(err)
			}
			return env.output().value(done, restoredWords(done, cfg.LedgerKey))
		},
	}
	f := c.Flags()
	f.StringVar(&config, "config", "", "configuration file of the exchange")
	f.BoolVar(&how.NewEpoch, "new-epoch", false, "go on from a state that is behind what was signed, under a new origin and key")
	f.StringVar(&how.Origin, "origin", "", "with --new-epoch: the ledger's new origin")
	f.StringVar(&how.Erasures, "erasures", "", "the list of erasures (default: the one beside the ledger's key)")
	f.BoolVar(&how.NoErasures, "without-erasure-list", false, "the list is lost: what was erased since the backup comes back")
	c.MarkFlagsMutuallyExclusive("erasures", "without-erasure-list")
	_ = c.MarkFlagRequired("config")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
	return c
}

// restoreError gives what restore refuses its exit code and its fix.
func restoreError(err error) error {
	switch {
	case errors.Is(err, node.ErrStateThere):
		return usageError(err, "move it away, and keep it: the newer of two states is not always the worse")
	case errors.Is(err, node.ErrNoPlace):
		return usageError(err, "let `state:` name a directory that can be renamed, no mount point and no link: one below it, for instance")
	case errors.Is(err, node.ErrRestores):
		return tryAgainError(err, "wait until it has ended; one that was killed holds nothing")
	case errors.Is(err, node.ErrNoList):
		return usageError(err, "name it with --erasures, or say --without-erasure-list if it is lost")
	case errors.Is(err, node.ErrBackup):
		return verificationError(err, "use another backup")
	case errors.Is(err, audit.ErrBehind), errors.Is(err, audit.ErrFork), errors.Is(err, audit.ErrNoAnchor):
		return verificationError(err, "look for a newer copy of the state first; if none is left, --new-epoch --origin NAME goes on under a new key and says so")
	}
	return err
}

func restoredWords(done *node.Restored, key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Restored: %d entries, all verified.\n", done.Entries)
	if done.Former == "" {
		return b.String()
	}
	fmt.Fprintf(&b, "A new epoch: %s goes on as %s. %d entries that were signed are lost; %d erasures were carried out again.\n", strings.SplitN(done.Former, "+", 2)[0], done.Exchange, done.Lost, done.ErasedAgain)
	fmt.Fprintf(&b, "Give everybody the new key, %s.vkey, by a way that they trust:\n%s\n", key, done.LogKey)
	return b.String()
}

// formerOrigins are those of the profile's ledger, if there is a profile.
func (p *profileFlags) formerOrigins(env *environment) ([]string, error) {
	dir, err := p.path(env)
	if err != nil {
		return nil, nil //nolint:nilerr // a copy is verified without a profile, too
	}
	return (&client.Profile{Dir: dir}).FormerOrigins()
}
