package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/liaison-exchange/liaison/exchange"
)

// Registry implements exchange.Reader. The parsed registry of a commit is
// kept for all readers; one that is not committed is this transaction's own.
func (r *rows) Registry() (*exchange.Registry, error) {
	if r.registry != nil {
		return r.registry, r.err
	}
	var version int64
	if _, err := r.one([]any{&version}, "SELECT version FROM registry"); err != nil {
		return nil, err
	}
	kept := r.store.registry.Load()
	if !r.moved && kept != nil && kept.Version() == version {
		r.registry = kept
		return kept, nil
	}
	reg, err := r.readRegistry(version)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	if r.registry = reg; !r.moved {
		r.store.registry.Store(reg)
	}
	return reg, nil
}

func (r *rows) readRegistry(version int64) (*exchange.Registry, error) {
	agencies, err := r.agencies()
	if err != nil {
		return nil, err
	}
	keys, err := r.keys()
	if err != nil {
		return nil, err
	}
	return exchange.NewRegistry(version, agencies, keys)
}

func (r *rows) agencies() (all []exchange.Agency, err error) {
	err = r.query(func(row *sql.Rows) error {
		var a exchange.Agency
		var roles, declared, competences, bindings, supervises string
		var suspended, undeclared int
		err := row.Scan(&a.ID, &a.Jurisdiction, &a.Name, &a.Type, &roles, &declared, &competences, &suspended, &bindings, &a.File, &undeclared, &supervises)
		if err != nil {
			return err
		}
		a.Suspended, a.Undeclared = suspended != 0, undeclared != 0
		for text, list := range map[*string]*[]string{&roles: &a.Roles, &declared: &a.Declared, &competences: &a.Competences, &supervises: &a.Supervises} {
			if *list, err = parseList[string](*text); err != nil {
				return err
			}
		}
		if a.Bindings, err = parseList[exchange.Binding](bindings); err != nil {
			return err
		}
		all = append(all, a)
		return nil
	}, "SELECT id, jurisdiction, name, type, roles, declared, competences, suspended, bindings, file, undeclared, supervises FROM agencies ORDER BY id")
	return all, err
}

func (r *rows) keys() (all []exchange.KeyRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var k exchange.KeyRow
		var since, until, compromised int64
		if err := row.Scan(&k.Kid, &k.Agency, &k.Use, &k.JWK, &since, &until, &compromised); err != nil {
			return err
		}
		k.From, k.Until, k.Compromised = fromMillis(since), fromMillis(until), fromMillis(compromised)
		all = append(all, k)
		return nil
	}, "SELECT kid, agency, use, jwk, since, until, compromised FROM keys ORDER BY kid")
	return all, err
}

// PutAgency implements exchange.Writer.
func (t *transaction) PutAgency(a exchange.Agency) {
	roles, err := listText(a.Roles)
	declared, err2 := listText(a.Declared)
	competences, err3 := listText(a.Competences)
	bindings, err4 := listText(a.Bindings)
	supervises, err5 := listText(a.Supervises)
	if err = errors.Join(err, err2, err3, err4, err5); err != nil {
		t.fail(err)
		return
	}
	t.write(`INSERT INTO agencies (id, jurisdiction, name, type, roles, declared, competences, suspended, bindings, file, undeclared, supervises)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO UPDATE SET jurisdiction = excluded.jurisdiction, name = excluded.name,
		type = excluded.type, roles = excluded.roles, declared = excluded.declared, competences = excluded.competences,
		suspended = excluded.suspended, bindings = excluded.bindings, file = excluded.file, undeclared = excluded.undeclared,
		supervises = excluded.supervises`,
		a.ID, a.Jurisdiction, a.Name, a.Type, roles, declared, competences, flag(a.Suspended), bindings, a.File, flag(a.Undeclared), supervises)
	t.moveRegistry()
}

// Proposal implements exchange.Reader.
func (r *rows) Proposal(agency string) (*exchange.Proposal, error) {
	p := exchange.Proposal{Agency: agency}
	var roles, bindings, supervises string
	var suspended int
	var at int64
	found, err := r.one([]any{&roles, &suspended, &bindings, &supervises, &p.By, &p.Reason, &at},
		"SELECT roles, suspended, bindings, supervises, identity, reason, at FROM proposals WHERE agency = $1", agency)
	if err != nil || !found {
		return nil, err
	}
	p.Suspended, p.At = suspended != 0, fromMillis(at)
	var err2, err3 error
	p.Roles, err = parseList[string](roles)
	p.Bindings, err2 = parseList[exchange.Binding](bindings)
	p.Supervises, err3 = parseList[string](supervises)
	return &p, errors.Join(err, err2, err3)
}

// PutProposal implements exchange.Writer.
func (t *transaction) PutProposal(p exchange.Proposal) {
	roles, err := listText(p.Roles)
	bindings, err2 := listText(p.Bindings)
	supervises, err3 := listText(p.Supervises)
	if err = errors.Join(err, err2, err3); err != nil {
		t.fail(err)
		return
	}
	t.write(`INSERT INTO proposals (agency, roles, suspended, bindings, supervises, identity, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (agency) DO UPDATE SET roles = excluded.roles, suspended = excluded.suspended, bindings = excluded.bindings, supervises = excluded.supervises,
		identity = excluded.identity, reason = excluded.reason, at = excluded.at`,
		p.Agency, roles, flag(p.Suspended), bindings, supervises, p.By, p.Reason, millis(p.At))
}

// DropProposal implements exchange.Writer.
func (t *transaction) DropProposal(agency string) {
	t.write("DELETE FROM proposals WHERE agency = $1", agency)
}

// PutKey implements exchange.Writer.
func (t *transaction) PutKey(k exchange.KeyRow) {
	n := t.write(`INSERT INTO keys (kid, agency, use, jwk, since, until, compromised)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kid) DO UPDATE SET jwk = excluded.jwk, since = excluded.since,
		until = excluded.until, compromised = excluded.compromised WHERE keys.agency = excluded.agency AND keys.use = excluded.use`,
		k.Kid, k.Agency, k.Use, k.JWK, millis(k.From), millis(k.Until), millis(k.Compromised))
	if t.err == nil && n == 0 {
		t.fail(fmt.Errorf("key %s is another agency's or for another use", k.Kid))
	}
	t.moveRegistry()
}

func (t *transaction) moveRegistry() {
	t.registry, t.moved = nil, true
	t.exec("UPDATE registry SET version = version + 1")
}

// fail ends the transaction for a write that cannot be.
func (t *transaction) fail(err error) {
	if t.writes++; t.err == nil {
		t.err = err
	}
}
