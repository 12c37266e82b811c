package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func minimal() Entry {
	return Entry{Owner: "ee/pbgb", Seq: 1, Prev: FirstPrev, Exchange: testOrigin, Time: "2026-11-22T10:00:00.000Z", Operation: Disclosure}
}

// fillAll gives every member of v a value, lists and maps n of them.
func fillAll(v reflect.Value, n int, text func() string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text())
	case reflect.Uint64, reflect.Int:
		if v.CanUint() {
			v.SetUint(1)
		} else {
			v.SetInt(1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillAll(v.Field(i), n, text)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillAll(v.Index(i), n, text)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range n {
			value := reflect.New(v.Type().Elem()).Elem()
			fillAll(value, n, text)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("%s%d", text(), i)), value)
		}
	}
}

// full is an entry with every member filled.
func full(n int, text func() string) Entry {
	var e Entry
	fillAll(reflect.ValueOf(&e).Elem(), n, text)
	m := minimal()
	e.Owner, e.Seq, e.Prev, e.Exchange, e.Time, e.Operation = m.Owner, m.Seq, m.Prev, m.Exchange, m.Time, m.Operation
	e.Statement, e.Truncated = json.RawMessage(`{"iss":"ee/pbgb","texts":{}}`), nil
	return e
}

func TestEntryRoundTrip(t *testing.T) {
	i := 0
	e := full(3, func() string { i++; return fmt.Sprintf("päť-%d", i) })
	b, err := e.Encode()
	must(t, err)
	got, err := ParseEntry(b)
	must(t, err)
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	again, err := got.Encode()
	must(t, err)
	if !bytes.Equal(b, again) {
		t.Errorf("encoding again gives other bytes:\n%s\n%s", b, again)
	}
}

// Each text and list of an entry is known to the ladder: a member that is forgotten there would grow without limit.
func TestEveryMemberIsBounded(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for name, item := range map[string]string{"short items": "x", "long items": long} {
		e := full(200, func() string { return item })
		e.within(ladder[0])
		e.Statement, e.Truncated = nil, nil
		checkBounded(t, name, reflect.ValueOf(e))
	}
}

