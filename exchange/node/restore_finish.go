package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// A restoration makes all that is new beside what it will replace: the state
// in <state>.restoring, the key of a new epoch in <ledger_key>.next. Nothing
// that was there has changed by then, and what a crash leaves is thrown away by
// the next try. Then it writes a plan, <state>.restoring.json: from there on it
// is only carried out, each step so that it may be done again, by whoever
// comes first: the same run, the next restore, or the next start.

// RestorePlan is what of a restoration is still to do: to put things in their
// places.
type RestorePlan struct {
	Version int      `json:"version"`
	Made    string   `json:"made"` // of the backup
	Root    string   `json:"root"` // of its ledger
	Done    Restored `json:"done"` // what it comes to
	// Kept is where the former key goes in a new epoch; empty: it stays.
	Kept string `json:"kept,omitempty"`
}

// ErrRestoring says that a restoration was interrupted before it had a plan:
// there is nothing to start on.
var ErrRestoring = errors.New("a restoration was interrupted before it was complete")

func besideState(cfg Config) string { return filepath.Clean(cfg.State) + ".restoring" }
func planFile(cfg Config) string    { return besideState(cfg) + ".json" }
func nextKey(cfg Config) string     { return cfg.LedgerKey + ".next" }

// of reports whether a plan puts that backup in its place.
func (p *RestorePlan) of(m *BackupManifest) bool { return p.Made == m.Made && p.Root == m.Root }

// discard throws away what is not in its place yet; first the plan, which can
// not be carried out without it.
func (r *restoring) discard() error {
	if err := removeFile(planFile(r.cfg)); err != nil {
		return err
	}
	errs := []error{os.RemoveAll(r.dir)}
	for _, suffix := range []string{"", ".anchor", ".vkey"} {
		errs = append(errs, removeFile(nextKey(r.cfg)+suffix))
	}
	return errors.Join(errs...)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// decide writes the plan, when all that is new is on disk.
func (r *restoring) decide(done *Restored) error {
	p := RestorePlan{Version: backupVersion, Made: r.manifest.Made, Root: r.manifest.Root, Done: *done}
	if done.Former != "" {
		p.Kept = r.keptName()
	}
	raw, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	if err := errors.Join(syncTree(r.dir), syncDirectory(filepath.Dir(r.dir)), stateIsFree(r.cfg)); err != nil {
		return err
	}
	return certs.WriteSecret(planFile(r.cfg), append(raw, '\n'))
}

// keptName is a name for the former key under which nothing is kept yet.
func (r *restoring) keptName() string {
	name := fmt.Sprintf("%s.former-%d", r.cfg.LedgerKey, r.anchor.Size)
	for n := 2; ; n++ {
		if found, err := filepath.Glob(name + "*"); err == nil && len(found) == 0 {
			return name
		}
		name = fmt.Sprintf("%s.former-%d-%d", r.cfg.LedgerKey, r.anchor.Size, n)
	}
}

// FinishRestore carries out the plan of a restoration, if there is one, and
// returns it: nil, there was none. It is for a start, and refuses while a
// restoration runs (ErrRestores).
func FinishRestore(cfg Config) (_ *RestorePlan, err error) {
	// In this order: a state that a restoration has put in its place has a plan
	// until all is done.
	inPlace, planned, locked := there(stateFile(cfg)), there(planFile(cfg)), there(lockFile(cfg))
	if !planned && (inPlace || !locked) {
		return nil, nil
	}
	unlock, err := lockRestoration(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return carryOut(cfg)
}

// carryOut is FinishRestore for who holds the lock. The state goes first: if it
// cannot be put in its place, the key in its own is still the former one.
func carryOut(cfg Config) (*RestorePlan, error) {
	raw, err := os.ReadFile(planFile(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	p := &RestorePlan{}
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err == nil && p.Version != backupVersion {
		err = fmt.Errorf("version %d, this program knows %d", p.Version, backupVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", planFile(cfg), err)
	}
	step("planned")
	if err := p.takeState(cfg); err != nil {
		return nil, err
	}
	step("moved")
	if p.Kept != "" {
		if err := p.keepKey(cfg); err != nil {
			return nil, err
		}
		if err := p.takeKey(cfg); err != nil {
			return nil, err
		}
	}
	return p, errors.Join(os.Remove(planFile(cfg)), syncDirectory(filepath.Dir(planFile(cfg))))
}

// keepKey copies the former key and what goes with it, its verifier key last:
// once that is there, all is.
func (p *RestorePlan) keepKey(cfg Config) error {
	if _, err := os.Stat(p.Kept + ".vkey"); err == nil {
		return nil
	}
	for _, suffix := range []string{"", ".anchor", ".witnessed"} {
		raw, err := os.ReadFile(cfg.LedgerKey + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = certs.WriteSecret(p.Kept+suffix, raw)
		}
		if err != nil {
			return err
		}
		step("keeps" + suffix)
	}
	return certs.WritePublic(p.Kept+".vkey", []byte(p.Done.Former+"\n"))
}

// takeKey puts the new key in the place of the former. What witnesses have
// cosigned was of the former ledger.
func (p *RestorePlan) takeKey(cfg Config) error {
	step("kept")
	if err := removeFile(cfg.LedgerKey + ".witnessed"); err != nil {
		return err
	}
	for _, suffix := range []string{".vkey", ".anchor", ""} {
		if err := os.Rename(nextKey(cfg)+suffix, cfg.LedgerKey+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		step("taken" + suffix)
	}
	return syncDirectory(filepath.Dir(cfg.LedgerKey))
}

// takeState puts the state in its place, where it may be already.
func (p *RestorePlan) takeState(cfg Config) error {
	if !there(filepath.Join(besideState(cfg), store.DatabaseFile)) {
		if _, err := os.Stat(stateFile(cfg)); err == nil {
			return nil
		}
		return fmt.Errorf("%w: %s says that the state is to be put in its place, but it is neither in %s nor in %s (fix: put it back there; if it is lost, remove that plan and run the same liaison restore again)",
			ErrRestoring, planFile(cfg), besideState(cfg), cfg.State)
	}
	if err := os.Remove(cfg.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is to be put in the place of the state, where something is (fix: move that away, and keep it): %w", besideState(cfg), err)
	}
	if err := os.Rename(besideState(cfg), cfg.State); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(besideState(cfg)))
}

func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// finishRestore is how a start deals with a restoration that was interrupted.
func (n *Node) finishRestore() error {
	p, err := FinishRestore(n.cfg)
	if errors.Is(err, ErrRestores) {
		return fmt.Errorf("the state is being restored: %w (fix: start when it has ended)", err)
	}
	if err != nil {
		return fmt.Errorf("an interrupted restoration cannot be finished: %w", err)
	}
	if p != nil {
		n.log.Info("finished a restoration that was interrupted", slog.String("backup", p.Made), slog.String("ledger", p.Done.Exchange),
			slog.Int64("entries", p.Done.Size), slog.Int64("lost", p.Done.Lost))
		return nil
	}
	if !there(besideState(n.cfg)) {
		return nil
	}
	if there(stateFile(n.cfg)) {
		n.log.Warn("something is left of a restoration that was interrupted: it is not used and may be removed", slog.String("directory", besideState(n.cfg)))
		return nil
	}
	return fmt.Errorf("%w: %s is unfinished, and there is no state (fix: run the same liaison restore again, it begins anew)", ErrRestoring, besideState(n.cfg))
}
