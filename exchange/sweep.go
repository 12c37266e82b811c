package exchange

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// Swept is how much one sweep erased, by class.
type Swept map[string]int

// sweptLog names the place of an owner's log through which all is erased.
func sweptLog(owner string) string { return ClassLog + " " + owner }

// duePackages is how many packages are erased at once: they share a batch of
// the journal.
const duePackages = 32

// SweepDue erases what is due, in batches that leave room for requests, and
// goes on with orders that a crash has interrupted. What a hold covers stays.
// It ends when nothing is due any more, or with its context.
func (s *Service) SweepDue(ctx context.Context) (Swept, error) {
	done := Swept{}
	s.erasing.Lock()
	s.erasing.unlisted, s.erasing.unclean = true, true // what a crash came between
	s.erasing.Unlock()
	for _, step := range []func(context.Context, Swept) error{s.resumeOrders, s.sweepPackages, s.sweepLogs, s.sweepConsultations, s.sweepInputs} {
		if err := step(ctx, done); err != nil {
			return done, err
		}
	}
	return done, s.tidy(ctx)
}

// rest gives way to requests for as long as a batch took.
func rest(ctx context.Context, took time.Duration) error {
	select {
	case <-time.After(min(took, 100*time.Millisecond)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) resumeOrders(ctx context.Context, _ Swept) error {
	var open []ErasureOrder
	err := s.view(ctx, func(rows Reader) (err error) {
		open, err = rows.OpenOrders()
		return err
	})
	for i := range open {
		if err == nil {
			err = s.carryOut(ctx, &open[i])
		}
	}
	return err
}

// sweepPackages erases packages, and content that nobody came for.
func (s *Service) sweepPackages(ctx context.Context, done Swept) error {
	for _, class := range []string{ClassPackage, ClassContent} {
		err := inBatches(ctx, func() (more bool, err error) {
			n, more, err := s.sweepBatch(ctx, class)
			done[class] += n
			return more, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inBatches sweeps until there is no more, and rests after each batch.
func inBatches(ctx context.Context, sweep func() (more bool, err error)) error {
	for {
		begun := time.Now()
		more, err := sweep()
		if err != nil || !more {
			return err
		}
		if err := rest(ctx, time.Since(begun)); err != nil {
			return err
		}
	}
}

// sweepBatch erases the next packages that are due.
func (s *Service) sweepBatch(ctx context.Context, class string) (erased int, more bool, err error) {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	var due []*Package
	holds := map[string]holdSet{}
	err = s.view(ctx, func(rows Reader) (err error) {
		due, err = rows.DuePackages(Due{Class: class, Before: s.Clock(), After: s.erasing.due[class], Limit: duePackages})
		for _, p := range due {
			if _, read := holds[p.Sender]; !read && err == nil {
				holds[p.Sender], err = activeHolds(rows, p.Sender)
			}
		}
		return err
	})
	if err != nil || len(due) == 0 {
		return 0, false, err
	}
	var all sync.WaitGroup
	errs, gone := make([]error, len(due)), make([]bool, len(due))
	for i, p := range due {
		if !holds[p.Sender].keeps(p) {
			all.Go(func() { gone[i], errs[i] = s.eraseDue(ctx, p, class) })
		}
	}
	all.Wait()
	for i, p := range due {
		if gone[i] {
			erased++
			s.erasing.unclean, s.erasing.unlisted = true, true
			errs[i] = s.removeBlobs(context.WithoutCancel(ctx), p.blobs())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return erased, false, err
	}
	if s.erasing.due == nil {
		s.erasing.due = map[string]DueMark{}
	}
	s.erasing.due[class] = due[len(due)-1].dueMark(class)
	return erased, len(due) == duePackages, nil
}

// eraseDue erases one package whose time has come: an act of the exchange.
func (s *Service) eraseDue(ctx context.Context, p *Package, class string) (bool, error) {
	_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		now, err := tx.Package(p.ID)
		if err != nil {
			return nil, err
		}
		if now == nil || now.Erased || class == ClassContent && now.ContentErased {
			return nil, errDone
		}
		e := manifestless(now)
		e.Actor = audit.Actor{Agency: s.Operator, Role: certs.RoleOperator}
		return s.erasePackage(tx, now, e, ErasureRow{Class: class, Why: ByRetention})
	}, Need{Package: p.ID})
	switch {
	case errors.Is(err, errDone):
		return false, nil
	case err != nil:
		return false, unavailable(err)
	}
	return true, nil
}

// manifestless is what an entry says of a package whose manifest goes.
func manifestless(p *Package) audit.Entry {
	return audit.Entry{Outcome: "erased", Package: p.ID, From: p.Sender, MessageType: p.Type, ManifestSHA256: p.ManifestSHA256}
}

// sweepLogs erases the entries of every owner that have outlived their term.
func (s *Service) sweepLogs(ctx context.Context, done Swept) error {
	owners := []string{s.Operator}
	for _, a := range s.registry.Load().Agencies() {
		if a.ID != s.Operator {
			owners = append(owners, a.ID)
		}
	}
	for _, owner := range owners {
		err := inBatches(ctx, func() (more bool, err error) {
			n, more, err := s.sweepLog(ctx, owner)
			done[ClassLog] += n
			if errors.Is(err, errStale) {
				return true, nil
			}
			return more, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepLog erases the next entries of one owner.
func (s *Service) sweepLog(ctx context.Context, owner string) (erased int, more bool, err error) {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	after, through, err := s.dueEntries(ctx, owner, s.Clock())
	if looked := s.erasing.looked[owner]; looked > after {
		after = looked
	}
	if err != nil || after >= through {
		return 0, false, err
	}
	p, err := s.planEntries(ctx, owner, after, through, false)
	if err != nil {
		return 0, false, err
	}
	if len(p.take) > 0 {
		err = s.eraseEntries(ctx, p, ErasureRow{Class: ClassLog, Why: ByRetention}, func(tx *Tx, _ *audit.Entry) {
			if len(p.holds) == 0 {
				tx.SetSwept(sweptLog(owner), int64(p.through))
			}
		})
		if err != nil {
			return 0, false, err
		}
	}
	if s.erasing.looked == nil {
		s.erasing.looked = map[string]uint64{}
	}
	s.erasing.looked[owner] = p.through
	return len(p.take), !p.last, nil
}

// dueEntries are the entries of an owner that are due on a day: those after a
// seq and through one. Their time is that of the batch which added them.
func (s *Service) dueEntries(ctx context.Context, owner string, on time.Time) (after, through uint64, err error) {
	err = s.view(ctx, func(rows Reader) error {
		after, through, err = s.dueEntriesIn(rows, owner, on)
		return err
	})
	return after, through, err
}

func (s *Service) dueEntriesIn(rows Reader, owner string, on time.Time) (after, through uint64, err error) {
	swept, err := rows.Swept(sweptLog(owner))
	if err != nil {
		return 0, 0, err
	}
	old, err := rows.HeadAt(daysBefore(on, s.Retention.Of(owner).Log))
	if err != nil {
		return 0, 0, err
	}
	through, err = rows.SeqBefore(owner, old.Size)
	return uint64(swept), through, err
}

// sweepConsultations takes who and why out of consultations that have lapsed:
// the entries of their opening and their use say so for as long as the log is
// kept.
func (s *Service) sweepConsultations(ctx context.Context, done Swept) error {
	var at consulted
	if err := s.view(ctx, func(rows Reader) (err error) {
		at.after, err = rows.Swept(ClassConsultation)
		return err
	}); err != nil {
		return err
	}
	return inTurns(ctx, func() (more bool, err error) {
		n, more, err := s.sweepConsulted(ctx, &at)
		done[ClassConsultation] += n
		return more, err
	})
}

// inTurns sweeps while there is more, and rests after each turn.
func inTurns(ctx context.Context, sweep func() (more bool, err error)) error {
	for {
		begun := time.Now()
		if more, err := sweep(); err != nil || !more {
			return err
		}
		if err := rest(ctx, time.Since(begun)); err != nil {
			return err
		}
	}
}

// consulted is how far a sweep of consultations is, and whether it passed over
// one whose agency keeps it for longer.
type consulted struct {
	after  int64
	passed bool
}

func (s *Service) sweepConsulted(ctx context.Context, at *consulted) (erased int, more bool, err error) {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	var lapsed, stale []StaleRow
	err = s.view(ctx, func(rows Reader) (err error) {
		lapsed, err = rows.StaleConsultations(s.Clock(), at.after, eraseBatch)
		return err
	})
	if err != nil || len(lapsed) == 0 {
		return 0, false, err
	}
	through := at.after
	for _, row := range lapsed {
		at.after = row.Position
		if !row.At.Before(daysBefore(s.Clock(), s.Retention.Of(row.Agency).Consultation)) {
			at.passed = true
			continue
		}
		if stale = append(stale, row); !at.passed {
			through = row.Position
		}
	}
	if len(stale) > 0 {
		err = s.eraseConsultations(ctx, stale, through)
	}
	return len(stale), len(lapsed) == eraseBatch, err
}

// eraseConsultations takes what a sweep found, with an entry for each agency.
func (s *Service) eraseConsultations(ctx context.Context, stale []StaleRow, through int64) error {
	of := map[string][]StaleRow{}
	for _, row := range stale {
		of[row.Agency] = append(of[row.Agency], row)
	}
	_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		var entries []audit.Entry
		for _, agency := range slices.Sorted(maps.Keys(of)) {
			seq, err := tx.NextSeq(agency)
			if err != nil {
				return nil, err
			}
			last := of[agency][len(of[agency])-1].At
			tx.PutErasure(ErasureRow{Index: tx.NextIndex(len(entries)), Owner: agency, By: s.Operator, Seq: seq, Class: ClassConsultation,
				Why: ByRetention, What: ClassConsultation + " " + strconv.FormatInt(last.UnixMilli(), 10), At: tx.Now()})
			entries = append(entries, s.sweptEntry(agency, ClassConsultation, len(of[agency])))
		}
		tx.EraseConsultations(stale)
		tx.SetSwept(ClassConsultation, through)
		return entries, nil
	})
	if err != nil {
		return unavailable(err)
	}
	s.erasing.unclean, s.erasing.unlisted = true, true
	return nil
}

// sweptEntry is what the exchange tells an owner of rows that it erased.
func (s *Service) sweptEntry(owner, class string, n int) audit.Entry {
	return audit.Entry{Owner: owner, Operation: audit.Erasure, Action: string(ActErase), Outcome: "erased", Count: uint64(n),
		Actor:   audit.Actor{Agency: s.Operator, Role: certs.RoleOperator},
		Details: map[string]string{"class": class, "why": ByRetention}}
}

// sweepInputs takes what policy was asked about what never became a package.
func (s *Service) sweepInputs(ctx context.Context, done Swept) error {
	return inTurns(ctx, func() (more bool, err error) {
		n, more, err := s.sweepAsked(ctx)
		done[ClassInputs] += n
		return more, err
	})
}

func (s *Service) sweepAsked(ctx context.Context) (erased int, more bool, err error) {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	var stale []StaleRow
	var after, next int64
	before := daysBefore(s.Clock(), s.Retention.Of(s.Operator).Inputs)
	err = s.view(ctx, func(rows Reader) error {
		if after, err = rows.Swept(ClassInputs); err == nil {
			stale, next, err = rows.StaleInputs(before, max(after, s.erasing.asked), eraseBatch)
		}
		return err
	})
	if err != nil || next == max(after, s.erasing.asked) {
		return 0, false, err
	}
	if len(stale) > 0 {
		_, err = s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
			seq, err := tx.NextSeq(s.Operator)
			if err != nil {
				return nil, err
			}
			tx.EraseInputs(stale)
			tx.SetSwept(ClassInputs, next)
			tx.PutErasure(ErasureRow{Index: tx.NextIndex(0), Owner: s.Operator, By: s.Operator, Seq: seq, Class: ClassInputs, Why: ByRetention,
				What: ClassInputs + " " + strconv.FormatInt(before.UnixMilli(), 10), At: tx.Now()})
			return []audit.Entry{s.sweptEntry(s.Operator, ClassInputs, len(stale))}, nil
		})
		if err != nil {
			return 0, false, unavailable(err)
		}
		s.erasing.unclean, s.erasing.unlisted = true, true
	}
	s.erasing.asked = next
	return len(stale), true, nil
}