func checkBounded(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if len(v.String()) > 2048 {
			t.Errorf("%s: %d bytes", path, len(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			checkBounded(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice, reflect.Map:
		if v.Len() > 80 {
			t.Errorf("%s: %d items", path, v.Len())
		}
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				checkBounded(t, path+"[]", v.Index(i))
			}
		}
	}
}

// The last rung of the ladder fits whatever the entry holds: the longest texts, each character at its longest, everywhere.
func TestLastRungAlwaysFits(t *testing.T) {
	for _, text := range []string{"x", "\x00", "\x7f", "\xff", "ж", "漢", "😀", "\u202e", "\U000e0001", `"`, "<"} {
		long := strings.Repeat(text, 2500)
		e := full(100, func() string { return long })
		e.Owner, e.Exchange = strings.Repeat("o", maxName), strings.Repeat("e", maxName)
		e.Seq, e.Prev, e.Count = MaxSize, Commit(Salt{}, nil).String(), 1<<63
		e.Statement = json.RawMessage(`{"texts":"` + strings.Repeat("\u202e", 9000) + `"}`)
		// The table of rungs, tried by hand: the last one alone must do.
		last := e
		last.within(ladder[len(ladder)-1])
		if n := len(last.appendTo(nil)); n > MaxEntry {
			t.Errorf("%q: the last rung leaves %d bytes", text, n)
		}
		b, err := e.Encode()
		must(t, err)
		got, err := ParseEntry(b)
		must(t, err)
		if got.Truncated["officer"] == 0 || got.Truncated["decisions"] == 0 || got.Truncated["statement"] == 0 {
			t.Errorf("%q: what was left out is not counted: %v", text, got.Truncated)
		}
	}
}

// No entry fails for its size, each stays valid, and encoding what was read changes nothing any more.
func TestOverflowNeverFails(t *testing.T) {
	alphabet := rapid.SampledFrom([]string{"a", "ß", "漢", "\x00", "\n", "\x1b[31m", "\u202e", "\U000e0001", "\xff", "\xed\xa0\x80", `"`, `\`, "<", "\u2028", "�"})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 5, 40, 90}).Draw(t, "items")
		text := strings.Repeat(alphabet.Draw(t, "piece"), rapid.SampledFrom([]int{0, 1, 20, 200, 3000}).Draw(t, "times"))
		build := func() Entry { return full(n, func() string { return text }) }
		e := build()
		e.Statement = json.RawMessage(`{"justification":"` + strings.Repeat("j", rapid.IntRange(0, 20000).Draw(t, "statement")) + `"}`)
		before := build()
		before.Statement = bytes.Clone(e.Statement)
		b, err := e.Encode()
		if err != nil || len(b) > MaxEntry || !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if !reflect.DeepEqual(e, before) {
			t.Fatal("Encode changed its receiver")
		}
		if c, err := e.Encode(); err != nil || !bytes.Equal(b, c) {
			t.Fatal("the same entry was encoded in two ways")
		}
		got, err := ParseEntry(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("encoding again gives other bytes (%v):\n%s\n%s", err, b, again)
		}
	})
}

// An entry to 31 recipients in 31 countries with the longest statement keeps its statement, its recipients and every decision.
func TestWidestPackageKeepsWhatLawAsks(t *testing.T) {
	e := full(0, func() string { return "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d" })
	e.Justification = strings.Repeat("põhjendus ", 50)
	e.Statement = json.RawMessage(`{"justification":"` + strings.Repeat("s", 6100) + `"}`)
	digest := Commit(Salt{}, nil).String()
	e.Revisions = map[string]string{"common": digest}
	for i := range 31 {
		j := fmt.Sprintf("%c%c", 'a'+i/26, 'a'+i%26)
		e.Recipients = append(e.Recipients, j+"/police")
		e.Revisions["rules/"+j], e.Revisions["declared/"+j] = digest, digest
		d := Decision{ID: e.Package, Recipient: j + "/police", Outcome: "delivered", InputSHA256: digest}
		for r := range 40 {
			d.Rules = append(d.Rules, fmt.Sprintf("R%d", r))
		}
		d.Codes, d.Obligations = []string{"advice_check_identity"}, []string{"no_judicial_use", "no_onward", "erase_after"}
		e.Decisions = append(e.Decisions, d)
	}
	b, err := e.Encode()
	must(t, err)
	got, err := ParseEntry(b)
	must(t, err)
	if len(got.Recipients) != 31 || len(got.Decisions) != 31 || got.Decisions[30].InputSHA256 != digest || got.Justification != e.Justification || len(got.Statement) != len(e.Statement) {
		t.Errorf("lost what LED art 25 asks: %v", got.Truncated)
	}
	t.Logf("%d bytes, left out: %v", len(b), got.Truncated)
	e.Statement = json.RawMessage(`{"justification":"short"}`)
	b, err = e.Encode()
	must(t, err)
	got, err = ParseEntry(b)
	must(t, err)
	if len(got.Decisions) != 31 || got.Decisions[30].InputSHA256 != digest || len(got.Revisions) != 63 || len(got.Decisions[0].Obligations) != 3 {
		t.Errorf("with a short statement: %d bytes, left out: %v", len(b), got.Truncated)
	}
}

// What an attacker writes into any text cannot begin a line, move a cursor, turn the direction of text or leave its string.
func TestLogInjection(t *testing.T) {
	payloads := []string{"\r\n{\"owner\":\"xx/forged\"}", "\x1b[2J\x1b[H", "\u202efdp.exe", "\u2066a\u2069", "\u2028", "\u2029", "\u0085", "\x7f", "\u200b", "\ufeff",
		`","outcome":"denied`, `\u0022`, "</script><script>", "\x00", "\u009b31m", "\U000e0041", "a\u0000b", `\`, `"`, "\xff\xfe"}
	for n := range 200 {
		p := payloads[n%len(payloads)] + payloads[(n/len(payloads)+n)%len(payloads)]
		e := minimal()
		e.Officer, e.CrimeAreas, e.Details = p, []string{p}, map[string]string{p: p}
		e.Statement = json.RawMessage(`{"x":` + quoteJSON(p) + `}`)
		b, err := e.Encode()
		must(t, err)
		for _, c := range b { // no payload has a visible character beyond ASCII
			if c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' {
				t.Fatalf("byte %#x stands in the entry as it is: %q", c, b)
			}
		}
		got, err := ParseEntry(b)
		must(t, err)
		if got.Officer != string([]rune(p)) || got.Outcome != "" {
			t.Fatalf("%q was read back as %q", p, got.Officer)
		}
	}
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestParseEntryIsStrict(t *testing.T) {
	b, err := minimal().Encode()
	must(t, err)
	base := string(b)
	with := func(member string) string { return strings.TrimSuffix(base, "}") + "," + member + "}" }
	accepted := map[string]string{
		"as encoded": base, "escape": with(`"officer":"\ud83d\ude00"`), "backslash": with(`"officer":"\\ud800"`), "spaces": with(` "officer" : "x" `),
		"statement": with(`"statement":{"iss":null,"IsS":[1,{"a":{}}]}`), "whole seconds": strings.Replace(base, ".000Z", "Z", 1),
	}
	for name, text := range accepted {
		if _, err := ParseEntry([]byte(text)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	refused := map[string]string{
		"empty": "", "null": "null", "list": "[]", "text": `"x"`, "cut": base[:len(base)-1], "trailing": base + "{}", "trailing bracket": base + "]",
		"unknown": with(`"extra":"x"`), "unknown inside": with(`"actor":{"name":"x"}`), "unknown in list": with(`"decisions":[{"verdict":"x"}]`),
		"repeated": with(`"owner":"ee/pbgb"`), "repeated inside": with(`"actor":{"role":"unit","role":"dpo"}`), "repeated in map": with(`"revisions":{"a":"1","a":"2"}`),
		"repeated by escape": with(`"officer":"a","\u006fficer":"b"`), "repeated in statement": with(`"statement":{"iss":"a","iss":"b"}`),
		"case": with(`"Officer":"x"`), "case inside": with(`"actor":{"Role":"dpo"}`), "case, Kelvin sign": with(`"case_ref":"a","\u212aey":"x"`), "long s": with(`"ca\u017fe_ref":"x"`),
		"null member": with(`"officer":null`), "null in list": with(`"recipients":[null]`), "number for text": with(`"officer":1`), "list for text": with(`"officer":["x"]`),
		"object for text": with(`"officer":{"x":"y"}`), "text for list": with(`"recipients":"x"`), "statement is text": with(`"statement":"x"`), "statement is null": with(`"statement":null`),
		"invalid UTF-8": with("\"officer\":\"\xff\""), "surrogate": with(`"officer":"\ud800"`), "low surrogate": with(`"officer":"\udc00"`),
		"two high surrogates": with(`"officer":"\ud800\ud800"`), "surrogate in statement": with(`"statement":{"a":"\udfff"}`),
		"line break": with("\"officer\":\"a\nb\""), "deep": with(`"statement":{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}"),
		"too long": with(`"officer":"` + strings.Repeat("x", MaxEntry) + `"`), "comma": with(`"officer":"x",`),
		"no owner": strings.Replace(base, "ee/pbgb", "", 1), "seq 0": strings.Replace(base, `"seq":1`, `"seq":0`, 1), "seq 1.0": strings.Replace(base, `"seq":1`, `"seq":1.0`, 1),
		"seq -1": strings.Replace(base, `"seq":1`, `"seq":-1`, 1), "seq huge": strings.Replace(base, `"seq":1`, `"seq":18446744073709551615`, 1), "seq text": strings.Replace(base, `"seq":1`, `"seq":"1"`, 1),
		"seq 2 after nothing": strings.Replace(base, `"seq":1`, `"seq":2`, 1), "seq 1 after something": strings.Replace(base, FirstPrev, Commit(Salt{}, nil).String(), 1),
		"prev": strings.Replace(base, FirstPrev, FirstPrev[:42]+"B", 1), "operation": strings.Replace(base, Disclosure, "gossip", 1), "exchange": strings.Replace(base, testOrigin, "a b", 1),
	}
	for name, text := range refused {
		if e, err := ParseEntry([]byte(text)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v: %+v", name, err, e)
		}
	}
	for _, at := range []string{"2026-11-22T10:00:00", "2026-11-22T10:00:00+00:00", "2026-11-22T10:00:00,000Z", "2026-11-22T10:00:00.0000Z", "2026-02-30T10:00:00Z", "2026-11-22t10:00:00Z", ""} {
		if _, err := ParseEntry([]byte(strings.Replace(base, "2026-11-22T10:00:00.000Z", at, 1))); !errors.Is(err, ErrEntry) {
			t.Errorf("time %q: %v", at, err)
		}
	}
}

func TestEncodeRefusesWhatNoEntryMayLack(t *testing.T) {
	for name, change := range map[string]func(*Entry){
		"owner": func(e *Entry) { e.Owner = "" }, "long owner": func(e *Entry) { e.Owner = strings.Repeat("x", maxName+1) }, "seq": func(e *Entry) { e.Seq = 0 },
		"prev": func(e *Entry) { e.Prev = "" }, "exchange": func(e *Entry) { e.Exchange = "" }, "time": func(e *Entry) { e.Time = "now" },
		"operation": func(e *Entry) { e.Operation = "Disclosure" }, "statement": func(e *Entry) { e.Statement = json.RawMessage(`{"a":1,"a":2}`) },
		"statement list": func(e *Entry) { e.Statement = json.RawMessage(`[]`) }, "statement cut": func(e *Entry) { e.Statement = json.RawMessage(`{`) },
	} {
		e := minimal()
		change(&e)
		if b, err := e.Encode(); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v: %s", name, err, b)
		}
	}
}

// Times sort as texts do, whatever the clock says (the order of the log is seq, never time).
func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 999_999_999, time.FixedZone("EET", 7200))
	if got := FormatTime(at); got != "2026-11-22T10:00:00.999Z" {
		t.Error(got)
	}
	got, err := ParseTime(FormatTime(at))
	if err != nil || !got.Equal(at.Truncate(time.Millisecond)) {
		t.Error(got, err)
	}
	for _, d := range []time.Duration{-87600 * time.Hour, 87600 * time.Hour} {
		e := minimal()
		e.Time = FormatTime(at.Add(d))
		if _, err := e.Encode(); err != nil {
			t.Errorf("a clock that is wrong by %s: %v", d, err)
		}
	}
}

// A caller's own counts stay bounded, too.
func TestForeignTruncated(t *testing.T) {
	e := minimal()
	e.Truncated = map[string]int{}
	for i := range 20000 {
		e.Truncated[fmt.Sprint(i)] = i
	}
	b, err := e.Encode()
	must(t, err)
	got, err := ParseEntry(b)
	must(t, err)
	if diff := cmp.Diff(map[string]int{"truncated": 20000}, got.Truncated, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
