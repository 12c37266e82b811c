package policy

import (
	"context"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Names of the data files of the inputs.
const (
	factsFile    = "facts.json"
	codesFile    = "codes.json"
	declaredFile = "declared.json"
)

// Build checks the inputs and compiles them: sizes, syntax (Rego v1 only), packages and rule names, references,
// types and constants against the schema of the input, codes and texts, tests, and the steps that a worst case takes.
// What it refuses it lists in a *BuildError; then there is no Set, and whatever is active stays active.
func Build(in Inputs) (*Set, error) { return BuildOn(nil, in) }

// BuildOn is Build that takes over from a Set what has not changed since: the checks of a jurisdiction rest on common, on
// what it declares and on its rules, and on nothing else. So a push is as fast as what it brings.
func BuildOn(before *Set, in Inputs) (*Set, error) {
	ctx, end := context.WithTimeout(context.Background(), buildTimeout)
	defer end()
	set, err := build(ctx, before, in)
	return set, in.quoted(err)
}

// buildTimeout bounds Build as a whole. What is counted (sizes, steps) refuses the same inputs everywhere; time is for
// what no count foresees, and so long that no sound policy comes near it on a slow machine.
const buildTimeout = 2 * time.Minute

func newBuilder(in Inputs) *builder {
	return &builder{ctx: context.Background(), in: in, shipped: shipped(), found: &findings{}, set: &Set{
		memo: newMemo(memoSize), declared: map[string]*Declared{}, layers: map[string]map[string]*layer{}, samples: map[string]bool{},
		revisions: map[string]string{}, sources: map[string]Source{},
	}}
}

func build(ctx context.Context, before *Set, in Inputs) (*Set, error) {
	b := newBuilder(in)
	b.ctx, b.before = ctx, before
	return b.build()
}

func (b *builder) build() (*Set, error) {
	for _, step := range []func() error{b.data, b.baseline, b.jurisdictions} {
		if err := step(); err != nil {
			return nil, err
		}
		if err := b.inTime(); err != nil {
			return nil, err
		}
	}
	return b.set, nil
}

// inTime refuses what takes too long.
func (b *builder) inTime() error {
	if b.ctx.Err() != nil {
		b.found.add("common", "", 0, "the checks of all inputs together did not end in time (%s): bring less at once, or simpler rules", buildTimeout)
	}
	return b.found.err()
}

type builder struct {
	ctx     context.Context // of all steps together
	in      Inputs
	before  *Set              // nil: nothing is taken over
	shipped map[string]string // revisions of inputs whose tests and worst case are behind them, by input name
	set     *Set
	common  *unit
	bases   map[string]*documents // of the archetypes
	mu      sync.Mutex            // found, set.layers
	found   *findings
}

// shipped are the revisions of what this program brings with it. Its own tests ran the tests and the worst case of each
// (TestSamplesBuild): to do so again at every start says nothing new, and takes longer than all the rest.
var shipped = sync.OnceValue(func() map[string]string {
	in := Samples()
	revisions := map[string]string{"common": in.Common.Revision()}
	for j, s := range in.Declared {
		revisions["declared/"+j] = s.Revision()
	}
	for j, s := range in.Rules {
		revisions["rules/"+j] = s.Revision()
	}
	return revisions
})

// isTested tells whether tests and worst case of a jurisdiction, of common if j is empty, are behind them: they rest on
// these inputs and on nothing else.
func (b *builder) isTested(j string) bool {
	names := []string{"common"}
	if j != "" {
		names = append(names, "declared/"+j, "rules/"+j)
	}
	return b.in.tested || !slices.ContainsFunc(names, func(name string) bool { return b.shipped[name] == "" || b.shipped[name] != b.set.revisions[name] })
}

// data takes the sources and reads everything that is not Rego.
func (b *builder) data() error {
	b.take("common", b.in.Common)
	for _, j := range sortedKeys(b.in.Declared) {
		b.take("declared/"+j, b.in.Declared[j])
	}
	for _, j := range sortedKeys(b.in.Rules) {
		b.take("rules/"+j, b.in.Rules[j])
	}
	if err := b.found.err(); err != nil {
		return err
	}
	b.commonData()
	for _, j := range sortedKeys(b.in.Declared) {
		b.declaration(j)
	}
	for _, j := range sortedKeys(b.in.Rules) {
		if _, ok := b.in.Declared[j]; !ok {
			b.found.add("rules/"+j, "", 0, "%s has rules but declares nothing", j)
		}
	}
	return b.found.err()
}

func (b *builder) take(input string, s Source) {
	checkSize(input, s, b.found)
	if s.Status == Sample {
		if !b.in.AllowSamples {
			b.found.add(input, "", 0, "a sample, written by this project and not the law of anybody: not allowed here")
		}
		b.set.samples[input] = true
		b.set.sampled = append(b.set.sampled, inputOwner(input))
		slices.Sort(b.set.sampled)
		b.set.sampled = slices.Compact(b.set.sampled)
	}
	rev := s.Revision()
	b.set.revisions[input], b.set.sources[rev] = rev, s
}

func (b *builder) commonData() {
	var err error
	if b.set.registry, err = parseRegistry(b.in.Common.Files[codesFile]); err != nil {
		b.found.add("common", codesFile, 0, "%s", err)
	}
	if b.set.facts, err = parseFacts(b.in.Common.Files[factsFile]); err != nil {
		b.found.add("common", factsFile, 0, "%s", err)
	}
	if b.set.registry != nil {
		b.set.required = required(b.set.registry)
	}
}

// required lists which baseline rules have to be met, by phase and class.
func required(reg *registry) map[string]map[string][]requiredRule {
	m := map[string]map[string][]requiredRule{phasePackage: {}, phaseRecipient: {}}
	for _, id := range sortedKeys(reg.Rules) {
		rule := reg.Rules[id]
		for _, phase := range rule.Required {
			r := requiredRule{id, reg.order[id]}
			m[phase][classFull] = append(m[phase][classFull], r)
			if rule.Structure {
				m[phase][classCorrection] = append(m[phase][classCorrection], r)
				m[phase][classStructure] = append(m[phase][classStructure], r)
			}
		}
	}
	return m
}

func (b *builder) declaration(j string) {
	src := b.in.Declared[j]
	for _, p := range src.paths() {
		if p != declaredFile {
			b.found.add("declared/"+j, p, 0, "only %s is declared", declaredFile)
		}
	}
	d, err := ParseDeclared(src.Files[declaredFile])
	switch {
	case err != nil:
		b.found.addAt("declared/"+j, declaredFile, src.Files[declaredFile], err)
	case d.Jurisdiction != j:
		b.found.add("declared/"+j, declaredFile, 0, "declares for %q, a jurisdiction speaks for itself alone", d.Jurisdiction)
	default:
		b.set.declared[j] = &d
	}
}

// baseline compiles common: its rules, the helpers that all share, and its tests.
func (b *builder) baseline() error {
	if b.unchanged("common") {
		b.common, b.bases = b.before.common, b.before.bases
		b.set.pkg, b.set.rcp = b.before.pkg, b.before.rcp
	} else if err := b.compileBaseline(); err != nil {
		return err
	}
	b.set.common, b.set.bases = b.common, b.bases
	return nil
}

// unchanged reports whether the Set before was built of the same inputs of these names.
func (b *builder) unchanged(inputs ...string) bool {
	return b.before != nil && !slices.ContainsFunc(inputs, func(name string) bool { return b.before.revisions[name] != b.set.revisions[name] })
}

func (b *builder) compileBaseline() error {
	if err := b.parseCommon(); err != nil {
		return err
	}
	u := b.common
	c := u.compile(u.modules)
	if err := b.found.err(); err != nil {
		return err
	}
	b.set.pkg = b.layer(u, c, LayerCommon, "data.liaison.common.pkg")
	b.set.rcp = b.layer(u, c, LayerCommon, "data.liaison.common.rcp")
	if b.set.pkg != nil && b.set.pkg.recipient {
		u.found.add(u.input, "", 0, "liaison.common.pkg looks at the recipient: it is asked once for a package")
	}
	b.set.pkg.phase, b.set.rcp.phase = phasePackage, phaseRecipient
	b.checkRequired()
	if err := b.found.err(); err != nil {
		return err
	}
	if err := u.slice(c, b.set.pkg, b.set.rcp); err != nil {
		u.addErrors("", err)
	}
	return b.found.err()
}

// archetypes reads the texts of the archetypes; their rules are compiled with those of each jurisdiction that inherits.
func (b *builder) archetypes(u *unit) {
	b.bases = map[string]*documents{}
	for _, m := range u.modules {
		if a, ok := entryArchetype(m.Package.Path); ok && b.bases[a.pkg()] == nil {
			b.bases[a.pkg()] = u.documents(a.pkg(), b.set.registry)
		}
	}
}

// parseCommon parses the rules of common.
func (b *builder) parseCommon() error {
	u := commonUnit(b.found)
	b.common = u
	u.parse(b.in.Common, factsFile, codesFile)
	u.checkDefaults()
	u.checkHelpers()
	b.archetypes(u)
	return b.found.err()
}

// checkRequired refuses a baseline in which a required rule is not there, or another one says that it is met.
func (b *builder) checkRequired() {
	for _, l := range []*layer{b.set.pkg, b.set.rcp} {
		want := b.set.required[l.phase][classFull]
		for _, r := range want {
			if l.docs.rules[r.id] == nil {
				b.found.add("common", "", 0, "rule %s is required in phase %s, and nothing meets it", r.id, l.phase)
			}
		}
		for _, id := range sortedKeys(l.docs.rules) {
			if !slices.ContainsFunc(want, func(r requiredRule) bool { return r.id == id }) {
				b.found.add("common", "", 0, "rule %s is met in phase %s, where the registry does not require it", id, l.phase)
			}
		}
		for _, key := range sortedKeys(l.docs.codes) {
			if _, ok := b.set.registry.Rules[l.docs.codes[key].Rule]; !ok {
				b.found.add("common", "", 0, "%s names no rule of the registry", key)
			}
		}
	}
}

// layer makes the layer of an entry package; nil when the unit has none of that name.
func (b *builder) layer(u *unit, c *ast.Compiler, name, pkg string) *layer {
	docs := u.documents(pkg, b.set.registry)
	l, err := newLayer(name, pkg, c, docs)
	if err != nil {
		u.found.add(u.input, "", 0, "%s", err)
		return nil
	}
	return l
}

// jurisdictions compiles each jurisdiction's rules with a compiler of their own, so that nobody can even name
// another's, and runs all tests.
func (b *builder) jurisdictions() error {
	atMost(runtime.GOMAXPROCS(0), sortedKeys(b.in.Rules), func(j string) {
		if b.ctx.Err() == nil {
			b.jurisdiction(j)
		}
	})
	if err := b.inTime(); err != nil || b.unchanged("common") {
		return err
	}
	b.runTests(b.common, b.common.modules, "")
	b.checkSteps("common", "", b.set.pkg, b.set.rcp)
	return b.found.err()
}

// atMost calls f for each of a list, n at a time: each compilation holds much memory.
func atMost(n int, list []string, f func(string)) {
	slots := make(chan struct{}, n)
	var wg sync.WaitGroup
	for _, one := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(one)
		})
	}
	wg.Wait()
}

