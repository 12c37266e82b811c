package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Archetypes are rules of the common library that the rules of a jurisdiction build upon:
//
//	import data.liaison.archetype.led_state.send as base
//
//	allow if base.allow
//
//	deny contains x if some x in base.deny
//
// and the same for pend, oblige and advise. No other use of an archetype is taken: so that who inherits the permission
// inherits every refusal, also one that the archetype gets later, and texts are found.
var archetypeRoot = ast.MustParseRef("data.liaison.archetype")

// layerKinds are the entry packages of an archetype and of a jurisdiction.
var layerKinds = []string{"send", "receive", "onward"}

// archetype names a part of an archetype.
type archetype struct {
	name, kind string
	rest       ast.Ref // behind the package
}

func (a archetype) pkg() string {
	return archetypeRoot.Append(ast.StringTerm(a.name)).Append(ast.StringTerm(a.kind)).String()
}

// archetypeOf reads a reference data.liaison.archetype.<name>.<kind>… .
func archetypeOf(ref ast.Ref) (archetype, bool) {
	n := len(archetypeRoot)
	if !ref.HasPrefix(archetypeRoot) || len(ref) < n+2 {
		return archetype{}, false
	}
	name, ok1 := ref[n].Value.(ast.String)
	kind, ok2 := ref[n+1].Value.(ast.String)
	return archetype{string(name), string(kind), ref[n+2:]}, ok1 && ok2
}

// entryArchetype reports whether a package of common is an entry package of an archetype.
func entryArchetype(pkg ast.Ref) (archetype, bool) {
	a, ok := archetypeOf(pkg)
	return a, ok && len(a.rest) == 0 && slices.Contains(layerKinds, a.kind)
}

// rulePrefix begins the rule ids of an archetype: led_state has led-1, eu_agency has eu-agency-1.
func (a archetype) rulePrefix() string {
	return strings.ReplaceAll(strings.TrimSuffix(a.name, "_state"), "_", "-") + "-"
}

// inheritance is a rule that takes a set, or the permission, of an archetype.
type inheritance struct {
	archetype
	part string // allow, deny, pend, oblige or advise
}

// inheritances notes what the rules of an entry package inherit, and refuses every other use of an archetype.
func (u *unit) inheritances(m *ast.Module, scope map[ast.Var]ast.Ref) {
	kind := u.entries[m.Package.Path.String()]
	for _, r := range m.Rules {
		named := archetypeRefs(r, scope)
		if named == 0 {
			continue
		}
		found := inherits(r, scope)
		if kind == "" || named != len(found) {
			u.add(r.Location, "an archetype is inherited in an entry package, as allow if base.allow, and deny contains x if some x in base.deny (and so pend, oblige, advise); no other use is taken")
			continue
		}
		for _, i := range found {
			if u.inheritable(r, i, kind) {
				u.inherited[r] = append(u.inherited[r], i)
			}
		}
	}
}

func (u *unit) inheritable(r *ast.Rule, i inheritance, kind string) bool {
	if u.bases[i.pkg()] == nil {
		u.add(r.Location, "there is no archetype %s: there are %s", trimData(i.pkg()), strings.Join(u.archetypeNames(), ", "))
		return false
	}
	if i.kind != kind || i.part != r.Head.Ref().String() {
		u.add(r.Location, "%s of this package inherits %s.%s.%s: only %s.%s can be its base", r.Head.Ref(), i.name, i.kind, i.part, kind, r.Head.Ref())
		return false
	}
	return true
}

