package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// nextDay returns the day that lies so many days after another.
func nextDay(t *testing.T, day string, days int) string {
	t.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return d.AddDate(0, 0, days).Format(time.DateOnly)
}

// factText is the value of an interval as its table reads it.
func factText(table string, i interval) string {
	switch {
	case slices.Contains(codeTables, table):
		return i.code
	case table == tableLimits:
		return fmt.Sprint(i.number)
	}
	return fmt.Sprint(i.flag)
}

// TestFactsAtTheirBoundaries: each fact of each table, the day before it begins, on its first and its last day, and the
// day after: outside of all intervals of its table there is the strictest value, and nothing else.
func TestFactsAtTheirBoundaries(t *testing.T) {
	f := sampleSet(t).facts
	if len(f.Tables) != len(factTables) {
		t.Fatalf("%d tables", len(f.Tables))
	}
	checked := 0
	for _, name := range factTables {
		table := f.Tables[name]
		if len(table.Of) == 0 {
			t.Errorf("table %s is empty", name)
		}
		for key, list := range table.Of {
			for _, i := range list {
				days := []string{nextDay(t, i.From, -1), i.From, i.Until}
				if i.Until != endless {
					days = append(days, nextDay(t, i.Until, 1))
				}
				for _, day := range days {
					checked++
					if got, want := factText(name, f.at(name, key, day)), valueOf(t, table, list, day); got != want {
						t.Errorf("%s of %s on %s is %s, want %s", name, key, day, got, want)
					}
				}
			}
		}
		if got, want := factText(name, f.at(name, "nobody-knows", "2026-11-22")), jsonText(table.Strictest); got != want {
			t.Errorf("%s of somebody unknown is %s, want %s", name, got, want)
		}
	}
	if checked < 500 {
		t.Errorf("only %d days", checked)
	}
}

// valueOf finds the value of the day in another way than the engine does.
func valueOf(t *testing.T, table table, list []interval, day string) string {
	t.Helper()
	value := table.Strictest
	for _, i := range list {
		from, err1 := time.Parse(time.DateOnly, i.From)
		until, err2 := time.Parse(time.DateOnly, i.Until)
		at, err3 := time.Parse(time.DateOnly, day)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(i, day)
		}
		if !at.Before(from) && !at.After(until) {
			value = i.Value
		}
	}
	return jsonText(value)
}

