package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

// silentFor is how old a witness's newest cosignature is when something is wrong: an exchange asks each every minute at least.
const silentFor = 10 * time.Minute

// witnesses looks at those who cosign the ledger: whether each can be asked, and how old what they cosigned is.
func (s *server) witnesses(ctx context.Context) {
	if s.cfg.Witnesses == nil {
		s.warn("witnesses", s.file, "there are none: nobody but its clients could tell a second history of the ledger", "ask other agencies to run liaison witness, and name them under witnesses")
		return
	}
	for _, m := range s.cfg.Witnesses.Members {
		s.reachable(ctx, m)
	}
	s.witnessed()
}

// reachable asks a witness for nothing: any answer says that it is there.
func (s *server) reachable(ctx context.Context, m node.WitnessMember) {
	peer, err := m.Peer()
	if err != nil {
		s.fault("witness", m.URL, err, "correct this member of witnesses in "+s.file)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		s.fault("witness", m.URL, err, "correct url of this member of witnesses in "+s.file)
		return
	}
	response, err := peer.HTTP.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		s.warn("witness", peer.Witness.Name(), "not reached at "+m.URL+": "+err.Error(), "call its agency; if it will not come back, take it out of witnesses, and say so to those who rely on it")
		return
	}
	_ = response.Body.Close() // any answer will do
	s.ok("witness", peer.Witness.Name(), "answers at %s", m.URL)
}

// witnessed looks at the newest head that had its quorum.
func (s *server) witnessed() {
	path, w := s.cfg.LedgerKey+".witnessed", s.cfg.Witnesses
	keys, err := s.verifierKeys()
	if err != nil {
		return // the key was told already
	}
	head, since, err := witness.ReadWitnessed(path, keys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.warn("witnesses", path, "no witness has been asked yet", "start the exchange")
		return
	case err != nil:
		s.fault("witnesses", path, fmt.Errorf("it is not of this ledger, or damaged: %w: the exchange does not start on it", err),
			"if the ledger is a new epoch, move the file to the former key's name; else restore it from its backup, or ask why it differs")
		return
	}
	age := s.now.Sub(since).Round(time.Second)
	text := fmt.Sprintf("%d of %d cosign; the newest head that had its quorum, of %d entries, is %s old", w.Quorum, len(w.Members), head.Size, age)
	if head.Note == nil {
		text = fmt.Sprintf("no head had its quorum of %d of %d yet, for %s", w.Quorum, len(w.Members), age)
	}
	const fix = "see what /readyz?verbose of the exchange says of each witness; of a new epoch's ledger each has to be told: liaison witness watch"
	switch {
	case age > w.GoesOn():
		s.fault("witnesses", path, fmt.Errorf("%s, more than the %s for which the exchange goes on without: new packages wait, but for urgent ones", text, w.GoesOn()), fix)
	case age > silentFor || head.Note == nil:
		s.warn("witnesses", path, text, fix)
	default:
		s.ok("witnesses", path, "%s", text)
	}
	if head.Note != nil {
		s.cosigners(head)
	}
}

// cosigners says who cosigned that head, and when.
func (s *server) cosigners(head audit.Checkpoint) {
	for _, m := range s.cfg.Witnesses.Members {
		one, err := audit.ParseWitness(m.VKey)
		if err != nil {
			continue // LoadConfig refuses it
		}
		cs, err := head.Cosignatures([]audit.Witness{one})
		switch {
		case err != nil || len(cs) == 0:
			s.warn("cosignature", one.Name(), fmt.Sprintf("none on the head of %d entries", head.Size), "see what /readyz?verbose of the exchange says of this witness")
		default:
			s.ok("cosignature", one.Name(), "on the head of %d entries, %s old", head.Size, s.now.Sub(cs[0].Time).Round(time.Second))
		}
	}
}

func (s *server) verifierKeys() (audit.Keys, error) {
	raw, err := os.ReadFile(s.cfg.LedgerKey)
	if err != nil {
		return audit.Keys{}, err
	}
	signer, err := audit.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		return audit.Keys{}, err
	}
	return audit.ParseKeys([]byte(signer.VerifierKey()))
}

// WitnessConfig is which witness to look at.
type WitnessConfig struct {
	Dir     string
	MinFree uint64
	Now     func() time.Time
}

// Witness examines the directory of a witness of one's own.
func Witness(cfg WitnessConfig) []Finding {
	e := &examination{now: cfg.Now()}
	e.directory(cfg.Dir)
	key := filepath.Join(cfg.Dir, witness.FileKey)
	if _, err := os.Stat(key); err != nil {
		e.fault("private file", key, err, "name the directory that liaison witness init made; a lost key is not restored: make a new witness, and tell the operator and all agencies its key")
		return e.found
	}
	if !e.private(key) {
		return e.found
	}
	known, err := witness.Look(cfg.Dir)
	if err != nil {
		fix := "restore the file from where it came, but never a .head"
		if errors.Is(err, witness.ErrHeadLost) {
			fix = "do not put an old copy there: make a new witness with liaison witness init, and tell the operator and all agencies its key"
		}
		e.fault("witness", cfg.Dir, err, fix)
		return e.found
	}
	e.published(cfg.Dir, known)
	if known.Runs {
		e.ok("running", cfg.Dir, "a process serves this witness")
	} else {
		e.warn("running", cfg.Dir, "no process serves this witness", "liaison witness run "+cfg.Dir)
	}
	if len(known.Heads) == 0 {
		e.warn("ledger", cfg.Dir, "no ledger is watched", "liaison witness watch "+cfg.Dir+" --log-key log.vkey, with the key that the operator of the exchange published")
	}
	for _, h := range known.Heads {
		e.watched(h)
	}
	e.disk(cfg.Dir, cfg.MinFree)
	return e.found
}

// published holds the public key that was given to others against the private one.
func (e *examination) published(dir string, known witness.Known) {
	file := filepath.Join(dir, witness.FileVKey)
	raw, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(raw)) != known.VerifierKey {
		err = errors.New("it is not the public key of " + witness.FileKey)
	}
	if err != nil {
		e.fault("verifier key", file, err, "write into it: "+known.VerifierKey)
		return
	}
	e.ok("verifier key", file, "%s", known.VerifierKey)
}

// watched looks at one ledger.
func (e *examination) watched(h witness.Head) {
	switch age := e.now.Sub(h.At).Round(time.Second); {
	case h.At.IsZero():
		e.warn("ledger", h.Origin, "watched, and no head of it was ever cosigned", "have the operator of the exchange name this witness under witnesses; a running witness reads a new ledger when it is started again")
	case age > silentFor:
		e.warn("ledger", h.Origin, fmt.Sprintf("the newest head that was cosigned, of %d entries, is %s old: nobody asks", h.Size, age),
			"ask the operator of the exchange; if the ledger went on under another origin, for a reason that you know: liaison witness watch for that one, and liaison witness end for this one")
	default:
		e.ok("ledger", h.Origin, "head of %d entries cosigned, %s ago", h.Size, age)
	}
}