func (u *unit) archetypeNames() []string {
	var names []string
	for pkg := range u.bases {
		if a, ok := archetypeOf(ast.MustParseRef(pkg)); ok {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// archetypeRefs counts how often a rule names an archetype, by its path or by an imported name.
func archetypeRefs(r *ast.Rule, scope map[ast.Var]ast.Ref) int {
	n := 0
	ast.WalkTerms(r, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Var:
			if scope[v].HasPrefix(archetypeRoot) {
				n++
			}
		case ast.Ref:
			if v.HasPrefix(archetypeRoot) {
				n++
			}
		}
		return false
	})
	return n
}

// inherits reads the two forms in which a rule can inherit.
func inherits(r *ast.Rule, scope map[ast.Var]ast.Ref) []inheritance {
	var list []inheritance
	for _, e := range r.Body {
		if e.Negated || len(e.With) > 0 {
			continue
		}
		ref, ok := permission(e)
		if !ok && len(r.Body) == 1 {
			ref, ok = member(e, r.Head.Key)
		}
		if !ok {
			continue
		}
		if a, ok := archetypeOf(expand(ref, scope)); ok && len(a.rest) == 1 {
			if part, ok := a.rest[0].Value.(ast.String); ok {
				list = append(list, inheritance{a, string(part)})
			}
		}
	}
	return list
}

// permission reads an expression that is a reference and nothing else, as base.allow is; only allow can be taken so.
func permission(e *ast.Expr) (ast.Ref, bool) {
	t, ok := e.Terms.(*ast.Term)
	if !ok {
		return nil, false
	}
	ref, ok := t.Value.(ast.Ref)
	return ref, ok && len(ref) > 1 && ref[len(ref)-1].Equal(allowKey)
}

var allowKey = ast.StringTerm("allow")

// member reads some x in ref, where x is the element that the rule says.
func member(e *ast.Expr, key *ast.Term) (ast.Ref, bool) {
	some, ok := e.Terms.(*ast.SomeDecl)
	if !ok || len(some.Symbols) != 1 || key == nil {
		return nil, false
	}
	call, ok := some.Symbols[0].Value.(ast.Call)
	if !ok || len(call) != 3 || !call[0].Value.(ast.Ref).Equal(ast.Member.Ref()) {
		return nil, false
	}
	_, isVar := call[1].Value.(ast.Var)
	ref, isRef := call[2].Value.(ast.Ref)
	return ref, isVar && isRef && call[1].Equal(key)
}

// checkInherited refuses a package that inherits a permission without everything that holds it.
func (u *unit) checkInherited() {
	for _, file := range sortedKeys(u.modules) {
		for _, r := range u.modules[file].Rules {
			for _, i := range u.inherited[r] {
				if i.part == "allow" {
					u.checkComplete(r, i.archetype, u.modules[file].Package.Path.String())
				}
			}
		}
	}
}

func (u *unit) checkComplete(allow *ast.Rule, base archetype, pkg string) {
	var missing []string
	for _, part := range sayingKinds {
		if !u.takes(pkg, base.pkg(), part) {
			missing = append(missing, part)
		}
	}
	if len(missing) > 0 {
		u.add(allow.Location, "allow of %s is inherited without its %s: what the archetype refuses would be allowed; add %s contains x if some x in base.%s",
			base.name, strings.Join(missing, ", "), missing[0], missing[0])
	}
}

// takes reports whether a package inherits a set of an archetype.
func (u *unit) takes(pkg, base, part string) bool {
	for r, list := range u.inherited {
		if r.Module == nil || r.Module.Package.Path.String() != pkg {
			continue
		}
		if slices.ContainsFunc(list, func(i inheritance) bool { return i.part == part && i.pkg() == base }) {
			return true
		}
	}
	return false
}

// shared are the modules of common that are compiled with the rules of this jurisdiction: the helpers of all, and the
// archetypes that it inherits.
func (u *unit) shared(common map[string]*ast.Module) map[string]*ast.Module {
	bases := map[string]bool{"data.liaison.lib": true}
	for _, list := range u.inherited {
		for _, i := range list {
			bases[i.pkg()] = true
		}
	}
	modules := map[string]*ast.Module{}
	for p, m := range common {
		if bases[m.Package.Path.String()] {
			modules[p] = m
		}
	}
	return modules
}
