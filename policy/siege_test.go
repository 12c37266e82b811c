package policy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Ends of an attack.
const (
	atActivation = "refused at activation"
	atDeadline   = "cut at the deadline"
	atDecision   = "denied"
	harmless     = "of no effect"
)

// attack is a hostile input of Estonia. One that is not refused is activated, and asked about a package whose case is
// LOOP, which no corpus knows.
type attack struct {
	class, name string
	files       map[string]string
	end, want   string
}

const (
	libHead  = "package jurisdiction.ee.lib\n\n"
	testHead = "package jurisdiction.ee.test\n\nimport data.liaison.example\n\n"
	loopHead = "input.claimed.case_ref == \"LOOP\"\n"
)

// lib is an attack by a helper, tst one by a test, deny one by the body of a denial.
func lib(text string) map[string]string {
	return map[string]string{"send.rego": sendHead, "lib.rego": libHead + text + "\n"}
}

func tst(text string) map[string]string {
	return map[string]string{"send.rego": sendHead, "x_test.rego": testHead + text + "\n"}
}

func deny(body string) map[string]string {
	text := sendHead + doc("language_not_accepted") + "deny contains \"language_not_accepted\" if {\n" + loopHead + body + "\n}\n"
	return map[string]string{"send.rego": text}
}

func each(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

func nested(open, middle, end string, n int) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
}

// doubled names a list of twice the one before, n times over.
func doubled(n int, form string) string {
	return each(n, func(i int) string { return fmt.Sprintf("x%d := %s\n", i+1, fmt.Sprintf(form, i, i)) })
}

