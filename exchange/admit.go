package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// Admit puts an agency into the registry, or changes its row: an act of the
// operator with an entry. The same row again does nothing.
func (s *Service) Admit(ctx context.Context, a Agency) error {
	j, _, err := certs.ParseAgencyID(a.ID)
	if err != nil || j != a.Jurisdiction {
		return fmt.Errorf("admit %s: the agency is not of jurisdiction %q", a.ID, a.Jurisdiction)
	}
	return s.act(ctx, ActAdmit, func(tx *Tx, e *audit.Entry) error {
		reg, err := tx.Registry()
		if err != nil {
			return err
		}
		old, known := reg.Agency(a.ID)
		if known && old.same(a) {
			return errDone
		}
		e.Details = map[string]string{"agency": a.ID, "type": a.Type, "roles": fmt.Sprint(a.Roles), "suspended": fmt.Sprint(a.Suspended)}
		if known {
			e.Details["before"] = fmt.Sprintf("type %s, roles %v, suspended %v", old.Type, old.Roles, old.Suspended)
		}
		tx.PutAgency(a)
		return nil
	})
}

// Register puts an agency's public key (a JWK with use and x5c) into the
// directory, trusted from now on. The certificate must chain to the anchors
// of the agency's own jurisdiction and name that agency and use. The same
// key again does nothing, whatever became of its certificate; a key of another
// agency or use is refused.
func (s *Service) Register(ctx context.Context, agency string, jwk []byte) error {
	key, err := envelope.ParsePublicJWK(jwk)
	if err != nil {
		return fmt.Errorf("key of %s: %w", agency, err)
	}
	if key.IsPublished() {
		return fmt.Errorf("key %s of %s: its private half is published in a standard or in test vectors", key.Kid(), agency)
	}
	use := string(key.Use())
	if old := s.registry.Load().KeyByID(key.Kid()); old != nil && old.Agency == agency && old.Use == use {
		return nil
	}
	chain, err := certs.ParseDER(key.X5C)
	if err == nil {
		err = s.Anchors().VerifyKey(chain, agency, use, key.CryptoKey(), s.Clock())
	}
	if err != nil {
		return fmt.Errorf("key %s of %s: %w", key.Kid(), agency, err)
	}
	return s.act(ctx, ActKey, func(tx *Tx, e *audit.Entry) error {
		reg, err := tx.Registry()
		if err != nil {
			return err
		}
		if _, known := reg.Agency(agency); !known {
			return fmt.Errorf("key %s: agency %s is not admitted", key.Kid(), agency)
		}
		if old := reg.KeyByID(key.Kid()); old != nil {
			if old.Agency == agency && old.Use == use {
				return errDone
			}
			return fmt.Errorf("key %s of %s: registered already, for another agency or use", key.Kid(), agency)
		}
		e.SigningKey = key.Kid()
		e.Details = map[string]string{"agency": agency, "use": use, "certificate": certs.Fingerprint(chain[0])}
		tx.PutKey(KeyRow{Agency: agency, Kid: key.Kid(), Use: use, JWK: jwk, From: tx.Now()})
		return nil
	})
}

// Activate puts a policy set in force after its revisions are kept and the
// activation is an entry: each one, an earlier set and the first after a start
// included. A set of the revisions in force does nothing.
func (s *Service) Activate(ctx context.Context, set *policy.Set) error {
	s.activation.Lock()
	defer s.activation.Unlock()
	if err := s.Policy.Check(set); err != nil {
		return err // before any entry says that it is in force
	}
	revisions := set.Revisions()
	if now := s.Policy.Set(); now != nil && maps.Equal(now.Revisions(), revisions) {
		return nil
	}
	err := s.act(ctx, ActActivate, func(tx *Tx, e *audit.Entry) error {
		e.Revisions = revisions
		return keepRevisions(tx, set)
	})
	if err != nil {
		return err
	}
	return s.Policy.Activate(set)
}

// keepRevisions stores each input of the set under its revision.
func keepRevisions(tx *Tx, set *policy.Set) error {
	for name, revision := range set.Revisions() {
		src, ok := set.Source(revision)
		if !ok {
			return errors.New("revision without source: " + name)
		}
		body, err := json.Marshal(src)
		if err != nil {
			return err
		}
		kind, jurisdiction := splitInput(name)
		tx.PutRevision(RevisionRow{Digest: revision, Kind: kind, Jurisdiction: jurisdiction, Body: body, At: tx.Now()})
	}
	return nil
}

// splitInput splits "rules/ee" into kind and jurisdiction.
func splitInput(name string) (kind, jurisdiction string) {
	if i := slices.Index([]byte(name), '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// errDone ends an act that has nothing to do: no effect, no entry.
var errDone = errors.New("it is so already")

// act records an act of the exchange itself: one entry of the operator.
func (s *Service) act(ctx context.Context, a Action, do func(tx *Tx, e *audit.Entry) error) error {
	_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		e := audit.Entry{Owner: s.Operator, Operation: audit.Alteration, Action: string(a), Outcome: "done",
			Actor: audit.Actor{Agency: s.Operator, Role: certs.RoleOperator}}
		err := do(tx, &e)
		return []audit.Entry{e}, err
	})
	if err != nil && !errors.Is(err, errDone) {
		return err
	}
	return s.refresh(ctx)
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
