package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Kinds of codes; they are also the names of the sets in an entry package.
const (
	kindDeny   = "deny"
	kindPend   = "pend"
	kindOblige = "oblige"
	kindAdvise = "advise"
)

var sayingKinds = []string{kindDeny, kindPend, kindOblige, kindAdvise}

// Codes that the engine itself says; their texts are in the registry, all others in the metadata of rules.
const (
	codeRulesMissing       = "rules_missing"
	codeDeclarationMissing = "declaration_missing"
	codeMetaInvalid        = "meta_invalid"
	codeActionUnknown      = "action_unknown"
	codeNotAllowed         = "not_allowed"
	codeUnknown            = "code_unknown"
	codeApprovalRefused    = "approval_refused"
)

var engineCodes = []string{codeRulesMissing, codeDeclarationMissing, codeMetaInvalid, codeActionUnknown, codeNotAllowed, codeUnknown, codeApprovalRefused}

// Kinds of parameters, which say how two layers' values are merged.
const (
	paramDays         = "days"         // an integer from 0; the least
	paramHours        = "hours"        // an integer from 0; the least
	paramDate         = "date"         // the earliest
	paramRestrictions = "restrictions" // a list of codes; the union
	paramPermitted    = "permitted"    // a list of codes; the intersection
)

// Phases of the baseline: once for the package, once for each recipient.
const (
	phasePackage   = "package"
	phaseRecipient = "recipient"
)

// registry is the one list of rule ids and codes, shared by Go and Rego.
type registry struct {
	V     int                      `json:"v"`
	Rules map[string]registryRule  `json:"rules"`
	Codes map[string]*registryCode `json:"codes"`

	order map[string]int // of the rules
}

// ruleSet is a set of baseline rules, by their order in the registry.
type ruleSet [2]uint64

const maxBaselineRules = 128

func (s *ruleSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s *ruleSet) add(t ruleSet) { s[0], s[1] = s[0]|t[0], s[1]|t[1] }

// ruleSet reads the ids of rules; one that the registry does not have is none.
func (r *registry) ruleSet(set ast.Set) ruleSet {
	var s ruleSet
	set.Foreach(func(t *ast.Term) {
		if id, ok := t.Value.(ast.String); ok {
			if i, ok := r.order[string(id)]; ok {
				s[i/64] |= 1 << (i % 64)
			}
		}
	})
	return s
}

// registryRule is a baseline rule: the phases in which it must be met, and whether it is structure, which holds for
// messages that no jurisdiction can stop.
type registryRule struct {
	Required  []string `json:"required"`
	Structure bool     `json:"structure"`
}

type registryCode struct {
	Kind     string            `json:"kind"`
	On       string            `json:"on"`
	Audience string            `json:"audience"`
	Params   map[string]string `json:"params"`
	By       string            `json:"by,omitempty"`    // of a pend: who resolves it when the rule names nobody
	Hours    int               `json:"hours,omitempty"` // of a pend: until it lapses when the rule says nothing
	Engine   *document         `json:"engine,omitempty"`
}

// document is what a rule's metadata says to people.
type document struct {
	Text   map[string]string `json:"text"`
	Fix    map[string]string `json:"fix"`
	Source string            `json:"source"`
	Rule   string            `json:"rule,omitempty"`
	// Evidence is one of evidences; the baseline states it for every rule.
	Evidence string `json:"evidence,omitempty"`
}

var pendResolvers = []string{"originator", "second_officer", "head_of_duty", "head_of_authority", "recipient"}

func parseRegistry(b []byte) (*registry, error) {
	var r registry
	if err := decodeStrict(b, &r); err != nil {
		return nil, err
	}
	if len(r.Rules) > maxBaselineRules {
		return nil, fmt.Errorf("more than %d rules", maxBaselineRules)
	}
	r.order = map[string]int{}
	for i, id := range sortedKeys(r.Rules) {
		r.order[id] = i
	}
	for id, rule := range r.Rules {
		for _, phase := range rule.Required {
			if phase != phasePackage && phase != phaseRecipient {
				return nil, fmt.Errorf("rule %s: no phase %q", id, phase)
			}
		}
	}
	for c, def := range r.Codes {
		if def == nil {
			return nil, fmt.Errorf("code %s is null", c)
		}
		if err := def.check(); err != nil {
			return nil, fmt.Errorf("code %s: %w", c, err)
		}
	}
	for _, c := range engineCodes {
		if def := r.Codes[c]; def == nil || def.Kind != kindDeny || def.Engine == nil || def.Engine.Text["en"] == "" {
			return nil, fmt.Errorf("code %s of the engine has no text, or is no denial", c)
		}
	}
	return &r, nil
}

