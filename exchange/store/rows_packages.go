package store

import (
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/exchange"
)

const packageColumns = `SELECT p.idx, p.id, p.sender, p.type, p.state, p.manifest_sha256, p.payload, p.content_sha256, p.content_size,
	p.content_blob, p.attachments, p.accepted_at, p.expires_at, p.erase_at, p.content_at, p.erased, p.content_erased, p.seq, t.manifest, t.statement, t.answer `

func scanPackage(row *sql.Rows) (*exchange.Package, error) {
	var p exchange.Package
	var attachments string
	var accepted, expires, eraseAt, contentAt, seq int64
	var erased, content sql.NullInt64
	err := row.Scan(&p.Index, &p.ID, &p.Sender, &p.Type, &p.State, &p.ManifestSHA256, &p.Payload, &p.ContentSHA256, &p.ContentSize,
		&p.ContentBlob, &attachments, &accepted, &expires, &eraseAt, &contentAt, &erased, &content, &seq, &p.Manifest, &p.Statement, &p.Answer)
	if err != nil {
		return nil, err
	}
	p.AcceptedAt, p.ExpiresAt, p.EraseAt, p.ContentAt, p.Seq = fromMillis(accepted), fromMillis(expires), fromMillis(eraseAt), fromMillis(contentAt), uint64(seq)
	p.Erased, p.ContentErased, p.Act = erased.Valid, content.Valid, content.Int64
	if erased.Valid {
		p.Act = erased.Int64
	}
	p.Attachments, err = parseList[exchange.AttachmentRow](attachments)
	return &p, err
}

