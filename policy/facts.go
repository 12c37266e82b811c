package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// endless is the date of an interval without an end.
const endless = "9999-12-31"

// facts are the dated facts of common. A fact can only open something while one of its intervals is in force: what no
// interval covers, because it is unknown or because it lapsed, has the strictest value of its table. So a permissive
// fact that lapses closes, and a restrictive one that lapses opens nothing: another interval has to say so.
type facts struct {
	V      int              `json:"v"`
	Tables map[string]table `json:"tables"`
	// Laws are legal bases that no single jurisdiction declares, those of the European Union: jurisdiction "eu".
	Laws []Instrument `json:"laws"`
}

// table holds one kind of fact for each jurisdiction.
type table struct {
	Strictest json.RawMessage       `json:"strictest"`
	Values    []string              `json:"values,omitempty"` // of a table of codes
	Of        map[string][]interval `json:"of"`

	codes, numbers bool
	otherwise      interval // of the strictest value
}

// interval is a value between two inclusive dates, compared with the day of the request in UTC.
type interval struct {
	From   string          `json:"from"`
	Until  string          `json:"until"`
	Value  json.RawMessage `json:"value"`
	Source string          `json:"source"`

	code   string
	flag   bool
	number int
}

// Tables that the input is built from. Each is of flags but tier, which is of codes, and limits, of numbers.
const (
	tableNotLED       = "not_led_bound" // of a sender: nothing of LED binds it
	tableLED          = "led_bound"     // of a recipient: it protects as the directive asks
	tableDir977       = "dir977_bound"
	tableChannelFree  = "channel_free" // key "eu": article 13 of 2023/977 does not apply yet
	tableTier         = "tier"
	tableAdequate     = "adequate"
	tableDeathPenalty = "death_penalty"
	tableIllTreatment = "ill_treatment"
	tableLimits       = "limits" // not of jurisdictions, but of the limits that follow
)

// Limits of the baseline. One that lapsed is 0: nothing is recent, or few, enough.
const (
	limitVerified    = "verified_days"       // how long a verification counts
	limitSubjects    = "derogation_subjects" // how many subjects are a single case
	limitDerogations = "derogations_a_year"  // how many are a habit
)

var factTables = []string{tableNotLED, tableLED, tableDir977, tableChannelFree, tableTier, tableAdequate, tableDeathPenalty, tableIllTreatment, tableLimits}

func parseFacts(b []byte) (*facts, error) {
	var f facts
	if err := decodeStrict(b, &f); err != nil {
		return nil, err
	}
	if len(f.Tables) != len(factTables) {
		return nil, fmt.Errorf("want exactly the tables %v", factTables)
	}
	for _, name := range factTables {
		t, ok := f.Tables[name]
		if !ok {
			return nil, fmt.Errorf("no table %q", name)
		}
		t.codes, t.numbers = name == tableTier, name == tableLimits
		for j, list := range t.Of {
			if err := t.check(list); err != nil {
				return nil, fmt.Errorf("table %s of %s: %w", name, j, err)
			}
		}
		t.otherwise.Value = t.Strictest
		if err := t.value(&t.otherwise); err != nil {
			return nil, fmt.Errorf("table %s: strictest: %w", name, err)
		}
		f.Tables[name] = t
	}
	for _, law := range f.Laws {
		if err := checkDates(law.From, law.Until); err != nil {
			return nil, fmt.Errorf("law %s: %w", law.ID, err)
		}
	}
	return &f, nil
}

// check fills the values of intervals and refuses intervals that overlap: two answers for one day are none.
func (t *table) check(list []interval) error {
	for i := range list {
		if err := errors.Join(checkDates(list[i].From, list[i].Until), t.value(&list[i])); err != nil {
			return err
		}
		if list[i].Source == "" {
			return errors.New("an interval has no source")
		}
	}
	slices.SortFunc(list, func(a, b interval) int { return bytes.Compare([]byte(a.From), []byte(b.From)) })
	for i := 1; i < len(list); i++ {
		if list[i].From <= list[i-1].Until {
			return errors.New("intervals overlap")
		}
	}
	return nil
}

func (t *table) value(i *interval) error {
	switch {
	case t.numbers:
		return json.Unmarshal(i.Value, &i.number)
	case !t.codes:
		return json.Unmarshal(i.Value, &i.flag)
	}
	if err := json.Unmarshal(i.Value, &i.code); err != nil {
		return err
	}
	if !slices.Contains(t.Values, i.code) {
		return fmt.Errorf("%q is not a value of the table", i.code)
	}
	return nil
}

// at returns the interval that holds on the day, or one with the strictest value.
func (f *facts) at(tableName, jurisdiction, today string) interval {
	t := f.Tables[tableName]
	for _, i := range t.Of[jurisdiction] {
		if inForce(i.From, i.Until, today) {
			return i
		}
	}
	return t.otherwise
}

func (f *facts) flag(tableName, jurisdiction, today string) bool {
	return f.at(tableName, jurisdiction, today).flag
}

func (f *facts) limit(name, today string) int { return f.at(tableLimits, name, today).number }

func inForce(from, until, today string) bool { return from <= today && today <= until }

func checkDates(from, until string) error {
	for _, d := range []string{from, until} {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return fmt.Errorf("%q is not a date", d)
		}
	}
	if until < from {
		return fmt.Errorf("ends on %s, before it begins on %s", until, from)
	}
	return nil
}
