package exchange

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// Sample is what a reviewer drew from a log at random. Whoever has the log
// draws the same again: of all entries up to Through that match query and
// range, those of each stratum whose SHA-256 over seed, line feed, owner, line
// feed and seq in decimal is smallest.
type Sample struct {
	ID         string
	Agency     string // of who drew it
	Entry      uint64 // its entry of that; erased with it: By, Officer, Query
	Owner      string // of the log
	By         string // identity
	Officer    string
	Seed       string
	Query      string // canonical
	From, To   string // as they were asked for
	Stratum    string // the field by which it is stratified; "": one stratum
	Through    uint64 // the log's last entry then
	Population uint64 // how many matched
	Seqs       []uint64
	At         time.Time
}

// Verdict is what a reviewer found about one entry of a sample.
type Verdict struct {
	Sample  string
	Owner   string
	Seq     uint64
	Verdict string // lawful, unclear, not-lawful
	Note    string // erased together with the entry
	By      string // identity
	At      time.Time
}

// The verdicts.
var verdictWords = []string{"lawful", "unclear", "not-lawful"}

// SampleRequest asks for a sample. Times and query are read by the service.
type SampleRequest struct {
	Owner, Query, From, To string
	Size                   int
	Seed                   string // "": one is made
	Stratum                string
}

// SampleView is a sample with its verdicts.
type SampleView struct {
	Sample
	Verdicts []Verdict
	Receipt  audit.Receipt // of the entry of drawing, or of the verdict
}

const (
	maxSample   = 1000
	maxSamples  = 100 // shown
	maxNote     = 2000
	sampleTimes = 15 // of a search
	maxStrata   = 100
	samplesOnce = 50_000 // seqs that are looked at at once
)

var seedForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// DrawSample draws a random sample of a log that the caller may read, and
// keeps it. It is an entry.
func (s *Service) DrawSample(ctx context.Context, c Caller, consultation string, r SampleRequest) (*SampleView, error) {
	v, err := s.enter(ctx, c, ActSample, "")
	if err != nil {
		return nil, err
	}
	if r.Seed == "" {
		r.Seed = newSeed()
	}
	ask, refused := r.parse()
	if refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	if refused := s.scans.begin(v.agency()); refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	defer s.scans.end(v.agency())
	drawn := Sample{ID: newID(), Agency: v.agency(), By: c.Identity.String(), Seed: r.Seed, Query: ask.Query.String(), From: r.From, To: r.To, Stratum: r.Stratum}
	err = v.onLogFor(ctx, sampleTimes*v.SearchTime, consultation, r.Owner, func(ctx context.Context, rows Reader, snap search.Snapshot, owner string) error {
		drawn.Owner, ask.Owner = owner, owner
		d := drawing{ctx: ctx, visit: v, rows: rows, snap: snap, ask: ask, sample: &drawn, size: r.Size}
		return d.draw()
	})
	if err != nil {
		return nil, v.failedSearch(ctx, err)
	}
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, refused, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || refused != nil {
			return nil, refused, err
		}
		if _, refused, err := v.logOwner(tx, r.Owner); err != nil || refused != nil {
			return nil, refused, err
		}
		if drawn.Entry, err = tx.NextSeq(v.agency()); err != nil {
			return nil, nil, err
		}
		drawn.Officer, drawn.At = row.Officer, tx.Now()
		tx.PutSample(drawn)
		e := v.consulted(row)
		e.Outcome, e.Count = "sampled", uint64(len(drawn.Seqs))
		asked := SearchRequest{From: r.From, To: r.To}
		e.Details = asked.details(ask.Query)
		e.Details["sample"], e.Details["seed"], e.Details["through"] = drawn.ID, drawn.Seed, strconv.FormatUint(drawn.Through, 10)
		if r.Stratum != "" {
			e.Details["by"] = r.Stratum
		}
		v.another(e.Details, drawn.Owner)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return &SampleView{Sample: drawn, Receipt: receipt}, nil
}

func newSeed() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented to crash the program rather than return an error
	return hex.EncodeToString(b[:])
}

