package policy

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Inputs of Build. The keys of Declared and Rules are jurisdictions.
type Inputs struct {
	Common       Source
	Declared     map[string]Source
	Rules        map[string]Source
	AllowSamples bool
}

// Set is a checked, compiled and immutable set of inputs. It is safe for concurrent use.
type Set struct {
	sampled   []string
	revisions map[string]string
	sources   map[string]Source // by revision
}

// Finding is one thing that is wrong with an input.
type Finding struct {
	Input   string // "common", "declared/<j>" or "rules/<j>"
	File    string
	Line    int // 0: the whole file or input
	Message string
}

// BuildError lists everything that was found wrong, in a stable order.
type BuildError struct{ Findings []Finding }

func (e *BuildError) Error() string {
	var b strings.Builder
	for i, f := range e.Findings {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s/%s:%d: %s", f.Input, f.File, f.Line, f.Message)
	}
	return b.String()
}

// Build checks the inputs and compiles them. What it refuses, it lists in a *BuildError.
func Build(in Inputs) (*Set, error) { return nil, &BuildError{} }

// Samples are the embedded common library and the sample jurisdictions.
func Samples() Inputs { return Inputs{} }

// Revisions maps "common", "declared/<j>" and "rules/<j>" to the revision of each input of the Set.
func (s *Set) Revisions() map[string]string { return nil }

// Source returns the input of that revision, so that it can be kept while a decision names it.
func (s *Set) Source(revision string) (Source, bool) { src, ok := s.sources[revision]; return src, ok }

// Declared returns what a jurisdiction declares, and whether it does.
func (s *Set) Declared(jurisdiction string) (Declared, bool) { return Declared{}, false }

// Jurisdictions lists those that declare something, sorted: the ones that are on the exchange.
func (s *Set) Jurisdictions() []string { return nil }

func (s *Set) decide(ctx context.Context, timeout time.Duration, r Request) ([]Decision, error) {
	return nil, fmt.Errorf("%w: no set", ErrEngine)
}

// Mask returns the decision as the reader may see it: a reason or an advice outside the reader's audience is left out
// with its rule, and the input is; the verdict, pends and obligations stay. reader is an agency or a jurisdiction.
func (s *Set) Mask(d Decision, reader string, isSender bool) Decision { return d }
