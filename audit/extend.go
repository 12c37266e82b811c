package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// What can be wrong between an older and a newer head of one ledger.
var (
	ErrBehind = errors.New("the ledger is behind a head that was signed before: entries are gone or an old copy was restored")
	ErrFork   = errors.New("the ledger does not extend a head that was signed before: its history was rewritten or there are two")
)

// CheckExtends proves that a tree contains, unchanged and in the same places, all that a signed head covered. It must hold before
// another head is signed. r reads the stored hashes of the tree; nothing about them is taken on trust.
// ErrBehind and ErrFork say what is wrong; any other error means that the proof could not be made.
func CheckExtends(old Checkpoint, t Tree, r tlog.HashReader) error {
	return extends(old.Size, old.Root, t.Size(), t.Root(), r)
}

// VerifyExtends proves the same of two checkpoints of one origin. The hashes are those of newer, at best from VerifyTiles.
func VerifyExtends(older, newer Checkpoint, hashes tlog.HashReader) error {
	if older.Origin != newer.Origin {
		return fmt.Errorf("%w: checkpoints of %s and of %s", ErrOtherLedger, older.Origin, newer.Origin)
	}
	return extends(older.Size, older.Root, newer.Size, newer.Root, hashes)
}

func extends(oldSize int64, oldRoot tlog.Hash, size int64, root tlog.Hash, r tlog.HashReader) error {
	switch {
	case oldSize < 0 || size > MaxSize:
		return fmt.Errorf("%w: heads of size %d and %d", ErrSize, oldSize, size)
	case size < oldSize:
		return fmt.Errorf("%w: size %d, signed before %d", ErrBehind, size, oldSize)
	case size == oldSize && root != oldRoot:
		return fmt.Errorf("%w: two heads of size %d", ErrFork, size)
	case size == oldSize || oldSize == 0:
		return nil
	}
	proof, err := tlog.ProveTree(size, oldSize, r)
	if err != nil {
		return fmt.Errorf("prove that size %d extends size %d: %w", size, oldSize, err)
	}
	if err := tlog.CheckTree(proof, size, root, oldSize, oldRoot); err != nil {
		return fmt.Errorf("%w: size %d against size %d", ErrFork, size, oldSize)
	}
	return nil
}