func jsonText(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// strictValues are the values that a table may fall back to: that of a permissive fact closes, that of a restrictive one
// stays.
var strictValues = map[string]string{
	tableNotLED: "false", tableLED: "false", tableDir977: "false", tableChannelFree: "false", tableTier: "t4", tableAdequate: "false",
	tableDeathPenalty: "true", tableIllTreatment: "true", tableCrimeArea: "false", tableEuropol: "none", tableLimits: "0",
}

func TestStrictestIsStrict(t *testing.T) {
	for name, table := range sampleSet(t).facts.Tables {
		if got := jsonText(table.Strictest); got != strictValues[name] {
			t.Errorf("what is unknown or has lapsed in %s is %s, want %s", name, got, strictValues[name])
		}
	}
}

// TestFactsKnowEverybody: all that the samples are, the other member states and the Schengen associates have the facts
// that a transfer to them asks for, on the day of the scenarios.
func TestFactsKnowEverybody(t *testing.T) {
	s := sampleSet(t)
	f, day := s.facts, today.Format(time.DateOnly)
	members := []string{
		"at", "be", "bg", "hr", "cy", "cz", "dk", "ee", "fi", "fr", "de", "gr", "hu", "ie", "it", "lv", "lt", "lu", "mt", "nl", "pl", "pt", "ro",
		"sk", "si", "es", "se",
	}
	for _, j := range slices.Concat(members, []string{"ch", "is", "li", "no"}) {
		if !f.flag(tableLED, j, day) || f.flag(tableNotLED, j, day) || f.at(tableTier, j, day).code != "t0" || f.flag(tableDeathPenalty, j, day) || f.flag(tableIllTreatment, j, day) {
			t.Errorf("%s is not as a member state or an associate is", j)
		}
		if bound := slices.Contains(members, j) && j != "dk"; f.flag(tableDir977, j, day) != bound {
			t.Errorf("2023/977 binds %s: %v", j, !bound)
		}
	}
	for _, j := range s.Jurisdictions() {
		for _, name := range []string{tableTier, tableDeathPenalty, tableIllTreatment} {
			if !slices.ContainsFunc(f.Tables[name].Of[j], func(i interval) bool { return inForce(i.From, i.Until, day) }) {
				t.Errorf("nothing is known of %s of %s today", name, j)
			}
		}
		if f.flag(tableLED, j, day) == f.flag(tableNotLED, j, day) && j != "europol" {
			t.Errorf("%s is bound and not bound", j)
		}
	}
	for name, n := range map[string]int{tableCrimeArea: 31, tableAdequate: 1, tableEuropol: 8} {
		if len(f.Tables[name].Of) != n {
			t.Errorf("%s has %d, want %d", name, len(f.Tables[name].Of), n)
		}
	}
	for area := range f.Tables[tableCrimeArea].Of {
		if !slices.Contains(claimedShape.member("crime_areas").items.enum, area) {
			t.Errorf("%s is no crime area of the description", area)
		}
	}
}

// TestFactsCloseTheDoor: what a fact opened is closed on the day after its end, through the whole engine, whatever the
// two parties declare.
func TestFactsCloseTheDoor(t *testing.T) {
	quality := func(day string) meta { return meta{"verified_at": day, "as_of": day, "completeness": "partial"} }
	for _, c := range []struct {
		name, table, key, from, to, last string
		says                             meta
		open, shut                       string
		reason                           string
	}{
		{"adequacy", tableAdequate, "gb", "ee", "gb", "2031-12-27", nil, Delivered, Denied, "adequacy_missing"},
		{"Europol's agreement", tableEuropol, "ua", "europol", "ua", "2026-12-31", nil, Delivered, Denied, "instrument_lapsed"},
		{"the tier", tableTier, "ua", "ee", "ua", "2026-12-31", nil, Delivered, Denied, "recipient_suspended"},
		{"a crime area", tableCrimeArea, "fraud", "ee", "europol", "2026-12-31", meta{"crime_areas": []any{"fraud"}}, Delivered, Denied, "crime_area_not_accepted"},
		{"no death penalty", tableDeathPenalty, "ge", "ee", "ge", "2026-12-31", nil, Delivered, Denied, "assurances_missing"},
		{"no ill-treatment", tableIllTreatment, "ge", "ee", "ge", "2026-12-31", nil, Delivered, Denied, "assurances_missing"},
		{"the directive of the recipient", tableLED, "lv", "ee", "lv", "2026-12-31", nil, Delivered, Denied, "transfer_basis_invalid"},
		{"not bound by the directive", tableNotLED, "ge", "ge", "ee", "2026-12-31", nil, Delivered, Denied, "not_allowed"},
		{"the free channel", tableChannelFree, "eu", "ee", "lv", "2027-06-11", meta{"channel_justification": nil}, Delivered, Denied, "channel_missing"},
		{"a derogation's subjects", tableLimits, limitSubjects, "ee", "az", "2026-12-31", nil, Pending, Denied, "derogation_bulk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *sampleSet(t)
			s.facts = s.facts.ending(t, c.table, c.key, c.last)
			s.memo = newMemo(memoSize)
			for day, want := range map[string]string{nextDay(t, c.last, -1): c.open, c.last: c.open, nextDay(t, c.last, 1): c.shut} {
				keep := meta{"review_by": "2033-01-15"}
				r := pair(t, &s, c.from, c.to, and(c.says, meta{"quality": quality(nextDay(t, c.last, -2)), "retention": keep}))
				since(day)(&r)
				d := decideWith(t, &s, r)
				if d.Verdict != want || want == Denied && !slices.Contains(codes(d.Reasons), c.reason) {
					t.Errorf("%s: %s %v, want %s", day, d.Verdict, codes(d.Reasons), want)
				}
			}
		})
	}
}

// ending returns the facts with one that ends on that day, if it does not do so already.
func (f *facts) ending(t *testing.T, name, key, last string) *facts {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := parseFacts(b)
	if err != nil {
		t.Fatal(err)
	}
	list := copied.Tables[name].Of[key]
	i := slices.IndexFunc(list, func(i interval) bool { return inForce(i.From, i.Until, last) })
	if i < 0 {
		t.Fatalf("%s of %s is not in force on %s", name, key, last)
	}
	list[i].Until = last
	return copied
}

// TestTreatyOfTheUnion: it counts for its parties, towards those whom it names, while it is in force, and only when the
// other side declares it too.
func TestTreatyOfTheUnion(t *testing.T) {
	s := sampleSet(t)
	tca := meta{"transfer_basis": "led37_1a", "transfer_instrument": "eu-gb-tca", "balancing": nil}
	for to, want := range map[string][]string{"gb": nil, "ua": {"instrument_unknown"}, "us": {"instrument_unknown"}} {
		d := decideWith(t, s, pair(t, s, "se", to, tca))
		eq(t, "se to "+to, codes(d.Reasons), want)
	}
	early := pair(t, s, "se", "gb", tca)
	early.Now = time.Date(2021, 4, 30, 12, 0, 0, 0, time.UTC)
	if d := decideWith(t, s, early); !slices.Contains(codes(d.Reasons), "instrument_lapsed") {
		t.Errorf("before it was in force: %s %v", d.Verdict, codes(d.Reasons))
	}
	other := *s
	other.memo = newMemo(memoSize)
	other.declared = map[string]*Declared{}
	for j, d := range s.declared {
		other.declared[j] = d
	}
	gb := *other.declared["gb"]
	gb.Instruments = slices.DeleteFunc(slices.Clone(gb.Instruments), func(i Instrument) bool { return i.ID == "eu-gb-tca" })
	other.declared["gb"] = &gb
	r := pair(t, s, "se", "gb", tca)
	ds, err := other.decide(context.Background(), time.Minute, r)
	if err != nil {
		t.Fatal(err)
	}
	eq(t, "the other side does not declare it", codes(ds[0].Reasons), []string{"instrument_one_sided"})
}
