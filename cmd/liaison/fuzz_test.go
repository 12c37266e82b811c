package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// FuzzDocument: the files of meta and statement, YAML or JSON, are refused as the user's mistake, or are what the parser of the envelope judges.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(testMeta))
	f.Add([]byte("v: 1\nmessage_type: spontaneous\nurgency: {level: routine}\n"))
	f.Add([]byte("approvals:\n  - {approver: head-1, role: head_of_duty, at: 1795312345}\nsubject_refs: [AAECAwQFBgcICQoLDA0ODw]\ntexts: {urgency: \"Tomorrow.\"}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("texts: {a: b}\n---\ntexts: {c: d}\n"))
	path := filepath.Join(f.TempDir(), "document")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		raw, err := readDocument(path)
		if err == nil && !json.Valid(raw) {
			t.Fatalf("%q became %q", data, raw)
		}
		var in client.SendInput
		for _, read := range []func(*client.SendInput) error{(&sending{meta: path}).readMeta, (&sending{statement: path}).readStatement} {
			var refused *exitError
			if err := read(&in); err != nil && (!errors.As(err, &refused) || refused.code != exitUsage) {
				t.Fatalf("error out of place: %v", err)
			}
		}
		if in.Meta != nil {
			if _, err := envelope.ParseMeta(in.Meta); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzOutcomeWords: whatever a server says of an outcome, what is printed cannot steer a terminal.
func FuzzOutcomeWords(f *testing.F) {
	f.Add([]byte(`{"recipient":"lv/vp","outcome":"denied","decision":"d","reasons":[{"code":"c","params":{"days":3},"text":"\u001b[2J\u202e","fix":"\n","source":"\u0007"}]}`))
	f.Add([]byte(`{"recipient":"\u001b","outcome":"\r","obligations":[{"code":"c","params":"\u001b","text":""}],"advice":[{"code":"\u009b","params":null}],"note":"\u0000"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var o api.Outcome
		if json.Unmarshal(body, &o) != nil {
			return
		}
		var w strings.Builder
		writeDecided(&w, o)
		for _, line := range entryWords(audit.Entry{Owner: o.Recipient, Justification: o.Note, Outcome: o.Outcome, Recipients: []string{o.Decision}}) {
			w.WriteString(line)
		}
		for _, r := range w.String() {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) {
				t.Fatalf("%q in %q", r, w.String())
			}
		}
	})
}
