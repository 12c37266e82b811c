package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
)

const origin = "exchange.example/ledger"

// book is a ledger that a test can make grow, and fork.
type book struct {
	t      testing.TB
	signer *audit.Signer
	keys   audit.Keys
	tree   audit.Tree
	stored hashes
}

type hashes []tlog.Hash

// ReadHashes implements the reader of stored hashes.
func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(h)) {
			return nil, fmt.Errorf("hash %d is not stored", x)
		}
		out[i] = h[x]
	}
	return out, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newBook(t testing.TB) *book {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	must(t, err)
	signer, err := audit.NewSigner(skey)
	must(t, err)
	keys, err := audit.ParseKeys([]byte(vkey))
	must(t, err)
	return &book{t: t, signer: signer, keys: keys, tree: audit.EmptyTree()}
}

func (b *book) grow(n int) {
	b.t.Helper()
	var cs []audit.Commitment
	for range n {
		cs = append(cs, audit.Commitment(audit.NewSalt()))
	}
	g, err := b.tree.Grow(cs)
	must(b.t, err)
	b.tree, b.stored = g.Tree(), append(b.stored, g.Stored()...)
}

// fork is another history of the same ledger, from here on.
func (b *book) fork() *book {
	other := *b
	other.stored = append(hashes{}, b.stored...)
	return &other
}

func (b *book) head() audit.Checkpoint {
	b.t.Helper()
	note, err := b.signer.Checkpoint(b.tree.Size(), b.tree.Root())
	must(b.t, err)
	cp, err := audit.OpenCheckpoint(note, b.keys)
	must(b.t, err)
	return cp
}

func (b *book) submission(old int64) audit.Submission {
	b.t.Helper()
	proof, err := audit.ProveExtends(old, b.tree.Size(), b.stored)
	must(b.t, err)
	return audit.Submission{Old: old, Proof: proof, Note: b.head().Note}
}

// at is the witness's clock.
var at = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// newWitness makes a witness of a ledger, and its directory.
func newWitness(t testing.TB, b *book) (*Witness, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "witness")
	_, err := Init(dir, "witness.example/w1")
	must(t, err)
	must(t, Watch(dir, b.keys))
	return open(t, dir), dir
}

func open(t testing.TB, dir string) *Witness {
	t.Helper()
	w, err := Open(Config{Dir: dir, Clock: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// ask posts a body and returns the answer.
func ask(h http.Handler, body []byte) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(body)))
	return rec
}

// TestWitness: each answer of c2sp.org/tlog-witness, in the order in which it asks.
func TestWitness(t *testing.T) {
	b := newBook(t)
	w, _ := newWitness(t, b)
	h := w.Handler()
	b.grow(3)
	three := b.fork()
	own, err := audit.ParseWitness(w.VerifierKey())
	must(t, err)
	cosigned := func(s audit.Submission, cp audit.Checkpoint) {
		t.Helper()
		rec := ask(h, s.Encode())
		if rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		_, c, err := cp.Merge(rec.Body.Bytes(), own)
		if err != nil || !c.Time.Equal(at) {
			t.Fatalf("%v, %v in %s", c, err, rec.Body)
		}
	}
	answers := func(what string, body []byte, status int, want string) {
		t.Helper()
		rec := ask(h, body)
		if rec.Code != status || want != "" && rec.Body.String() != want {
			t.Errorf("%s: %d %q, want %d %q", what, rec.Code, rec.Body, status, want)
		}
		if is := rec.Header().Get("Content-Type") == mediaSize; is != strings.HasSuffix(want, "\n") {
			t.Errorf("%s: Content-Type %q", what, rec.Header().Get("Content-Type"))
		}
	}
	answers("an old size that was never cosigned", b.submission(2).Encode(), http.StatusConflict, "0\n")
	cosigned(b.submission(0), b.head())
	cosigned(b.submission(3), b.head()) // the same head again: a new time
	b.grow(5)
	answers("begin anew", b.submission(0).Encode(), http.StatusConflict, "3\n")
	cosigned(b.submission(3), b.head())
	answers("the smaller head again", three.submission(3).Encode(), http.StatusConflict, "8\n")
	s := three.submission(3)
	s.Old = 8
	answers("an old size above the checkpoint's", s.Encode(), http.StatusBadRequest, "")

	other := three.fork()
	other.grow(5)
	answers("a second head of the same size", other.submission(8).Encode(), http.StatusConflict, "")
	other.grow(1)
	answers("a second history", other.submission(8).Encode(), http.StatusUnprocessableEntity, "")
	s = b.submission(8)
	s.Proof = append(s.Proof, tlog.Hash{})
	answers("a proof where none is to be", s.Encode(), http.StatusUnprocessableEntity, "")

	stranger := newBook(t) // the same origin, another key
	stranger.grow(9)
	answers("another key", stranger.submission(8).Encode(), http.StatusForbidden, "")
	answers("another ledger", []byte(strings.ReplaceAll(string(b.submission(8).Encode()), origin, "other.example/ledger")), http.StatusNotFound, "")
	answers("no submission", []byte("hello\n"), http.StatusBadRequest, "")
	answers("too long", make([]byte, audit.MaxSubmission+1), http.StatusRequestEntityTooLarge, "")
	for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, "/add-checkpoint", nil), httptest.NewRequest(http.MethodPost, "/", nil)} {
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code < 400 {
			t.Errorf("%s %s: %d", r.Method, r.URL, rec.Code)
		}
	}
	b.grow(1)
	cosigned(b.submission(8), b.head()) // none of that has moved it
}

