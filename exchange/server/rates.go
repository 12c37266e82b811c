package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/ratelimit"
)

// How many counts a server keeps for itself, of parties and of sources.
const (
	countsKept  = 100_000
	sourcesKept = 50_000
)

// share tells which limits nodes that count alone share out.
var share = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range exchange.LimitKinds() {
		out[k.Name] = k.Share
	}
	return out
}()

// asked is one limit that a call is held against.
type asked struct {
	limit string
	of    string // agency or identity
	cost  int64  // 0: whether there is room for one
}

// party is whose counts a call's are: its agency's, or, while the exchange
// does not know that, those of all such agencies of its jurisdiction, which
// can make up as many as it likes.
func (c *call) party() string {
	id := c.caller.Identity.AgencyID()
	if reg, err := c.s.cfg.Exchange.Registry(c.r.Context()); err == nil {
		if _, known := reg.Agency(id); known {
			return id
		}
	}
	j, _, _ := strings.Cut(id, "/")
	return j
}

// charge is the first stage: what the call is, of whom. It is asked when the
// caller is known and has a place, before anything is read.
func (c *call) charge() error {
	agency, unit := c.party(), c.caller.Identity.String()
	switch c.op.limit {
	case exchange.LimitPackages:
		return c.take(agency, asked{exchange.LimitPackages, agency, 1}, asked{exchange.LimitUnitPackages, unit, 1}, asked{exchange.LimitBadSignatures, unit, 0})
	case exchange.LimitBadSignatures: // reads too
		return c.take(agency, asked{exchange.LimitReads, agency, 1}, asked{exchange.LimitBadSignatures, unit, 0})
	}
	return c.take(agency, asked{cmp.Or(c.op.limit, exchange.LimitReads), agency, 1})
}

// afford is the second stage: what a package costs, by what its sender signed.
func (c *call) afford(cost exchange.Cost) error {
	if err := c.roomFor(cost); err != nil {
		return err
	}
	agency := c.party()
	all := []asked{{exchange.LimitRecipients, agency, int64(cost.Recipients)}, {exchange.LimitBytes, agency, cost.Bytes}}
	if c.urgent = cost.Urgent; c.urgent {
		all = append(all, asked{exchange.LimitUrgent, agency, 1})
	}
	return c.take(agency, all...)
}

// What false urgency costs of the sender's budget, beside what urgency does.
const falseUrgency = 9

// foundFalse are the rules that find urgency false.
var foundFalse = []string{"R34"}

// regret charges for what went wrong: signatures that do not hold, urgency
// that policy finds false. Who tries on is told so the next time.
func (c *call) regret(err error) {
	r := exchange.AsRefusal(err)
	switch {
	case r == nil:
	case r.Kind == exchange.Rejected:
		c.debit(asked{exchange.LimitBadSignatures, c.caller.Identity.String(), 1})
	case r.Kind == exchange.Denied && c.urgent && falselyUrgent(r.Outcomes):
		c.debit(asked{exchange.LimitUrgent, c.party(), falseUrgency})
	}
}

func falselyUrgent(outcomes []exchange.Outcome) bool {
	for _, o := range outcomes {
		for _, r := range o.Reasons {
			if slices.Contains(foundFalse, r.Rule) {
				return true
			}
		}
	}
	return false
}

func (c *call) charges(agency string, all []asked) []ratelimit.Charge {
	charges := make([]ratelimit.Charge, len(all))
	for i, a := range all {
		rate := c.s.cfg.Exchange.Rate(agency, a.limit)
		charges[i] = ratelimit.Charge{Key: a.limit, Limit: ratelimit.Limit(rate), Cost: a.cost, Share: share[a.limit]}
		if a.of != agency {
			charges[i].Key += ":" + a.of
		}
	}
	return charges
}

// take takes all or nothing, and tells the caller where it stands. A limiter
// that cannot count lets nobody pass: there is always one that can.
func (c *call) take(agency string, all ...asked) error {
	charges := c.charges(agency, all)
	answer, err := c.s.cfg.Limiter.Take(c.r.Context(), agency, charges)
	if err != nil {
		return uncounted(err)
	}
	c.show(all, charges, answer.States)
	worst := -1
	for i, s := range answer.States {
		if !s.Fits && (worst < 0 || s.Retry > answer.States[worst].Retry) {
			worst = i
		}
	}
	if worst < 0 {
		return nil
	}
	rate := exchange.Rate{Quota: answer.States[worst].Quota, Window: charges[worst].Limit.Window}
	return c.limited(all[worst], rate, answer.States[worst].Retry)
}

func uncounted(err error) error {
	return &exchange.Refusal{Kind: exchange.Unavailable, Reason: "limits", RetryAfter: time.Second, Err: err,
		Detail: "the limits cannot be counted now", Fix: "repeat the same request after the time in Retry-After"}
}

func (c *call) debit(a asked) {
	agency := c.party()
	if _, err := c.s.cfg.Limiter.Debit(context.WithoutCancel(c.r.Context()), agency, c.charges(agency, []asked{a})); err != nil {
		c.s.cfg.Log.LogAttrs(c.r.Context(), slog.LevelError, "a penalty was not counted", c.named(slog.Any("error", err))...)
	}
}