func (r *SampleRequest) parse() (ask search.Request, refused *Refusal) {
	searched := SearchRequest{Query: r.Query, From: r.From, To: r.To}
	if r.Stratum != "" {
		searched.Facets = []string{r.Stratum}
	}
	if ask, refused = searched.parse(); refused != nil {
		return ask, refused
	}
	switch {
	case r.Size < 1 || r.Size > maxSample:
		return ask, badRequest("size", fmt.Sprintf("size is from 1 to %d", maxSample))
	case !seedForm.MatchString(r.Seed):
		return ask, badRequest("seed", "seed is a code of 1 to 64 letters, digits, dots, dashes or underscores")
	}
	ask.Facets, ask.Newest = nil, false
	return ask, nil
}

// drawing draws one sample from one snapshot.
type drawing struct {
	ctx context.Context //nolint:containedctx // of one call
	*visit
	rows   Reader
	snap   search.Snapshot
	ask    search.Request
	sample *Sample
	size   int
}

// stratum is a part of the population, and how many of it are drawn.
type stratum struct {
	query search.Query
	count uint64
	quota int
}

func (d *drawing) draw() error {
	last, _, err := d.rows.Last(d.sample.Owner)
	if err != nil {
		return err
	}
	d.sample.Through, d.sample.Seqs = last, nil
	strata, err := d.strata()
	if err != nil {
		return err
	}
	allot(strata, d.size)
	taken := map[uint64]bool{}
	for _, s := range strata {
		seqs, err := d.smallest(s, taken)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			taken[seq] = true
			d.sample.Seqs = append(d.sample.Seqs, seq)
		}
	}
	slices.Sort(d.sample.Seqs)
	return nil
}

// strata are the values of a field, the most frequent first, and what has none.
func (d *drawing) strata() ([]stratum, error) {
	ask := d.ask
	ask.Limit, ask.Facets, ask.Top = 1, []string{cmp.Or(d.sample.Stratum, "outcome")}, maxStrata
	found, err := d.find(ask)
	if err != nil {
		return nil, err
	}
	d.sample.Population = found.Count
	if d.sample.Stratum == "" {
		return []stratum{{query: d.ask.Query, count: found.Count}}, nil
	}
	var all []stratum
	for _, v := range found.Facets[0].Values {
		all = append(all, stratum{query: d.ask.Query.And(search.Is(d.sample.Stratum, v.Value)), count: v.Count})
	}
	rest := d.ask
	rest.Query = d.ask.Query.And(search.MustParse("-" + d.sample.Stratum + ":*"))
	rest.Limit, rest.Facets = 1, []string{d.sample.Stratum}
	none, err := d.find(rest)
	if err == nil && none.Count > 0 {
		all = append(all, stratum{query: rest.Query, count: none.Count})
	}
	return all, err
}

func (d *drawing) find(ask search.Request) (*search.Result, error) {
	return d.searchIn(d.ctx, searchLog{d.rows}, d.snap, ask)
}

// allot gives each stratum one, as far as it goes, and the rest by size.
func allot(strata []stratum, size int) {
	total := uint64(0)
	for i := range strata {
		total += strata[i].count
		if i < size {
			strata[i].quota = 1
		}
	}
	for left := size - min(size, len(strata)); left > 0; left-- {
		best, most := -1, 0.0
		for i, s := range strata { // who is farthest below its share
			if short := float64(s.count)*float64(size)/float64(total) - float64(s.quota); uint64(s.quota) < s.count && (best < 0 || short > most) {
				best, most = i, short
			}
		}
		if best < 0 {
			return
		}
		strata[best].quota++
	}
}

