package siem

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
)

// mayLeave are the members of an entry that the feed tells. Whoever adds one
// says here that it is nobody's reason, name or case.
var mayLeave = []string{"Owner", "Exchange", "Time", "Operation", "Action", "Outcome", "Actor.Agency", "Actor.Role", "Actor.Certificate", "Request", "Package", "MessageType", "Urgency",
	"Handling", "Classification", "From", "Recipients", "Decisions.Recipient", "Decisions.Outcome", "Decisions.Codes", "Problem", "Reason", "Seq", "Count"}

// plant puts a canary into every text of a value and returns the names of the
// places.
func plant(v reflect.Value, name string, canaries map[string]string) {
	switch v.Kind() {
	case reflect.String:
		canaries[name] = fmt.Sprintf("CANARY%03dX", len(canaries))
		v.SetString(canaries[name])
	case reflect.Struct:
		for i := range v.NumField() {
			plant(v.Field(i), strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), canaries)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			canaries[name] = fmt.Sprintf("CANARY%03dX", len(canaries))
			v.SetBytes([]byte(`{"x":"` + canaries[name] + `"}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), name, canaries)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		plant(key, name+".key", canaries)
		plant(value, name+".value", canaries)
		v.SetMapIndex(key, value)
	}
}

// TestNothingElseLeaves plants a canary in every member that an entry has, of
// those to come as well: only the members on the list are told.
func TestNothingElseLeaves(t *testing.T) {
	t.Parallel()
	var e audit.Entry
	canaries := map[string]string{}
	plant(reflect.ValueOf(&e).Elem(), "", canaries)
	for _, personal := range []string{"Officer", "Justification", "CaseRef", "Statement", "Actor.Identity", "Details.key", "Details.value", "Consultation"} {
		if canaries[personal] == "" {
			t.Fatalf("no canary in %s", personal)
		}
	}
	const id = "01a21ed0-105a-70fd-97d8-ab7f759587f3"
	e.Seq, e.Prev, e.Time, e.Operation, e.Package, e.Request = 1, audit.FirstPrev, "2026-11-22T08:00:00.000Z", audit.Disclosure, id, id
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	line, _, err := told(Row{Index: 7, Owner: "ee/pbgb", Seq: 1, Entry: raw})
	if err != nil {
		t.Fatal(err)
	}
	for name, canary := range canaries {
		if leaves := strings.Contains(string(line), canary); leaves && !slices.Contains(mayLeave, name) {
			t.Errorf("%s leaves the exchange: %s", name, line)
		}
	}
	for _, want := range []string{canaries["Problem"], canaries["Reason"], canaries["Recipients"], canaries["Decisions.Codes"], id, `"index":7`} {
		if !strings.Contains(string(line), want) {
			t.Errorf("the line lacks %q: %s", want, line)
		}
	}
	// What somebody wrote where an id stands does not leave either.
	e.Package, e.Request = "Jane Doe", "Jane Doe"
	if raw, err = e.Encode(); err != nil {
		t.Fatal(err)
	}
	if line, _, err = told(Row{Entry: raw}); err != nil || strings.Contains(string(line), "Jane") {
		t.Errorf("%s, %v", line, err)
	}
}

// TestErasedAndUnread: each entry has its line, whatever is left of it.
func TestErasedAndUnread(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Row{
		`{"index":3,"owner":"ee/pbgb","seq":2,"erased":true}`:                     {Index: 3, Owner: "ee/pbgb", Seq: 2},
		`{"index":4,"owner":"ee/pbgb","seq":3,"action":"(entry cannot be read)"}`: {Index: 4, Owner: "ee/pbgb", Seq: 3, Entry: []byte(`{"secret":1}`)},
	} {
		if line, _, err := told(r); err != nil || string(line) != want {
			t.Errorf("%s, %v, want %s", line, err, want)
		}
	}
}
