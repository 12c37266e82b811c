package exchange

import (
	"context"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Preview is what of an agency's records is erased by a day if nobody does
// anything.
type Preview struct {
	On      time.Time
	Classes []PreviewClass
	Items   []PreviewItem // packages first, in the order of their days
	More    bool          // there are more than were asked for
	Receipt audit.Receipt
}

// PreviewClass counts one class.
type PreviewClass struct {
	Class string
	Count int // that are erased
	Held  int // that would be, but for a hold
	Days  int // the term in force
}

// PreviewItem is one package, or entries of the log.
type PreviewItem struct {
	Class    string
	Package  string
	From, To uint64 // entries
	Due      time.Time
	Held     bool
}

// previewHeld bounds how many entries are held against holds for a preview.
const previewHeld = 20_000

// PreviewErasures tells a data-protection officer what will be erased of the
// own agency's records by a day, under a consultation of the log.
func (s *Service) PreviewErasures(ctx context.Context, c Caller, consultation string, on time.Time, limit int) (*Preview, error) {
	v, err := s.enter(ctx, c, ActErasures, "")
	if err != nil {
		return nil, err
	}
	var refused *Refusal
	p := &preview{Service: s, agency: v.agency(), limit: limit, Preview: Preview{On: on}}
	err = v.view(ctx, func(rows Reader) (err error) {
		if _, refused, err = v.consultation(rows, s.Clock(), consultation, ""); err == nil && refused == nil {
			err = p.read(rows)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, v.refuse(ctx, refused)
	}
	p.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, r, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || r != nil {
			return nil, r, err
		}
		e := v.consulted(row)
		e.Details = map[string]string{"on": entryTime(on)}
		for _, c := range p.Classes {
			e.Count += uint64(c.Count)
			e.Details[c.Class] = strconv.Itoa(c.Count)
		}
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return &p.Preview, nil
}

// preview is a preview on its way.
type preview struct {
	*Service
	Preview
	agency string
	limit  int
	holds  holdSet
}

func (p *preview) read(rows Reader) (err error) {
	if p.holds, err = activeHolds(rows, p.agency); err != nil {
		return err
	}
	terms := p.Retention.Of(p.agency)
	for _, c := range []struct {
		class string
		days  int
	}{{ClassPackage, terms.Package}, {ClassContent, terms.Content}} {
		if err := p.packages(rows, PreviewClass{Class: c.class, Days: c.days}); err != nil {
			return err
		}
	}
	return p.log(rows, PreviewClass{Class: ClassLog, Days: terms.Log})
}

func (p *preview) add(i PreviewItem) {
	if len(p.Items) >= p.limit {
		p.More = true
		return
	}
	p.Items = append(p.Items, i)
}

func (p *preview) packages(rows Reader, c PreviewClass) error {
	const page = 500
	d := Due{Class: c.Class, Before: p.On, Limit: page, Sender: p.agency}
	for {
		due, err := rows.DuePackages(d)
		if err != nil {
			return err
		}
		for _, x := range due {
			d.After = x.dueMark(c.Class)
			held := p.holds.keeps(x)
			if held {
				c.Held++
			} else {
				c.Count++
			}
			p.add(PreviewItem{Class: c.Class, Package: x.ID, Due: d.After.At, Held: held})
		}
		if len(due) < page {
			p.Classes = append(p.Classes, c)
			return nil
		}
	}
}

// log counts entries. Only where there are holds are they read, and of very
// many the first.
func (p *preview) log(rows Reader, c PreviewClass) error {
	after, through, err := p.dueEntriesIn(rows, p.agency, p.On)
	if err == nil && through > after {
		var erased int
		erased, err = rows.CountErased(p.agency, after, through)
		c.Count = int(through-after) - erased
	}
	if err == nil && c.Count > 0 && len(p.holds) > 0 {
		err = p.held(rows, after, through, &c)
	}
	if err == nil && c.Count > 0 {
		p.add(PreviewItem{Class: c.Class, From: after + 1, To: through})
	}
	p.Classes = append(p.Classes, c)
	return err
}

func (p *preview) held(rows Reader, after, through uint64, c *PreviewClass) error {
	for read := 0; after < through && read < previewHeld; {
		page, err := rows.Entries(p.agency, after, eraseBatch)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			if after = row.Seq; row.Seq <= through && row.Entry != nil && p.holds.entry(row.Entry) {
				c.Held++
				c.Count--
			}
		}
		read += len(page)
	}
	p.More = p.More || after < through
	return nil
}