func (c *registryCode) check() error {
	switch {
	case !slices.Contains(sayingKinds, c.Kind):
		return fmt.Errorf("no kind %q", c.Kind)
	case !slices.Contains([]string{"recipient", "sender", "exchange", "dpo"}, c.On):
		return fmt.Errorf("it cannot be on %q", c.On)
	case !slices.Contains([]string{AudienceAll, AudienceSender, AudienceOwn}, c.Audience):
		return fmt.Errorf("no audience %q", c.Audience)
	case c.Kind == kindPend && (!slices.Contains(pendResolvers, c.By) || c.Hours <= 0):
		return errors.New("a pend says who resolves it and within how many hours")
	case c.Kind == kindOblige && c.Audience != AudienceAll:
		return errors.New("an obligation is never masked")
	}
	for name, kind := range c.Params {
		if !slices.Contains([]string{paramDays, paramHours, paramDate, paramRestrictions, paramPermitted}, kind) {
			return fmt.Errorf("parameter %s: no kind %q", name, kind)
		}
	}
	return nil
}

// params reads the parameters of a saying: exactly those that the registry lists.
func (c *registryCode) params(o ast.Object) (map[string]any, error) {
	n := 0
	if o != nil {
		n = o.Len()
	}
	if n != len(c.Params) {
		return nil, fmt.Errorf("%d parameters, not %d", n, len(c.Params))
	}
	if n == 0 {
		return nil, nil
	}
	values := make(map[string]any, n)
	for name, kind := range c.Params {
		term := o.Get(ast.StringTerm(name))
		if term == nil {
			return nil, fmt.Errorf("no parameter %s", name)
		}
		v, err := paramValue(kind, term.Value)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		values[name] = v
	}
	return values, nil
}

// paramValue returns an int, a string or a sorted []string.
func paramValue(kind string, v ast.Value) (any, error) {
	switch kind {
	case paramDays, paramHours:
		if n, ok := v.(ast.Number); ok {
			if i, ok := n.Int(); ok && i >= 0 && i < 1<<31 {
				return i, nil
			}
		}
	case paramDate:
		if s, ok := v.(ast.String); ok {
			if _, err := time.Parse(time.DateOnly, string(s)); err == nil {
				return string(s), nil
			}
		}
	default:
		return paramList(v)
	}
	return nil, fmt.Errorf("not of kind %s", kind)
}

// maxParamList bounds the lists that rules hand out.
const maxParamList = 64

func paramList(v ast.Value) ([]string, error) {
	list := []string{}
	add := func(t *ast.Term) error {
		s, ok := t.Value.(ast.String)
		if !ok || len(s) == 0 || len(s) > 64 || len(list) == maxParamList {
			return errors.New("not a list of codes")
		}
		list = append(list, string(s))
		return nil
	}
	var err error
	switch c := v.(type) {
	case *ast.Array:
		err = c.Iter(add)
	case ast.Set:
		err = c.Iter(add)
	default:
		err = errors.New("not a list")
	}
	slices.Sort(list)
	return slices.Compact(list), err
}

// mergeParams merges b into a; both have the parameters of the code.
func (c *registryCode) mergeParams(a, b map[string]any) map[string]any {
	for name, kind := range c.Params {
		switch kind {
		case paramDays, paramHours:
			a[name] = min(a[name].(int), b[name].(int))
		case paramDate:
			a[name] = min(a[name].(string), b[name].(string))
		case paramRestrictions:
			all := slices.Concat(a[name].([]string), b[name].([]string))
			slices.Sort(all)
			a[name] = slices.Compact(all)
		case paramPermitted:
			other := b[name].([]string)
			a[name] = slices.DeleteFunc(slices.Clone(a[name].([]string)), func(v string) bool { return !slices.Contains(other, v) })
		}
	}
	return a
}

var noParams = json.RawMessage("{}")

// encodeParams writes parameters as a JSON object with sorted names.
func encodeParams(values map[string]any) json.RawMessage {
	if len(values) == 0 {
		return noParams
	}
	b := make([]byte, 0, 64)
	sep := byte('{')
	for _, name := range sortedKeys(values) {
		b = appendString(append(b, sep), name)
		b = append(b, ':')
		switch v := values[name].(type) {
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case string:
			b = appendString(b, v)
		case []string:
			b = appendStrings(b, v)
		}
		sep = ','
	}
	return append(b, '}')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}
