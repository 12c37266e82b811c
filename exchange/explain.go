package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/policy"
)

// decideAgain is how long one recorded decision may take to be decided again.
const decideAgain = 10 * time.Second

// Explained answers Explain: a recorded decision, masked for its reader, and why it is so.
type Explained struct {
	ID, Package string
	Action      string
	At          time.Time
	Decision    policy.Decision
	Why         *policy.Explanation
	Recorded    bool // another engine decided: Why is what was recorded, without conditions
	Receipt     audit.Receipt
}

// Explain says why a recorded decision is as it is, to those who may see it.
// Rules and data are those that decided.
func (s *Service) Explain(ctx context.Context, c Caller, id string) (*Explained, error) {
	v, err := s.enter(ctx, c, ActExplain, "")
	if err != nil {
		return nil, err
	}
	v.entry.Details = map[string]string{"decision": id}
	r, refused, err := v.recorded(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, v.refuse(ctx, refused)
	}
	why, same, err := s.why(ctx, r)
	if err != nil {
		return nil, v.failEngine(ctx, err)
	}
	reader := c.Identity.AgencyID()
	x := &Explained{ID: r.ID, Package: r.Package, Action: r.Action, At: r.At, Recorded: !same,
		Decision: policy.Mask(r.decision, reader, r.standing == ofSender), Why: why.Mask(reader, r.standing == ofSender)}
	if x.Receipt, err = v.shown(ctx, r); err != nil {
		return nil, err
	}
	return x, nil
}

// shown records that something of a decision was shown.
func (v *visit) shown(ctx context.Context, r *record) (audit.Receipt, error) {
	return v.commit(ctx, func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Package, e.Outcome = r.Package, "shown"
		return []audit.Entry{e}, nil, nil
	})
}

// why explains a recorded decision by the rules that decided. What is
// explained is what was decided, or else only what was recorded.
func (s *Service) why(ctx context.Context, r *record) (why *policy.Explanation, same bool, err error) {
	set, err := s.setOf(ctx, r.decision.Revisions)
	if err != nil {
		return nil, false, err
	}
	d, err := set.Redecide(ctx, decideAgain, r.Recipient, r.decision.Input)
	switch {
	case errors.Is(err, policy.ErrInput), err == nil && !sameDecision(r.decision, d):
		return policy.Recorded(r.decision), false, nil
	case err != nil:
		return nil, false, err
	}
	why, err = set.Explain(ctx, r.decision)
	return why, true, err
}

// sameDecision compares what was decided: verdict, reasons, pends and
// obligations, whatever engine and input.
func sameDecision(a, b policy.Decision) bool {
	return a.Verdict == b.Verdict && sameReasons(a.Reasons, b.Reasons) && sameReasons(a.Advice, b.Advice) &&
		slices.Equal(a.Rules, b.Rules) && samePends(a.Pends, b.Pends) &&
		slices.EqualFunc(a.Obligations, b.Obligations, func(x, y policy.Obligation) bool {
			return x.Code == y.Code && x.On == y.On && x.Rule == y.Rule && sameJSON(x.Params, y.Params)
		})
}

func sameReasons(a, b []policy.Reason) bool {
	return slices.EqualFunc(a, b, func(x, y policy.Reason) bool {
		return x.Code == y.Code && x.Rule == y.Rule && x.Layer == y.Layer && x.Audience == y.Audience && sameJSON(x.Params, y.Params)
	})
}

func samePends(a, b []policy.Pend) bool {
	return slices.EqualFunc(a, b, func(x, y policy.Pend) bool {
		return x.Code == y.Code && x.By == y.By && x.Jurisdiction == y.Jurisdiction && x.Expires.Equal(y.Expires)
	})
}

// standing is what a reader is to a decision.
type standing int

const (
	noParty standing = iota
	ofSender
	ofRecipient
	ofOriginator
)

// audience is who wants to see decisions: an agency, or all of a jurisdiction.
type audience struct{ agency, jurisdiction string }

// audience of a visit: policy officers read for their jurisdiction, all others
// for their agency.
func (v *visit) audience() audience {
	j, _, _ := certs.ParseAgencyID(v.agency())
	if v.caller.Identity.Role == certs.RolePolicy {
		return audience{jurisdiction: j}
	}
	return audience{agency: v.agency(), jurisdiction: j}
}

// is reports whether an agency is, or is one of, who wants to see.
func (a audience) is(agency string) bool {
	j, _, err := certs.ParseAgencyID(agency)
	return err == nil && j == a.jurisdiction && (a.agency == "" || a.agency == agency)
}

// record is a recorded decision as it is read back.
type record struct {
	DecisionRow
	decision policy.Decision // with its input
	standing standing
}

// recorded reads a decision with its input as the visit's caller may see it.
// What is absent and what it may not see are refused alike.
func (v *visit) recorded(ctx context.Context, id string) (*record, *Refusal, error) {
	var r *record
	err := v.view(ctx, func(rows Reader) (err error) {
		r, err = readRecord(rows, id, v.audience())
		return err
	})
	switch {
	case err != nil:
		return nil, nil, err
	case r == nil:
		return nil, absent(notAParty), nil
	}
	return r, nil, nil
}

