package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"syscall"
	"testing"
	"time"
)

// The goal is a ratio: one recipient at most one ES256 verification of the same run, each further one at most half.

// reportCPU reports the processor time of the process for each operation, garbage collection included: on a machine
// that others use as well, it says more than the clock.
func reportCPU(b *testing.B) func() {
	begin := cpuTime(b)
	return func() { b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/1000/float64(b.N), "cpu-µs/op") }
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkES256Verify(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("manifest"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	defer reportCPU(b)()
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("does not verify")
		}
	}
}

func benchmarkDecide(b *testing.B, sender string, recipients []string, m meta) {
	e := sampleEngine(b)
	r := request(b, sender, recipients, m)
	ctx := context.Background()
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		ds, err := e.Decide(ctx, r)
		if err != nil || ds[0].Verdict != Delivered {
			b.Fatal(err, ds)
		}
	}
}

func BenchmarkDecideOne(b *testing.B) {
	benchmarkDecide(b, "ee/pbgb", []string{"lv/vp"}, eeLV())
}

func BenchmarkDecideTwo(b *testing.B) {
	benchmarkDecide(b, "ee/pbgb", []string{"lv/vp", "ua/npu"}, with(eeLV(), meta{"transfer_basis": "led37_1a", "transfer_instrument": "ee-ua-police-2009"}))
}

func BenchmarkInput(b *testing.B) {
	s, r := sampleSet(b), request(b, "ee/pbgb", []string{"lv/vp"}, eeLV())
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		p, err := s.newPack(&r)
		if err != nil {
			b.Fatal(err)
		}
		o := p.own(r.Recipients[0])
		p.fullInput(o)
	}
}

func BenchmarkBuildSamples(b *testing.B) {
	for b.Loop() {
		if _, err := Build(Samples()); err != nil {
			b.Fatal(err)
		}
	}
}
