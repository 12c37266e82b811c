package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// LayerSaid is what one entry package said about an input, each part as a Rego term: allow, met, deny, pend, oblige,
// advise, those that the package has.
type LayerSaid struct {
	Package string            `json:"package"` // "jurisdiction.lv.receive"
	Parts   map[string]string `json:"parts"`
}

// Said asks the layers of a jurisdiction, or of common, that have a say about a recorded input.
func (s *Set) Said(ctx context.Context, timeout time.Duration, jurisdiction string, in Input) (said []LayerSaid, err error) {
	defer func() {
		if p := recover(); p != nil {
			said, err = nil, fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	if s == nil || undecided(in) {
		return nil, nil
	}
	rec, err := readRecorded(in)
	if err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(timeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	e := &evaluation{ctx: ctx, cancel: cancel, reg: s.registry}
	add := func(l *layer, pkg string, in sources) error {
		answer, err := e.run(l.compiler, l.query, len(l.parts), wholeInput(in))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrEngine, l.name, err)
		}
		one := LayerSaid{Package: pkg, Parts: map[string]string{}}
		for i, part := range l.parts {
			one.Parts[part] = answer.Elem(i).String()
		}
		said = append(said, one)
		return nil
	}
	if jurisdiction == LayerCommon {
		if err := add(s.pkg, "liaison.common.pkg", sources{shared: rec.in.shared}); err != nil {
			return nil, err
		}
		return said, add(s.rcp, "liaison.common.rcp", rec.in)
	}
	for _, w := range rec.layers {
		l := s.layers[w.jurisdiction][w.kind]
		if w.jurisdiction != jurisdiction || l == nil {
			continue
		}
		if err := add(l, "jurisdiction."+w.jurisdiction+"."+w.kind, rec.in); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// Others is the input as agencies beside the sender's side may see it: what is not in the manifest and not in the
// directory is replaced by what is ordinary.
func (in Input) Others(jurisdiction string) (Input, error) {
	var shared, own map[string]json.RawMessage
	if err := json.Unmarshal(in.Shared, &shared); err != nil {
		return Input{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if err := json.Unmarshal(in.Own, &own); err != nil {
		return Input{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	ordinary := json.RawMessage(`{"length":120,"stock_phrase":false}`)
	shared["justification"] = ordinary
	shared["known"] = json.RawMessage(`{"conditions":[],"relations":[],"relations_found":true}`)
	texts := map[string]json.RawMessage{}
	for _, f := range inputShape.member("texts").fields {
		texts[f.name] = ordinary
	}
	var facts, permissions map[string]any
	if json.Unmarshal(own["facts"], &facts) != nil || json.Unmarshal(own["permissions"], &permissions) != nil {
		return Input{}, ErrInput
	}
	facts["derogations_this_year"], facts["received"], facts["counterpart"] = 0, false, false
	origins := []any{}
	all, _ := permissions["origins"].([]any)
	for _, o := range all {
		if m, ok := o.(map[string]any); ok && m["jurisdiction"] == jurisdiction {
			origins = append(origins, m)
		}
	}
	permissions["origins"], permissions["approvals"], permissions["emergency"] = origins, []any{}, false
	if len(origins) == 0 {
		permissions["state"] = "own"
	}
	for name, v := range map[string]any{"facts": facts, "permissions": permissions} {
		b, err := json.Marshal(v)
		if err != nil {
			return Input{}, err
		}
		own[name] = b
	}
	var out Input
	var err error
	if shared["texts"], err = json.Marshal(texts); err != nil {
		return Input{}, err
	}
	if out.Shared, err = json.Marshal(shared); err != nil {
		return Input{}, err
	}
	out.Own, err = json.Marshal(own)
	return out, err
}

// TestFile is a test in Rego that was made of a decision.
type TestFile struct {
	Name string // of the file, "decision_3f1c2a4b_test.rego"
	Test string // "test_decision_3f1c2a4b"
	Text []byte // formatted
}

// MakeTest writes a test that holds rules to what they said about a recorded input. what is a line for people: what the
// decision was.
func MakeTest(jurisdiction, id, what string, in Input, said []LayerSaid) (*TestFile, error) {
	short := strings.ReplaceAll(id, "-", "")
	short = short[max(0, len(short)-8):]
	root := "jurisdiction." + jurisdiction
	if jurisdiction == LayerCommon {
		root = "liaison.common"
	}
	whole, err := regoInput(in)
	if err != nil {
		return nil, err
	}
	name := "decision_" + short
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\n", regoPath(root+".test"))
	for _, l := range said {
		fmt.Fprintf(&b, "import %s\n", regoPath("data."+l.Package))
	}
	fmt.Fprintf(&b, "\n# Decision %s: %s\ntest_%s if {\n", id, strings.Join(strings.Fields(what), " "), name)
	for _, l := range said {
		entry := l.Package[strings.LastIndex(l.Package, ".")+1:]
		for _, part := range sortedKeys(l.Parts) {
			fmt.Fprintf(&b, "\t%s.%s == %s with input as %s\n", entry, part, l.Parts[part], name)
		}
	}
	fmt.Fprintf(&b, "}\n\n%s := %s\n", name, whole)
	text, err := format.SourceWithOpts(name+"_test.rego", []byte(b.String()), format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, fmt.Errorf("make a test: %w", err)
	}
	return &TestFile{Name: name + "_test.rego", Test: "test_" + name, Text: text}, nil
}

// regoPath writes a dotted path so that each of its names may be any text.
func regoPath(path string) string {
	parts := strings.Split(path, ".")
	var b strings.Builder
	for i, p := range parts {
		switch {
		case i == 0:
			b.WriteString(p)
		case strings.Contains(p, "-") || p[0] >= '0' && p[0] <= '9':
			fmt.Fprintf(&b, "[%q]", p)
		default:
			b.WriteString("." + p)
		}
	}
	return b.String()
}

// regoInput writes both parts as one Rego object.
func regoInput(in Input) (string, error) {
	rec, err := readRecorded(in)
	if err != nil {
		return "", err
	}
	return wholeInput(rec.in).String(), nil
}
