package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/audit"
)

const owner = "ee/pbgb"

func pack(n int) string { return fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n) }

// diary is a log that a test writes.
type diary struct {
	t   *testing.T
	raw [][]byte
}

func (d *diary) add(at string, e audit.Entry) {
	d.t.Helper()
	e.Seq, e.Time = uint64(len(d.raw)+1), at
	if e.Owner == "" {
		e.Owner = owner
	}
	b, err := json.Marshal(e)
	if err != nil {
		d.t.Fatal(err)
	}
	d.raw = append(d.raw, b)
}

func (d *diary) sent(at string, n int, kind string, more func(*audit.Entry), to ...string) {
	e := audit.Entry{Action: sent, Outcome: delivered, Package: pack(n), MessageType: kind, From: owner, Recipients: to, Urgency: "routine", TransferBasis: "internal_eu"}
	if more != nil {
		more(&e)
	}
	d.add(at, e)
}

func (d *diary) received(at string, n int, kind, from, due string, more func(*audit.Entry)) {
	e := audit.Entry{Action: received, Outcome: delivered, Package: pack(n), MessageType: kind, From: from, Recipients: []string{owner}, Urgency: "routine", DueAt: due}
	if more != nil {
		more(&e)
	}
	d.add(at, e)
}

var facts = Facts{
	Protected: func(j string, _ time.Time) bool { return j == "ee" || j == "lv" || j == "it" },
	Directive: func(j string, _ time.Time) bool { return j == "ee" || j == "lv" || j == "it" },
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// compute computes a report of 2026 and returns its rows without the scope,
// which each must have.
func (d *diary) compute(q Query, facts Facts) (rows []string, sum Summary) {
	d.t.Helper()
	q.Owner = owner
	if q.From.IsZero() {
		q.From, q.To, q.Now = day("2026-01-01"), day("2027-01-01"), day("2027-01-10")
	}
	c, err := Begin(q, facts, func(cells []string) error {
		if len(cells) != len(Find(q.Report).Columns()) || cells[len(cells)-1] != Scope {
			d.t.Errorf("row %q", cells)
		}
		rows = append(rows, strings.Join(cells[:len(cells)-1], "|"))
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for pass := range Find(q.Report).Passes() {
		if pass > 0 {
			c.NextPass()
		}
		for _, raw := range d.raw {
			if err := c.Entry(raw); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	if sum, err = c.End(); err != nil {
		d.t.Fatal(err)
	}
	return rows, sum
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func relates(n int, details ...string) func(*audit.Entry) {
	return func(e *audit.Entry) {
		e.Relations = []audit.Relation{{Package: pack(n), Relation: answers}}
		for i := 0; i+1 < len(details); i += 2 {
			if e.Details == nil {
				e.Details = map[string]string{}
			}
			e.Details[details[i]] = details[i+1]
		}
	}
}

func urgent(e *audit.Entry) { e.Urgency = "urgent" }

// TestDirective follows requests through a year: answered in time and late,
// refused, still open, from before the year, and what is none.
func TestDirective(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	d.received("2025-12-30T10:00:00.000Z", 1, request, "lv/vp", "2026-01-06T10:00:00.000Z", nil) // before the year
	d.sent("2026-01-02T10:00:00.000Z", 50, "answer", relates(1), "lv/vp")                        // in time
	d.received("2026-02-01T10:00:00.000Z", 2, request, "lv/vp", "2026-02-01T18:00:00.000Z", urgent)
	d.sent("2026-02-01T17:59:59.999Z", 51, "answer", relates(2), "lv/vp") // in time
	d.sent("2026-02-01T19:00:00.000Z", 52, "answer", relates(2), "lv/vp") // once more: not counted twice
	d.received("2026-03-01T10:00:00.000Z", 3, request, "it/dcpc", "2026-03-08T10:00:00.000Z", nil)
	d.sent("2026-03-07T10:00:00.000Z", 53, "delay_notice", relates(3, "judicial_authorisation", "required_pending"), "it/dcpc")
	d.sent("2026-03-20T10:00:00.000Z", 54, "answer", relates(3), "it/dcpc") // late for the court
	d.received("2026-04-01T10:00:00.000Z", 4, request, "it/dcpc", "2026-04-08T10:00:00.000Z", nil)
	d.sent("2026-04-08T10:00:00.001Z", 55, "partial_answer", relates(4), "it/dcpc")
	d.sent("2026-04-08T10:00:00.001Z", 56, "answer", relates(4, "judicial_authorisation", "not_required"), "it/dcpc") // late
	d.received("2026-05-01T10:00:00.000Z", 5, request, "lv/vp", "2026-05-08T10:00:00.000Z", nil)
	d.sent("2026-05-02T10:00:00.000Z", 57, "refusal", relates(5, "refusal", "f.ii"), "lv/vp")
	d.received("2026-06-01T10:00:00.000Z", 6, request, "lv/vp", "2026-06-08T10:00:00.000Z", nil) // open
	d.sent("2026-06-02T10:00:00.000Z", 58, "refusal", relates(6, "refusal", "a", "refusal_partial", "yes"), "lv/vp")
	d.received("2026-12-31T10:00:00.000Z", 7, request, "ua/npu", "2027-01-07T10:00:00.000Z", nil) // open, and not bound
	d.sent("2026-07-01T10:00:00.000Z", 60, request, nil, "lv/vp", "it/dcpc")
	d.received("2026-07-02T10:00:00.000Z", 61, "answer", "lv/vp", "", nil)
	d.received("2026-07-02T10:00:00.000Z", 62, "refusal", "it/dcpc", "", relates(60, "refusal", "g.i"))
	d.sent("2026-08-01T10:00:00.000Z", 63, "answer", relates(999), "lv/vp") // to nothing
	d.add("2026-08-02T10:00:00.000Z", audit.Entry{Action: sent, Outcome: denied, MessageType: request, Recipients: []string{"lv/vp"}, Package: pack(70)})
	d.add("2026-08-02T10:00:00.000Z", audit.Entry{Action: sent, Outcome: "repeated", MessageType: request, Recipients: []string{"lv/vp"}, Package: pack(60)})
	d.sent("2027-01-02T10:00:00.000Z", 64, "answer", relates(6), "lv/vp") // after the year

	known := facts
	known.Package = func(id string) *audit.Entry {
		if id != pack(1) {
			return nil
		}
		return &audit.Entry{MessageType: request, From: "lv/vp", DueAt: "2026-01-06T10:00:00.000Z"}
	}
	rows, _ := d.compute(Query{Report: directive.Name}, known)
	same(t, rows,
		"answered_in_time||lv|yes|routine||2", // package 1, and the refusal of 5
		"answered_in_time||lv|yes|urgent||1",
		"answers_received||lv|yes|routine||1",
		"answers_to_unknown_requests||lv|yes|routine||1",
		"delay_notices_sent||it|yes|routine||1",
		"limit_exceeded_judicial_authorisation|18(2)(d)|it|yes|routine||1",
		"limit_exceeded_otherwise||it|yes|routine||1",
		"open_over_limit||lv|yes|routine||1",
		"open_within_limit||ua|no|routine||1",
		"refusals_received||it|yes|routine|g.i|1",
		"requests_answered|18(2)(b)|it|yes|routine||2",
		"requests_answered|18(2)(b)|lv|yes|routine||1",
		"requests_answered|18(2)(b)|lv|yes|urgent||1",
		"requests_received|18(2)(b)|it|yes|routine||2",
		"requests_received|18(2)(b)|lv|yes|routine||2",
		"requests_received|18(2)(b)|lv|yes|urgent||1",
		"requests_received|18(2)(b)|ua|no|routine||1",
		"requests_refused|18(2)(c)|lv|yes|routine|a|1",
		"requests_refused|18(2)(c)|lv|yes|routine|f.ii|1",
		"requests_sent|18(2)(a)|it|yes|routine||1",
		"requests_sent|18(2)(a)|lv|yes|routine||1",
	)
}

// TestTransfers lists what went to third countries, one row a recipient, and
// counts the derogations among them.
func TestTransfers(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	basis := func(b string, subjects string) func(*audit.Entry) {
		return func(e *audit.Entry) {
			e.TransferBasis, e.TransferInstrument, e.Justification = b, "ee-ua-2009", "=the reason"
			e.Details = map[string]string{"subjects": subjects}
		}
	}
	d.sent("2026-03-01T10:00:00.000Z", 1, "spontaneous", basis("led37_1a", "2"), "lv/vp", "ua/npu")
	d.sent("2026-03-02T10:00:00.000Z", 2, "spontaneous", basis("led38_1d", "1"), "ua/npu", "by/mia")
	d.sent("2026-03-03T10:00:00.000Z", 3, "spontaneous", basis("led38_1d", "3"), "ua/npu")
	d.sent("2026-04-03T10:00:00.000Z", 4, "spontaneous", basis("led38_1a", "1"), "ua/npu")
	d.sent("2026-04-04T10:00:00.000Z", 5, "spontaneous", nil, "lv/vp")
	d.add("2026-04-05T10:00:00.000Z", audit.Entry{Action: sent, Outcome: denied, Recipients: []string{"ua/npu"}, TransferBasis: "led38_1d", Package: pack(6)})
	d.add("2026-04-05T10:00:00.000Z", audit.Entry{Action: sent, Outcome: pending, Recipients: []string{"ua/npu"}, TransferBasis: "led38_1d", Package: pack(7)})
	d.add("2026-04-06T10:00:00.000Z", audit.Entry{Owner: "lv/vp", Action: sent, Outcome: delivered, Recipients: []string{"ua/npu"}, TransferBasis: "led38_1d", Package: pack(8)})
	rows, sum := d.compute(Query{Report: transfers.Name}, facts)
	var brief []string
	for _, r := range rows {
		c := strings.Split(r, "|")
		brief = append(brief, strings.Join([]string{c[0], c[3], c[7], c[8], c[16], c[21]}, "|"))
	}
	same(t, brief, "1|ua/npu|led37_1a|ee-ua-2009|2|=the reason", "2|ua/npu|led38_1d|ee-ua-2009|1|=the reason", "2|by/mia|led38_1d|ee-ua-2009|1|=the reason",
		"3|ua/npu|led38_1d|ee-ua-2009|3|=the reason", "4|ua/npu|led38_1a|ee-ua-2009|1|=the reason")
	if sum.Unread != 1 || sum.Entries != 7 {
		t.Errorf("another's entry is counted: %+v", sum)
	}
	rows, _ = d.compute(Query{Report: derogations.Name}, facts)
	same(t, rows, "2026-03|by|38(1)(d)|routine|1|1", "2026-03|ua|38(1)(d)|routine|2|4", "2026-04|ua|38(1)(a)|routine|1|1")
}

// TestOverdue: what is due and not known to be gone, once a date.
func TestOverdue(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	due := func(erase, review string) func(*audit.Entry) {
		return func(e *audit.Entry) { e.EraseBy, e.ReviewBy = erase, review }
	}
	d.received("2025-01-01T10:00:00.000Z", 1, "spontaneous", "lv/vp", "", due("2026-03-01", ""))
	d.received("2025-01-01T10:00:00.000Z", 2, "spontaneous", "lv/vp", "", due("2026-03-01", "2026-02-01")) // erased
	d.sent("2026-01-01T10:00:00.000Z", 3, "spontaneous", due("2027-01-09", "2026-12-31"), "lv/vp")
	d.sent("2026-01-01T10:00:00.000Z", 4, "spontaneous", due("2028-01-01", "2025-12-31"), "lv/vp") // not yet, and before the time
	d.received("2026-01-01T10:00:00.000Z", 5, "spontaneous", "lv/vp", "", due("2026-06-01", ""))   // its sender said so
	d.received("2026-06-01T10:00:00.000Z", 6, "erasure_notice", "lv/vp", "", relates(5))
	d.add("2026-05-01T10:00:00.000Z", audit.Entry{Action: "package.erase", Operation: audit.Erasure, Outcome: "erased", Package: pack(2)})
	rows, _ := d.compute(Query{Report: overdue.Name}, facts)
	same(t, rows, "2026-03-01|erase|314|received|"+pack(1)+"|lv/vp|ee/pbgb|spontaneous||1", "2026-12-31|review|9|sent|"+pack(3)+"|ee/pbgb|lv/vp|spontaneous||3")
}

// TestBreach finds what a key or a host touched, each package once.
func TestBreach(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	by := func(key, identity string) func(*audit.Entry) {
		return func(e *audit.Entry) {
			e.SigningKey, e.Actor.Identity = key, "spiffe://ee/pbgb/unit/"+identity
			e.Details, e.SubjectCategories = map[string]string{"subjects": "4"}, []string{"witness"}
		}
	}
	d.sent("2026-03-01T10:00:00.000Z", 1, "spontaneous", by("k1", "desk-1"), "lv/vp")
	d.sent("2026-03-01T10:00:00.000Z", 2, "spontaneous", by("k2", "desk-7"), "lv/vp")
	d.received("2026-03-02T10:00:00.000Z", 3, "spontaneous", "it/dcpc", "", nil)
	d.add("2026-03-03T10:00:00.000Z", audit.Entry{Action: "content.read", Outcome: "shown", Package: pack(3), From: "it/dcpc", Actor: audit.Actor{Identity: "spiffe://ee/pbgb/unit/desk-7"}})
	d.add("2026-03-03T10:00:00.000Z", audit.Entry{Action: "content.read", Outcome: "shown", Package: pack(3), From: "it/dcpc", Actor: audit.Actor{Identity: "spiffe://ee/pbgb/unit/desk-7"}})
	d.add("2026-03-03T10:00:00.000Z", audit.Entry{Action: "content.read", Outcome: "refused", Package: pack(4), Actor: audit.Actor{Identity: "spiffe://ee/pbgb/unit/desk-7"}})
	known := facts
	known.Package = func(id string) *audit.Entry {
		return &audit.Entry{Package: id, From: "it/dcpc", Recipients: []string{owner, "ua/npu"}, Details: map[string]string{"subjects": "2"}, SubjectCategories: []string{"suspect"}}
	}
	packages := func(q Query) (ids []string, notes string) {
		rows, sum := d.compute(q, known)
		for _, r := range rows {
			ids = append(ids, strings.Split(r, "|")[0])
		}
		return ids, strings.Join(sum.Notes, "\n")
	}
	ids, notes := packages(Query{Report: breach.Name, Host: "desk-7"})
	same(t, ids, pack(2), pack(3))
	for _, want := range []string{"2 packages, approximately 6 data subjects", "72 hours", "it/dcpc (1), lv/vp (1), ua/npu (1)", "witness (1)", "host desk-7"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notice does not say %q:\n%s", want, notes)
		}
	}
	ids, _ = packages(Query{Report: breach.Name, Key: "k1"})
	same(t, ids, pack(1))
	ids, _ = packages(Query{Report: breach.Name, Host: "esk-7"})
	same(t, ids)
	ids, _ = packages(Query{Report: breach.Name})
	same(t, ids, pack(1), pack(2), pack(3))
}

// TestMonthly counts by country what went, what did not, and why.
func TestMonthly(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	d.sent("2026-03-01T10:00:00.000Z", 1, "spontaneous", func(e *audit.Entry) {
		e.Operation, e.SpecialCategories, e.Minors, e.TransferBasis, e.Samples = audit.Disclosure, []string{"health"}, "u15", "led38_1c", []string{"ee"}
	}, "lv/vp", "ua/npu")
	d.add("2026-03-02T10:00:00.000Z", audit.Entry{Action: sent, Outcome: denied, Recipients: []string{"lv/vp", "by/mia"}, Package: pack(2),
		Decisions: []audit.Decision{{Recipient: "lv/vp", Outcome: delivered}, {Recipient: "by/mia", Outcome: denied, Codes: []string{"recipient_suspended", "basis_missing"}}}})
	d.add("2026-03-02T10:00:00.000Z", audit.Entry{Action: sent, Outcome: "refused", Problem: "rate-limited", Reason: "packages"})
	d.add("2026-03-02T10:00:00.000Z", audit.Entry{Action: "audit.list", Outcome: "shown", Operation: audit.Consultation, Truncated: map[string]int{"details": 1}})
	d.add("2026-03-02T10:00:00.000Z", audit.Entry{Action: "package.acknowledged", Outcome: "acknowledged", Actor: audit.Actor{Agency: "lv/vp"}})
	d.raw = append(d.raw, nil, []byte("{"))
	rows, sum := d.compute(Query{Report: monthly.Name}, facts)
	same(t, rows, "acknowledged|lv||1", "by_sample_rules|ee||1", "denied|by|basis_missing|1", "denied|by|recipient_suspended|1", "derogation|ua|38(1)(c)|1", "erased|||1", "log_read||audit.list|1",
		"minors|lv|sent to: under 15|1", "minors|ua|sent to: under 15|1", "operation||consultation|1", "operation||disclosure|1", "refused||rate-limited packages|1",
		"sent|by|denied|1", "sent|lv|delivered|1", "sent|lv|not sent: another recipient is denied|1", "sent|ua|delivered|1", "shortened_entries|||1",
		"special_category|lv|sent to: health|1", "special_category|ua|sent to: health|1", "third_country|ua|38(1)(c)|1")
	if sum.Erased != 1 || sum.Unread != 1 || !slices.ContainsFunc(sum.Notes, func(n string) bool { return strings.Contains(n, "verify the log") }) {
		t.Errorf("%+v", sum)
	}
}

// TestQueries refuses what cannot be computed.
func TestQueries(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]Query{
		"no report": {Report: "none"}, "key elsewhere": {Report: transfers.Name, Key: "k"}, "no time": {Report: monthly.Name, From: day("2026-01-01"), To: day("2026-01-01")},
	} {
		if q.To.IsZero() {
			q.To = day("2026-02-01")
		}
		if _, err := Begin(q, facts, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMismatches counts reports by direction, agency and code, and which of
// the packages were corrected: by the sender, to who reported it.
func TestMismatches(t *testing.T) {
	t.Parallel()
	d := &diary{t: t}
	mismatch := func(at string, n int, action, from, actor, code, outcome string) {
		d.add(at, audit.Entry{Action: action, Outcome: outcome, Package: pack(n), From: from, Actor: audit.Actor{Agency: actor}, Details: map[string]string{"mismatch": code}})
	}
	corrects := func(n int) func(*audit.Entry) {
		return func(e *audit.Entry) { e.Relations = []audit.Relation{{Package: pack(n), Relation: "corrects"}} }
	}
	mismatch("2025-12-31T10:00:00.000Z", 1, "package.mismatched", owner, "lv/vp", "subjects", "reported") // before the year
	mismatch("2026-01-02T10:00:00.000Z", 2, "package.mismatched", owner, "lv/vp", "subjects", "reported")
	mismatch("2026-01-03T10:00:00.000Z", 3, "package.mismatched", owner, "lv/vp", "subjects", "reported")
	mismatch("2026-01-04T10:00:00.000Z", 2, "package.mismatched", owner, "ua/npu", "subjects", "reported")
	mismatch("2026-01-05T10:00:00.000Z", 4, "package.mismatch", "it/dcpc", owner, "minors", "reported")
	mismatch("2026-01-05T11:00:00.000Z", 4, "package.mismatch", "it/dcpc", owner, "minors", "repeated")
	mismatch("2026-01-05T12:00:00.000Z", 5, "package.mismatch", "it/dcpc", owner, "minors", "refused")
	d.sent("2026-02-01T10:00:00.000Z", 60, "correction", corrects(2), "lv/vp") // Ukraine waits for one still
	d.received("2026-02-02T10:00:00.000Z", 61, "correction", "it/dcpc", "", corrects(4))
	d.sent("2026-02-03T10:00:00.000Z", 62, "correction", corrects(4), "lv/vp") // of another's package: corrects nothing
	d.received("2026-02-04T10:00:00.000Z", 63, "correction", "by/mia", "", corrects(3))
	mismatch("2026-02-05T10:00:00.000Z", 6, "package.mismatch", "it/dcpc", owner, "handling", "reported")
	d.received("2026-02-06T10:00:00.000Z", 64, "correction", "by/mia", "", corrects(6)) // not by who sent it
	d.received("2026-02-07T10:00:00.000Z", 65, "answer", "it/dcpc", "", relates(6))     // answers, and corrects nothing
	d.sent("2026-02-08T10:00:00.000Z", 66, "answer", relates(3), "lv/vp")
	rows, sum := d.compute(Query{Report: "mismatches"}, facts)
	same(t, rows,
		"made|it/dcpc|handling|1|0|1|2026-02-05T10:00:00.000Z|2026-02-05T10:00:00.000Z",
		"made|it/dcpc|minors|1|1|0|2026-01-05T10:00:00.000Z|2026-01-05T10:00:00.000Z",
		"received|lv/vp|subjects|2|1|1|2026-01-02T10:00:00.000Z|2026-01-03T10:00:00.000Z",
		"received|ua/npu|subjects|1|0|1|2026-01-04T10:00:00.000Z|2026-01-04T10:00:00.000Z")
	if sum.Rows != 4 {
		t.Errorf("%+v", sum)
	}
	rows, _ = d.compute(Query{Report: "monthly"}, facts)
	var figures []string
	for _, r := range rows {
		if strings.HasPrefix(r, "mismatch|") {
			figures = append(figures, r)
		}
	}
	same(t, figures, "mismatch|it|made, it/dcpc: handling|1", "mismatch|it|made, it/dcpc: minors|1", "mismatch|lv|received, lv/vp: subjects|2", "mismatch|ua|received, ua/npu: subjects|1")
}
