package exchange

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Witnesses are other agencies that cosign the ledger's heads: whoever is shown a head with their cosignatures is shown the history
// that they have seen. All of it is answered from memory.
type Witnesses interface {
	// Merged is a head with the cosignatures that came for it.
	Merged(head []byte) []byte
	// Witnessed is the newest head that enough of them have cosigned; nil before the first.
	Witnessed() []byte
	// Missing says whether that has been too few of them for longer than the exchange goes on without.
	Missing() bool
	// Status is what is known of each.
	Status() WitnessStatus
}

// WitnessStatus is what an exchange knows of its witnesses. Since is when the newest head had its quorum; before the first, when
// the counting began.
type WitnessStatus struct {
	Quorum    int
	Tolerance time.Duration
	Witnessed int64 // size of the newest head with its quorum
	Since     time.Time
	Wanting   bool // too few cosigned the last head that they were asked for
	Missing   bool // for longer than the tolerance
	Witnesses []WitnessState
}

// WitnessState is what is known of one witness.
type WitnessState struct {
	Name, VKey string
	Size       int64     // of the newest head that it cosigned; 0 if unknown
	At         time.Time // zero: never
	Fault      string    // why it did not cosign when it was last asked; empty: it did
}

// ErrNotWitnessed is the reason of a refusal while too few witnesses cosign.
var ErrNotWitnessed = errors.New("too few witnesses have cosigned for too long")

// needWitnesses refuses a new package that can wait while the quorum of witnesses is missing for longer than the tolerance. Like an
// overload that leaves no entry: the state has two, at its start and at its end.
func (p *posting) needWitnesses() error {
	if p.Witnesses == nil || p.manifest.Claimed.Urgency.Level == "urgent" || !p.Witnesses.Missing() {
		return nil
	}
	s := p.Witnesses.Status()
	return &Refusal{Kind: Unwitnessed, Reason: "witnesses-missing", RetryAfter: time.Minute, Err: ErrNotWitnessed,
		Detail: "too few witnesses have cosigned the ledger since " + entryTime(s.Since) + ", longer than the " + s.Tolerance.String() + " for which the exchange goes on without: new packages wait, but for urgent ones",
		Fix:    "repeat the same request later, it is taken as soon as the witnesses are back; if a life or public security is in danger, send it with urgency.level urgent and its ground; reading, acknowledging and all else go on"}
}

// Witnessed returns the newest head that enough witnesses have cosigned. No entry.
func (s *Service) Witnessed(context.Context) ([]byte, error) {
	if s.Witnesses != nil {
		if note := s.Witnesses.Witnessed(); note != nil {
			return note, nil
		}
	}
	return nil, absent("not-witnessed")
}

// WitnessStatus returns what is known of the witnesses; without any, nothing. No entry.
func (s *Service) WitnessStatus(context.Context) (WitnessStatus, error) {
	if s.Witnesses == nil {
		return WitnessStatus{}, nil
	}
	return s.Witnesses.Status(), nil
}

// RecordWitnesses records that the quorum is missing for longer than the tolerance, or is back: an act of the exchange.
func (s *Service) RecordWitnesses(ctx context.Context, st WitnessStatus) error {
	return s.act(ctx, ActWitnesses, func(_ *Tx, e *audit.Entry) error {
		e.Operation, e.Outcome = "", "back"
		if st.Missing {
			e.Outcome = "missing"
		}
		var silent []string
		for _, w := range st.Witnesses {
			if w.Fault != "" {
				silent = append(silent, w.Name)
			}
		}
		e.Details = map[string]string{"quorum": strconv.Itoa(st.Quorum), "of": strconv.Itoa(len(st.Witnesses)), "since": entryTime(st.Since),
			"tolerance": st.Tolerance.String(), "silent": strings.Join(silent, " ")}
		return nil
	})
}

// HeadLog is a ledger as a collector of cosignatures needs it.
type HeadLog struct {
	Journal *Journal
	Store   Store
}

// Checkpoint is the newest signed head.
func (l HeadLog) Checkpoint() []byte { return l.Journal.Checkpoint() }

// Submission is that of a signed head to a witness that has cosigned the given size.
func (l HeadLog) Submission(ctx context.Context, old int64, head audit.Checkpoint) (audit.Submission, error) {
	s := audit.Submission{Old: old, Note: head.Note}
	if old > head.Size {
		return s, nil // the witness says so itself
	}
	err := l.Store.View(ctx, func(rows Reader) (err error) {
		s.Proof, err = audit.ProveExtends(old, head.Size, rows)
		return err
	})
	return s, err
}

// Extends proves that the ledger extends a head.
func (l HeadLog) Extends(ctx context.Context, older audit.Checkpoint) error {
	return l.Store.View(ctx, func(rows Reader) error {
		tree, err := loadTree(rows)
		if err != nil {
			return err
		}
		return audit.CheckExtends(older, tree, rows)
	})
}
