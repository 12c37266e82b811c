package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"
)

// The goal is a ratio: one recipient at most one ES256 verification of the same run, each further one at most half.
// Both are measured as processor time of the process, garbage collection included: on a machine that others use as
// well, it says more than the clock. They are reported, never asserted.
//
// mix is the traffic that counts: agencies, dates, offences, categories and conditions as they vary, each package
// another one, after some thousands of others. cold has a memo that is always empty, as if no two packages had anything
// in common; warm asks about one package again and again, as release and acknowledgement do.

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perOp runs f n times and returns the processor time of one.
func perOp(b *testing.B, n int, f func(i int)) time.Duration {
	begin := cpuTime(b)
	for i := range n {
		f(i)
	}
	return (cpuTime(b) - begin) / time.Duration(n)
}

// verification returns a function that verifies one ES256 signature.
func verification(b *testing.B) func() {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("manifest"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkES256Verify(b *testing.B) {
	verify := verification(b)
	for b.Loop() {
		verify()
	}
}

// ordinary is a package as units send them: most of it alike, the values as they vary in practice.
func (c *corpus) ordinary(b *testing.B, recipients int) Request {
	sender := pick(c, c.agencies...)
	category := pick(c, "suspect", "suspect", "suspect", "convicted", "victim", "witness", "associate")
	day := func(from, days int) string { return today.AddDate(0, 0, from+c.IntN(days)).Format(time.DateOnly) }
	letters := []any{"a", "b", pick(c, "c", "d", "e", "k")}
	if category == "victim" || category == "witness" {
		letters = []any{"a", "b"}
	}
	m := from(sender.ID, c.law(sender.Jurisdiction), meta{
		"case_ref": "CASE-" + day(0, 9000), "purpose": pick(c, "investigation", "investigation", "investigation", "prosecution", "detection"),
		"message_type": pick(c, "spontaneous", "request", "answer", "answer", "partial_answer"),
		"crime_areas":  []any{pick(c, claimedShape.member("crime_areas").items.enum...)},
		"offence":      meta{"max_penalty_years": 1 + c.IntN(15), "serious": c.IntN(2) == 0},
		"subjects":     []any{group(category, 1+c.IntN(4), "data_categories", letters, "minors", pick(c, "none", "none", "none", "none", "none", "none", "u18"))},
		"evaluation":   meta{"scheme": "4x4", "source": pick(c, "A", "B", "B", "C", "X"), "information": pick(c, "1", "2", "3", "4")},
		"quality":      meta{"verified_at": day(-40, 40), "as_of": day(-60, 20), "completeness": "partial"},
		"handling":     meta{"code": pick(c, "H0", "H0", "H1", "H2")}, "assertion_type": pick(c, "fact", "fact", "assessment"),
		"retention": meta{"review_by": day(300, 100), "erase_by": day(360, 1400)}, "language": pick(c, "en", "en", "en", "fr"),
		"request":        meta{"what": true, "purpose_facts": true, "availability_reason": true, "person_link": true, "restrictions": true},
		"transfer_basis": c.basis(sender.Jurisdiction), "europol_purpose": "cross_check",
	})
	claimed, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	r := Request{
		Action: ActionSend, Now: today.Add(time.Duration(c.IntN(86400)) * time.Second), MessageType: m["message_type"].(string), Sender: sender, Claimed: claimed,
		Justification: Text{Length: 20 + c.IntN(300)}, ContentSize: int64(500 + c.IntN(60000)),
	}
	others := slices.DeleteFunc(slices.Clone(c.agencies), func(p Party) bool { return p.ID == sender.ID })
	c.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for i := range recipients {
		r.Recipients = append(r.Recipients, Recipient{others[i%len(others)]})
	}
	return r
}

// benchmarkDecide reports what a decision costs, with n recipients, as multiples of a verification.
func benchmarkDecide(b *testing.B, recipients int, memory string) {
	s := *sampleSet(b)
	s.memo = newMemo(memoSize)
	c := newCorpus(b, &s, 12)
	requests := make([]Request, 8192)
	for i := range requests {
		requests[i] = c.ordinary(b, recipients)
	}
	if memory == "warm" {
		requests = requests[:1]
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	if err := e.Activate(&s); err != nil {
		b.Fatal(err)
	}
	verify, ctx := verification(b), context.Background()
	if memory != "cold" {
		before := newCorpus(b, &s, 11)
		for range 4000 {
			if _, err := e.Decide(ctx, before.ordinary(b, 1)); err != nil {
				b.Fatal(err)
			}
		}
	}
	took := make([]time.Duration, 0, 1<<20)
	n := 0
	b.ReportAllocs()
	var spent, spentOnES256 time.Duration
	for b.Loop() {
		begin := time.Now()
		if memory == "cold" {
			s.memo = newMemo(memoSize)
		}
		cpu := perOp(b, 1, func(int) {
			if _, err := e.Decide(ctx, requests[n%len(requests)]); err != nil {
				b.Fatal(err)
			}
		})
		took = append(took, time.Since(begin))
		spent += cpu
		if n++; n%16 == 1 {
			b.StopTimer()
			spentOnES256 += 16 * perOp(b, 4, func(int) { verify() })
			b.StartTimer()
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(n), "cpu-µs/op")
	b.ReportMetric(float64(spent)/float64(spentOnES256), "×ES256")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkDecide(b *testing.B) {
	for _, recipients := range []struct {
		name string
		n    int
	}{{"one", 1}, {"two", 2}, {"all", 31}} {
		for _, memory := range []string{"cold", "mix", "warm"} {
			b.Run(recipients.name+"/"+memory, func(b *testing.B) { benchmarkDecide(b, recipients.n, memory) })
		}
	}
}

func BenchmarkInput(b *testing.B) {
	s, r := sampleSet(b), request(b, "ee/pbgb", []string{"lv/vp"}, eeLV())
	b.ReportAllocs()
	for b.Loop() {
		p, err := s.newPack(&r)
		if err != nil {
			b.Fatal(err)
		}
		p.own(r.Recipients[0])
	}
}

// BenchmarkBuild activates all that there is, and a change of one jurisdiction's rules.
func BenchmarkBuild(b *testing.B) {
	before := sampleSet(b)
	one := Samples()
	one.Rules["ee"] = Source{Files: maps.Clone(one.Rules["ee"].Files), Status: Sample, Seq: 2}
	one.Rules["ee"].Files["send.rego"] = append(slices.Clone(one.Rules["ee"].Files["send.rego"]), "\n# changed\n"...)
	for name, c := range map[string]struct {
		before *Set
		in     Inputs
	}{"all": {nil, Samples()}, "one": {before, one}} {
		b.Run(name, func(b *testing.B) {
			begin, n := cpuTime(b), 0
			for ; b.Loop(); n++ {
				if _, err := BuildOn(c.before, c.in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-begin).Milliseconds())/float64(n), "cpu-ms/op")
		})
	}
}
