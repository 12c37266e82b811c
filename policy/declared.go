package policy

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a declaration is good or bad whatever the machine knows of time zones
)

//go:embed schema/declared.json
var declaredSchema []byte

var declaredShape = mustShape(declaredSchema)

// mustShape compiles an embedded schema. It fails only when the schema of this very binary is wrong.
func mustShape(schema []byte) *shape {
	s, err := compileShape(schema)
	if err != nil {
		panic(err)
	}
	return s
}

// Declared is what a jurisdiction says of itself: data only, by a closed schema.
type Declared struct {
	V            int                 `json:"v"`
	Jurisdiction string              `json:"jurisdiction"`
	Name         string              `json:"name"`
	Kind         string              `json:"kind"` // state or organisation
	TimeZone     string              `json:"time_zone"`
	Languages    []string            `json:"languages"`     // ISO 639-1, the accepted ones, preferred first
	ContactPoint string              `json:"contact_point"` // agency id
	Agencies     []DeclaredAgency    `json:"agencies"`
	Instruments  []Instrument        `json:"instruments"`
	Assurances   []DeclaredAssurance `json:"assurances"`
}

// DeclaredAgency is an agency of the jurisdiction.
type DeclaredAgency struct {
	ID          string   `json:"id"` // "<jurisdiction>/<agency>"
	Name        string   `json:"name"`
	Type        string   `json:"type"`        // spoc, designated_lea, competent_lea, eu_agency, intl_org, advisory_mission, supervisory_authority (LED art 41) or private
	Competences []string `json:"competences"` // purposes
	Roles       []string `json:"roles"`       // unit, dpo, policy, supervisor
}

// Instrument is a law, a treaty or an assessment. From and Until are inclusive dates (YYYY-MM-DD, UTC). A treaty
// counts when the sender's jurisdiction declares it and, where the other party is on the exchange, the other declares
// the same id, so nobody can grant it alone. A law is a legal basis of its own jurisdiction; an assessment (LED
// article 37(1)(b)) is the sender's own.
type Instrument struct {
	ID    string   `json:"id"`
	Kind  string   `json:"kind"` // law, treaty or assessment
	Title string   `json:"title"`
	From  string   `json:"from"`
	Until string   `json:"until"`
	With  []string `json:"with"`  // the other jurisdictions; empty for a law
	Bases []string `json:"bases"` // transfer bases that it can carry; empty for a law
}

// DeclaredAssurance is an assurance that the jurisdiction gives to everybody, between two inclusive dates.
type DeclaredAssurance struct {
	Code  string `json:"code"`
	From  string `json:"from"`
	Until string `json:"until"`
}

// ParseDeclared parses declared.json strictly: unknown or repeated names, other types, missing members, unknown codes
// and agencies of another jurisdiction are errors.
func ParseDeclared(b []byte) (Declared, error) {
	var d Declared
	if len(b) > MaxFileSize {
		return d, fmt.Errorf("declared: larger than %d bytes", MaxFileSize)
	}
	if _, err := declaredShape.parse(b, nil); err != nil {
		return d, fmt.Errorf("declared: %w", err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return Declared{}, fmt.Errorf("declared: %w", err)
	}
	if err := d.check(); err != nil {
		return Declared{}, fmt.Errorf("declared: %w", err)
	}
	return d, nil
}

func (d *Declared) check() error {
	ids := map[string]bool{}
	for _, a := range d.Agencies {
		if !strings.HasPrefix(a.ID, d.Jurisdiction+"/") {
			return atValue(a.ID, "agency %s is not of %s", a.ID, d.Jurisdiction)
		}
		if ids[a.ID] {
			return atValue(a.ID, "agency %s twice", a.ID)
		}
		ids[a.ID] = true
	}
	if TimeZone(d.TimeZone) == nil {
		return atValue(d.TimeZone, "time_zone %s is not in the IANA time zone database: say one such as Europe/Tallinn, or UTC", d.TimeZone)
	}
	if !ids[d.ContactPoint] {
		return atValue(d.ContactPoint, "contact point %s is not an agency of %s", d.ContactPoint, d.Jurisdiction)
	}
	for _, a := range d.Assurances {
		if err := checkDates(a.From, a.Until); err != nil {
			return atValue(a.Code, "assurance %s: %w", a.Code, err)
		}
	}
	return d.checkInstruments()
}

// TimeZone is a time zone of the IANA database, as a declaration may name it: "UTC", or an area and a place. It is nil
// for any other name, also for those by which a machine calls its own time zone or counts leap seconds.
func TimeZone(name string) *time.Location {
	zones := declaredShape.fields[declaredShape.index["time_zone"]].shape
	if !zones.pattern(name) {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

func (d *Declared) checkInstruments() error {
	ids := map[string]bool{}
	for _, i := range d.Instruments {
		if ids[i.ID] {
			return atValue(i.ID, "instrument %s twice", i.ID)
		}
		ids[i.ID] = true
		if err := checkDates(i.From, i.Until); err != nil {
			return atValue(i.ID, "instrument %s: %w", i.ID, err)
		}
		if law := i.Kind == "law"; law != (len(i.With) == 0) || law != (len(i.Bases) == 0) {
			return atValue(i.ID, "instrument %s: a law has no other parties and no transfer bases, all others have both", i.ID)
		}
		if slices.Contains(i.With, d.Jurisdiction) {
			return atValue(i.ID, "instrument %s: %s cannot be the other party", i.ID, d.Jurisdiction)
		}
	}
	return nil
}

func (d *Declared) agency(id string) (DeclaredAgency, bool) {
	for _, a := range d.Agencies {
		if a.ID == id {
			return a, true
		}
	}
	return DeclaredAgency{}, false
}

func (d *Declared) instrument(id string) (Instrument, bool) {
	for _, i := range d.Instruments {
		if i.ID == id {
			return i, true
		}
	}
	return Instrument{}, false
}

// assurances returns the codes of those in force on the day.
func (d *Declared) assurances(today string) []string {
	var codes []string
	for _, a := range d.Assurances {
		if inForce(a.From, a.Until, today) {
			codes = append(codes, a.Code)
		}
	}
	return codes
}
