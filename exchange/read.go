package exchange

import (
	"context"
	"strconv"

	"github.com/liaison-exchange/liaison/audit"
)

// Sizes of a page.
const (
	defaultPage = 50
	maxPage     = 200
)

// List returns a page of the caller's box in the order of its own seq. A
// page with something on it is a consultation with an entry; an empty one is
// a poll that returns nothing, and leaves none.
func (s *Service) List(ctx context.Context, c Caller, l Listing) (*Page, error) {
	v, err := s.enter(ctx, c, ActList, "")
	if err != nil {
		return nil, err
	}
	q := Query{Agency: v.agency(), Outbox: l.Outbox, State: l.State, DueBefore: l.DueBefore, After: l.After, Limit: pageSize(l.Limit)}
	page, err := v.page(ctx, q)
	if err != nil || len(page.Items) == 0 {
		return page, err
	}
	_, err = v.commit(ctx, func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Outcome, e.Count = "shown", uint64(len(page.Items))
		e.Details = q.details()
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// page reads one page of a box and a row more, which tells whether it is the
// last.
func (v *visit) page(ctx context.Context, q Query) (*Page, error) {
	limit := q.Limit
	q.Limit++
	page := &Page{}
	err := v.view(ctx, func(rows Reader) error {
		packages, err := rows.List(q)
		if err != nil {
			return err
		}
		for i, p := range packages {
			if i == limit {
				page.Next = v.cursor(packages[i-1], q.Outbox)
				break
			}
			item, err := v.look(p, q.Agency)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, *item)
		}
		return nil
	})
	return page, err
}

// cursor is where the box goes on after a package.
func (v *visit) cursor(p *Package, outbox bool) uint64 {
	if outbox {
		return p.Seq
	}
	return p.delivery(v.agency()).Seq
}

// details are the search terms, for the entry.
func (q Query) details() map[string]string {
	d := map[string]string{"box": box(q.Outbox), "after": strconv.FormatUint(q.After, 10)}
	if q.State != "" {
		d["state"] = q.State
	}
	if !q.DueBefore.IsZero() {
		d["due_before"] = entryTime(q.DueBefore)
	}
	return d
}

func box(outbox bool) string {
	if outbox {
		return "outbox"
	}
	return "inbox"
}

func pageSize(n int) int {
	if n <= 0 {
		return defaultPage
	}
	return min(n, maxPage)
}

// Show returns the descriptor of a package to a party of it.
func (s *Service) Show(ctx context.Context, c Caller, id string) (*View, error) {
	v, err := s.enter(ctx, c, ActShow, id)
	if err != nil {
		return nil, err
	}
	var view *View
	if err := v.show(ctx, func(p *Package, seen *View) { view = seen }); err != nil {
		return nil, err // and not what the change may still write
	}
	return view, nil
}

// Manifest returns the manifest as the sender signed it to a party of the
// package.
func (s *Service) Manifest(ctx context.Context, c Caller, id string) ([]byte, error) {
	v, err := s.enter(ctx, c, ActManifest, id)
	if err != nil {
		return nil, err
	}
	var manifest []byte
	if err := v.show(ctx, func(p *Package, _ *View) { manifest = p.Manifest }); err != nil {
		return nil, err
	}
	return manifest, nil
}

// show is one look at a package inside the change that records it.
func (v *visit) show(ctx context.Context, take func(*Package, *View)) error {
	_, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		p, seen, r, err := v.find(tx)
		if err != nil || r != nil {
			return nil, r, err
		}
		if p.Erased && v.action != ActShow {
			return nil, erasedPackage(seen), nil
		}
		take(p, seen)
		e := v.about(p)
		e.Outcome = "shown"
		return []audit.Entry{e}, nil, nil
	}, v.needs()...)
	return err
}

// find reads the visit's package as its caller may see it. What is absent
// and what it may not see are refused alike, and after the same work: nothing
// of a package is read for who is no party of it.
func (v *visit) find(rows Reader) (*Package, *View, *Refusal, error) {
	party, err := rows.Party(v.object, v.agency())
	if err != nil {
		return nil, nil, nil, err
	}
	if !party {
		return nil, nil, absent(notAParty), nil
	}
	p, err := rows.Package(v.object)
	if err != nil {
		return nil, nil, nil, err
	}
	if p == nil {
		return nil, nil, absent(notAParty), nil
	}
	seen, err := v.look(p, v.agency())
	if r := AsRefusal(err); r != nil {
		return nil, nil, r, nil
	}
	return p, seen, nil, err
}

// about is the visit's entry about a package that its caller is a party of.
func (v *visit) about(p *Package) audit.Entry {
	e := v.entry
	e.From, e.MessageType, e.ManifestSHA256 = p.Sender, p.Type, p.ManifestSHA256
	return e
}
