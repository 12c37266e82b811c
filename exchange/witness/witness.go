package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// The files of a witness's directory. Each ledger has two files more, <digest of its origin>.vkey and .head.
const (
	FileKey  = "witness.key"  // private, 0600
	FileVKey = "witness.vkey" // what the exchange and all clients are told
	fileLock = "lock"
	vkeyEnd  = ".vkey"  // the ledger's verifier keys, as audit.ParseKeys reads them
	endedEnd = ".ended" // instead of .vkey, of a ledger that came to its end
	headEnd  = ".head"  // the newest checkpoint that was cosigned, with the cosignature; empty: none yet
)

// ErrHeadLost says that a witness does not know any more what it has cosigned: it could cosign a second history.
var ErrHeadLost = errors.New("the newest head that was cosigned is gone")

// ErrEnded says that a ledger was watched until it came to its end.
var ErrEnded = errors.New("this ledger has ended: it is not watched again")

// ErrInUse says that another process has the directory.
var ErrInUse = errors.New("another process runs this witness")

// Init makes the directory of a new witness and returns its verifier key. The name is a URL without scheme that says whose witness
// it is, "witness.police.example/lv".
func Init(dir, name string) (vkey string, err error) {
	skey, vkey, err := audit.GenerateWitnessKey(name)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return vkey, errors.Join(certs.WriteSecret(filepath.Join(dir, FileKey), []byte(skey+"\n")),
		certs.WritePublic(filepath.Join(dir, FileVKey), []byte(vkey+"\n")))
}

// Watch adds a ledger to a witness's directory, or replaces the keys of one that it watches already: what was cosigned stays.
func Watch(dir string, ledger audit.Keys) error {
	if ledger.Origin() == "" {
		return errors.New("no verifier key of a ledger")
	}
	base := filepath.Join(dir, fileName(ledger.Origin()))
	f, err := os.OpenFile(base+headEnd, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case err == nil:
		err = f.Close()
	case errors.Is(err, fs.ErrExist):
		err = nil
		if _, ended := os.Stat(base + endedEnd); ended == nil {
			return fmt.Errorf("%w: %s", ErrEnded, ledger.Origin())
		}
		if _, watched := os.Stat(base + vkeyEnd); watched != nil {
			return fmt.Errorf("%s is there without %s: somebody removed the keys of a ledger that was watched", base+headEnd, vkeyEnd)
		}
	}
	if err != nil {
		return err
	}
	return certs.WritePublic(base+vkeyEnd, []byte(ledger.String()))
}

func fileName(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:8])
}

// End stops watching a ledger that has come to its end: one that went on under another origin, in a new epoch. What was cosigned
// stays, so that it cannot be watched again from its beginning. A witness that runs reads it when it is started again.
func End(dir, origin string) error {
	base := filepath.Join(dir, fileName(origin))
	if err := os.Rename(base+vkeyEnd, base+endedEnd); err != nil {
		return fmt.Errorf("%s is not watched: %w", origin, err)
	}
	return nil
}

// Known is what a witness's directory holds, as Look reads it beside a witness that may run.
type Known struct {
	VerifierKey string
	Runs        bool
	Heads       []Head
}

// Look reads a witness's directory, and changes nothing.
func Look(dir string) (k Known, err error) {
	w := &Witness{cfg: Config{Dir: dir}, ledgers: map[string]*ledger{}}
	if err := errors.Join(w.openKey(), w.openLedgers()); err != nil {
		return k, err
	}
	k = Known{VerifierKey: w.VerifierKey(), Heads: w.Heads()}
	lock, err := os.Open(filepath.Join(dir, fileLock))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		k.Runs = syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
		err = lock.Close()
	}
	return k, err
}

// Config is what a Witness is made of.
type Config struct {
	Dir   string           // as Init made it; one process at a time
	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default
}

// Witness cosigns heads of the ledgers that it watches. It is safe for concurrent use.
type Witness struct {
	cfg      Config
	cosigner *audit.Cosigner
	ledgers  map[string]*ledger // by origin
	lock     *os.File

	mu      sync.Mutex
	strange map[string]bool // ledgers that asked and are not watched; guarded by mu
}

// strangers is how many ledgers that are not watched are told of: anybody may ask.
const strangers = 16

// ledger is one that is watched, and the newest head of it that was cosigned.
type ledger struct {
	keys audit.Keys
	path string

	mu   sync.Mutex
	last audit.Checkpoint // guarded by mu; without a note: none yet
}

