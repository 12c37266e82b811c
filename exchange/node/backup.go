package node

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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

// BackupOptions says how a backup is made.
type BackupOptions struct {
	WithKeys bool                    // copy the keys of ledger and server as well
	MaxLog   int64                   // how large the write-ahead log may grow meanwhile, in bytes; 0: 1 GiB
	Progress func(done, total int64) // of the database, in bytes; may be nil
}

// Backup copies the state of an exchange into a new directory, while it runs
// or not: the database as of one moment, then the blobs that it names. The
// manifest comes last: a backup without one is none. What could not be
// finished is removed. A copy keeps the write-ahead log of the exchange from
// being folded: one that takes too long for what is committed meanwhile is
// given up (store.ErrLogGrew).
func Backup(ctx context.Context, cfg Config, dir string, how BackupOptions) (_ *BackupManifest, err error) {
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
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	m := &BackupManifest{Version: backupVersion, Made: audit.FormatTime(now(cfg)), Exchange: signer.Origin(), LogKey: signer.VerifierKey(), Checkpoint: string(anchor.Note)}
	if err := store.CopyDatabase(ctx, cfg.State, filepath.Join(dir, store.DatabaseFile), store.Copying{MaxLog: how.MaxLog, Progress: how.Progress}); err != nil {
		return nil, err
	}
	names, err := m.look(ctx, dir)
	if err == nil {
		err = m.copyBlobs(ctx, cfg, dir, names)
	}
	if err == nil && how.WithKeys {
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
