package search

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// writeFile writes a file whole or not at all. What of the index a crash cuts
// short is found by its sums; only a key must be durable.
func writeFile(path string, data []byte, durable bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

var ownerForm = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+$`)

func (x *Index) ownerDir(owner string) string {
	return filepath.Join(x.cfg.Dir, strings.ReplaceAll(owner, "/", "_"))
}

// load looks at what lies on disk of an owner, as of a snapshot.
func (x *Index) load(log Log, owner string) (*shelf, error) {
	if !ownerForm.MatchString(owner) {
		return nil, fmt.Errorf("search index: %q is no owner", owner)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.owners[owner] != nil {
		return nil, ErrAgain // and may be ahead of the snapshot
	}
	s, err := x.scan(owner)
	if err != nil {
		return nil, err
	}
	if last := s.covered(); last > 0 {
		rows, err := log.Rows(owner, last-1, 1)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || rows[0].Seq != last || rows[0].Commitment.String() != s.blocks[len(s.blocks)-1].Commitment {
			x.cfg.Log.Warn("the search index is of another log: it is built anew", slog.String("owner", owner))
			if err := os.RemoveAll(x.ownerDir(owner)); err != nil {
				return nil, err
			}
			s = &shelf{}
		}
	}
	x.owners[owner] = s
	return s, nil
}

// scan reads the headers of an owner's files. What is damaged, of another key,
// beyond a gap, older or merged is removed.
func (x *Index) scan(owner string) (*shelf, error) {
	dir := x.ownerDir(owner)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*block
	remove := map[string]bool{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := readBlock(path)
		if err != nil || b.Key != x.mine || b.Owner != owner || b.name() != strings.SplitN(e.Name(), ".", 2)[0] {
			remove[path] = true
			continue
		}
		all = append(all, b)
		remove[path] = true // unless it is taken below
	}
	slices.SortFunc(all, func(a, b *block) int { // in order, larger before smaller, newer before older
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Size, a.Size), cmp.Compare(generation(b.path), generation(a.path)))
	})
	s := &shelf{}
	for _, b := range all {
		if b.First == s.covered()+1 {
			s.blocks = append(s.blocks, b)
			delete(remove, b.path)
		}
	}
	for path := range remove {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// name is a block's file name without its generation.
func (h header) name() string { return fmt.Sprintf("%d-%015d", h.Size, h.First) }

// generation counts how often a block was written: a file that is open
// somewhere is never replaced.
func generation(path string) (n uint64) {
	_, after, _ := strings.Cut(filepath.Base(path), ".")
	if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
		return 0
	}
	return n
}

// put writes a block and returns it as it lies there.
func (x *Index) put(b *builder, h header, generation uint64) (*block, error) {
	data, err := b.encode(&h)
	if err != nil {
		return nil, err
	}
	made := &block{header: h, path: filepath.Join(x.ownerDir(h.Owner), fmt.Sprintf("%s.%d", h.name(), generation))}
	x.at("build")
	if err := writeFile(made.path, data, false); err != nil {
		return nil, err
	}
	x.at("written")
	return made, nil
}

// swap makes the new blocks visible in place of old ones, and then removes the
// old files.
func (x *Index) swap(owner string, old *shelf, blocks []*block) (bool, error) {
	x.mu.Lock()
	if x.owners[owner] != old { // dropped meanwhile
		x.mu.Unlock()
		return false, nil
	}
	x.owners[owner] = &shelf{blocks}
	x.mu.Unlock()
	x.at("swapped")
	kept := map[string]bool{}
	for _, b := range blocks {
		kept[b.path] = true
	}
	var errs []error
	for _, b := range old.blocks {
		if !kept[b.path] {
			errs = append(errs, os.Remove(b.path))
		}
	}
	x.at("removed")
	return true, errors.Join(errs...)
}