// readRecord is nil if there is no such decision, or it is not for the reader.
// A decision whose input is erased is nobody's: it cannot be told whose it is.
func readRecord(rows Reader, id string, who audience) (*record, error) {
	row, err := rows.Decision(id)
	if err != nil || row == nil {
		return nil, err
	}
	r := &record{DecisionRow: *row}
	if r.decision.Input.Shared, err = rows.Input(row.Shared); err != nil {
		return nil, err
	}
	if err := r.decode(); err != nil {
		return nil, err
	}
	r.standing, err = r.standingOf(rows, who)
	if err != nil || r.standing == noParty {
		return nil, err
	}
	return r, nil
}

// decode reads the verdict, and joins it with its input.
func (r *record) decode() error {
	in := policy.Input{Shared: r.decision.Input.Shared, Own: r.Own}
	if err := json.Unmarshal(r.Verdict, &r.decision); err != nil {
		return fmt.Errorf("decision %s: %w", r.ID, err)
	}
	r.decision.Input = in
	return nil
}

// asker is the sender of the package, or who asked, as the input says; empty
// when no rule was asked or the input is erased.
func (r *record) asker() string {
	var in struct {
		Sender struct {
			ID string `json:"id"`
		} `json:"sender"`
	}
	if json.Unmarshal(r.decision.Input.Shared, &in) != nil {
		return ""
	}
	return in.Sender.ID
}

// standingOf says what a reader is to the decision. The sender's side sees all
// that was decided for it. All others see what was decided of a package that
// was accepted, and only from when they got it: a recipient what is of itself,
// an originator what names it. Who was denied learns nothing.
func (r *record) standingOf(rows Reader, who audience) (standing, error) {
	asker := r.asker()
	switch {
	case asker == "":
		return noParty, nil
	case who.is(asker):
		return ofSender, nil
	case r.Action == policy.ActionDryRun, !who.is(r.Recipient) && !r.names(who):
		return noParty, nil
	}
	releases, err := rows.Releases([]string{r.Package})
	if err != nil {
		return noParty, err
	}
	i := slices.IndexFunc(releases, func(x ReleaseRow) bool { return x.Package == r.Package && x.Recipient == r.Recipient })
	if i < 0 {
		return noParty, nil
	}
	return r.standingIn(&releases[i], asker, who), nil
}

// standingIn is standingOf by what became of the package for the recipient.
func (r *record) standingIn(d *ReleaseRow, asker string, who audience) standing {
	if d.Sender != asker || !r.accepted(d) {
		return noParty // another package that has the id by now, or an attempt before it
	}
	switch {
	case who.is(r.Recipient) && d.Seq > 0:
		return ofRecipient
	case r.names(who):
		return ofOriginator
	}
	return noParty
}

// accepted reports whether the decision is of the package that was accepted
// under its id, and not of an attempt before it that was denied.
func (r *record) accepted(d *ReleaseRow) bool {
	if r.Action != policy.ActionSend || d.Decision == r.ID {
		return true
	}
	var first []decided
	if json.Unmarshal(d.Answer, &first) != nil {
		return false
	}
	return slices.ContainsFunc(first, func(o decided) bool { return o.Decision == r.ID })
}

// decided is the part of an outcome that names its decision.
type decided struct {
	Decision string `json:"decision"`
}

// names reports whether the decision waits for an originator of the reader's,
// or tells one.
func (r *record) names(who audience) bool {
	if pendsOn(r.decision, "originator", who.jurisdiction) {
		var in struct {
			Permissions struct {
				Origins []struct {
					Agency string `json:"agency"`
				} `json:"origins"`
			} `json:"permissions"`
		}
		if json.Unmarshal(r.Own, &in) != nil {
			return false
		}
		for _, o := range in.Permissions.Origins {
			if who.is(o.Agency) {
				return true
			}
		}
	}
	return slices.ContainsFunc(notifiedBy(r.decision), who.is)
}

// setOf is the policy that decided: the active set if it has these revisions,
// else one that is made again of what is kept.
func (s *Service) setOf(ctx context.Context, revisions map[string]string) (*policy.Set, error) {
	if len(revisions) == 0 {
		return nil, nil // no policy was active
	}
	now := s.Policy.Set()
	if now != nil && includes(now.Revisions(), revisions) {
		return now, nil
	}
	return s.earlier.get(revisions, func() (*policy.Set, error) { return s.rebuild(ctx, revisions) })
}

func includes(all, some map[string]string) bool {
	for name, revision := range some {
		if all[name] != revision {
			return false
		}
	}
	return true
}

// rebuild makes a set of revisions that are kept.
func (s *Service) rebuild(ctx context.Context, revisions map[string]string) (*policy.Set, error) {
	var in policy.Inputs
	err := s.view(ctx, func(rows Reader) error {
		for name, revision := range revisions {
			row, err := rows.Revision(revision)
			if err != nil {
				return err
			}
			if row == nil {
				return fmt.Errorf("%w: revision %s of %s is not kept", policy.ErrEngine, revision, name)
			}
			var src policy.Source
			if err := json.Unmarshal(row.Body, &src); err != nil {
				return fmt.Errorf("revision %s: %w", revision, err)
			}
			in.Put(name, src)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	set, err := policy.Rebuild(in)
	if err != nil {
		return nil, fmt.Errorf("%w: rules that were active are refused: %w", policy.ErrEngine, err)
	}
	if !reflect.DeepEqual(set.Revisions(), revisions) {
		return nil, fmt.Errorf("%w: what is kept is not what its revision says", policy.ErrEngine)
	}
	return set, nil
}
