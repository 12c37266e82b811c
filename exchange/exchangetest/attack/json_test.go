package attack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// TestJSON: one reading of every text: no name twice, none that is unknown or
// spelt in other letters, no null, no control characters, bounded depth (J14,
// J15, J24).
func TestJSON(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	cs := carriers(k)
	f := a.forge()
	for i, text := range []string{f.manifest.payload, f.statement.payload, strings.ReplaceAll(k.payload, fmt.Sprint(iat), fmt.Sprint(a.Clock.Now().Unix()))} {
		a.run(mutations(cs[i], text)...)
	}
	a.run(each(2, attacks(cs, headerTexts()))...)
	a.run(each(3, attacks(cs, characters()))...)
	a.run(each(2, deep(k))...)
	a.given(k)
	a.accepted()
}

// place is a value in a JSON text: prefix + value + suffix is the whole.
type place struct{ path, prefix, value, suffix string }

// members lists the members of an object, with their values' places.
func (p place) members() (names []string, values []place) {
	d := json.NewDecoder(strings.NewReader(p.value))
	_, err := d.Token()
	must(err)
	prefix := p.prefix + "{"
	for d.More() {
		name, err := d.Token()
		must(err)
		var raw json.RawMessage
		must(d.Decode(&raw))
		at := len(prefix) - len(p.prefix) + len(quote(name.(string))) + 1
		prefix = p.prefix + p.value[:at]
		rest := p.value[at+len(raw):]
		names = append(names, name.(string))
		values = append(values, place{p.path + "/" + name.(string), prefix, string(raw), rest + p.suffix})
		prefix += string(raw) + ","
	}
	return names, values
}

// elements are those of a list.
func (p place) elements() (values []place) {
	var list []json.RawMessage
	must(json.Unmarshal([]byte(p.value), &list))
	at := 1
	for i, raw := range list {
		values = append(values, place{fmt.Sprintf("%s/%d", p.path, i), p.prefix + p.value[:at], string(raw), p.value[at+len(raw):] + p.suffix})
		at += len(raw) + 1
	}
	return values
}

// mutations are changes of a payload at every level of it. Its text has no
// blanks, as all that is sealed.
func mutations(c carrier, text string) (all []attack) {
	as := func(row, name, changed, reason string) {
		want := form(reason)(c)
		if strings.Contains(name, "/params/") && reason != "duplicate-member" { // which may hold anything, but not what was not asked for
			want = refusal(c.action, api.Conflict, "acknowledgement-differs")
		}
		all = append(all, attack{row: row, name: c.name + ": " + name, from: c.from, want: want, make: c.make(func(j *jws) { j.payload = changed })})
	}
	var visit func(p place)
	visit = func(p place) {
		switch p.value[0] {
		case '[':
			for _, e := range p.elements() {
				visit(e)
			}
		case '{':
			names, values := p.members()
			rest := p.value[1:]
			if rest != "}" {
				rest = "," + rest
			}
			reason := "unknown-member"
			if p.path == "/texts" { // whose names are free, and whose values are texts
				reason = "type"
			}
			as("J15", "a member more in "+p.path+"/", p.prefix+`{"hunch":true`+rest+p.suffix, reason)
			for i, name := range names {
				v := values[i]
				member := quote(name) + ":"
				escaped := fmt.Sprintf(`"\u%04x%s":`, name[0], name[1:])
				upper := quote(strings.ToUpper(name[:1]) + name[1:])
				as("J14", v.path+" twice", v.prefix+v.value+","+member+v.value+v.suffix, "duplicate-member")
				as("J14", v.path+" twice, escaped", v.prefix+v.value+","+escaped+v.value+v.suffix, "duplicate-member")
				as("J15", v.path+" in upper case", strings.TrimSuffix(v.prefix, member)+upper+":"+v.value+v.suffix, "unknown-member")
				as("J14", v.path+" null", v.prefix+"null"+v.suffix, "type")
				visit(v)
			}
		}
	}
	visit(place{value: text})
	return each(5, all)
}

