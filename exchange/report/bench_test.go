package report

import (
	"encoding/json"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
)

// BenchmarkEntry is what one entry of a sender costs a statistic; entries/s is
// of one processor.
func BenchmarkEntry(b *testing.B) {
	raw := sample(b)
	for _, name := range []string{transfers.Name, monthly.Name, directive.Name} {
		b.Run(name, func(b *testing.B) {
			c, err := Begin(Query{Report: name, Owner: owner, From: day("2026-01-01"), To: day("2027-01-01"), Now: day("2027-01-01")}, facts, func([]string) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Entry(raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// sample is an entry of a package to two recipients, with a statement and what
// policy said.
func sample(b testing.TB) []byte {
	e := audit.Entry{Owner: owner, Seq: 1, Prev: audit.FirstPrev, Exchange: "exchange.example/ledger", Time: "2026-11-22T08:00:00.000Z", Operation: audit.Disclosure, Action: sent, Outcome: delivered,
		Actor:   audit.Actor{Agency: owner, Role: "unit", Identity: "spiffe://ee/pbgb/unit/desk-1", Certificate: "kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM"},
		Officer: "EE-unit-0417", Justification: "Joint operation against a smuggling group; both units act on Friday", Request: pack(1), Package: pack(2), MessageType: "spontaneous",
		ContentKind: "operational", Purpose: "investigation", Urgency: "routine", CrimeAreas: []string{"drug_trafficking"}, SubjectCategories: []string{"suspect"}, Handling: "H1",
		LegalBasis: []string{"ee:ee-police-act:7"}, TransferBasis: "led37_1a", TransferInstrument: "ee-ua-police-2009", Originators: []string{owner}, ReviewBy: "2027-11-27", EraseBy: "2028-11-26",
		From: owner, Recipients: []string{"lv/vp", "ua/npu"}, ManifestSHA256: "kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM", SigningKey: "kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM",
		Statement: json.RawMessage(`{"iss":"ee/pbgb","jti":"0199f3a2-7c1e-7b3a-9d52-000000000002","officer":"EE-unit-0417","justification":"Joint operation against a smuggling group; both units act on Friday","approvals":[],"subject_refs":[],"texts":{}}`),
		Engine:    "liaison-policy/1 opa/1.22.2", Samples: []string{"ee", "lv"}, Details: map[string]string{"subjects": "2"}, Revisions: map[string]string{}}
	for _, r := range []string{"common", "declared/ee", "declared/lv", "declared/ua", "rules/ee", "rules/lv", "rules/ua"} {
		e.Revisions[r] = "kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM"
	}
	for _, to := range e.Recipients {
		e.Decisions = append(e.Decisions, audit.Decision{ID: pack(3), Recipient: to, Outcome: delivered, Rules: []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"}, InputSHA256: e.ManifestSHA256})
	}
	raw, err := e.Encode()
	if err != nil {
		b.Fatal(err)
	}
	return raw
}
