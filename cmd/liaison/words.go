package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// obligationWords says what a recipient has to keep to.
func obligationWords(o api.Obligation) string {
	words := o.Code
	if o.Text != "" {
		words = o.Text + " (" + o.Code + ")"
	}
	if p := strings.TrimSpace(string(o.Params)); p != "" && p != "{}" {
		words += " " + paramWords(o.Params)
	}
	if o.Source != "" {
		words += " [" + o.Source + "]"
	}
	return words
}

// paramWords writes parameters as name=value, as they are if they are no
// object.
func paramWords(raw json.RawMessage) string {
	var params map[string]json.RawMessage
	if json.Unmarshal(raw, &params) != nil {
		return string(raw)
	}
	words := make([]string, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		words = append(words, name+"="+string(params[name]))
	}
	return strings.Join(words, " ")
}

// writeDecided prints the outcome for one recipient: reasons, obligations and
// advice, in words.
func writeDecided(w *strings.Builder, o api.Outcome) {
	writeOutcome(w, o)
	for _, obligation := range o.Obligations {
		fmt.Fprintf(w, "    obliged: %s\n", printable(obligationWords(obligation)))
	}
	for _, code := range o.Mismatches {
		fmt.Fprintf(w, "    mismatch: %s: %s\n", printable(code), printable(mismatchText(code)))
	}
	for _, a := range o.Advice {
		fmt.Fprintf(w, "    advice: %s\n", printable(strings.Join(nonEmpty(a.Code, a.Text, a.Fix), ": ")))
	}
}

// entryWords tells an entry in lines: when, who, what, why.
func entryWords(e audit.Entry) []string {
	var lines []string
	say := func(label, text string) {
		if text != "" {
			lines = append(lines, fmt.Sprintf("%-14s %s", label, printable(text)))
		}
	}
	say("when", e.Time)
	say("who", strings.Join(nonEmpty(e.Actor.Agency, e.Actor.Role, e.Actor.Identity), ", "))
	say("officer", e.Officer)
	say("did", strings.Join(nonEmpty(e.Action, e.Operation), ", "))
	say("outcome", strings.Join(nonEmpty(e.Outcome, e.Problem, e.Reason), ", "))
	say("why", e.Justification)
	say("case", e.CaseRef)
	say("package", e.Package)
	say("message", strings.Join(nonEmpty(e.MessageType, e.Purpose, e.Urgency), ", "))
	say("from", e.From)
	say("to", strings.Join(e.Recipients, ", "))
	say("legal basis", strings.Join(append(slices.Clone(e.LegalBasis), nonEmpty(e.TransferBasis, e.TransferInstrument)...), ", "))
	say("handling", strings.Join(append(nonEmpty(e.Handling, e.Classification), e.Conditions...), ", "))
	for _, d := range e.Decisions {
		words := d.Recipient + " " + d.Outcome
		if len(d.Codes) > 0 {
			words += ": " + strings.Join(d.Codes, ", ")
		}
		if len(d.Obligations) > 0 {
			words += ", obliged: " + strings.Join(d.Obligations, ", ")
		}
		say("decision", words)
	}
	say("manifest", e.ManifestSHA256)
	say("content", e.ContentSHA256)
	say("samples", sampleWords(e.Samples))
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		say("detail", name+": "+e.Details[name])
	}
	if e.Count > 0 {
		say("count", fmt.Sprint(e.Count))
	}
	return lines
}

func sampleWords(jurisdictions []string) string {
	if len(jurisdictions) == 0 {
		return ""
	}
	return "sample rules decided, which are not the law of " + strings.Join(jurisdictions, ", ")
}

// number is a count of things in words.
func number(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