// each takes one of n; with time, all. Many are made from maps, so that it is
// another one in another run.
func each(n int, all []attack) (some []attack) {
	for i, c := range all {
		if i%n == 0 || torture.On() {
			some = append(some, c)
		}
	}
	return some
}

// headerTexts: names twice in a header, in other letters, and what is no JSON
// (J14, J15).
func headerTexts() (flaws []flaw) {
	for _, name := range []string{"alg", "kid", "typ"} {
		value := func(j *jws) string {
			i := strings.Index(j.header, quote(name)+":") + len(quote(name)) + 1
			return j.header[i:][:strings.IndexByte(j.header[i+1:], '"')+2]
		}
		for spelling, as := range map[string]string{"the same": quote(name), "escaped": fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:]), "escaped otherwise": fmt.Sprintf(`"%s\u%04X"`, name[:2], name[2])} {
			flaws = append(flaws,
				flaw{"J14", name + " twice, " + spelling, func(j *jws) { add(as + ":" + value(j))(j) }, form("duplicate-member")},
				flaw{"J14", name + " twice, " + spelling + ", the other one first", func(j *jws) { addFirst(as + ":" + value(j))(j) }, form("duplicate-member")})
		}
		for _, other := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name + " ", " " + name, name + `\u0000`, name[:1] + "\u200b" + name[1:]} {
			reason := "unknown-member"
			if strings.Contains(other, `\u0000`) {
				reason = "characters"
			}
			flaws = append(flaws,
				flaw{"J15", fmt.Sprintf("%q besides %s", other, name), func(j *jws) { add(`"` + other + `":` + value(j))(j) }, form(reason)},
				flaw{"J15", fmt.Sprintf("%q instead of %s", other, name), func(j *jws) { in(&j.header, `"`+name+`"`, `"`+other+`"`) }, form(reason)})
		}
	}
	whole := func(name, reason string, change func(s string) string) {
		flaws = append(flaws, flaw{"J14", "header " + name, func(j *jws) { j.header = change(j.header) }, form(reason)},
			flaw{"J14", "payload " + name, func(j *jws) { j.payload = change(j.payload) }, form(reason)})
	}
	for _, tail := range []string{"{}", "null", ",", "}", "]", "x", "/**/", "//", "\x00", "\ufeff", "\u00a0", "\v"} {
		whole(fmt.Sprintf("with %q behind it", tail), "json", func(s string) string { return s + tail })
	}
	for _, head := range []string{"\ufeff", "\x00", "\u00a0", "/**/", "//\n", "[", ",", ")]}',\n", "x", "\xff\xfe"} {
		whole(fmt.Sprintf("with %q before it", head), "type", func(s string) string { return head + s })
	}
	whole("with a comma at the end", "json", func(s string) string { return strings.TrimSuffix(s, "}") + ",}" })
	whole("cut", "json", func(s string) string { return s[:len(s)-1] })
	whole("without the first brace", "type", func(s string) string { return s[1:] })
	whole("in single quotes", "type", func(s string) string { return strings.ReplaceAll(s, `"`, `'`) })
	whole("without a colon", "json", func(s string) string { return strings.Replace(s, ":", " ", 1) })
	whole("with an equals sign", "json", func(s string) string { return strings.Replace(s, ":", "=", 1) })
	whole("with a semicolon", "json", func(s string) string { return strings.Replace(s, `,"`, `;"`, 1) })
	whole("in UTF-16", "type", func(s string) string { return "\xff\xfe" + strings.Join(strings.Split(s, ""), "\x00") + "\x00" })
	return flaws
}

