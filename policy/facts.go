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
	// Treaties are agreements of the Union: each of the parties counts as one that declares it.
	Treaties []unionTreaty `json:"treaties"`
}

// unionTreaty is an agreement of the Union with third countries, in the name of its parties.
type unionTreaty struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Parties  []string `json:"parties"`
	With     []string `json:"with"`
	Bases    []string `json:"bases"`
	From     string   `json:"from"`
	Until    string   `json:"until"`
	Source   string   `json:"source"`
	Evidence string   `json:"evidence"`
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
	From     string          `json:"from"`
	Until    string          `json:"until"`
	Value    json.RawMessage `json:"value"`
	Source   string          `json:"source"`
	Evidence string          `json:"evidence"`

	code   string
	flag   bool
	number int
}

// Tables that the input is built from. Each is of flags but limits, which is of numbers, and those of codeTables.
const (
	tableNotLED       = "not_led_bound" // of a sender: nothing of LED binds it
	tableLED          = "led_bound"     // of a recipient: it protects as the directive asks
	tableDir977       = "dir977_bound"
	tableChannelFree  = "channel_free" // key "eu": article 13 of 2023/977 does not apply yet
	tableTier         = "tier"
	tableAdequate     = "adequate"
	tableDeathPenalty = "death_penalty"
	tableIllTreatment = "ill_treatment"
	tableCrimeArea    = "crime_area"        // of a crime area: annex I of Regulation (EU) 2016/794 lists it
	tableEuropol      = "europol_agreement" // what Europol has with a third country or an organisation
	tableLimits       = "limits"            // not of jurisdictions, but of the limits that follow
)

// Limits of the baseline. One that lapsed is 0: nothing is recent, or few, enough.
const (
	limitVerified    = "verified_days"       // how long a verification counts
	limitSubjects    = "derogation_subjects" // how many subjects are a single case
	limitDerogations = "derogations_a_year"  // how many are a habit
)

// codeTables are the tables whose values are codes.
var codeTables = []string{tableTier, tableEuropol}

var factTables = []string{tableNotLED, tableLED, tableDir977, tableChannelFree, tableTier, tableAdequate, tableDeathPenalty, tableIllTreatment, tableCrimeArea, tableEuropol, tableLimits}

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
		t.codes, t.numbers = slices.Contains(codeTables, name), name == tableLimits
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
	for i := range f.Treaties {
		if err := f.Treaties[i].check(); err != nil {
			return nil, fmt.Errorf("treaty %s: %w", f.Treaties[i].ID, err)
		}
	}
	return &f, nil
}

func (t *unionTreaty) check() error {
	if len(t.Parties) == 0 || len(t.With) == 0 || len(t.Bases) == 0 {
		return errors.New("a treaty has parties, others, and bases that it carries")
	}
	return errors.Join(checkDates(t.From, t.Until), checkOrigin(t.Source, t.Evidence))
}

// checkOrigin refuses a fact of which nobody can tell where it is from, or how far it was checked.
func checkOrigin(source, evidence string) error {
	if source == "" {
		return errors.New("it has no source")
	}
	if !slices.Contains(evidences, evidence) {
		return fmt.Errorf("its evidence is %q, none of %v", evidence, evidences)
	}
	return nil
}

// treaty returns an agreement of the Union as one of its parties would declare it.
func (f *facts) treaty(party, id string) (Instrument, bool) {
	for _, t := range f.Treaties {
		if t.ID == id && slices.Contains(t.Parties, party) {
			return Instrument{ID: t.ID, Kind: "treaty", Title: t.Title, From: t.From, Until: t.Until, With: t.With, Bases: t.Bases}, true
		}
	}
	return Instrument{}, false
}

// check fills the values of intervals and refuses intervals that overlap: two answers for one day are none.
func (t *table) check(list []interval) error {
	for i := range list {
		if err := errors.Join(checkDates(list[i].From, list[i].Until), t.value(&list[i])); err != nil {
			return err
		}
		if err := checkOrigin(list[i].Source, list[i].Evidence); err != nil {
			return fmt.Errorf("the interval from %s: %w", list[i].From, err)
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