// show adds limits to the headers of the answer
// (draft-ietf-httpapi-ratelimit-headers-10): a quota q in w seconds; r of it
// remain, and all of it is there in t seconds. Penalties are shown when they
// are in the way.
func (c *call) show(all []asked, charges []ratelimit.Charge, states []ratelimit.State) {
	for i, a := range all {
		s := states[i]
		if a.cost == 0 && s.Fits {
			continue
		}
		if c.policies.Len() > 0 {
			c.policies.WriteString(", ")
			c.budgets.WriteString(", ")
		}
		fmt.Fprintf(&c.policies, `"%s";q=%d;w=%d`, a.limit, s.Quota, seconds(charges[i].Limit.Window))
		fmt.Fprintf(&c.budgets, `"%s";r=%d;t=%d`, a.limit, s.Remaining, seconds(s.Reset))
	}
	if c.policies.Len() > 0 {
		c.w.Header().Set(api.HeaderRateLimitPolicy, c.policies.String())
		c.w.Header().Set(api.HeaderRateLimit, c.budgets.String())
	}
}

// seconds is a time in whole seconds, never less.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// limited is the refusal of a call that a limit has no room for.
func (c *call) limited(a asked, rate exchange.Rate, retry time.Duration) error {
	c.s.tally.add(c.caller.Identity.AgencyID(), a.limit, c.s.cfg.Clock())
	c.s.cfg.Metrics.limited.WithLabelValues(a.limit).Inc()
	return &exchange.Refusal{Kind: exchange.RateLimited, Reason: a.limit, RetryAfter: retry,
		Reached: &exchange.Reached{Limit: a.limit, Of: a.of, Rate: rate},
		Detail:  fmt.Sprintf("%s has used up its limit %q of %s; there is room again in %d s", a.of, a.limit, rate, max(1, seconds(retry))),
		Fix:     fixes[a.limit]}
}

// fixes say what a caller can do beside waiting.
var fixes = map[string]string{
	exchange.LimitUrgent:        "send it as routine if it can wait; urgency that has no ground costs ten times as much",
	exchange.LimitBadSignatures: "look in the log for why your signatures do not hold before you send again",
	exchange.LimitBytes:         "repeat it after the time in Retry-After, or ask the operator for a higher limit",
}

// tally counts what limits refused, until a minute is over and its entries
// are written.
type tally struct {
	mu  sync.Mutex
	now map[refusedBy]uint64
}

type refusedBy struct {
	agency, limit string
	minute        time.Time
}

// mostTallied bounds what one minute may hold, of agencies that the exchange
// does not know.
const mostTallied = 10_000

func (t *tally) add(agency, limit string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := refusedBy{agency, limit, at.UTC().Truncate(time.Minute)}
	if t.now == nil {
		t.now = map[refusedBy]uint64{}
	}
	if _, counted := t.now[k]; !counted && len(t.now) >= mostTallied {
		j, _, _ := strings.Cut(agency, "/")
		k.agency = j + "/others"
	}
	t.now[k]++
}

// before takes out the minutes that are over at a time.
func (t *tally) before(at time.Time) (over []exchange.Limited) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, n := range t.now {
		if !k.minute.Add(time.Minute).After(at) {
			over = append(over, exchange.Limited{Agency: k.agency, Limit: k.limit, Minute: k.minute, Count: n})
			delete(t.now, k)
		}
	}
	slices.SortFunc(over, func(a, b exchange.Limited) int {
		return strings.Compare(a.Agency+" "+a.Limit+" "+strconv.FormatInt(a.Minute.Unix(), 10), b.Agency+" "+b.Limit+" "+strconv.FormatInt(b.Minute.Unix(), 10))
	})
	return over
}

// RecordLimited writes the entries of the minutes that are over; at the end
// of all. What cannot be written is counted on.
func (s *Server) RecordLimited(ctx context.Context, end bool) error {
	at := s.cfg.Clock()
	if end {
		at = at.Add(2 * time.Minute)
	}
	var errs []error
	for _, l := range s.tally.before(at) {
		if err := s.cfg.Exchange.RecordLimited(ctx, []exchange.Limited{l}); err != nil {
			errs = append(errs, err)
			s.tally.again(l)
		}
	}
	return errors.Join(errs...)
}

func (t *tally) again(l exchange.Limited) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now[refusedBy{l.Agency, l.Limit, l.Minute}] += l.Count
}

// knock asks whether a source may begin a handshake; its failures count too.
func (d *door) knock(source string) bool {
	a, err := d.sources.Take(context.Background(), source, []ratelimit.Charge{
		{Key: exchange.LimitHandshakes, Limit: ratelimit.Limit(d.rate("", exchange.LimitHandshakes)), Cost: 1},
		{Key: exchange.LimitBadHandshakes, Limit: ratelimit.Limit(d.rate("", exchange.LimitBadHandshakes))},
	})
	return err == nil && a.Fits()
}

// failedHandshake notes one that did not end well.
func (d *door) failedHandshake(source string) {
	_, _ = d.sources.Debit(context.Background(), source, []ratelimit.Charge{
		{Key: exchange.LimitBadHandshakes, Limit: ratelimit.Limit(d.rate("", exchange.LimitBadHandshakes)), Cost: 1}})
}
