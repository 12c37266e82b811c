package policy

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// plain are the rules of one compiler as they are written: an activation may join rules for speed, an explanation speaks
// of those that people read.
type plain struct {
	compiler *ast.Compiler
	rules    map[string][]*plainRule // by the path of package and name
}

type plainRule struct {
	*ast.Rule
	module *ast.Module
}

func (r *plainRule) title() string {
	for _, a := range r.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	return ""
}

// met returns the rules that meet a baseline rule of a package.
func (p *plain) met(pkg, id string) []*plainRule {
	return slices.DeleteFunc(slices.Clone(p.rules[pkg+".met"]), func(r *plainRule) bool {
		s, ok := r.Head.Key.Value.(ast.String)
		return !ok || string(s) != id
	})
}

// plains are the rules that were explained last, compiled as they are written, by the revisions of common and rules.
var plains = struct {
	sync.Mutex
	of    map[string]*plain
	order []string
}{of: map[string]*plain{}}

// maxPlains bounds them.
const maxPlains = 32

// plainOf compiles the rules of a layer as they are written; nil when the layer has none.
func (e *explainer) plainOf(layer string) (*plain, error) {
	own := ""
	if layer != LayerCommon {
		if own = e.set.revisions["rules/"+jurisdictionOf(layer)]; own == "" {
			return nil, nil
		}
	}
	key := e.set.revisions[LayerCommon] + " " + own
	plains.Lock()
	defer plains.Unlock()
	if p := plains.of[key]; p != nil {
		return p, nil
	}
	p, err := e.set.compilePlain(jurisdictionOf(layer), own)
	if err != nil {
		return nil, err
	}
	if plains.of[key], plains.order = p, append(plains.order, key); len(plains.order) > maxPlains {
		delete(plains.of, plains.order[0])
		plains.order = plains.order[1:]
	}
	return p, nil
}

// compilePlain compiles common, and with it the rules of a jurisdiction if a revision of them is given.
func (s *Set) compilePlain(j, revision string) (*plain, error) {
	found := &findings{}
	common := commonUnit(found)
	common.parse(s.sources[s.revisions[LayerCommon]], factsFile, codesFile)
	all := common.modules
	if revision != "" {
		u := jurisdictionUnit(j, found)
		u.parse(s.sources[revision])
		maps.Copy(all, u.modules)
	}
	c := ast.NewCompiler().WithCapabilities(ruleCapabilities)
	if c.Compile(all); c.Failed() {
		return nil, fmt.Errorf("%w: rules that were active do not compile: %w", ErrEngine, c.Errors)
	}
	p := &plain{compiler: c, rules: map[string][]*plainRule{}}
	for _, path := range sortedKeys(all) {
		for _, r := range all[path].Rules {
			name := all[path].Package.Path.String() + "." + r.Head.Ref().String()
			p.rules[name] = append(p.rules[name], &plainRule{r, all[path]})
		}
	}
	return p, nil
}
