package store

import (
	"database/sql"

	"github.com/liaison-exchange/liaison/exchange"
)

const sampleColumns = "SELECT id, agency, owner, identity, officer, seed, query, begins, ends, stratum, through, population, seqs, at FROM samples "

// Sample implements exchange.Reader.
func (r *rows) Sample(id string) (*exchange.Sample, error) {
	all, err := r.samples(sampleColumns+"WHERE id = $1", id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Samples implements exchange.Reader.
func (r *rows) Samples(agency string, limit int) ([]exchange.Sample, error) {
	return r.samples(sampleColumns+"WHERE agency = $1 ORDER BY at DESC, id DESC LIMIT $2", agency, limit)
}

func (r *rows) samples(query string, args ...any) (all []exchange.Sample, err error) {
	err = r.query(func(row *sql.Rows) error {
		var s exchange.Sample
		var through, at int64
		var seqs string
		err := row.Scan(&s.ID, &s.Agency, &s.Owner, &s.By, &s.Officer, &s.Seed, &s.Query, &s.From, &s.To, &s.Stratum, &through, &s.Population, &seqs, &at)
		if err != nil {
			return err
		}
		s.Through, s.At = uint64(through), fromMillis(at)
		s.Seqs, err = parseList[uint64](seqs)
		all = append(all, s)
		return err
	}, query, args...)
	return all, err
}

// Verdicts implements exchange.Reader.
func (r *rows) Verdicts(sample string) (all []exchange.Verdict, err error) {
	err = r.query(func(row *sql.Rows) error {
		v := exchange.Verdict{Sample: sample}
		var seq, at int64
		err := row.Scan(&v.Owner, &seq, &v.Verdict, &v.Note, &v.By, &at)
		v.Seq, v.At = uint64(seq), fromMillis(at)
		all = append(all, v)
		return err
	}, "SELECT owner, seq, verdict, note, identity, at FROM verdicts WHERE sample = $1 ORDER BY seq", sample)
	return all, err
}

// PutSample implements exchange.Writer.
func (t *transaction) PutSample(s exchange.Sample) {
	seqs, err := listText(s.Seqs)
	if err != nil {
		t.fail(err)
		return
	}
	t.write(`INSERT INTO samples (id, agency, seq, owner, identity, officer, seed, query, begins, ends, stratum, through, population, seqs, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		s.ID, s.Agency, int64(s.Entry), s.Owner, s.By, s.Officer, s.Seed, s.Query, s.From, s.To, s.Stratum, int64(s.Through), s.Population, seqs, millis(s.At))
}

// PutVerdict implements exchange.Writer.
func (t *transaction) PutVerdict(v exchange.Verdict) {
	t.write(`INSERT INTO verdicts (sample, owner, seq, verdict, note, identity, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (sample, seq) DO UPDATE SET verdict = excluded.verdict, note = excluded.note, identity = excluded.identity, at = excluded.at`,
		v.Sample, v.Owner, int64(v.Seq), v.Verdict, v.Note, v.By, millis(v.At))
}