// TestWitnessRemembers: what was cosigned is on disk before the cosignature leaves; a witness that cannot record, or does not know
// any more, cosigns nothing.
func TestWitnessRemembers(t *testing.T) {
	b := newBook(t)
	w, dir := newWitness(t, b)
	b.grow(4)
	fork := b.fork()
	line, _, err := w.Add(b.submission(0).Encode())
	must(t, err)
	head := filepath.Join(dir, fileName(origin)+headEnd)
	note, err := os.ReadFile(head)
	if err != nil || !bytes.Contains(note, line) {
		t.Fatalf("the head that was cosigned is not on disk: %v\n%s", err, note)
	}
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("two processes run one witness: %v", err)
	}
	must(t, w.Close())
	w = open(t, dir) // as after a crash
	fork.grow(2)
	b.grow(3)
	if _, size, err := w.Add(fork.submission(0).Encode()); !errors.Is(err, audit.ErrConflict) || size != 4 {
		t.Errorf("after a restart: size %d, %v", size, err)
	}

	must(t, os.Rename(dir, dir+".away")) // the disk fails
	if line, _, err := w.Add(b.submission(4).Encode()); err == nil {
		t.Errorf("cosigned without a record: %s", line)
	}
	if rec := ask(w.Handler(), b.submission(4).Encode()); rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), dir) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	must(t, os.Rename(dir+".away", dir))
	if _, _, err := w.Add(b.submission(4).Encode()); err != nil {
		t.Errorf("after the disk is back: %v", err)
	}
	must(t, w.Close())

	newest, err := os.ReadFile(head)
	must(t, err)
	for name, spoil := range map[string]func(){
		"gone":             func() { must(t, os.Remove(head)) },
		"not cosigned":     func() { must(t, os.WriteFile(head, b.head().Note, 0o600)) },
		"another ledger's": func() { must(t, os.WriteFile(head, []byte(strings.ReplaceAll(string(newest), origin, "x")), 0o600)) },
		"cut off":          func() { must(t, os.WriteFile(head, newest[:len(newest)/2], 0o600)) },
	} {
		spoil()
		if _, err := Open(Config{Dir: dir}); err == nil {
			t.Errorf("%s: the witness starts", name)
		}
		must(t, os.WriteFile(head, newest, 0o600))
	}
	must(t, os.Remove(head))
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrHeadLost) {
		t.Errorf("a lost head: %v", err)
	}
}

// TestWitnessRace: of submissions that come at once each is checked against the head that the one before it left; the size never
// goes back, and each cosigned head extends the one before.
func TestWitnessRace(t *testing.T) {
	b := newBook(t)
	w, _ := newWitness(t, b)
	b.grow(1)
	_, _, err := w.Add(b.submission(0).Encode())
	must(t, err)
	var bodies [][]byte
	for range 12 {
		b.grow(1)
		bodies = append(bodies, b.submission(1).Encode())
	}
	var done sync.WaitGroup
	results := make([]error, len(bodies))
	for i, body := range bodies {
		done.Go(func() { _, _, results[i] = w.Add(body) })
	}
	done.Wait()
	cosigned := 0
	for _, err := range results {
		if err == nil {
			cosigned++
		} else if !errors.Is(err, audit.ErrConflict) {
			t.Error(err)
		}
	}
	if cosigned != 1 {
		t.Errorf("%d heads were cosigned from size 1", cosigned)
	}
}

// TestWitnessDirectory: what Init and Watch leave, and do not take.
func TestWitnessDirectory(t *testing.T) {
	b := newBook(t)
	w, dir := newWitness(t, b)
	if info, err := os.Stat(filepath.Join(dir, FileKey)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", info.Mode(), err)
	}
	if _, err := Init(dir, "witness.example/w2"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second witness in a directory: %v", err)
	}
	if _, err := Init(filepath.Join(t.TempDir(), "x"), "two words"); !errors.Is(err, audit.ErrKey) {
		t.Errorf("a name that cannot be: %v", err)
	}
	b.grow(2)
	_, _, err := w.Add(b.submission(0).Encode())
	must(t, err)
	must(t, w.Close())
	must(t, Watch(dir, b.keys)) // again: nothing is forgotten
	if heads := open(t, dir).Heads(); len(heads) != 1 || heads[0].Size != 2 || !heads[0].At.Equal(at) {
		t.Errorf("%+v", heads)
	}
	if err := Watch(dir, audit.Keys{}); err == nil {
		t.Error("nobody's ledger is watched")
	}
	must(t, os.Remove(filepath.Join(dir, fileName(origin)+vkeyEnd)))
	if err := Watch(dir, b.keys); err == nil {
		t.Error("keys that were removed come back over a head that was cosigned")
	}
	must(t, os.Chmod(filepath.Join(dir, FileKey), 0o644))
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("a private key that others may read is used")
	}
}

// TestServe: over a real listener, until the context ends.
func TestServe(t *testing.T) {
	b := newBook(t)
	w, _ := newWitness(t, b)
	b.grow(2)
	s := httptest.NewServer(w.Handler())
	defer s.Close()
	resp, err := http.Post(s.URL+"/add-checkpoint", "text/plain", bytes.NewReader(b.submission(0).Encode()))
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	if must(t, errors.Join(err, resp.Body.Close())); resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "— witness.example/w1 ") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