func attacks() []attack {
	var list []attack
	add := func(class, name string, files map[string]string, end, want string) {
		list = append(list, attack{class, name, files, end, want})
	}
	numbers := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1, ", n), ", ") + "]" }
	loop := func(depth int) string {
		return each(depth, func(i int) string { return fmt.Sprintf("some a%d in %s\n", i, numbers(500)) }) + "a0 + a1 == -1"
	}

	const loops = "loops"
	add(loops, "ten thousand million rounds", deny(loop(4)), atDeadline, "")
	add(loops, "rounds in a helper", map[string]string{"send.rego": strings.Replace(deny("lib.x")["send.rego"], "\n\n", "\n\nimport data.jurisdiction.ee.lib\n\n", 1), "lib.rego": libHead + "x if {\n" + loopHead + loop(4) + "\n}\n"}, atDeadline, "")
	add(loops, "rounds in every", deny("every a in "+numbers(500)+" {\n every b in "+numbers(500)+" {\n every c in "+numbers(500)+" {\n a + b + c == 3\n}\n}\n}"), atDeadline, "")
	add(loops, "rounds over the input", deny(each(6, func(i int) string {
		return fmt.Sprintf("some s%d, a%d in %s\n", i, i, numbers(60))
	})+"s0 + a0 + a1 + a2 + a3 + a4 + a5 == -1"), atDeadline, "")
	add(loops, "recursion", lib("x if y\n\ny if x"), atActivation, "recursive")
	add(loops, "recursion of a function", lib("f(x) := f(x)"), atActivation, "recursive")
	add(loops, "recursion around a thousand rules", lib(each(400, func(i int) string { return fmt.Sprintf("a%d if not a%d\n", i, (i+1)%400) })), atActivation, "recursive")
	add(loops, "walk over everything", deny("walk(input, [p, v])\nv == 1"), atActivation, "undefined function walk")
	add(loops, "a reachable graph", deny(`count(graph.reachable({"a": ["a"]}, ["a"])) == 1`), atActivation, "undefined function graph.reachable")
	add(loops, "a loop on ordinary packages", map[string]string{"send.rego": strings.Replace(deny(loop(4))["send.rego"], loopHead, "", 1)}, atActivation, "takes more than")

	const doubles = "values that double"
	add(doubles, "lists of lists", deny("x0 := [input.claimed.language]\n"+doubled(40, "[x%d, x%d]")+"count(x40) == 2"), atActivation, "can make a value of more than")
	add(doubles, "objects of objects", deny("x0 := {\"a\": input.claimed.language}\n"+doubled(40, `{"a": x%d, "b": x%d}`)+"count(x40) == 2"), atActivation, "can make a value of more than")
	add(doubles, "sets of lists", deny("x0 := [input.claimed.language]\n"+doubled(40, "{[x%d, 1], [x%d, 2]}")+"count(x40) == 2"), atActivation, "can make a value of more than")
	add(doubles, "comprehensions", deny("x0 := [input.claimed.language]\n"+doubled(40, "[[x%d, x%d] | some i in [1, 2]; i > 0]")+"count(x40) == 2"), atActivation, "can make a value of more than")
	add(doubles, "rules", lib("x0 := [1]\n"+doubled(40, "[x%d, x%d]")), atActivation, "can make a value of more than")
	add(doubles, "functions", lib("f0(x) := [x, x]\n"+each(40, func(i int) string { return fmt.Sprintf("f%d(x) := f%d([x, x])\n", i+1, i) })+"y := f40([1])"), atActivation, "can make a value of more than")
	add(doubles, "functions of functions", lib("f(x) := [x, x]\n\ny := "+nested("f(", "[1]", ")", 15)+"\n\nz := "+nested("f(", "y", ")", 15)), atActivation, "can make a value of more than")
	add(doubles, "two that are compared", lib("x0 := [1]\n"+doubled(16, "[x%d, x%d]")+"z if x16 == [x15, x15]"), atActivation, "can make a value of more than")
	add(doubles, "the input many times", lib("x := ["+strings.Repeat("input, ", 1000)+"1]"), atActivation, "can make a value of more than")
	add(doubles, "a table of tables", lib("t[i] := {1, 2, 3} if some i in [1, 2, 3]\n\n"+each(12, func(i int) string {
		from := "t"
		if i > 0 {
			from = fmt.Sprint("t", i-1)
		}
		return fmt.Sprintf("t%d[j] := %s if some j in [1, 2, 3]\n\n", i, from)
	})), atActivation, "can make a value of more than")
	add(doubles, "tests", tst("test_x if {\nx0 := [1]\n"+doubled(40, "[x%d, x%d]")+"count(x40) == 2\n}"), atActivation, "can make a value of more than")
	add(doubles, "tests that join lists", tst("test_x if {\nx0 := [1]\n"+doubled(40, "array.concat(x%d, x%d)")+"count(x40) == 2\n}"), atActivation, "can make a value of more than")
	add(doubles, "tests that join objects", tst("test_x if {\nx0 := {\"a\": 1}\n"+doubled(40, `object.union(x%d, {"b": x%d})`)+"count(x40) == 2\n}"), atActivation, "can make a value of more than")
	add(doubles, "a patch that copies", tst(`test_x if json.patch({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/a/0"}]) == 1`), atActivation, "undefined function json.patch")
	add(doubles, "products of lists", lib("x := [[a, b, c] | some a in "+numbers(200)+"; some b in "+numbers(200)+"; some c in "+numbers(200)+"]"), atActivation, "can make a value of more than")

	const builtins = "builtins"
	for name, call := range map[string]string{
		"the network": `http.send({"method": "get", "url": "http://localhost"}).status_code == 200`, "a name server": `count(net.lookup_ip_addr("localhost")) > 0`,
		"addresses": `count(net.cidr_expand("10.0.0.0/8")) > 0`, "the runtime": `opa.runtime().env.HOME == "/"`, "a parser of rules": `rego.parse_module("a", "package b") != 1`,
		"its own metadata": `rego.metadata.rule().title == "x"`, "its own chain": `count(rego.metadata.chain()) == 1`,
		"a token": `io.jwt.decode_verify("x", {"secret": "y"})[0]`, "a certificate": `count(crypto.x509.parse_certificates("x")) == 1`, "a hash": `crypto.md5("x") == "x"`,
		"a new id": `uuid.rfc4122("x") == "x"`, "chance": `rand.intn("x", 2) == 1`, "the clock": `time.now_ns() > 0`, "a date": `time.parse_rfc3339_ns("2026-01-01T00:00:00Z") > 0`,
		"print": `print("x")`, "trace": `trace("x")`, "a template": `strings.render_template("{{.x}}", {"x": 1}) == "1"`, "a template string": `$"{input.claimed.language}" == "x"`,
		"units": `units.parse_bytes("1G") > 1`, "versions": `semver.compare("1.0.0", "2.0.0") == 1`, "numbers": `count(numbers.range(1, 1000000000)) == 1`,
		"steps of numbers": `count(numbers.range_step(1, 1000000000, 1)) == 1`, "a regular expression": `regex.match("(a*)*b", "aaaa")`, "two regular expressions": `regex.globs_match("a.a.[0-9]+z", "b.b*")`,
		"a glob": `glob.match("{a,b}{a,b}", [], "x")`, "a width": `sprintf("%1000000000d", [1]) == "x"`, "a join": `concat("", ["a"]) == "a"`, "repetition": `strings.repeat("a", 1000000000) == "a"`,
		"replacement": `replace("a", "a", "aaaa") == "a"`, "a split": `count(split("aaaa", "a")) == 1`, "base64": `base64.decode("YQ==") == "a"`, "hex": `hex.decode("61") == "a"`,
		"a JSON text": `json.unmarshal("[]") == []`, "a YAML text": `yaml.unmarshal("a: &a [1]") == []`, "a filter": `json.filter(input, ["claimed"]) == 1`,
		"union of many": `object.union_n([{}, {}]) == {}`, "a subset": `object.subset({}, {})`, "a product": `3 * 3 == 9`, "a power of bits": `bits.lsh(1, 1000000) == 1`, "a remainder": `3 % 2 == 1`,
		"a schema": `json.match_schema({}, {})[0]`, "a query": `graphql.is_valid("a", "b")`, "a signature": `providers.aws.sign_req({}, {}, 1) == 1`,
	} {
		want := "undefined function"
		switch name {
		case "print":
			want = "undefined function print"
		case "a template string":
			want = "template strings are not supported"
		case "its own metadata", "its own chain":
			want = "undefined function rego.metadata"
		}
		add(builtins, name, deny(call), atActivation, want)
	}

	const parsing = "parser and compiler"
	add(parsing, "thirty comprehensions in each other", lib("x := "+nested("[1 | ", "1 == 1", "][0] == 1", 30)), atActivation, "in each other")
	add(parsing, "four comprehensions in each other, many times", lib(each(300, func(i int) string {
		return fmt.Sprintf("x%d := %s\n", i, nested("{1 | 1 == ", "1", "}", 4))
	})), atActivation, "comprehensions in each other")
	add(parsing, "thirty thousand brackets", lib("x := "+nested("[", "1", "]", 30000)), atActivation, "brackets in each other")
	add(parsing, "fifteen thousand parentheses", lib("x if "+nested("(", "1 == 1", ")", 15000)), atActivation, "brackets in each other")
	add(parsing, "nine thousand objects", lib("x := "+nested(`{"a":`, "1", "}", 9000)), atActivation, "brackets in each other")
	add(parsing, "nine thousand every", lib("x if "+nested("{ every a in [1] ", "{ a == 1 }", "}", 2000)), atActivation, "brackets in each other")
	add(parsing, "ten thousand sums", lib("x := 1"+strings.Repeat(" + 1", 10000)), atActivation, "calls in one expression")
	add(parsing, "three thousand else", lib("default x := 1\nx := 2 if 1 == 2\n"+strings.Repeat("else := 2 if 1 == 2\n", 3000)), atActivation, "clauses of one rule")
	add(parsing, "three thousand conditions", lib("x if {\n"+strings.Repeat("1 == 1\n", 3000)+"}"), atActivation, "expressions")
	add(parsing, "five thousand arguments", lib("f("+each(5000, func(i int) string { return fmt.Sprintf("a%d,", i) })+"z) := 1"), atActivation, "arguments")
	add(parsing, "1e5 rules", map[string]string{"send.rego": sendHead, "a.rego": libHead + strings.Repeat("a:=1\n", 12000), "b.rego": libHead + strings.Repeat("a:=1\n", 12000)}, atActivation, "more than 500 rules")
	add(parsing, "a chain of rules", lib("a0 := 1\n"+each(600, func(i int) string { return fmt.Sprintf("a%d := a%d + 1\n", i+1, i) })), atActivation, "more than 500 rules")
	add(parsing, "a name of 60,000 letters", lib(strings.Repeat("x", 60000)+" := 1"), atActivation, "a name of more than")
	add(parsing, "a text of 60,000 letters", lib("x := \""+strings.Repeat("x", 60000)+"\""), atActivation, "a text of more than")
	add(parsing, "a raw text of 60,000 lines", lib("x := `"+strings.Repeat("\n", 60000)+"`"), atActivation, "text")
	add(parsing, "a path of 60,000 letters", map[string]string{"send.rego": sendHead, strings.Repeat("x", 60000) + ".rego": libHead}, atActivation, "not a clean relative path")
	add(parsing, "a number of 60,000 digits", lib("x := "+strings.Repeat("9", 60000)), atActivation, "number too big")
	add(parsing, "a large exponent", lib("x := 1e100000000"), atActivation, "number too big")
	add(parsing, "a file of 10 MB", map[string]string{"send.rego": sendHead + strings.Repeat("# xxxxx\n", 10<<20/8)}, atActivation, "file is larger than")
	add(parsing, "a thousand files", func() map[string]string {
		m := map[string]string{"send.rego": sendHead}
		for i := range 1000 {
			m[fmt.Sprint("f", i, ".rego")] = libHead
		}
		return m
	}(), atActivation, "more than 64 files")
	add(parsing, "a thousand types", lib("s := ["+each(3000, func(i int) string { return fmt.Sprintf("{\"k%d\": 1},", i) })+"1]"), harmless, "")

	const metadata = "metadata"
	add(metadata, "a thousand million laughs", lib("# METADATA\n# custom:\n#   a0: &a0 [x,x,x,x,x,x,x,x,x]\n"+each(9, func(i int) string {
		return fmt.Sprintf("#   a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	})+"x := 1"), atActivation, "with the alias")
	add(metadata, "laughs below the limit of the parser", lib(each(20, func(i int) string {
		return fmt.Sprintf("# METADATA\n# custom:\n#   a: &a [%s]\n#   b: [%s]\nx%d := 1\n\n", strings.TrimSuffix(strings.Repeat("x,", 700), ","), strings.TrimSuffix(strings.Repeat("*a,", 90), ","), i)
	})), atActivation, "with the alias")
	add(metadata, "a merge of itself", lib("# METADATA\n# custom:\n#   a: &b\n#     <<: *b\nx := 1"), atActivation, "with the alias")
	add(metadata, "brackets", lib("# METADATA\n# custom:\n#   a: "+nested("[", "1", "]", 20000)+"\nx := 1"), atActivation, "max depth")
	add(metadata, "another schema of the input", map[string]string{"send.rego": sendHead + "# METADATA\n# schemas:\n#   - input: {type: object}\n" + strings.TrimPrefix(doc("language_not_accepted"), "# METADATA\n") + `deny contains "language_not_accepted" if input.claimed.langauge == "en"`}, atActivation, "schemas")
	add(metadata, "a schema of the network", map[string]string{"send.rego": sendHead + "# METADATA\n# schemas:\n#   - input: {\"$ref\": \"http://localhost:1/x.json\"}\n" + strings.TrimPrefix(doc("language_not_accepted"), "# METADATA\n") + `deny contains "language_not_accepted" if input.claimed.langauge == "en"`}, atActivation, "schemas")
	add(metadata, "a text that is a list", map[string]string{"send.rego": sendHead + strings.Replace(doc("language_not_accepted"), "en: A text.", "en: [A text.]", 1) + `deny contains "language_not_accepted" if input.claimed.language != "en"`}, atActivation, "no custom.text.en")
	add(metadata, "no YAML", lib("# METADATA\n# custom: {{{\nx := 1"), atActivation, "yaml")

	const names = "names and letters"
	add(names, "a byte order mark", map[string]string{"send.rego": "\ufeff" + sendHead}, atActivation, "byte order mark")
	add(names, "a byte order mark inside", lib("x := 1 # \ufeff"), atActivation, "unseen character U+FEFF")
	add(names, "a null byte", lib("x := 1\x00"), atActivation, "unseen character U+0000")
	add(names, "a null byte in a comment", lib("x := 1 # \x00"), atActivation, "unseen character U+0000")
	add(names, "no UTF-8", lib("x := \"\xff\""), atActivation, "not UTF-8")
	add(names, "a line end that is none", lib("# comment\rx := 1\r"), atActivation, "unseen character U+000D")
	add(names, "mixed line ends", map[string]string{"send.rego": strings.Replace(sendHead, "\n\n", "\r\n\r\n", 2)}, harmless, "")
	add(names, "a line separator", lib("# comment\u2028x := 1"), atActivation, "unseen character U+2028")
	add(names, "text that turns around", lib("x := \"\u202eabc\""), atActivation, "unseen character U+202E")
	add(names, "text that turns around in a comment", lib("# \u2066 x"), atActivation, "unseen character U+2066")
	add(names, "a space of no width", lib("x := \"a\u200bb\""), atActivation, "unseen character U+200B")
	add(names, "syntax of version 0", map[string]string{"send.rego": "package jurisdiction.ee.send\n\ndefault allow = false\n\nallow {\n\tinput.sender.active\n}\n"}, atActivation, "`if` keyword is required")
	add(names, "version 2", map[string]string{"send.rego": "package jurisdiction.ee.send\n\nimport rego.v2\n\ndefault allow := false\n"}, atActivation, "rego.v2")
	add(names, "keywords of the future", map[string]string{"send.rego": "package jurisdiction.ee.send\n\nimport future.keywords.forall\n\ndefault allow := false\n"}, atActivation, "unexpected keyword")
	add(names, "the root of another", map[string]string{"send.rego": sendHead, "x.rego": "package jurisdiction.lv.send\n\nallow := true\n"}, atActivation, "unknown package jurisdiction.lv.send")
	add(names, "all jurisdictions", map[string]string{"send.rego": sendHead, "x.rego": "package jurisdiction\n\nlv.send.allow := true\n"}, atActivation, "unknown package jurisdiction")
	add(names, "a rule in another package", map[string]string{"send.rego": sendHead, "x.rego": "package jurisdiction.ee\n\nsend.allow := true\n"}, atActivation, "unknown package jurisdiction.ee")
	add(names, "a package below an entry package", map[string]string{"send.rego": sendHead, "x.rego": "package jurisdiction.ee.send.allow\n\nx := true\n"}, atActivation, "unknown package")
	add(names, "the library", map[string]string{"send.rego": sendHead, "x.rego": "package liaison.lib\n\naccused := false\n"}, atActivation, "unknown package liaison.lib")
	add(names, "the baseline", map[string]string{"send.rego": sendHead, "x.rego": "package liaison.common.pkg\n\nallow := true\n"}, atActivation, "unknown package liaison.common.pkg")
	add(names, "an archetype", map[string]string{"send.rego": sendHead, "x.rego": "package liaison.archetype.led_state.send\n\nallow := true\n"}, atActivation, "unknown package liaison.archetype")
	add(names, "the examples", map[string]string{"send.rego": sendHead, "x.rego": "package liaison.example\n\nsend := {}\n"}, atActivation, "unknown package liaison.example")
	add(names, "the system", map[string]string{"send.rego": sendHead, "x.rego": "package system.authz\n\nallow := true\n"}, atActivation, "unknown package system.authz")
	add(names, "data of its own", map[string]string{"send.rego": sendHead, "data.json": `{"jurisdiction": {"ee": {"send": {"allow": true}}}}`}, atActivation, "not a file of this input")
	add(names, "a manifest", map[string]string{"send.rego": sendHead, ".manifest": `{"roots": [""]}`}, atActivation, "not a file of this input")
	add(names, "two packages with one name and two values", map[string]string{"send.rego": strings.Replace(sendHead, "\n\n", "\n\nimport data.jurisdiction.ee.lib\n\n", 1) + doc("language_not_accepted") + "deny contains \"language_not_accepted\" if lib.x == 3\n", "a.rego": libHead + "x := 1\n", "b.rego": libHead + "x := 2\n"}, atActivation, "fails on a package")
	add(names, "conflicting values for one case", map[string]string{
		"send.rego": strings.Replace(deny("not lib.x == 3")["send.rego"], "\n\n", "\n\nimport data.jurisdiction.ee.lib\n\n", 1),
		"lib.rego":  libHead + "default x := 0\n\nx := 1 if input.claimed.case_ref == \"LOOP\"\n\nx := 2 if input.sender.active == true\n",
	}, atDeadline, "")
	add(names, "an error under not", deny("not substring(input.claimed.case_ref, -1, 1) == \"x\""), atDeadline, "")
	add(names, "a code that nobody knows", map[string]string{"send.rego": sendHead + strings.Replace(doc("language_not_accepted"), "code: language_not_accepted", "codes: {language_not_accepted: {text: {en: A}, fix: {en: B}}}", 1) + "deny contains c if {\n" + loopHead + "c := input.claimed.case_ref\n}\n"}, atDecision, "code_unknown")

	const tests = "tests"
	add(tests, "a test that never ends", tst("test_x if {\n"+loop(4)+"\n}"), atActivation, "the tests take more than")
	add(tests, "fifty tests that end too late", tst(each(50, func(i int) string {
		return fmt.Sprintf("test_x%d if {\nsome a in %s\nsome b in %s\na + b == -1\n}\n", i, numbers(120), numbers(120))
	})), atActivation, "the tests take more than")
	add(tests, "tests that list everything", tst("test_x if {\nx := [[a, b] | some a in "+numbers(180)+"; some b in "+numbers(180)+"]\ncount(x) == 1\n}"), atActivation, "can make a value of more than")
	add(tests, "tests of many cases", tst("test_x[i] if some i in "+numbers(500)+"\n"), atActivation, "a test is")
	add(tests, "a test that peeks", tst("test_x if data.jurisdiction.lv.send.allow"), atActivation, "may be named")
	add(tests, "a test that is skipped", tst("todo_test_x if false"), atActivation, "skipped")
	add(tests, "a test that opens the network", tst(`test_x if http.send({"method": "get", "url": "http://localhost"})`), atActivation, "undefined function http.send")
	add(tests, "a test that replaces a function", tst(`test_x if count([1]) == 3 with count as 3`), harmless, "")
	return list
}

// besieged is an engine that decides ordinary packages while others attack it.
type besieged struct {
	engine  *Engine
	decided atomic.Int64
	wrong   atomic.Value
	peak    atomic.Uint64
	stop    chan struct{}
	wg      sync.WaitGroup
}

// maxHeap is what the live heap of a besieged process may reach.
const maxHeap = 400 << 20

func besiege(t *testing.T) *besieged {
	b := &besieged{engine: NewEngine(Config{AllowSamples: true, Timeout: 2 * time.Second}), stop: make(chan struct{})}
	if err := b.engine.Activate(sampleSet(t)); err != nil {
		t.Fatal(err)
	}
	r := request(t, "it/dcpc", []string{"lv/vp"}, from("it/dcpc", "it-public-security-act", nil))
	want := b.verdict(t, r)
	next := time.NewTicker(2 * time.Millisecond) // the processors are for the attacks
	b.wg.Go(func() {
		defer next.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-next.C:
			}
			ds, err := b.engine.Decide(context.Background(), r)
			if err != nil || ds[0].Verdict != want {
				b.wrong.Store(fmt.Sprintf("an ordinary package: %v, %v", err, ds))
			}
			b.decided.Add(1)
		}
	})
	sample := time.NewTicker(time.Millisecond)
	b.wg.Go(func() {
		defer sample.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-sample.C:
			}
			if h := heap(); h > b.peak.Load() {
				b.peak.Store(h)
			}
			if b.peak.Load() > 4*maxHeap {
				fmt.Fprintln(os.Stderr, "the heap grows without end")
				os.Exit(3) // before the machine does it
			}
		}
	})
	return b
}

