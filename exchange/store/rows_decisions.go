package store

import (
	"database/sql"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// PutDecision implements exchange.Writer.
func (t *transaction) PutDecision(d exchange.DecisionRow) {
	delete(t.packages, d.Package)
	t.write(`INSERT INTO decisions (id, package, recipient, action, at, input_sha256, shared, verdict, own)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		d.ID, d.Package, d.Recipient, d.Action, millis(d.At), d.InputSHA256, d.Shared, some(d.Verdict), some(d.Own))
}

// Decision implements exchange.Reader.
func (r *rows) Decision(id string) (*exchange.DecisionRow, error) {
	var d exchange.DecisionRow
	var at int64
	found, err := r.one([]any{&d.ID, &d.Package, &d.Recipient, &d.Action, &at, &d.InputSHA256, &d.Shared, &d.Verdict, &d.Own},
		"SELECT id, package, recipient, action, at, input_sha256, shared, verdict, own FROM decisions WHERE id = $1", id)
	if !found {
		return nil, err
	}
	d.At = fromMillis(at)
	return &d, nil
}

// PutInput implements exchange.Writer.
func (t *transaction) PutInput(sha256 string, input []byte) {
	t.write(`INSERT INTO inputs (sha256, input) VALUES ($1, $2) ON CONFLICT (sha256) DO UPDATE SET input = excluded.input
		WHERE length(inputs.input) = 0`, sha256, some(input)) // what was erased may be asked again
}

// Input implements exchange.Reader.
func (r *rows) Input(sha256 string) (input []byte, err error) {
	_, err = r.one([]any{&input}, "SELECT input FROM inputs WHERE sha256 = $1", sha256)
	return input, err
}

// Inputs implements exchange.Reader.
func (r *rows) Inputs(sha256 []string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(sha256))
	err := r.each(sha256, func(row *sql.Rows) error {
		var key string
		var input []byte
		err := row.Scan(&key, &input)
		found[key] = input
		return err
	}, "SELECT sha256, input FROM inputs WHERE sha256 IN ", "")
	return found, err
}

// Decisions implements exchange.Reader.
func (r *rows) Decisions(after int64, limit int) ([]exchange.DecisionRow, int64, error) {
	list := make([]exchange.DecisionRow, 0, limit)
	err := r.query(func(row *sql.Rows) error {
		var d exchange.DecisionRow
		var at int64
		err := row.Scan(&after, &d.ID, &d.Package, &d.Recipient, &d.Action, &at, &d.InputSHA256, &d.Shared, &d.Verdict, &d.Own)
		d.At = fromMillis(at)
		list = append(list, d)
		return err
	}, `SELECT rowid, id, package, recipient, action, at, input_sha256, shared, verdict, own FROM decisions
		WHERE rowid > $1 ORDER BY rowid LIMIT $2`, after, limit)
	return list, after, err
}

// slack is how long a decision may have waited to be recorded: rows are in the
// order of their commits, times are of the decisions.
const slack = time.Hour

// DecisionsSince implements exchange.Reader: it halves the table, which has
// no index by time because every row would pay for it.
func (r *rows) DecisionsSince(at time.Time) (after, last int64, err error) {
	if _, err := r.one([]any{&last}, "SELECT coalesce(max(rowid), 0) FROM decisions"); err != nil {
		return 0, 0, err
	}
	want, high := millis(at.Add(-slack)), last
	for after < high {
		middle := after + (high-after)/2
		var id, when int64
		found, err := r.one([]any{&id, &when}, "SELECT rowid, at FROM decisions WHERE rowid > $1 ORDER BY rowid LIMIT 1", middle)
		switch {
		case err != nil:
			return 0, 0, err
		case found && when < want:
			after = id
		default:
			high = middle
		}
	}
	return after, last, nil
}

// Releases implements exchange.Reader.
func (r *rows) Releases(packages []string) ([]exchange.ReleaseRow, error) {
	var list []exchange.ReleaseRow
	err := r.each(packages, func(row *sql.Rows) error {
		var d exchange.ReleaseRow
		var seq int64
		err := row.Scan(&d.Package, &d.Recipient, &d.Sender, &seq, &d.Decision, &d.Answer)
		d.Seq = uint64(seq)
		list = append(list, d)
		return err
	}, `SELECT d.package, d.recipient, p.sender, d.seq, d.decision, t.answer
		FROM deliveries d JOIN packages p ON p.id = d.package JOIN parts t ON t.idx = p.idx WHERE d.package IN `, "")
	return list, err
}

// PutAcknowledgement implements exchange.Writer.
func (t *transaction) PutAcknowledgement(a exchange.Acknowledgement) {
	t.write("INSERT INTO acknowledgements (package, recipient, jws, payload, seq, idx, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		a.Package, a.Recipient, some(a.JWS), a.Payload, int64(a.Seq), a.Index, millis(a.At))
}

// Acknowledgement implements exchange.Reader.
func (r *rows) Acknowledgement(id, recipient string) (*exchange.Acknowledgement, error) {
	a := exchange.Acknowledgement{Package: id, Recipient: recipient}
	var seq, at int64
	found, err := r.one([]any{&a.JWS, &a.Payload, &seq, &a.Index, &at},
		"SELECT jws, payload, seq, idx, at FROM acknowledgements WHERE package = $1 AND recipient = $2", id, recipient)
	if !found {
		return nil, err
	}
	a.Seq, a.At = uint64(seq), fromMillis(at)
	return &a, nil
}

// PutConsultation implements exchange.Writer.
func (t *transaction) PutConsultation(c exchange.ConsultationRow) {
	t.write(`INSERT INTO consultations (id, agency, identity, officer, justification, case_ref, package, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.ID, c.Agency, c.Identity, c.Officer, c.Justification, c.CaseRef, c.Package, millis(c.Expires))
}

// Consultation implements exchange.Reader.
func (r *rows) Consultation(id string) (*exchange.ConsultationRow, error) {
	var c exchange.ConsultationRow
	var expires int64
	found, err := r.one([]any{&c.ID, &c.Agency, &c.Identity, &c.Officer, &c.Justification, &c.CaseRef, &c.Package, &expires},
		"SELECT id, agency, identity, officer, justification, case_ref, package, expires FROM consultations WHERE id = $1", id)
	if !found {
		return nil, err
	}
	c.Expires = fromMillis(expires)
	return &c, nil
}

// PutRevision implements exchange.Writer.
func (t *transaction) PutRevision(v exchange.RevisionRow) {
	t.write("INSERT INTO revisions (digest, kind, jurisdiction, body, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING",
		v.Digest, v.Kind, v.Jurisdiction, some(v.Body), millis(v.At))
}

// Revision implements exchange.Reader.
func (r *rows) Revision(digest string) (*exchange.RevisionRow, error) {
	var v exchange.RevisionRow
	var at int64
	found, err := r.one([]any{&v.Digest, &v.Kind, &v.Jurisdiction, &v.Body, &at},
		"SELECT digest, kind, jurisdiction, body, at FROM revisions WHERE digest = $1", digest)
	if !found {
		return nil, err
	}
	v.At = fromMillis(at)
	return &v, nil
}
