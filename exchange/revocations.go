package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// RevocationRow is the newest revocation list of one authority: what the
// exchange has seen once, no older file takes back.
type RevocationRow struct {
	Jurisdiction string
	Issuer       string // certs.SPKISHA256 of the authority
	Number       string // decimal; rises
	Digest       string
	PEM          []byte // certs.CRL.PEM
	At           time.Time
}

// RevocationsTaken answers BringRevocations.
type RevocationsTaken struct {
	Lists   []certs.CRL
	Receipt audit.Receipt
	Repeat  bool // all of them were here already
}

// maxLists bounds what one caller brings at a time.
const maxLists = 16

// BringRevocations takes newer revocation lists of a jurisdiction, from
// whoever passed identity: the lists authenticate themselves. All of them are
// taken, or none.
func (s *Service) BringRevocations(ctx context.Context, c Caller, jurisdiction string, data []byte) (*RevocationsTaken, error) {
	v, err := s.enter(ctx, c, ActBringCRL, "")
	if err != nil {
		return nil, err
	}
	v.entry.Details = map[string]string{"jurisdiction": jurisdiction}
	anchors := s.Trust().Anchors
	if len(anchors.Of(jurisdiction)) == 0 {
		delete(v.entry.Details, "jurisdiction") // the caller's words, not the name of anything
		return nil, v.refuse(ctx, absent("no-such-jurisdiction"))
	}
	lists, err := anchors.ReadCRLs(jurisdiction, data, s.Clock())
	if err == nil && len(lists) > maxLists {
		err = fmt.Errorf("%d lists", len(lists))
	}
	if err != nil {
		return nil, v.refuse(ctx, &Refusal{Kind: ListRefused, Reason: "list-not-of-the-jurisdiction", Err: err,
			Detail: "this is no full revocation list of an authority of the jurisdiction",
			Fix:    "send the newest full list, DER or PEM, with number and nextUpdate, signed by an anchor of the jurisdiction, or with the certificate of its issuer beside it in PEM"})
	}
	taken, err := v.takeLists(ctx, jurisdiction, lists)
	if err == nil && !taken.Repeat {
		s.renew(ctx)
	}
	return taken, err
}

// takeLists writes the lists that are new.
func (v *visit) takeLists(ctx context.Context, jurisdiction string, lists []certs.CRL) (*RevocationsTaken, error) {
	taken := &RevocationsTaken{Lists: lists}
	describeLists(&v.entry, lists)
	var err error
	taken.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		fresh, err := risen(tx, jurisdiction, lists)
		if errors.Is(err, errFalls) {
			return nil, &Refusal{Kind: Conflict, Reason: "list-number", Detail: "a list with a higher number, or another with this one, is here already",
				Fix: "send the newest list of the authority; GET the same path shows what is here"}, nil
		}
		if err != nil {
			return nil, nil, err
		}
		own := v.entry
		own.Outcome, taken.Repeat = "done", len(fresh) == 0
		if taken.Repeat {
			own.Outcome = "repeated"
			return []audit.Entry{own}, nil, nil
		}
		putLists(tx, jurisdiction, fresh)
		return v.alsoForOperator(own), nil, nil
	})
	return taken, err
}

// alsoForOperator is the entry of the acting agency, and the operator's of
// what changed on the exchange: without whom it was.
func (v *visit) alsoForOperator(own audit.Entry) []audit.Entry {
	if own.Owner == v.Operator {
		return []audit.Entry{own}
	}
	theirs := audit.Entry{Owner: v.Operator, Operation: own.Operation, Action: own.Action, Outcome: own.Outcome, Details: own.Details,
		Actor: audit.Actor{Agency: v.agency(), Role: v.caller.Identity.Role}}
	return []audit.Entry{own, theirs}
}

