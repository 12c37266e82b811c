package node

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
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
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// BackupManifest is the file backup.json of a backup: what is in it, and where
// the ledger stood.
type BackupManifest struct {
	Version    int          `json:"version"`
	Made       string       `json:"made"`
	Exchange   string       `json:"exchange"`   // the ledger's origin
	LogKey     string       `json:"log_key"`    // its verifier key
	Checkpoint string       `json:"checkpoint"` // the newest signed head, of the moment before the copy
	Size       int64        `json:"size"`       // of the ledger in the copy
	Root       string       `json:"root"`
	Files      []BackupFile `json:"files"`
	Absent     []string     `json:"absent,omitempty"` // blobs that were erased while the copy was made
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // base64url
}

const (
	backupManifest = "backup.json"
	backupVersion  = 1
	backupKeys     = "keys"
)

// ErrBackup says that a backup is damaged or not whole.
var ErrBackup = errors.New("the backup is damaged")

// Backup copies the state of an exchange into a new directory, while it runs
// or not: the database as of one moment, then the blobs that it names. The
// manifest comes last: a backup without one is none. Keys stay out of it,
// unless withKeys.
func Backup(ctx context.Context, cfg Config, dir string, withKeys bool) (*BackupManifest, error) {
	signer, err := loadSigner(cfg.LedgerKey)
	if err != nil {
		return nil, err
	}
	anchor, err := readAnchor(cfg, signer) // before the copy, which then extends it
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	m := &BackupManifest{Version: backupVersion, Made: audit.FormatTime(now(cfg)), Exchange: signer.Origin(), LogKey: signer.VerifierKey(), Checkpoint: string(anchor.Note)}
	if err := store.CopyDatabase(ctx, cfg.State, filepath.Join(dir, store.DatabaseFile)); err != nil {
		return nil, err
	}
	names, err := m.look(ctx, dir)
	if err == nil {
		err = m.copyBlobs(ctx, cfg, dir, names)
	}
	if err == nil && withKeys {
		err = copyKeys(cfg, dir)
	}
	if err == nil {
		err = m.list(dir)
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	return m, errors.Join(certs.WriteSecret(filepath.Join(dir, backupManifest), append(raw, '\n')), syncTree(dir))
}

func now(cfg Config) time.Time {
	if cfg.Clock != nil {
		return cfg.Clock()
	}
	return time.Now()
}

// readAnchor is the newest head that was signed; the zero one of an exchange
// that has not signed any.
func readAnchor(cfg Config, signer *audit.Signer) (audit.Checkpoint, error) {
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		return audit.Checkpoint{}, err
	}
	cp, err := audit.ReadAnchor(cfg.LedgerKey+".anchor", keys)
	if errors.Is(err, audit.ErrNoAnchor) {
		return cp, nil
	}
	return cp, err
}

// look reads the copy: the head, and the blobs that it names.
func (m *BackupManifest) look(ctx context.Context, dir string) (names []string, err error) {
	err = openCopy(ctx, dir, func(rows exchange.Reader) error {
		head, err := rows.Head()
		if err != nil {
			return err
		}
		m.Size, m.Root = head.Size, head.Root.String()
		return rows.Blobs(func(name string) error { names = append(names, name); return nil })
	})
	return names, err
}

// openCopy reads a database in a directory, and leaves nothing beside it.
func openCopy(ctx context.Context, dir string, f func(exchange.Reader) error) error {
	s, err := store.Open(ctx, store.Config{Dir: dir})
	if err != nil {
		return err
	}
	err = s.View(ctx, f)
	err = errors.Join(err, s.Close())
	for _, name := range []string{"lock", store.DatabaseFile + "-wal", store.DatabaseFile + "-shm"} {
		if e := os.Remove(filepath.Join(dir, name)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// copyBlobs copies what the copy of the database names. What is gone by now
// was erased meanwhile: the list of erasures has it.
func (m *BackupManifest) copyBlobs(ctx context.Context, cfg Config, dir string, names []string) (err error) {
	from, err := store.OpenBlobs(filepath.Join(cfg.State, store.BlobsDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := store.OpenBlobs(filepath.Join(dir, store.BlobsDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for _, name := range names {
		switch err := copyBlob(ctx, from, to, name); {
		case errors.Is(err, fs.ErrNotExist):
			m.Absent = append(m.Absent, name)
		case err != nil:
			return err
		}
	}
	return nil
}

func copyBlob(ctx context.Context, from, to exchange.Blobs, name string) (err error) {
	r, err := from.Open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := to.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return errors.Join(err, w.Close())
	}
	return w.Commit()
}

// copyKeys copies what no other copy of the exchange should have.
func copyKeys(cfg Config, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, backupKeys), 0o700); err != nil {
		return err
	}
	for name, path := range map[string]string{"ledger.key": cfg.LedgerKey, "server.key": cfg.Key, "server.crt": cfg.Certificate} {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = certs.WriteSecret(filepath.Join(dir, backupKeys, name), raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list notes every file with its digest.
func (m *BackupManifest) list(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := fileOf(dir, path)
		m.Files = append(m.Files, f)
		return err
	})
}

func fileOf(dir, path string) (BackupFile, error) {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return BackupFile{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return BackupFile{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return BackupFile{Path: filepath.ToSlash(rel), Size: n, SHA256: base64.RawURLEncoding.EncodeToString(sum.Sum(nil))}, err
}

// syncTree makes the names in all directories durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

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
)

// Restore verifies a backup, its files and its whole ledger, and puts it where
// the configuration has the state, which must not be there. What was erased
// since is erased again first. A state behind the last signed head is refused
// (audit.ErrBehind), unless as a new epoch.
func Restore(ctx context.Context, cfg Config, dir string, how Restoration) (*Restored, error) {
	m, err := readBackup(dir)
	if err != nil {
		return nil, err
	}
	if files, err := os.ReadDir(cfg.State); err == nil && len(files) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.State, ErrStateThere), err)
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
	beside := cfg.State + ".restoring"
	if err := errors.Join(os.RemoveAll(beside), m.unpack(dir, beside)); err != nil {
		return nil, err
	}
	r := &restoring{cfg: cfg, how: how, manifest: m, listed: listed, signer: signer, anchor: anchor, dir: beside}
	done, err := r.run(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(beside))
	}
	if err := errors.Join(removeEmpty(cfg.State), os.Rename(beside, cfg.State)); err != nil {
		return nil, err
	}
	return done, syncTree(filepath.Dir(cfg.State))
}

func removeEmpty(dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

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
	key := r.dir + ".key"
	if err := r.firstAnchor(ctx, s, signer, key+".anchor"); err != nil {
		return err
	}
	log := r.cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	journal, err := exchange.OpenJournal(ctx, exchange.JournalConfig{Store: s, Signer: signer, AnchorPath: key + ".anchor", Clock: r.cfg.Clock, Log: log})
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
	return r.exchangeKeys(skey, vkey, key+".anchor", done)
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

// exchangeKeys keeps the former key and anchor under names of their own and
// puts the new ones in their place.
func (r *restoring) exchangeKeys(skey, vkey, anchor string, done *Restored) error {
	path := r.cfg.LedgerKey
	kept := fmt.Sprintf("%s.former-%d", path, r.anchor.Size)
	for _, suffix := range []string{"", ".anchor"} {
		if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(certs.WriteSecret(path, []byte(skey+"\n")), os.Rename(anchor, path+".anchor"),
		certs.WritePublic(path+".vkey", []byte(vkey+"\n")), certs.WritePublic(kept+".vkey", []byte(done.Former+"\n")), syncTree(filepath.Dir(path)))
}