// PutPackage implements exchange.Writer.
func (t *transaction) PutPackage(p *exchange.Package, content []byte) {
	attachments, err := listText(p.Attachments)
	if err != nil {
		t.fail(err)
		return
	}
	delete(t.packages, p.ID)
	t.write(`INSERT INTO packages (idx, id, sender, type, state, manifest_sha256, payload, content_sha256, content_size, content_blob,
		attachments, accepted_at, expires_at, seq, erase_at, content_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		p.Index, p.ID, p.Sender, p.Type, p.State, p.ManifestSHA256, p.Payload, p.ContentSHA256, p.ContentSize, p.ContentBlob,
		attachments, millis(p.AcceptedAt), millis(p.ExpiresAt), int64(p.Seq), millis(p.EraseAt), millis(p.ContentAt))
	t.exec("INSERT INTO parts (idx, manifest, statement, answer, content) VALUES ($1, $2, $3, $4, $5)",
		p.Index, some(p.Manifest), some(p.Statement), some(p.Answer), content)
	t.exec(insertParty, p.Sender, p.ID)
}

const insertParty = "INSERT INTO parties (agency, package) VALUES ($1, $2) ON CONFLICT DO NOTHING"

// PutParty implements exchange.Writer.
func (t *transaction) PutParty(id, agency string) { t.write(insertParty, agency, id) }

// Party implements exchange.Reader. Both lookups miss at the same cost
// whether the package exists or not: a package's own row is not looked at.
func (r *rows) Party(id, agency string) (bool, error) {
	var one int
	return r.one([]any{&one}, `SELECT 1 WHERE EXISTS (SELECT 1 FROM parties WHERE agency = $1 AND package = $2)
		OR EXISTS (SELECT 1 FROM deliveries WHERE package = $2 AND recipient = $1 AND seq > 0)`, agency, id)
}

// some makes no bytes the empty ones, which a column that must not be NULL
// takes.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// SetState implements exchange.Writer.
func (t *transaction) SetState(id, state string) {
	delete(t.packages, id)
	t.write("UPDATE packages SET state = $2 WHERE id = $1", id, state)
}

// PutDelivery implements exchange.Writer.
func (t *transaction) PutDelivery(id string, d exchange.Delivery) {
	delete(t.packages, id)
	mismatches, err := listText(d.Mismatches)
	if err != nil {
		t.fail(err)
		return
	}
	t.write(`INSERT INTO deliveries (package, recipient, outcome, decision, due_at, seq, idx, fetched_at, mismatches) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (package, recipient) DO UPDATE SET outcome = excluded.outcome, decision = excluded.decision, due_at = excluded.due_at,
		seq = excluded.seq, idx = excluded.idx, fetched_at = excluded.fetched_at, mismatches = excluded.mismatches`,
		id, d.Recipient, d.Outcome, d.Decision, millis(d.DueAt), int64(d.Seq), d.Index, millis(d.FetchedAt), mismatches)
}

// Package implements exchange.Reader.
func (r *rows) Package(id string) (*exchange.Package, error) {
	if r.err != nil {
		return nil, r.err
	}
	if p, known := r.packages[id]; known {
		return clonePackage(p), nil
	}
	found, err := r.packagesOf([]string{id})
	if err != nil {
		return nil, err
	}
	return found[id], nil
}

func clonePackage(p *exchange.Package) *exchange.Package {
	if p == nil {
		return nil
	}
	c := *p
	c.Attachments, c.Deliveries = slices.Clone(p.Attachments), slices.Clone(p.Deliveries)
	return &c
}

// Load implements exchange.Transaction: it reads the packages that the batch
// will ask for.
func (t *transaction) Load(needs []exchange.Need) error {
	var ids []string
	for _, n := range needs {
		if n.Agency != "" {
			if party, err := t.Party(n.Package, n.Agency); err != nil || !party {
				continue // its error sticks
			}
		}
		ids = append(ids, n.Package)
	}
	slices.Sort(ids)
	found, err := t.packagesOf(slices.Compact(ids))
	if err != nil {
		return err
	}
	t.packages = make(map[string]*exchange.Package, len(ids))
	for _, id := range ids {
		t.packages[id] = found[id]
	}
	return nil
}

// packagesOf reads packages by id, with their deliveries.
func (r *rows) packagesOf(ids []string) (map[string]*exchange.Package, error) {
	found := make(map[string]*exchange.Package, len(ids))
	err := r.each(ids, func(row *sql.Rows) error {
		p, err := scanPackage(row)
		if err == nil {
			found[p.ID] = p
		}
		return err
	}, packageColumns+"FROM packages p JOIN parts t ON t.idx = p.idx WHERE p.id IN ", "")
	if err != nil {
		return nil, err
	}
	return found, r.deliver(found)
}

// deliver reads the deliveries of packages, in the order of recipients.
func (r *rows) deliver(to map[string]*exchange.Package) error {
	ids := make([]string, 0, len(to))
	for id := range to {
		ids = append(ids, id)
	}
	return r.each(ids, func(row *sql.Rows) error {
		var id string
		var d exchange.Delivery
		var due, seq, fetched int64
		var mismatches string
		err := row.Scan(&id, &d.Recipient, &d.Outcome, &d.Decision, &due, &seq, &d.Index, &d.Verdict, &fetched, &mismatches)
		if err == nil {
			d.Mismatches, err = parseList[exchange.Mismatch](mismatches)
		}
		if err != nil {
			return err
		}
		d.DueAt, d.Seq, d.FetchedAt = fromMillis(due), uint64(seq), fromMillis(fetched)
		to[id].Deliveries = append(to[id].Deliveries, d)
		return nil
	}, `SELECT d.package, d.recipient, d.outcome, d.decision, d.due_at, d.seq, d.idx, c.verdict, d.fetched_at, d.mismatches
		FROM deliveries d LEFT JOIN decisions c ON c.id = d.decision WHERE d.package IN `, " ORDER BY d.package, d.recipient")
}

// idsAtOnce are the numbers of ids that one statement looks up; the last id
// fills up what is short of one of them.
var idsAtOnce = []int{1, 8, 32, 128}

// each queries rows by any number of ids.
func (r *rows) each(ids []string, scan func(*sql.Rows) error, before, after string) error {
	for len(ids) > 0 {
		n := idsAtOnce[len(idsAtOnce)-1]
		for _, size := range idsAtOnce {
			if size >= len(ids) {
				n = size
				break
			}
		}
		args := make([]any, n)
		for i := range args {
			args[i] = ids[min(i, len(ids)-1)]
		}
		if err := r.query(scan, before+placeholders(1, n)+after, args...); err != nil {
			return err
		}
		ids = ids[min(n, len(ids)):]
	}
	return nil
}

// Content implements exchange.Reader.
func (r *rows) Content(id string) (content []byte, err error) {
	_, err = r.one([]any{&content}, "SELECT t.content FROM packages p JOIN parts t ON t.idx = p.idx WHERE p.id = $1", id)
	return content, err
}

// List implements exchange.Reader.
func (r *rows) List(q exchange.Query) ([]*exchange.Package, error) {
	if q.Limit < 1 {
		return nil, errors.New("list without a limit")
	}
	query, args := listQuery(q)
	return r.listed(query, args...)
}

// listed are the packages that a statement finds, in its order.
func (r *rows) listed(query string, args ...any) ([]*exchange.Package, error) {
	var page []*exchange.Package
	byID := map[string]*exchange.Package{}
	err := r.query(func(row *sql.Rows) error {
		p, err := scanPackage(row)
		if err == nil {
			page, byID[p.ID] = append(page, p), p
		}
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return page, r.deliver(byID)
}

// listQuery makes one of eight statements.
func listQuery(q exchange.Query) (string, []any) {
	var b strings.Builder
	b.WriteString(packageColumns)
	args := []any{q.Agency, int64(q.After), q.Limit}
	from, cursor, state, due := "FROM deliveries d JOIN packages p ON p.id = d.package JOIN parts t ON t.idx = p.idx WHERE d.recipient = $1",
		"d.seq", "CASE WHEN p.erased IS NULL THEN d.outcome ELSE p.state END", "d.due_at > 0 AND d.due_at < "
	if q.Outbox {
		from, cursor, state, due = "FROM packages p JOIN parts t ON t.idx = p.idx WHERE p.sender = $1", "p.seq", "p.state",
			"EXISTS (SELECT 1 FROM deliveries d WHERE d.package = p.id AND d.due_at > 0 AND d.due_at < "
	}
	b.WriteString(from + " AND " + cursor + " > 0 AND " + cursor + " > $2")
	if q.State != "" {
		args = append(args, q.State)
		b.WriteString(" AND " + state + " = $4")
	}
	if !q.DueBefore.IsZero() {
		args = append(args, millis(q.DueBefore))
		b.WriteString(" AND " + due + [...]string{"$4", "$5"}[len(args)-4])
		if q.Outbox {
			b.WriteString(")")
		}
	}
	b.WriteString(" ORDER BY " + cursor + " LIMIT $3")
	return b.String(), args
}

// Blobs implements exchange.Reader.
func (r *rows) Blobs(f func(name string) error) error {
	return r.query(func(row *sql.Rows) error {
		var content, text string
		if err := row.Scan(&content, &text); err != nil {
			return err
		}
		attachments, err := parseList[exchange.AttachmentRow](text)
		if err == nil && content != "" {
			err = f(content)
		}
		for _, a := range attachments {
			if err == nil {
				err = f(a.Blob)
			}
		}
		return err
	}, "SELECT content_blob, attachments FROM packages WHERE content_blob <> '' OR attachments <> '' ORDER BY idx")
}
