package search

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liaison-exchange/liaison/audit"
)

var denied = audit.Entry{
	Owner: "ee/pbgb", Seq: 7, Exchange: "example.org/log", Time: "2026-11-22T08:00:00.000Z",
	Operation: audit.Disclosure, Action: "package.send", Outcome: "denied",
	Actor:   audit.Actor{Agency: "ee/pbgb", Role: "unit", Identity: "spiffe://ee/pbgb/unit/desk1", Certificate: "c0ffee"},
	Officer: "o-17", Justification: `he said "now"`, CaseRef: "2026/11-4", Request: "r-1",
	Package: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", MessageType: "answer", Purpose: "investigation", CrimeAreas: []string{"terrorism", "robbery_aggravated_theft"},
	SubjectCategories: []string{"suspect"}, SpecialCategories: []string{"biometric"}, Minors: "u18", Handling: "H1",
	LegalBasis: []string{"ee:law:4"}, Originators: []string{"ee/pbgb"}, Authorisations: []string{"ua/npu:granted:ref:1"},
	From: "ee/pbgb", Recipients: []string{"lv/vp", "by/mia"},
	Statement: []byte(`{"subject_refs":["c3ViamVjdA"],"approvals":[{"approver":"a-2","role":"head_of_duty","at":"2026-11-22"}]}`),
	Decisions: []audit.Decision{{ID: "d1", Recipient: "by/mia", Outcome: "denied", Codes: []string{"recipient_suspended"}, Rules: []string{"R28"}}},
	Revisions: map[string]string{"common": "rev-c", "rules/ee": "rev-e"}, Problem: "policy-denied", Truncated: map[string]int{"rules": 3},
}

func TestMatch(t *testing.T) {
	for query, want := range map[string]bool{
		"":                                true,
		"outcome:denied":                  true,
		"outcome:delivered":               false,
		"-outcome:delivered":              true,
		"NOT outcome:denied":              false,
		"--outcome:denied":                true,
		"outcome:denied recipient:lv/vp":  true,
		"outcome:denied recipient:it/gdf": false,
		"outcome:denied (recipient:it/gdf OR recipient:by/mia) -purpose:prevention": true,
		"recipient:it/gdf OR outcome:denied purpose:prevention":                     false,
		"recipient:lv/vp OR outcome:denied purpose:prevention":                      true,
		"-(recipient:it/gdf outcome:denied)":                                        true,
		"recipient:it/gdf AND outcome:denied":                                       false,
		"agency:ee/pbgb role:unit unit:desk1 identity:spiffe://ee/pbgb/unit/desk1":  true,
		"unit:desk2":                           false,
		"counterpart:lv/vp counterpart:by/mia": true,
		"counterpart:ee/pbgb":                  false,
		`officer:o-17 approver:a-2 case:2026/11-4 subject:c3ViamVjdA justification:"he said \"now\""`: true,
		"justification:he":     false,
		"crime_area:terrorism": true,
		"special:* minors:u18": true,
		"transfer_basis:*":     false,
		"-transfer_basis:*":    true,
		"action:package.*":     true,
		"action:audit.*":       false,
		`action:"package.*"`:   false,
		"outcome:den*":         true,
		"code:recipient_* rule:R28 revision:rev-e decision:d1 truncated:rules problem:policy-denied operation:disclosure": true,
		"authorisation:ua/npu:granted":  true,
		"legal_basis:ee:*":              true,
		`outcome:"of an older version"`: false,
		"request:r-1(minors:u18)":       true,
	} {
		q, err := Parse(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := Match(&denied, q); got != want {
			t.Errorf("%s matches: %v, want %v", query, got, want)
		}
	}
}

func TestEveryFieldCanBeFound(t *testing.T) {
	for _, f := range Fields() {
		for _, v := range ValuesOf(&denied, f.Name) {
			term := Term{Field: f.Name, Value: v}
			q, err := Parse(term.String())
			if err != nil || !Match(&denied, q) {
				t.Errorf("%s finds nothing (%v)", term, err)
			}
		}
		if f.About == "" || strings.ToLower(f.Name) != f.Name {
			t.Errorf("field %s has no help, or capitals", f.Name)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for query, want := range map[string]struct {
		at   int
		says string
	}{
		"outcom:denied":                      {1, "did you mean outcome?"},
		"colour:red":                         {1, "the fields are outcome, "},
		"minors:u18 outcome:dennied":         {20, "did you mean denied?"},
		"purpose:fun":                        {9, "it is one of prevention, "},
		"outcome:zz*":                        {9, `outcome is never "zz"`},
		"denied":                             {1, "a word without a field"},
		`"denied"`:                           {1, "a quoted text without a field"},
		"outcome:":                           {9, "no value for outcome; outcome:* is every entry that has one"},
		`outcome:""`:                         {9, "no value"},
		"minors:u18 or minors:u15":           {12, "write OR in capitals"},
		"minors:u18 OR":                      {14, "the query ends where a term should stand"},
		"OR minors:u18":                      {1, "OR or AND without a term before it"},
		"(minors:u18":                        {1, "a parenthesis that is not closed"},
		"minors:u18)":                        {11, "a closing parenthesis that nothing opens"},
		"()":                                 {2, "a closing parenthesis where a term should stand"},
		`case:"x`:                            {6, "a quotation mark that is not closed"},
		`case:"\x"`:                          {7, `write \\ for one`},
		`case:"x"y`:                          {9, "put a space between"},
		"officer:o-*":                        {9, "it is kept as a token"},
		"case:a**":                           {6, "more than one *"},
		"case:\"a\x01\"":                     {6, "a control character"},
		"ääkkönen:x":                         {1, "there is no field"},
		"unit:ää colour:x":                   {9, "there is no field"},
		"\xff":                               {1, "not valid UTF-8"},
		"case:" + strings.Repeat("x", 513):   {6, "more than 512 characters"},
		strings.Repeat("x", MaxLength+1):     {1, "longer than"},
		strings.Repeat("case:x ", 65):        {7*64 + 1, "more than 64 terms"},
		strings.Repeat("-", 40) + "case:x":   {18, "more than 16 levels"},
		strings.Repeat("(", 2000) + "case:x": {18, "more than 16 parentheses"},
	} {
		_, err := Parse(query)
		var se *SyntaxError
		if !errors.As(err, &se) || se.At != want.at || !strings.Contains(se.Error(), want.says) {
			t.Errorf("%.60q: %v, want character %d and %q", query, err, want.at, want.says)
		}
	}
}

func TestCanonicalForm(t *testing.T) {
	for query, want := range map[string]string{
		" outcome:denied   AND minors:u18 ":             "outcome:denied minors:u18",
		"(outcome:denied (minors:u18 minors:u15))":      "outcome:denied minors:u18 minors:u15",
		"(minors:u18 OR (minors:u15 OR case:x))":        "minors:u18 OR minors:u15 OR case:x",
		"NOT(case:x OR case:y)case:z":                   "-(case:x OR case:y) case:z",
		"- - case:x":                                    "case:x",
		"case:\"plain\" case:\"two words\" case:\"a*\"": `case:plain case:"two words" case:"a*"`,
		`outcome:"denied" outcome:"older"`:              `outcome:denied outcome:"older"`,
		"case:x OR case:y case:z":                       "case:x OR (case:y case:z)",
	} {
		q, err := Parse(query)
		if err != nil || q.String() != want {
			t.Errorf("%s is %s (%v), want %s", query, q, err, want)
		}
	}
}

// roundTrip demands that the canonical form is read as the same query.
func roundTrip(t interface{ Fatalf(string, ...any) }, q Query) {
	again, err := Parse(q.String())
	if err != nil || !reflect.DeepEqual(again, q) || again.String() != q.String() {
		t.Fatalf("%s is read as %s (%v)", q, again, err)
	}
}

func TestCanonicalFormIsReadAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, anyQuery().Draw(t, "query")) })
}

