package exchange_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/policy"
)

// verdicts are decisions that differ in one thing each, and what is hard to
// read in them.
func verdicts() []policy.Decision {
	duty := func(code, params, text string) policy.Obligation {
		return policy.Obligation{Code: code, Params: json.RawMessage(params), On: "recipient", Rule: "ee-1", Text: text, Source: "\"<&>\u2028\\"}
	}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	pend := policy.Pend{Code: "national_review", By: "originator", Jurisdiction: "ee", Expires: at}
	other := pend
	other.Expires = at.Add(time.Hour)
	named := map[string]string{"common": "x", "declared/ee": "y"}
	return []policy.Decision{
		{Recipient: "lv/vp", Verdict: policy.Denied, Engine: "e", Revisions: named, Reasons: []policy.Reason{{Code: "a", Params: json.RawMessage("{}"), Text: `]}"Verdict":"delivered","\`}}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("erase_within", `{"days":3}`, `"Obligations":null}`)}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("erase_within", `{"days":4}`, "")}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("report_use", `{"days":3}`, "")}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("erase_within", `{"days":3}`, ""), duty("x", `{"a":["<",1.0],"b":"}]"}`, "")}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("erase_within", `{"days":3}`, ""), duty("x", `{"b":"}]", "a":["\u003c",1]}`, "")}},
		{Recipient: "lv/vp", Verdict: policy.Delivered, Engine: "e", Revisions: named, Obligations: []policy.Obligation{duty("erase_within", `{"days":3}`, ""), duty("<y", `{}`, "")}},
		{Recipient: "lv/vp", Verdict: policy.Pending, Engine: "e", Revisions: named, Pends: []policy.Pend{pend}},
		{Recipient: "lv/vp", Verdict: policy.Pending, Engine: "e", Revisions: named, Pends: []policy.Pend{other}},
		{Recipient: "lv/vp", Verdict: policy.Pending, Engine: "e", Revisions: named, Pends: []policy.Pend{pend}, Obligations: []policy.Obligation{duty("erase_within", `{"days":3}`, "")}},
	}
}

// TestRecordedVerdicts: a recorded verdict is compared as it is when all of it
// is decoded, whatever stands in it.
func TestRecordedVerdicts(t *testing.T) {
	t.Parallel()
	all, kinds := verdicts(), map[string]int{}
	for i, was := range all {
		for j := range all {
			fast, slow, err := exchange.ChangeOfRecorded(exchange.EncodeVerdict(was), &all[j])
			if err != nil || fast != slow {
				t.Errorf("%d and %d: %q, decoded %q, %v", i, j, fast, slow, err)
			}
			if kinds[fast]++; i == j && fast != "" {
				t.Errorf("%d is %q than itself", i, fast)
			}
		}
	}
	for _, kind := range []string{"", exchange.NowAllowed, exchange.NowPending, exchange.NowDenied, exchange.ObligationsChange} {
		if kinds[kind] < 5 {
			t.Errorf("%q %d times", kind, kinds[kind])
		}
	}
	good := string(exchange.EncodeVerdict(all[3]))
	for n := range good {
		if _, _, err := exchange.ChangeOfRecorded([]byte(good[:n]), &all[3]); err == nil {
			t.Fatalf("cut off at %d, it is read", n)
		}
	}
	for _, text := range []string{"", "{}", "[]", "null", good + "}", strings.Replace(good, `"Verdict":"delivered"`, `"Verdict":1`, 1),
		strings.Replace(good, `"Engine":"e"`, `"Engine":"e","Verdict":"denied"`, 1), strings.Replace(good, `"Revisions":{`, `"Revisions":[{`, 1)} {
		if _, _, err := exchange.ChangeOfRecorded([]byte(text), &all[3]); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// FuzzRecordedVerdict: of what a decoder reads as a decision, nothing else is
// read without decoding.
func FuzzRecordedVerdict(f *testing.F) {
	all := verdicts()
	for _, d := range all {
		f.Add(exchange.EncodeVerdict(d), uint(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, n uint) {
		var d policy.Decision
		if json.Unmarshal(text, &d) != nil {
			_, _, _ = exchange.ChangeOfRecorded(text, &all[0])
			return
		}
		text = exchange.EncodeVerdict(d) // as it would be recorded
		fast, slow, err := exchange.ChangeOfRecorded(text, &all[n%uint(len(all))])
		if err == nil && fast != slow {
			t.Fatalf("%s: %q, decoded %q", text, fast, slow)
		}
	})
}