// KeepRevocations keeps the lists that files brought: an act of the exchange.
// What is kept already, or has a lower number than what is, changes nothing.
func (s *Service) KeepRevocations(ctx context.Context, jurisdiction string, lists []certs.CRL) error {
	return s.act(ctx, ActKeepCRL, func(tx *Tx, e *audit.Entry) error {
		var fresh []certs.CRL
		for _, list := range lists {
			one, err := risen(tx, jurisdiction, []certs.CRL{list})
			if err != nil && !errors.Is(err, errFalls) {
				return err
			}
			fresh = append(fresh, one...)
		}
		if len(fresh) == 0 {
			return errDone
		}
		e.Details = map[string]string{"jurisdiction": jurisdiction}
		describeLists(e, fresh)
		putLists(tx, jurisdiction, fresh)
		return nil
	})
}

// describeLists names lists in an entry.
func describeLists(e *audit.Entry, lists []certs.CRL) {
	var names []string
	for _, list := range lists[:min(len(lists), maxLists)] {
		names = append(names, fmt.Sprintf("%s number %s, due %s", list.Issuer, list.Number, audit.FormatTime(list.NextUpdate)))
	}
	e.Details["lists"] = strings.Join(names, "; ")
}

func putLists(tx *Tx, jurisdiction string, lists []certs.CRL) {
	for _, list := range lists {
		tx.PutRevocation(RevocationRow{Jurisdiction: jurisdiction, Issuer: list.Issuer, Number: list.Number.String(),
			Digest: list.Digest, PEM: list.PEM, At: tx.Now()})
	}
}

// errFalls: a list's number does not rise.
var errFalls = errors.New("a newer list is kept")

// risen gives those of the lists that are newer than what is kept.
func risen(rows Reader, jurisdiction string, lists []certs.CRL) ([]certs.CRL, error) {
	kept, err := rows.Revocations(jurisdiction)
	if err != nil {
		return nil, err
	}
	var fresh []certs.CRL
	for _, list := range lists {
		i := slices.IndexFunc(kept, func(row RevocationRow) bool { return row.Issuer == list.Issuer })
		if i >= 0 && kept[i].Digest == list.Digest {
			continue
		}
		if i >= 0 {
			highest, ok := new(big.Int).SetString(kept[i].Number, 10)
			if !ok {
				return nil, fmt.Errorf("the number of a kept revocation list is %.60q", kept[i].Number)
			}
			if list.Number.Cmp(highest) <= 0 {
				return nil, errFalls
			}
		}
		fresh = append(fresh, list)
	}
	return fresh, nil
}

// Revocations gives the newest lists of a jurisdiction in PEM, each followed
// by what vouches for its issuer: what every party may read. No entry.
func (s *Service) Revocations(_ context.Context, jurisdiction string) ([]byte, error) {
	var all bytes.Buffer
	if r := s.Trust().Revocations; r != nil {
		for _, list := range r.Lists(jurisdiction) {
			all.Write(list.PEM)
		}
	}
	if all.Len() == 0 {
		return nil, absent("no-list")
	}
	return all.Bytes(), nil
}

// KeptRevocations is what the state remembers of revocations.
func (s *Service) KeptRevocations(ctx context.Context) (certs.KeptRevocations, error) {
	kept := certs.KeptRevocations{Lists: map[string][][]byte{}, Grace: map[string]time.Time{}}
	err := s.view(ctx, func(rows Reader) error {
		lists, err := rows.Revocations("")
		if err != nil {
			return err
		}
		for _, row := range lists {
			kept.Lists[row.Jurisdiction] = append(kept.Lists[row.Jurisdiction], row.PEM)
		}
		graces, err := rows.Graces()
		for _, row := range graces {
			kept.Grace[row.Jurisdiction] = row.Until
		}
		return err
	})
	return kept, err
}

// renew puts what is kept in force.
func (s *Service) renew(ctx context.Context) {
	if s.Renew != nil {
		s.Renew(context.WithoutCancel(ctx))
	}
}