// smallest are the seqs of a stratum whose digests are smallest.
func (d *drawing) smallest(s stratum, taken map[uint64]bool) ([]uint64, error) {
	type ranked struct {
		seq    uint64
		digest [sha256.Size]byte
	}
	var best []ranked
	byDigest := func(a, b ranked) int { return slices.Compare(a.digest[:], b.digest[:]) }
	ask := d.ask
	ask.Query, ask.Limit = s.query, samplesOnce
	for s.quota > 0 {
		found, err := d.find(ask)
		if err != nil {
			return nil, err
		}
		for _, seq := range found.Seqs {
			if !taken[seq] {
				best = append(best, ranked{seq, sampleDigest(d.sample.Seed, d.sample.Owner, seq)})
			}
		}
		slices.SortFunc(best, byDigest)
		best = best[:min(len(best), s.quota)]
		if !found.More {
			break
		}
		ask.After = found.Seqs[len(found.Seqs)-1]
	}
	seqs := make([]uint64, len(best))
	for i, r := range best {
		seqs[i] = r.seq
	}
	return seqs, nil
}

// sampleDigest ranks an entry for a seed.
func sampleDigest(seed, owner string, seq uint64) [sha256.Size]byte {
	b := make([]byte, 0, 160)
	b = append(append(append(b, seed...), '\n'), owner...)
	return sha256.Sum256(strconv.AppendUint(append(b, '\n'), seq, 10))
}

// Samples are those that the caller's agency drew from logs that it may read,
// newest first, with their verdicts.
func (s *Service) Samples(ctx context.Context, c Caller, consultation string) ([]SampleView, error) {
	v, err := s.enter(ctx, c, ActSamples, "")
	if err != nil {
		return nil, err
	}
	var all []SampleView
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, refused, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || refused != nil {
			return nil, refused, err
		}
		all = []SampleView{}
		found, err := tx.Samples(v.agency(), maxSamples)
		for _, sample := range found {
			if _, refused, err = v.logOwner(tx, sample.Owner); err != nil {
				return nil, nil, err
			}
			if refused != nil {
				continue
			}
			verdicts, err := tx.Verdicts(sample.ID)
			if err != nil {
				return nil, nil, err
			}
			all = append(all, SampleView{Sample: sample, Verdicts: verdicts})
		}
		e := v.consulted(row)
		e.Count = uint64(len(all))
		return []audit.Entry{e}, nil, err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Review records the verdict on one entry of a sample; a later one replaces it.
// The note stands beside the sample only, not in the entry.
func (s *Service) Review(ctx context.Context, c Caller, consultation, id string, want Verdict) (*SampleView, error) {
	v, err := s.enter(ctx, c, ActReview, "")
	if err != nil {
		return nil, err
	}
	if refused := want.check(); refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	var view SampleView
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, refused, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || refused != nil {
			return nil, refused, err
		}
		sample, err := tx.Sample(id)
		if err != nil {
			return nil, nil, err
		}
		if sample == nil || sample.Agency != v.agency() || !slices.Contains(sample.Seqs, want.Seq) {
			return nil, absent("no-such-sample"), nil
		}
		if _, refused, err := v.logOwner(tx, sample.Owner); err != nil || refused != nil {
			return nil, refused, err
		}
		if entry, err := tx.Entry(sample.Owner, want.Seq); err != nil {
			return nil, nil, err
		} else if entry == nil || entry.Entry == nil {
			return nil, absent("entry-erased"), nil
		}
		set := Verdict{Sample: id, Owner: sample.Owner, Seq: want.Seq, Verdict: want.Verdict, Note: want.Note, By: c.Identity.String(), At: tx.Now()}
		tx.PutVerdict(set)
		verdicts, err := tx.Verdicts(id)
		view = SampleView{Sample: *sample, Verdicts: verdicts}
		e := v.consulted(row)
		e.Outcome, e.Details = "reviewed", map[string]string{"sample": id, "seq": strconv.FormatUint(want.Seq, 10), "verdict": want.Verdict}
		v.another(e.Details, sample.Owner)
		return []audit.Entry{e}, nil, err
	})
	if err != nil {
		return nil, err
	}
	view.Receipt = receipt
	return &view, nil
}

func (v *Verdict) check() *Refusal {
	switch {
	case !slices.Contains(verdictWords, v.Verdict):
		return badRequest("verdict", fmt.Sprintf("verdict is one of %v", verdictWords))
	case utf8.RuneCountInString(v.Note) > maxNote || !printable(v.Note):
		return badRequest("note", fmt.Sprintf("note is a text of at most %d characters", maxNote))
	}
	return nil
}
