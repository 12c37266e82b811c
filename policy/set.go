package policy

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Inputs of Build. The keys of Declared and Rules are jurisdictions.
type Inputs struct {
	Common       Source
	Declared     map[string]Source
	Rules        map[string]Source
	AllowSamples bool // false: a source with status Sample is refused

	tested bool // they were active once: tests and the worst case are behind them
}

// Put adds an input by its name in Set.Revisions.
func (in *Inputs) Put(name string, src Source) {
	if in.Declared == nil {
		in.Declared = map[string]Source{}
	}
	if in.Rules == nil {
		in.Rules = map[string]Source{}
	}
	switch kind, jurisdiction, _ := strings.Cut(name, "/"); kind {
	case "declared":
		in.Declared[jurisdiction] = src
	case "rules":
		in.Rules[jurisdiction] = src
	default:
		in.Common = src
	}
}

// Rebuild makes a Set of inputs that were active once, to explain or to replay what they decided. Their tests are not
// run again.
func Rebuild(in Inputs) (*Set, error) {
	in.tested, in.AllowSamples = true, true
	return Build(in)
}

// Set is a checked, compiled and immutable set of inputs. It is safe for concurrent use.
type Set struct {
	registry  *registry
	facts     *facts
	declared  map[string]*Declared
	pkg, rcp  *layer                               // the baseline
	required  map[string]map[string][]requiredRule // ids of baseline rules by phase and class
	layers    map[string]map[string]*layer         // of jurisdictions, by kind: send, receive, onward
	memo      *memo
	sampled   []string
	samples   map[string]bool   // input names of samples
	revisions map[string]string // input name to revision
	sources   map[string]Source // by revision
	common    *unit
	bases     map[string]*documents
}

// requiredRule is a baseline rule that has to be met.
type requiredRule struct {
	id string
	at int // its place in a ruleSet
}

// Revisions maps "common", "declared/<j>" and "rules/<j>" to the revision of each input of the Set.
func (s *Set) Revisions() map[string]string { return maps.Clone(s.revisions) }

// Dir977Bound reports whether Directive (EU) 2023/977 binds the jurisdiction on the day of at, in UTC.
func (s *Set) Dir977Bound(jurisdiction string, at time.Time) bool {
	return s.facts.flag(tableDir977, jurisdiction, at.UTC().Format(time.DateOnly))
}

// LEDBound reports whether data are protected at a recipient of the jurisdiction as Directive (EU) 2016/680 asks, on the day
// of at, in UTC: else it is a third country or an international organisation.
func (s *Set) LEDBound(jurisdiction string, at time.Time) bool {
	return s.facts.flag(tableLED, jurisdiction, at.UTC().Format(time.DateOnly))
}

// Source returns the input of that revision, so that it can be kept while a decision names it. Its files must not be
// changed.
func (s *Set) Source(revision string) (Source, bool) {
	src, ok := s.sources[revision]
	return src, ok
}

// Inputs are the inputs that the Set was built from. Their files must not be changed.
func (s *Set) Inputs() Inputs {
	in := Inputs{AllowSamples: len(s.samples) > 0}
	for name, revision := range s.revisions {
		src := s.sources[revision]
		src.Status = Authoritative
		if s.samples[name] {
			src.Status = Sample
		}
		in.Put(name, src)
	}
	return in
}

// Declared returns what a jurisdiction declares, and whether it does. The slices must not be changed.
func (s *Set) Declared(jurisdiction string) (Declared, bool) {
	if d := s.declared[jurisdiction]; d != nil {
		return *d, true
	}
	return Declared{}, false
}

// Jurisdictions lists those that declare something, sorted: the ones that are on the exchange.
func (s *Set) Jurisdictions() []string { return sortedKeys(s.declared) }

// Sampled lists the jurisdictions of which some input is a sample, sorted.
func (s *Set) Sampled() []string { return slices.Clone(s.sampled) }
