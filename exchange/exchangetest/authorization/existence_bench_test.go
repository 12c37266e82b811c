package authorization

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// samples is how often each of the two is measured.
const samples = 10_000

// BenchmarkExistence measures how long the exchange takes to say that a thing
// is not found when it is absent and when it is another's (row Z6 of the
// attack catalogue): over HTTP/2 on the loopback, and at the service, where
// there is less noise. Which of the two is measured next is drawn at random,
// so that whatever else the machine does falls on both alike.
//
// It reports Welch's t (t) and both medians. As in dudect, t is computed over
// all samples and again over those below the 99th, 95th, 90th, 75th and 50th
// percentile of both together, because a slow tail hides what is small; the
// one farthest from 0 is reported. Beyond ±4.5 the two can be told apart with
// 10,000 samples of each.
//
//	go test -run='^$' -bench=Existence -benchtime=1x ./exchange/exchangetest/authorization
func BenchmarkExistence(b *testing.B) {
	for _, level := range []struct {
		name string
		open func(*testing.B) []contrast
	}{{"http", httpContrasts}, {"service", serviceContrasts}} {
		b.Run(level.name, func(b *testing.B) {
			for _, c := range level.open(b) {
				b.Run(c.name, c.measure)
			}
		})
	}
}

// contrast is a thing to ask for that is absent or another's.
type contrast struct {
	name            string
	absent, foreign func() error // nil when it was refused as not found
}

func (c contrast) measure(b *testing.B) {
	coin := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range 200 { // connections, caches, statements
		for _, ask := range []func() error{c.absent, c.foreign} {
			if err := ask(); err != nil {
				b.Fatal(err)
			}
		}
	}
	var absent, foreign []float64
	for b.Loop() {
		for len(absent) < samples || len(foreign) < samples {
			ask, into := c.absent, &absent
			if coin.IntN(2) == 0 {
				ask, into = c.foreign, &foreign
			}
			began := time.Now()
			err := ask()
			took := time.Since(began)
			if err != nil {
				b.Fatal(err)
			}
			*into = append(*into, float64(took.Nanoseconds()))
		}
	}
	b.ReportMetric(worst(absent, foreign), "t")
	b.ReportMetric(percentile(absent, 50)/1e3, "absent-µs")
	b.ReportMetric(percentile(foreign, 50)/1e3, "foreign-µs")
}

// worst is the t farthest from 0 over the crops.
func worst(x, y []float64) (t float64) {
	both := slices.Concat(x, y)
	for _, p := range []float64{100, 99, 95, 90, 75, 50} {
		limit := percentile(both, p)
		above := func(v float64) bool { return v > limit }
		if c := welch(slices.DeleteFunc(slices.Clone(x), above), slices.DeleteFunc(slices.Clone(y), above)); math.Abs(c) > math.Abs(t) {
			t = c
		}
	}
	return t
}

func percentile(x []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*p/100))]
}

// welch is the t statistic of two samples of unequal variance.
func welch(x, y []float64) float64 {
	mx, vx := moments(x)
	my, vy := moments(y)
	return (mx - my) / math.Sqrt(vx/float64(len(x))+vy/float64(len(y)))
}

// moments are mean and variance.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}

// TestWelch: what differs is seen in spite of a tail that is far longer, and
// what does not differ is not.
func TestWelch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(shift float64) (x []float64) {
		for range samples {
			v := 100 + shift + 10*r.NormFloat64()
			if r.IntN(20) == 0 {
				v += 10_000 * r.Float64()
			}
			x = append(x, v)
		}
		return x
	}
	if got := worst(draw(0), draw(0)); math.Abs(got) > 4.5 {
		t.Errorf("no difference: t = %.1f", got)
	}
	if got := worst(draw(0), draw(2)); math.Abs(got) < 4.5 {
		t.Errorf("a difference: t = %.1f", got)
	}
}

// subject is a package of Estonia for Latvia and Ukraine, which Italy asks
// for, and Italy's consultation of the log.
func subject(b *testing.B) (w *world, id, log string) {
	b.Helper()
	w = newWorld(b)
	id = w.populate()[2]
	return w, id, w.consult(identity{"it/dcpc", dpo, "demo"}, "")
}

func httpContrasts(b *testing.B) []contrast {
	w, foreign, log := subject(b)
	who, reader := identity{"it/dcpc", unit, "demo"}, identity{"it/dcpc", dpo, "demo"}
	jws, _ := w.acknowledge(&posted{parcel: parcel{id: foreign}, manifestSHA256: exampleDigest}, who.agency, "")
	ask := func(who identity, q question) func() error {
		q.who = who
		r := w.request(q, nil, jws, 0)
		return func() error {
			if a := w.send(who, r); a.Status != http.StatusNotFound {
				w.t.Fatalf("%s %s: %d %s", r.method, r.path, a.Status, a.Body)
			}
			return nil
		}
	}
	var all []contrast
	for _, verb := range []string{"show", "manifest", "content", "attachment", "acknowledge", "consult"} {
		all = append(all, contrast{verb, ask(who, question{verb: verb, id: noID, consultation: noID}), ask(who, question{verb: verb, id: foreign, consultation: noID})})
	}
	return append(all,
		contrast{"entry", ask(reader, question{verb: "entry", owner: "ee/pbgb", seq: 1 << 40, consultation: log}), ask(reader, question{verb: "entry", owner: "ee/pbgb", seq: 1, consultation: log})},
		contrast{"key", ask(who, question{verb: "key", owner: "ee/pbgb", kid: exampleDigest}), ask(who, question{verb: "key", owner: "ee/pbgb", kid: w.sign["lv/vp"].Kid()})})
}

func serviceContrasts(b *testing.B) []contrast {
	w, foreign, log := subject(b)
	jws, _ := w.acknowledge(&posted{parcel: parcel{id: foreign}, manifestSHA256: exampleDigest}, "it/dcpc", "")
	w.hangUp()
	s := w.x.Parts(exchangetest.PartsConfig{}).Service
	who, reader := w.x.Caller("it/dcpc", certs.RoleUnit), w.x.Caller("it/dcpc", certs.RoleDPO)
	reader.Identity.Name, reader.Request = "demo", noID
	var all []contrast
	add := func(name string, ask func(id string) error) {
		notFound := func(id string) func() error {
			return func() error {
				if r := exchange.AsRefusal(ask(id)); r == nil || r.Kind != exchange.NotFound {
					b.Fatalf("%s: %v", name, r)
				}
				return nil
			}
		}
		all = append(all, contrast{name, notFound(noID), notFound(foreign)})
	}
	ctx := context.Background()
	add("show", func(id string) error { _, err := s.Show(ctx, who, id); return err })
	add("manifest", func(id string) error { _, err := s.Manifest(ctx, who, id); return err })
	add("content", func(id string) error { return closed(s.Content(ctx, who, id, noID)) })
	add("attachment", func(id string) error { return closed(s.Attachment(ctx, who, id, 0, noID)) })
	add("acknowledge", func(id string) error { _, err := s.Acknowledge(ctx, who, id, jws); return err })
	add("consult", func(id string) error {
		_, err := s.Consult(ctx, who, exchange.ConsultationRequest{Officer: "O", Justification: "A reason that is long enough to be one", Package: id})
		return err
	})
	add("entry", func(id string) error {
		seq := uint64(1)
		if id == noID {
			seq = 1 << 40
		}
		_, err := s.Entry(ctx, reader, log, "ee/pbgb", seq)
		return err
	})
	return all
}

// closed closes what should not have opened.
func closed(c io.Closer, err error) error {
	if err == nil {
		err = c.Close()
	}
	return err
}