// Open opens a witness's directory.
func Open(cfg Config) (*Witness, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	w := &Witness{cfg: cfg, ledgers: map[string]*ledger{}}
	if err := w.openKey(); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(cfg.Dir, fileLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrInUse, cfg.Dir, err), lock.Close())
	}
	w.lock = lock
	if err := w.openLedgers(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Witness) openKey() error {
	path := filepath.Join(w.cfg.Dir, FileKey)
	if err := certs.CheckPrivate(path); err != nil {
		return err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if w.cosigner, err = audit.NewCosigner(strings.TrimSpace(string(raw))); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (w *Witness) openLedgers() error {
	files, err := filepath.Glob(filepath.Join(w.cfg.Dir, "*"+vkeyEnd))
	if err != nil {
		return err
	}
	for _, path := range files {
		if filepath.Base(path) == FileVKey {
			continue
		}
		l, err := w.openLedger(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		w.ledgers[l.keys.Origin()] = l
	}
	return nil
}

// openLedger reads the newest head that was cosigned: it must bear both signatures.
func (w *Witness) openLedger(path string) (*ledger, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := audit.ParseKeys(raw)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(path, vkeyEnd)
	if filepath.Base(base) != fileName(keys.Origin()) {
		return nil, fmt.Errorf("the file is not that of %s", keys.Origin())
	}
	l := &ledger{keys: keys, path: base + headEnd}
	note, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrHeadLost, l.path)
	}
	if err != nil || len(note) == 0 {
		return l, err
	}
	if l.last, err = audit.OpenCheckpoint(note, keys); err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	cs, err := l.last.Cosignatures([]audit.Witness{w.cosigner.Witness()})
	if err != nil || len(cs) != 1 {
		return nil, fmt.Errorf("%s: %w: it does not bear this witness's cosignature", l.path, ErrHeadLost)
	}
	return l, nil
}

// Close lets go of the directory.
func (w *Witness) Close() error { return w.lock.Close() }

// VerifierKey is the witness's public key.
func (w *Witness) VerifierKey() string { return w.cosigner.Witness().String() }

// Head is what a witness knows of a ledger.
type Head struct {
	Origin string
	Size   int64 // of the newest checkpoint that was cosigned
	At     time.Time
}

// Heads are the ledgers that are watched.
func (w *Witness) Heads() []Head {
	var heads []Head
	for origin, l := range w.ledgers {
		l.mu.Lock()
		h := Head{Origin: origin, Size: l.last.Size}
		if cs, err := l.last.Cosignatures([]audit.Witness{w.cosigner.Witness()}); l.last.Note != nil && err == nil && len(cs) == 1 {
			h.At = cs[0].Time
		}
		l.mu.Unlock()
		heads = append(heads, h)
	}
	slices.SortFunc(heads, func(a, b Head) int { return strings.Compare(a.Origin, b.Origin) })
	return heads
}

// Handler serves the submission prefix.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.serve)
	return mux
}

func (w *Witness) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, audit.MaxSubmission))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(rw, audit.ErrSubmission.Error(), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(rw, "the request cannot be read", http.StatusBadRequest)
		return
	}
	line, size, err := w.Add(body)
	if err != nil {
		w.refuse(rw, size, err)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = rw.Write(line) // who has gone asks again
}

// ErrUnknownLedger says that a witness does not watch the ledger of a submission.
var ErrUnknownLedger = errors.New("this witness does not watch that ledger")

// refuse answers as c2sp.org/tlog-witness says for each reason.
func (w *Witness) refuse(rw http.ResponseWriter, size int64, err error) {
	if errors.Is(err, audit.ErrConflict) {
		rw.Header().Set("Content-Type", mediaSize)
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", size)
		return
	}
	for _, known := range []struct {
		err    error
		status int
	}{
		{audit.ErrSubmission, http.StatusBadRequest},
		{ErrUnknownLedger, http.StatusNotFound},
		{audit.ErrSignature, http.StatusForbidden},
		{audit.ErrCheckpoint, http.StatusBadRequest}, // signed or not: it is no checkpoint
		{audit.ErrOldSize, http.StatusBadRequest},
		{audit.ErrRoots, http.StatusConflict}, // without a size: to ask again from it would not help
		{audit.ErrProof, http.StatusUnprocessableEntity},
	} {
		if errors.Is(err, known.err) {
			http.Error(rw, known.err.Error(), known.status)
			return
		}
	}
	http.Error(rw, "the witness cannot record what it would cosign", http.StatusInternalServerError)
}

// Add answers a submission with the line of a cosignature, or says why not; for audit.ErrConflict with the size that was cosigned.
// The head is on disk before the line leaves: after a crash nothing was promised that is not known any more.
func (w *Witness) Add(body []byte) (line []byte, size int64, err error) {
	s, err := audit.ParseSubmission(body)
	if err != nil {
		return nil, 0, err
	}
	l := w.ledgers[s.Origin()]
	if l == nil {
		w.tellOf(s.Origin())
		return nil, 0, ErrUnknownLedger
	}
	cp, err := audit.OpenCheckpoint(s.Note, l.keys)
	if err != nil {
		return nil, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.Check(l.last, cp); err != nil {
		w.alarm(l, cp, err)
		return nil, l.last.Size, err
	}
	line, err = w.cosigner.Cosignature(cp, w.cfg.Clock().Unix())
	if err != nil {
		return nil, 0, err
	}
	merged, _, err := cp.Merge(line, w.cosigner.Witness())
	if err != nil {
		return nil, 0, err
	}
	if err := audit.WriteAnchor(l.path, merged.Note); err != nil {
		w.cfg.Log.Error("head not recorded, nothing is cosigned", slog.Any("error", err))
		return nil, 0, err
	}
	l.last = merged
	return line, cp.Size, nil
}

// tellOf tells once of a ledger that asks and is not watched: one that went on under another origin is another ledger, and nobody
// but the operator of this witness says that it is to be watched.
func (w *Witness) tellOf(origin string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.strange[origin] || len(w.strange) >= strangers {
		return
	}
	if w.strange == nil {
		w.strange = map[string]bool{}
	}
	w.strange[origin] = true
	w.cfg.Log.Warn("a ledger that this witness does not watch asks for a cosignature and gets none: if it is a new epoch of one that it watches, "+
		"ask the operator of the exchange why, by a way that is not the exchange, then liaison witness watch", slog.String("ledger", origin))
}

// alarm tells what a ledger has signed and this witness does not cosign: proof that it shows two histories, or a lost proof. An old
// size that is another is how a ledger asks.
func (w *Witness) alarm(l *ledger, cp audit.Checkpoint, err error) {
	if errors.Is(err, audit.ErrProof) || errors.Is(err, audit.ErrRoots) {
		w.cfg.Log.Error("the ledger signed a head that does not extend the newest one that was cosigned: keep both",
			slog.String("ledger", cp.Origin), slog.Any("error", err), slog.String("cosigned", string(l.last.Note)), slog.String("refused", string(cp.Note)))
	}
}