func (b *besieged) verdict(t *testing.T, r Request) string {
	ds, err := b.engine.Decide(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return ds[0].Verdict
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// outcome is what became of an attack, in the words of the child process.
type outcome struct {
	Class, Name, End, Finding string
	Peak                      uint64
}

// TestHostileInputs runs every attack against a live engine, in a process of its own, so that one that eats all memory
// is a failed test and not a dead machine. Each is refused at activation with file and line, or cut at the deadline;
// the engine goes on deciding ordinary packages as before, and the heap stays bounded.
func TestHostileInputs(t *testing.T) {
	if os.Getenv("LIAISON_BESIEGED") != "" {
		underAttack(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestHostileInputs$", "-test.v")
	cmd.Env = append(os.Environ(), "LIAISON_BESIEGED=1", "GOMEMLIMIT=1GiB")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out))
	}
	seen, peaks, ends := map[string]bool{}, map[string]uint64{}, map[string]int{}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		var o outcome
		if json.Unmarshal(s.Bytes(), &o) == nil && o.Name != "" {
			seen[o.Class+": "+o.Name] = true
			peaks[o.Class] = max(peaks[o.Class], o.Peak)
			ends[o.End]++
		}
	}
	for _, a := range attacks() {
		if !seen[a.class+": "+a.name] {
			t.Errorf("%s: %s: no outcome", a.class, a.name)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d attacks", len(seen))
	}
	t.Logf("%d attacks: %v", len(seen), ends)
	for _, class := range slices.Sorted(maps.Keys(peaks)) {
		t.Logf("%-20s heap at most %d MiB", class, peaks[class]>>20)
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

func underAttack(t *testing.T) {
	b := besiege(t)
	defer func() { close(b.stop); b.wg.Wait() }()
	for _, a := range attacks() {
		runtime.GC()
		b.peak.Store(heap())
		before := b.decided.Load()
		o := a.run(t, b)
		for b.decided.Load() == before && b.wrong.Load() == nil {
			runtime.Gosched()
		}
		o.Peak = b.peak.Load()
		if o.Peak > maxHeap {
			t.Errorf("%s: %s: the heap reached %d MiB", a.class, a.name, o.Peak>>20)
		}
		if w := b.wrong.Load(); w != nil {
			t.Fatalf("%s: %s: %v", a.class, a.name, w)
		}
		fmt.Println(string(mustJSON(t, o)))
	}
}

func (a attack) run(t *testing.T, b *besieged) outcome {
	o := outcome{Class: a.class, Name: a.name, End: atActivation}
	set, list := activateEE(t, a.files)
	if set == nil {
		for _, f := range list {
			if strings.Contains(f.Message, a.want) && f.Input == "rules/ee" && len(f.String()) < 3000 {
				o.Finding = f.String()
			}
		}
		if a.end != atActivation || o.Finding == "" {
			t.Errorf("%s: %s: want it %s with %q: %.600v", a.class, a.name, a.end, a.want, list)
		}
		return o
	}
	ee := set.layers["ee"]
	set.layers = maps.Clone(sampleSet(t).layers)
	set.layers["ee"] = ee
	o.End, o.Finding = a.ask(t, b, set)
	if o.End != a.end || !strings.Contains(o.Finding, a.want) {
		t.Errorf("%s: %s: %s %q, want it %s %q", a.class, a.name, o.End, o.Finding, a.end, a.want)
	}
	return o
}

// ask activates the set and asks it about the package that it was made for.
func (a attack) ask(t *testing.T, b *besieged, set *Set) (end, detail string) {
	e := NewEngine(Config{AllowSamples: true, Timeout: 50 * time.Millisecond})
	if err := errors.Join(e.Activate(set), b.engine.Activate(set)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.engine.Activate(sampleSet(t)); err != nil {
			t.Error(err)
		}
	}()
	ds, err := e.Decide(context.Background(), request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"case_ref": "LOOP"})))
	switch {
	case errors.Is(err, ErrEngine) && ds == nil:
		return atDeadline, err.Error()
	case err != nil:
		return err.Error(), ""
	case ds[0].Verdict == Denied:
		return atDecision, strings.Join(codes(ds[0].Reasons), " ")
	}
	return harmless, ""
}