// anyQuery draws queries over values that are few, so that they meet.
func anyQuery() *rapid.Generator[Query] {
	return rapid.Custom(func(t *rapid.T) Query { return Query{anyNode(t, 3)} })
}

func anyNode(t *rapid.T, depth int) node {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 || kind > 2 {
		return anyTerm(t)
	}
	if kind == 0 {
		return negate(anyNode(t, depth-1))
	}
	parts := make([]node, rapid.IntRange(2, 4).Draw(t, "parts"))
	for i := range parts {
		parts[i] = anyNode(t, depth-1)
	}
	if kind == 1 {
		return both(parts...)
	}
	return oneOf(parts...)
}

func anyTerm(t *rapid.T) node {
	f := fields[rapid.SampledFrom(names).Draw(t, "field")]
	term := Term{Field: f.Name, Prefix: rapid.IntRange(0, 3).Draw(t, "prefix") == 0}
	switch {
	case term.Prefix && f.Token:
	case f.Values != nil:
		term.Value = rapid.SampledFrom(f.Values).Draw(t, "value")
	default:
		term.Value = rapid.SampledFrom([]string{"ee/pbgb", "lv/vp", "a", "ab", "a b", `"`, `\`, "(x)", "x*y", "-a", "ä:b"}).Draw(t, "value")
	}
	if term.Prefix && term.Value != "" && (strings.ContainsFunc(term.Value, ends) || strings.Contains(term.Value, "*")) {
		term.Prefix = false // what begins so cannot be written
	}
	return term
}

func TestRange(t *testing.T) {
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct {
		from, to string
		when     string
		want     bool
	}{
		{"", "", "2026-11-22T08:00:00Z", true},
		{"2026-11-22", "2026-11-22", "2026-11-22T23:59:59Z", true},
		{"2026-11-22", "2026-11-22", "2026-11-23T00:00:00Z", false},
		{"2026-11-22", "", "2026-11-21T23:59:59Z", false},
		{"2026-11-22T08:00:00Z", "2026-11-22T09:00:00+01:00", "2026-11-22T08:00:00Z", false},
		{"2026-11-22T08:00:00Z", "2026-11-22T08:00:01Z", "2026-11-22T08:00:00Z", true},
	} {
		r, err := ParseRange(c.from, c.to)
		if c.to == "2026-11-22T09:00:00+01:00" {
			if err == nil {
				t.Errorf("%v: an empty range is none", c)
			}
			continue
		}
		if err != nil || r.Holds(at(c.when)) != c.want {
			t.Errorf("%v: %v (%v)", c, r, err)
		}
	}
	for _, bad := range []string{"yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "2026-11-22 08:00"} {
		if _, err := ParseRange(bad, ""); err == nil {
			t.Errorf("%q is a time", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "outcome:denied (recipient:lv/vp OR recipient:it/dcpc) -purpose:prevention", `case:"a \" b" NOT officer:*`, "((a:b", "-(-case:x)AND(case:y)", "action:package.*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.At < 1 || se.At > len(s)+1 {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		roundTrip(t, q)
		if !q.Empty() && Match(&denied, q) == Match(&denied, Query{negate(q.root)}) {
			t.Fatalf("%s and its opposite agree", q)
		}
	})
}