// characters: what no text may hold, in names and values (J24).
func characters() (flaws []flaw) {
	for name, c := range map[string]struct{ text, reason string }{
		"a lone byte": {"\xff", "characters"}, "a continuation": {"\x80", "characters"}, "a sequence cut off": {"\xe2\x82", "characters"}, "overlong NUL": {"\xc0\x80", "characters"}, "overlong slash": {"\xe0\x80\xaf", "characters"},
		"a surrogate in bytes": {"\xed\xa0\x80", "characters"}, "a pair in bytes": {"\xed\xa0\x80\xed\xb0\x80", "characters"}, "beyond Unicode": {"\xf4\x90\x80\x80", "characters"}, "five bytes": {"\xf8\x88\x80\x80\x80", "characters"},
		"Latin-1": {"\xe9t\xe9", "characters"}, "NUL": {"\x00", "characters"}, "NUL, escaped": {`\u0000`, "characters"}, "BEL": {"\a", "characters"}, "ESC, escaped": {`\u001b[2J`, "characters"}, "DEL": {"\x7f", "characters"}, "C1": {"\u0085", "characters"},
		"a tab": {"\t", "characters"}, "a tab, escaped": {`\t`, "characters"}, "a line": {"\n", "characters"}, "a line, escaped": {`\n`, "characters"}, "U+2028": {"\u2028", "characters"}, "turned": {"\u202e", "characters"}, "turned, escaped": {`\u202E`, "characters"},
		"isolate": {"\u2066", "characters"}, "a mark": {"\ufeff", "characters"}, "a noncharacter": {"\uffff", "characters"}, "a noncharacter, escaped": {`\uFFFE`, "characters"}, "a noncharacter of plane 1": {"\U0001ffff", "characters"},
		"a high surrogate": {`\ud800`, "json"}, "a low surrogate": {`\udc00`, "json"}, "a pair the wrong way": {`\udc00\ud800`, "json"}, "two high ones": {`\ud800\ud800`, "json"}, "half an escape": {`\u12"`, "json"}, "an unknown escape": {`\x41`, "json"},
		"an octal escape": {`\101`, "json"}, "an escape of no digits": {`\uzzzz`, "json"}, "a quote": {`"`, "*"}, "a backslash": {`\`, "*"},
	} {
		flaws = append(flaws,
			flaw{"J24", name + " in a value of the payload", claim(`"iss":"`, `"iss":"`+c.text), form(c.reason)},
			flaw{"J24", name + " in a name of the payload", func(j *jws) { j.payload = `{"` + c.text + `":1,` + j.payload[1:] }, form(c.reason)},
			flaw{"J24", name + " in a value of the header", set("typ", `"`+c.text+`"`), form(c.reason)},
			flaw{"J24", name + " in a name of the header", add(`"` + c.text + `":1`), form(c.reason)})
	}
	return flaws
}

// deep: nesting where any value may stand (J23): national members of meta, and
// the parameters of an obligation.
func deep(k *acknowledgement) (all []attack) {
	for _, depth := range []int{13, 14, 20, 100, 1000, 4000} {
		for open, end := range map[string]string{"[": "]", `{"a":`: "}"} {
			value := strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth)
			if len(value) > 12_000 {
				value = value[:12_000] // not even closed
			}
			all = append(all, attack{row: "J23", name: fmt.Sprintf("manifest: %d levels of %s", depth, open), want: malformed("manifest:depth"),
				make: post(func(f *forgery) { in(&f.manifest.payload, `"meta":{`, `"meta":{"ext":{"ee":{"x":`+value+`}},`) })})
			if depth < 1000 {
				all = append(all, attack{row: "J23", name: fmt.Sprintf("acknowledgement: %d levels of %s", depth, open), from: "lv/vp", want: refusal("package.acknowledge", api.EnvelopeMalformed, "acknowledgement:depth"),
					make: func(a *arena) request {
						return k.request(a, func(j *jws) {
							before, _, _ := strings.Cut(j.payload, `"obligations":[`)
							j.payload = before + `"obligations":[{"code":"x","params":{"x":` + value + `}}]}`
						})
					}})
			}
		}
	}
	return all
}
