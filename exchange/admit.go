package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Admit puts an agency into the registry, or changes its row: an act of the
// exchange with an entry. The same row again does nothing.
func (s *Service) Admit(ctx context.Context, a Agency) error {
	return s.admit(ctx, a.ID, func(old Agency, _ bool) (Agency, error) {
		a.File = old.File
		return a, nil
	})
}

// ApplyAdmission applies what the operator's registry file says of an agency.
// A file that was applied before says nothing new: roles and suspension stay
// what operators made of them since; only what the agency's jurisdiction
// declares is read again.
func (s *Service) ApplyAdmission(ctx context.Context, agency string, says Standing, file string) error {
	return s.admit(ctx, agency, func(old Agency, known bool) (Agency, error) {
		if known && old.File == file {
			says = old.standing()
		}
		row, err := s.row(agency, says)
		row.File = file
		return row, err
	})
}

// row is an agency's row: what the operator and its own jurisdiction say. The
// exchange's own agency is declared by nobody.
func (s *Service) row(agency string, says Standing) (Agency, error) {
	j, _, err := certs.ParseAgencyID(agency)
	if err != nil {
		return Agency{}, err
	}
	row := Agency{ID: agency, Jurisdiction: j, Type: "operator"}
	row.setStanding(says)
	if agency == s.Operator {
		return row, nil
	}
	declared, _ := s.Policy.Set().Declared(j)
	for _, d := range declared.Agencies {
		if d.ID == agency {
			row.Name, row.Type, row.Declared, row.Competences = d.Name, d.Type, d.Roles, d.Competences
			return row, nil
		}
	}
	return row, fmt.Errorf("jurisdiction %s does not declare agency %s", j, agency)
}

// admit changes an agency's row to what next makes of it.
func (s *Service) admit(ctx context.Context, agency string, next func(old Agency, known bool) (Agency, error)) error {
	s.turning.RLock() // what is declared stays so until the row is written
	defer s.turning.RUnlock()
	var more []audit.Entry
	return s.actWith(ctx, ActAdmit, &more, func(tx *Tx, e *audit.Entry) error {
		reg, err := tx.Registry()
		if err != nil {
			return err
		}
		old, known := reg.Agency(agency)
		row, err := next(old, known)
		if err != nil {
			return err
		}
		if j, _, err := certs.ParseAgencyID(agency); err != nil || j != row.Jurisdiction {
			return fmt.Errorf("admit %s: the agency is not of jurisdiction %q", agency, row.Jurisdiction)
		}
		if known && old.same(row) {
			return errDone
		}
		if r := s.checkBindings(reg, old, row); r != nil {
			return r
		}
		if r := s.checkSupervises(reg, old, row); r != nil {
			return r
		}
		e.Details = admissionDetails(old, known, row)
		more = grants(*e, old, row)
		tx.PutAgency(row)
		tx.DropProposal(agency) // it was made under other circumstances
		return nil
	})
}

// admissionDetails tell an entry what a row was and is.
func admissionDetails(old Agency, known bool, row Agency) map[string]string {
	d := map[string]string{"agency": row.ID, "type": row.Type, "roles": fmt.Sprint(row.Roles), "suspended": fmt.Sprint(row.Suspended)}
	if known {
		d["before"] = fmt.Sprintf("type %s, roles %v, suspended %v", old.Type, old.Roles, old.Suspended)
	}
	describeBindings(d, old.Bindings, row.Bindings)
	describeSupervises(d, old.Supervises, row.Supervises)
	return d
}

// Register puts an agency's public key (a JWK with use and x5c) into the
// directory, trusted from now on: an act of the exchange with an entry. The
// same key again does nothing, whatever became of it.
func (s *Service) Register(ctx context.Context, agency string, jwk []byte) error {
	key, err := envelope.ParsePublicJWK(jwk)
	if err != nil {
		return fmt.Errorf("key of %s: %w", agency, err)
	}
	if old := s.registry.Load().Key(agency, key.Kid(), key.Use()); old != nil {
		return nil
	}
	if r := s.checkKey(agency, key); r != nil {
		return fmt.Errorf("key %s of %s: %w", key.Kid(), agency, r)
	}
	return s.act(ctx, ActKey, func(tx *Tx, e *audit.Entry) error {
		reg, err := tx.Registry()
		if err != nil {
			return err
		}
		if _, known := reg.Agency(agency); !known {
			return fmt.Errorf("key %s: agency %s is not admitted", key.Kid(), agency)
		}
		if reg.Key(agency, key.Kid(), key.Use()) != nil {
			return errDone
		}
		if reg.KeyByID(key.Kid()) != nil {
			return fmt.Errorf("key %s of %s: registered already, for another agency or use", key.Kid(), agency)
		}
		row := newKey(agency, key, jwk, tx.Now())
		row.describe(e)
		e.Details["certificate"] = fingerprint(key)
		tx.PutKey(row)
		return nil
	})
}

// errDone ends an act that has nothing to do: no effect, no entry.
var errDone = errors.New("it is so already")

// act records an act of the exchange itself: one entry of the operator.
func (s *Service) act(ctx context.Context, a Action, do func(tx *Tx, e *audit.Entry) error) error {
	return s.actWith(ctx, a, new([]audit.Entry), do)
}

// actWith is act with entries of others, which do leaves in more.
func (s *Service) actWith(ctx context.Context, a Action, more *[]audit.Entry, do func(tx *Tx, e *audit.Entry) error) error {
	_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		e := audit.Entry{Owner: s.Operator, Operation: audit.Alteration, Action: string(a), Outcome: "done",
			Actor: audit.Actor{Agency: s.Operator, Role: certs.RoleOperator}}
		*more = nil // it may run again
		err := do(tx, &e)
		return append([]audit.Entry{e}, *more...), err
	})
	if err != nil && !errors.Is(err, errDone) {
		return err
	}
	return s.refresh(ctx)
}

// commitRegistry is commit for an effect on the registry: what it changed
// holds for the next request of everybody when it returns.
func (v *visit) commitRegistry(ctx context.Context, do effect) (audit.Receipt, error) {
	receipt, err := v.commit(ctx, do)
	if err != nil {
		return receipt, err
	}
	return receipt, v.refresh(context.WithoutCancel(ctx))
}

// refresh reads the registry as committed.
func (s *Service) refresh(ctx context.Context) error {
	return s.view(ctx, func(rows Reader) error {
		r, err := rows.Registry()
		if err == nil {
			s.see(r)
		}
		return err
	})
}

// Sweep removes blobs that no package names and that are older than a day:
// what refused or broken uploads left behind.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	named := map[string]bool{}
	err := s.view(ctx, func(rows Reader) error {
		return rows.Blobs(func(name string) error { named[name] = true; return nil })
	})
	if err != nil {
		return 0, err
	}
	return s.Blobs.Sweep(ctx, 24*time.Hour, func(name string) bool { return named[name] })
}
