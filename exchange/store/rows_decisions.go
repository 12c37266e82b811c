package store

import (
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
	t.write("INSERT INTO inputs (sha256, input) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING", sha256, some(input))
}

// Input implements exchange.Reader.
func (r *rows) Input(sha256 string) (input []byte, err error) {
	_, err = r.one([]any{&input}, "SELECT input FROM inputs WHERE sha256 = $1", sha256)
	return input, err
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
