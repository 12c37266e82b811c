package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// Restoration says how a backup is restored.
type Restoration struct {
	// NewEpoch takes a state that is behind what was signed, as the way out
	// after a real loss: the ledger goes on under Origin with a new key.
	NewEpoch bool
	Origin   string
	// Erasures is the list of erasures; empty: the one beside the ledger's key.
	// Without it nothing is restored, unless NoErasures.
	Erasures   string
	NoErasures bool
}

// Restored tells what became of it.
type Restored struct {
	Exchange    string `json:"exchange"`
	LogKey      string `json:"log_key"`
	Size        int64  `json:"size"`
	Kept        int64  `json:"kept"`
	Lost        int64  `json:"lost"` // entries that were signed and are not in the backup
	Entries     int    `json:"entries"`
	ErasedAgain int    `json:"erased_again"` // acts of erasure that were carried out again
	Former      string `json:"former,omitempty"`
}

// Errors of Restore.
var (
	ErrStateThere = errors.New("there is a state already")
	ErrNoList     = errors.New("there is no list of erasures: what was erased since the backup would come back")
	ErrNoPlace    = errors.New("a state cannot be put there")
	ErrRestores   = errors.New("another restoration is running")
)

// Restore verifies a backup, its files and its whole ledger, and puts it where
// the configuration has the state, which must not be there. What was erased
// since is erased again first. A state behind the last signed head is refused
// (audit.ErrBehind), unless as a new epoch. One that was interrupted begins
// anew, or, if it had got to putting things in their places, is finished. While
// one runs, there is no other, and no start (ErrRestores).
func Restore(ctx context.Context, cfg Config, dir string, how Restoration) (done *Restored, err error) {
	m, err := readBackup(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(besideState(cfg)), 0o700); err != nil {
		return nil, err
	}
	unlock, err := lockRestoration(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if plan, err := carryOut(cfg); err != nil {
		return nil, err
	} else if plan != nil && plan.of(m) {
		return &plan.Done, nil
	}
	if err := stateIsFree(cfg); err != nil {
		return nil, err
	}
	listed, err := how.list(cfg)
	if err != nil {
		return nil, err
	}
	signer, err := loadSigner(cfg.LedgerKey)
	if err != nil {
		return nil, err
	}
	anchor, err := readAnchor(cfg, signer)
	if err != nil {
		return nil, err
	}
	r := &restoring{cfg: cfg, how: how, manifest: m, listed: listed, signer: signer, anchor: anchor, dir: besideState(cfg)}
	if err := errors.Join(r.discard(), clearPlace(cfg)); err != nil {
		return nil, err
	}
	if done, err = r.prepare(ctx, dir); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	if _, err := carryOut(cfg); err != nil {
		return nil, err
	}
	return done, nil
}

// prepare makes all that is new, and the plan.
func (r *restoring) prepare(ctx context.Context, dir string) (*Restored, error) {
	if err := r.manifest.unpack(dir, r.dir); err != nil {
		return nil, err
	}
	step("unpacked")
	done, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	step("run")
	return done, r.decide(done)
}

// step is called by name after each step of a restoration; a test stops there.
var step = func(string) {}

// list reads the list of erasures.
func (how Restoration) list(cfg Config) ([]exchange.ListedErasure, error) {
	if how.NoErasures {
		return nil, nil
	}
	path := how.Erasures
	if path == "" {
		path = cfg.LedgerKey + exchange.ErasureListSuffix
	}
	all, err := exchange.ReadErasureList(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoList)
	}
	return all, err
}

// readBackup reads a manifest and holds all files against it.
func readBackup(dir string) (*BackupManifest, error) {
	raw, err := os.ReadFile(filepath.Join(dir, backupManifest))
	if err != nil {
		return nil, err
	}
	m := &BackupManifest{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackup, backupManifest, err)
	}
	if m.Version != backupVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrBackup, m.Version, backupVersion)
	}
	for _, want := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(want.Path)) {
			return nil, fmt.Errorf("%w: a file lies outside of it", ErrBackup)
		}
		got, err := fileOf(dir, filepath.Join(dir, filepath.FromSlash(want.Path)))
		if err != nil || got != want {
			return nil, errors.Join(fmt.Errorf("%w: %s is not what was copied", ErrBackup, want.Path), err)
		}
	}
	return m, nil
}

