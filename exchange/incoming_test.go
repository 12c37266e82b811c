package exchange_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// arriving is a package as it arrives at the service, from memory.
type arriving struct {
	parts []exchangetest.Part
	next  int
	// before, if not nil, runs before the content is read: policy has decided
	// by then, and nothing is recorded.
	before func()
}

func incoming(parts []exchangetest.Part) *arriving { return &arriving{parts: parts} }

var _ exchange.Parts = (*arriving)(nil)

func (a *arriving) take() ([]byte, error) {
	if a.next == len(a.parts) {
		return nil, io.EOF
	}
	a.next++
	return a.parts[a.next-1].Body, nil
}

func (a *arriving) Manifest() ([]byte, error)  { return a.take() }
func (a *arriving) Statement() ([]byte, error) { return a.take() }

// Afford has room for all.
func (a *arriving) Afford(context.Context, exchange.Cost) error { return nil }

func (a *arriving) Content() ([]byte, error) {
	if a.before != nil {
		a.before()
	}
	return a.take()
}

func (a *arriving) Attachment() (io.Reader, error) {
	b, err := a.take()
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(b), nil
}

// breaking is a case reference on which the rules of Italy in otherPolicies
// contradict themselves: the engine fails.
const breaking = "CANARY-BREAK-1"

// otherPolicies are policies in which Latvia has no rules, Belarus and Italy
// forbid nothing, and Estonia's rules are of another revision. They are built
// once.
func otherPolicies(t testing.TB) *policy.Set {
	t.Helper()
	set, err := buildOther()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// permissive rules forbid nothing.
const permissive = `package jurisdiction.J.LAYER

import data.jurisdiction.J.lib

default allow := false

allow if not lib.broken == 3
`

// consenting is a case reference on which the rules of Italy and Belarus in
// otherPolicies ask the recipient first.
const consenting = "CANARY-CONSENT-1"

const asking = `
# METADATA
# title: The recipient is asked
# custom:
#   rule: J-1
#   code: recipient_consent
#   text:
#     en: The recipient is asked whether it wants this.
#   source: none
pend contains "recipient_consent" if input.claimed.case_ref == "` + consenting + `"
`

const contradiction = `package jurisdiction.J.lib

default broken := 0

broken := 1 if input.claimed.case_ref == "` + breaking + `"

broken := 2 if input.claimed.case_ref == "` + breaking + `"
`

var buildOther = sync.OnceValues(func() (*policy.Set, error) {
	in := policy.Samples()
	in.Declared, in.Rules = maps.Clone(in.Declared), maps.Clone(in.Rules)
	delete(in.Declared, "europol")
	delete(in.Rules, "europol")
	delete(in.Rules, "lv")
	for _, j := range []string{"by", "it"} {
		rules := in.Rules[j]
		rules.Files = map[string][]byte{}
		for _, layer := range []string{"send", "receive", "onward"} {
			rules.Files[layer+".rego"] = []byte(strings.NewReplacer("J", j, "LAYER", layer).Replace(permissive))
		}
		rules.Files["receive.rego"] = append(rules.Files["receive.rego"], []byte(strings.ReplaceAll(asking, "rule: J-", "rule: "+j+"-"))...)
		rules.Files["lib.rego"] = []byte(strings.ReplaceAll(contradiction, "J", j))
		in.Rules[j] = rules
	}
	ee := in.Rules["ee"]
	ee.Files, ee.Seq = maps.Clone(ee.Files), ee.Seq+1
	ee.Files["send.rego"] = append(bytes.Clone(ee.Files["send.rego"]), []byte("\n# The next revision.\n")...)
	delete(ee.Files, "ee_test.rego")
	in.Rules["ee"] = ee
	return buildOnSamples(in)
})
