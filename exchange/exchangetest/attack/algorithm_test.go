package attack_test

import (
	"github.com/liaison-exchange/liaison/exchange/api"
	"testing"
)

// TestAlgorithms: what signs is one of two algorithms, and the key says which.
func TestAlgorithms(t *testing.T) {
	a := enter(t)
	a.run(attack{row: "J1", name: "none", want: malformed("manifest:alg"), make: post(func(f *forgery) { in(&f.manifest.header, "ES256", "none") })})
	k := a.delivered()
	a.run(attack{row: "J1", name: "ack none", from: "lv/vp", want: refusal("package.acknowledge", api.EnvelopeMalformed, "acknowledgement:alg"),
		make: func(a *arena) request { return k.request(a, func(j *jws) { in(&j.header, "ES256", "none") }) }})
	a.given(k)
	a.accepted()
}