// unpack copies the state of a backup.
func (m *BackupManifest) unpack(dir, to string) error {
	for _, f := range m.Files {
		if strings.HasPrefix(f.Path, backupKeys+"/") {
			continue
		}
		target := filepath.Join(to, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(dir, filepath.FromSlash(f.Path)), target); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// restoring is a restoration on its way, beside the place of the state.
type restoring struct {
	cfg      Config
	how      Restoration
	manifest *BackupManifest
	listed   []exchange.ListedErasure
	signer   *audit.Signer
	anchor   audit.Checkpoint
	dir      string
}

func (r *restoring) run(ctx context.Context) (done *Restored, err error) {
	s, err := store.Open(ctx, store.Config{Dir: r.dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	done = &Restored{Exchange: r.signer.Origin(), LogKey: r.signer.VerifierKey()}
	behind := false
	if err := s.View(ctx, func(rows exchange.Reader) error {
		if err := r.verify(rows, done); err != nil {
			return err
		}
		behind, err = r.behind(rows, done)
		return err
	}); err != nil {
		return nil, err
	}
	if !behind {
		return done, nil
	}
	return done, r.newEpoch(ctx, s, done)
}

// verify proves the copy: every entry is the one that was committed to, and
// stands in the tree whose head the backup names.
func (r *restoring) verify(rows exchange.Reader, done *Restored) error {
	head, err := rows.Head()
	if err != nil {
		return err
	}
	if head.Size != r.manifest.Size || head.Root.String() != r.manifest.Root {
		return fmt.Errorf("%w: its ledger is not the one that it names", ErrBackup)
	}
	tree := audit.EmptyTree()
	const page = 1000
	for first := int64(0); first < head.Size; first += page {
		var cs []audit.Commitment
		for i := first; i < min(first+page, head.Size); i++ {
			row, err := rows.EntryAt(i)
			if err != nil {
				return err
			}
			if row == nil || row.Entry != nil && (len(row.Salt) != len(audit.Salt{}) || audit.Commit(audit.Salt(row.Salt), row.Entry) != row.Commitment) {
				return fmt.Errorf("%w: entry %d is not the one that was recorded", ErrBackup, i)
			}
			cs = append(cs, row.Commitment)
		}
		growth, err := tree.Grow(cs)
		if err != nil {
			return err
		}
		tree = growth.Tree()
	}
	if tree.Root() != head.Root {
		return fmt.Errorf("%w: its entries do not make its ledger", ErrBackup)
	}
	done.Entries, done.Size, done.Kept = int(head.Size), head.Size, head.Size
	return r.extends(tree, rows)
}

// extends holds the copy against the head that was signed before it was made.
func (r *restoring) extends(tree audit.Tree, rows tlog.HashReader) error {
	if r.manifest.Checkpoint == "" {
		return nil
	}
	keys, err := audit.ParseKeys([]byte(r.manifest.LogKey))
	if err != nil {
		return fmt.Errorf("%w: its key: %w", ErrBackup, err)
	}
	cp, err := audit.OpenCheckpoint([]byte(r.manifest.Checkpoint), keys)
	if err == nil {
		err = audit.CheckExtends(cp, tree, rows)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return nil
}

// behind reports whether what was signed goes beyond the copy.
func (r *restoring) behind(rows exchange.Reader, done *Restored) (bool, error) {
	tree, err := audit.LoadTree(done.Size, rows)
	if err != nil {
		return false, err
	}
	err = audit.CheckExtends(r.anchor, tree, rows)
	switch {
	case r.anchor.Note == nil && !r.how.NewEpoch:
		return false, fmt.Errorf("%w: what was signed last is not known, since there is no %s.anchor", audit.ErrNoAnchor, r.cfg.LedgerKey)
	case r.how.NewEpoch:
		done.Lost = max(0, r.anchor.Size-done.Size)
		return true, nil
	case err != nil:
		return false, err
	}
	return false, nil
}

// newEpoch gives the ledger a new key and origin, and writes its first entry.
// The key waits beside the one that it will replace.
func (r *restoring) newEpoch(ctx context.Context, s *store.SQLite, done *Restored) (err error) {
	if r.how.Origin == "" || r.how.Origin == r.signer.Origin() {
		return errors.New("a new epoch has a new origin: name it")
	}
	skey, vkey, err := audit.GenerateKey(r.how.Origin)
	if err != nil {
		return err
	}
	signer, err := audit.NewSigner(skey)
	if err != nil {
		return err
	}
	anchor := nextKey(r.cfg) + ".anchor"
	if err := r.firstAnchor(ctx, s, signer, anchor); err != nil {
		return err
	}
	log := r.cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	journal, err := exchange.OpenJournal(ctx, exchange.JournalConfig{Store: s, Signer: signer, AnchorPath: anchor, Clock: r.cfg.Clock, Log: log})
	if err != nil {
		return err
	}
	blobs, _, err := exchange.OpenEpoch(ctx, journal, exchange.Epoch{Operator: r.cfg.Operator, Lost: r.anchor, BackupMade: r.manifest.Made, Listed: r.listed, NoList: r.how.NoErasures})
	if err = errors.Join(err, journal.Close()); err != nil {
		return err
	}
	if err := r.removeBlobs(ctx, blobs); err != nil {
		return err
	}
	if clean, err := s.Scrub(ctx); err != nil || !clean {
		return errors.Join(errors.New("what was erased again could not be cleaned up"), err)
	}
	done.Former, done.Exchange, done.LogKey, done.ErasedAgain = r.signer.VerifierKey(), r.how.Origin, vkey, len(r.listed)
	return errors.Join(certs.WriteSecret(nextKey(r.cfg), []byte(skey+"\n")), certs.WritePublic(nextKey(r.cfg)+".vkey", []byte(vkey+"\n")))
}

// firstAnchor signs the head of the copy with the new key.
func (r *restoring) firstAnchor(ctx context.Context, s *store.SQLite, signer *audit.Signer, path string) error {
	return s.View(ctx, func(rows exchange.Reader) error {
		head, err := rows.Head()
		if err != nil {
			return err
		}
		note, err := signer.Checkpoint(head.Size, head.Root)
		if err != nil {
			return err
		}
		return audit.WriteAnchor(path, note)
	})
}

func (r *restoring) removeBlobs(ctx context.Context, names []string) (err error) {
	blobs, err := store.OpenBlobs(filepath.Join(r.dir, store.BlobsDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := blobs.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
