package exchange_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

var replayDecisions = flag.Int("replay-decisions", 20_000, "how many decisions BenchmarkReplay records")

// BenchmarkReplay replays decisions of a real store, of varied agencies, dates,
// persons and purposes, against a draft of Estonia that refuses minors: how
// many a minute, when the rules in force decided and when others did before
// them. -replay-decisions 1000000 is the goal's own size.
func BenchmarkReplay(b *testing.B) {
	x := exchangetest.New(b, exchangetest.Unwatched())
	authors(x, "ee/pbgb")
	p := x.Parts(exchangetest.PartsConfig{})
	recordMany(b, p, *replayDecisions, nil)
	draft := draftOf(b, "ee", map[string]string{"send.rego": noMinors(), "ee_test.rego": ""})
	b.Run("by=rules in force", func(b *testing.B) { benchmarkReplay(b, p, author(x, "ee/pbgb"), draft) })
	if err := p.Service.Activate(b.Context(), shorterInLatvia(b)); err != nil {
		b.Fatal(err)
	}
	b.Run("by=rules before", func(b *testing.B) { benchmarkReplay(b, p, author(x, "ee/pbgb"), draft) })
}

func benchmarkReplay(b *testing.B, p *exchangetest.Parts, c exchange.Caller, draft []byte) {
	for b.Loop() {
		begun, cpu := time.Now(), processorTime(b)
		var first time.Time
		var sum *exchange.ReplaySummary
		err := p.Service.Replay(b.Context(), c, "ee", draft, time.Time{}, func() error { first = time.Now(); return nil }, func(r exchange.Replayed) error {
			if r.Summary != nil {
				sum = r.Summary
			}
			return nil
		})
		if err != nil || sum.Decisions != *replayDecisions || sum.Changes[exchange.NowDenied] == 0 {
			b.Fatal(err, sum)
		}
		took := time.Since(first)
		b.ReportMetric(float64(*replayDecisions)/took.Minutes(), "decisions/min")
		b.ReportMetric(first.Sub(begun).Seconds(), "build-s")
		b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(*replayDecisions), "cpu-µs/decision")
		b.Logf("%+v", *sum)
	}
}

// noMinors is what Estonia sends, but no data of minors.
func noMinors() string { return refusing("input.derived.minors == true") }

// refusing is what Estonia sends, but not where a condition holds.
func refusing(condition string) string {
	return string(policy.Samples().Rules["ee"].Files["send.rego"]) + `
# METADATA
# title: No minors
# custom:
#   rule: ee-99
#   code: minors_not_accepted
#   text:
#     en: No data of minors.
#   fix:
#     en: Leave them out.
#   source: a draft
deny contains "minors_not_accepted" if ` + condition + "\n"
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// recordMany records decisions of Estonia as the exchange does, each of a
// package of its own. each, if there is one, gets to know them.
func recordMany(b testing.TB, p *exchangetest.Parts, n int, each func(policy.Decision)) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	set := p.Policy.Set()
	party := func(id string) policy.Party {
		d, _ := set.Declared(id[:2])
		for _, a := range d.Agencies {
			if a.ID == id {
				return policy.Party{ID: id, Jurisdiction: id[:2], Type: a.Type, Active: true, Competences: a.Competences}
			}
		}
		b.Fatalf("no agency %s", id)
		return policy.Party{}
	}
	begun := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for done := 0; done < n; {
		_, err := p.Journal.Commit(b.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
			for range min(1000, n-done) {
				done++
				at := begun.Add(time.Duration(done) * 15 * time.Second)
				day := func(ahead int) string { return at.AddDate(0, 0, ahead).Format(time.DateOnly) }
				claimed, err := json.Marshal(object{
					"v": 1, "message_type": one("spontaneous", "spontaneous", "answer"), "content_kind": "operational", "case_ref": fmt.Sprintf("EE-2026-%06d", done),
					"purpose": one("investigation", "investigation", "detection", "prevention"), "transfer_basis": "internal_eu", "crime_areas": []string{one("drug_trafficking", "fraud", "terrorism")},
					"legal_basis": []object{{"instrument": "ee-police-act", "article": one("7-46", "7-47"), "jurisdiction": "ee"}}, "offence": object{"max_penalty_years": 1 + r.IntN(12), "serious": r.IntN(2) == 0},
					"subjects":       []object{{"category": one("suspect", "suspect", "victim", "witness"), "count": 1 + r.IntN(30), "minors": one("none", "none", "none", "u18"), "data_categories": []string{"a", "b"}, "link": "direct"}},
					"assertion_type": "fact", "evaluation": object{"scheme": "4x4", "source": one("A", "B", "C"), "information": "2"}, "quality": object{"verified_at": day(-r.IntN(60)), "as_of": day(-r.IntN(60) - 60), "completeness": "partial"},
					"handling": object{"code": one("H0", "H1", "H1")}, "classification": "none", "originator": []string{"ee/pbgb"}, "onward": object{"rule": "with_authorisation"},
					"retention": object{"review_by": day(365), "erase_by": day(500 + r.IntN(900))}, "urgency": object{"level": "routine"}, "channel_justification": "third_party_involved", "hr_attestation": true, "language": one("en", "en", "lv"),
				})
				if err != nil {
					return nil, err
				}
				var meta struct {
					Type string `json:"message_type"`
				}
				_ = json.Unmarshal(claimed, &meta)
				ds, err := p.Policy.Decide(b.Context(), policy.Request{Action: policy.ActionSend, Now: at, MessageType: meta.Type, Sender: party("ee/pbgb"), Recipients: []policy.Recipient{{Party: party(one("lv/vp", "it/dcpc"))}},
					Claimed: claimed, Justification: policy.NewText(fmt.Sprintf("The courier of case %d was seen in Riga with two others.", done)), ContentSize: int64(r.IntN(1 << 20))})
				if err != nil {
					return nil, err
				}
				d := ds[0]
				if each != nil {
					each(d)
				}
				shared, own := digestOf(d.Input.Shared), d.Input.Own
				tx.PutInput(shared, d.Input.Shared)
				row := exchange.DecisionRow{ID: uuid.Must(uuid.NewV7()).String(), Package: uuid.Must(uuid.NewV7()).String(), Recipient: d.Recipient, Action: policy.ActionSend, At: at,
					InputSHA256: d.Input.Digest(), Shared: shared, Own: own}
				d.Input = policy.Input{}
				if row.Verdict, err = json.Marshal(d); err != nil {
					return nil, err
				}
				tx.PutDecision(row)
			}
			return []audit.Entry{{Owner: "exchange/ops", Operation: audit.Alteration, Action: "test.seed", Outcome: "done"}}, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