func (b *builder) jurisdiction(j string) {
	f := &findings{}
	var layers map[string]*layer
	if b.unchanged("common", "declared/"+j, "rules/"+j) {
		layers = b.before.layers[j]
	} else {
		layers = b.compileJurisdiction(j, f)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found.list = append(b.found.list, f.list...)
	b.set.layers[j] = layers
}

func (b *builder) compileJurisdiction(j string, f *findings) map[string]*layer {
	u, modules := b.parseRules(j, f)
	if len(f.list) > 0 {
		return nil
	}
	c := u.compile(modules)
	if len(f.list) > 0 {
		return nil
	}
	layers := map[string]*layer{}
	for pkg, kind := range u.entries {
		if len(c.GetRulesWithPrefix(ast.MustParseRef(pkg))) == 0 {
			continue
		}
		if l := b.layer(u, c, j+"/"+kind, pkg); l != nil {
			layers[kind] = l
		}
	}
	if len(f.list) == 0 {
		if err := u.slice(c, slices.Collect(maps.Values(layers))...); err != nil {
			u.addErrors("", err)
			return nil
		}
		local := &builder{ctx: b.ctx, in: b.in, shipped: b.shipped, set: b.set, common: b.common, bases: b.bases, found: f}
		local.runTests(u, modules, j)
		local.checkSteps(u.input, j, slices.Collect(maps.Values(layers))...)
	}
	return layers
}

// parseRules parses a jurisdiction's rules, and lists the modules that they are compiled with.
func (b *builder) parseRules(j string, f *findings) (*unit, map[string]*ast.Module) {
	u := jurisdictionUnit(j, f)
	u.bases = b.bases
	u.parse(b.in.Rules[j])
	u.checkDefaults()
	u.checkInherited()
	u.checkHelpers()
	modules := maps.Clone(u.modules)
	maps.Copy(modules, u.shared(b.common.modules))
	return u, modules
}

// schemas gives the type checker the schema of the input.
var schemas = func() *ast.SchemaSet {
	var raw any
	if err := json.Unmarshal(inputSchema, &raw); err != nil {
		panic(err) // the embedded schema of this very binary
	}
	s := ast.NewSchemaSet()
	s.Put(ast.SchemaRootRef, raw)
	return s
}()

// compile compiles modules with the allowed builtins and the schema of the input, and checks constants against it.
func (u *unit) compile(modules map[string]*ast.Module) *ast.Compiler {
	c := ast.NewCompiler().WithCapabilities(ruleCapabilities).WithSchemas(schemas).WithStrict(true).SetErrorLimit(50).
		WithStageAfterID(ast.StageCheckRecursion, valuesStage)
	c.Compile(modules)
	if c.Failed() {
		u.addErrors("", c.Errors)
		return c
	}
	u.checkConstants(c)
	u.checkTraps(c)
	return c
}
