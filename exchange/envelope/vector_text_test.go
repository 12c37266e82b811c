package envelope

import (
	"strconv"
	"strings"
)

// The vectors of JSON as a text. What is accepted matters as much as what is
// refused: a parser that normalises, trims or rounds fails here too.

// characters of a string: the edges of each range that may not stand.
func (b *table) characters() {
	in := func(text string) string { return strings.Replace(why, "in Riga", text, 1) }
	hex := func(c rune) string { return strings.ToLower(strconv.FormatInt(int64(c), 16)) }
	for _, c := range []rune{
		' ', '~', 0xa0, 0xad, 0x200b, 0x200e, 0x200f, 0x2027, 0x202f, 0x2065, 0x206a, 0xd7ff, 0xe000, 0xfdd0, 0xfefe, 0xfffd, 0x10000, 0x1f694, 0x1fffd, 0x20000, 0xe0001, 0x10fffd, 0x301, 0x61c,
	} {
		b.statement("accept-char-"+hex(c), "a character that may stand, as it is", "", why, in(string(c)+"x"))
	}
	for _, c := range []rune{0x7f, 0x80, 0x9f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff, 0xfffe, 0xffff, 0x1fffe, 0x1ffff, 0x10fffe, 0x10ffff} {
		b.statement("char-"+hex(c), "J24: a character that may not stand, as it is", ReasonCharacters, why, in(string(c)+"x"))
		b.statement("char-"+hex(c)+"-escaped", "J24: a character that may not stand, escaped", ReasonCharacters, why, in(escaped(c)+"x"))
	}
	for _, c := range []rune{0, 1, 8, 9, 0xa, 0xd, 0x1f} {
		b.statement("char-"+hex(c), "J24: a control character, as it is", ReasonCharacters, why, in(string(c)+"x"))
		b.statement("char-"+hex(c)+"-escaped", "J24: a control character, escaped", ReasonCharacters, why, in(escaped(c)+"x"))
	}
	for name, escape := range map[string]string{"b": `\b`, "f": `\f`, "n": `\n`, "r": `\r`, "t": `\t`} {
		b.statement("escape-"+name, "J24: a control character by its short escape", ReasonCharacters, why, in(escape))
	}
	for name, escape := range map[string]string{
		"quote": `\"`, "backslash": `\\`, "slash": `\/`, "lower": `\u00f5`, "upper": `\u00F5`, "mixed": `\u1E9e`, "pair": `\uD83D\uDE94`, "pair-lower": `\ud83d\ude94`, "first-pair": `\ud800\udc00`, "last-pair": `\udbff\udffd`, "digit": `\u0030`,
	} {
		b.statement("accept-escape-"+name, "an escape that RFC 8259 has", "", why, in(escape))
	}
	for name, escape := range map[string]string{
		"unknown": `\a`, "upper-u": `\U00e9`, "hex": `\x41`, "octal": `\101`, "apostrophe": `\'`, "short": `\u12`, "no-hex": `\u12g4`, "plus": `\u+123`, "braces": `\u{1f694}`, "high-alone": `\ud83d`, "low-alone": `\ude94`,
		"high-high": `\ud83d\ud83d`, "reversed": `\ude94\ud83d`, "high-then-letter": `\ud83dA`, "high-then-escape": `\ud83d\u0041`, "high-then-raw": `\ud83d` + "\U0001f694", "line": "\\\n", "end": `\`,
	} {
		v := b.statement("bad-escape-"+name, "no escape of RFC 8259, or half a pair", ReasonJSON, why, in(escape))
		if name == "end" {
			v.About = "an escape of the closing quotation mark"
		}
	}
	for name, text := range map[string]string{
		"c0-80": "\xc0\x80", "c1": "\xc1\xbf", "overlong-3": "\xe0\x80\xaf", "overlong-4": "\xf0\x80\x80\xaf", "beyond": "\xf4\x90\x80\x80", "f5": "\xf5\x80\x80\x80", "fe": "\xfe", "lone": "\x80", "cut-2": "\xc3", "cut-3": "\xe2\x82",
		"cut-4": "\xf0\x9f\x9a", "cesu": "\xed\xa0\xbd\xed\xba\x94", "latin1": "\xf5", "five": "\xf8\x88\x80\x80\x80",
	} {
		b.statement("utf8-"+name, "J24: no UTF-8 (RFC 3629)", ReasonCharacters, why, in(text))
	}
}

// escaped writes a character as an escape, or a pair of them.
func escaped(c rune) string {
	unit := func(c rune) string {
		return `\u` + strings.Repeat("0", 4-len(strconv.FormatInt(int64(c), 16))) + strconv.FormatInt(int64(c), 16)
	}
	if c < 0x10000 {
		return unit(c)
	}
	return unit(0xd800+(c-0x10000)>>10) + unit(0xdc00+(c-0x10000)&0x3ff)
}

// national is a meta with one national member.
func national(value string) string {
	return strings.Replace(flatMeta, `"v":1`, `"v":1,"ext":{"ee":{"n":`+value+`}}`, 1)
}

func (b *table) numbers() {
	for name, n := range map[string]string{"0": "0", "minus-1": "-1", "most": "9007199254740991", "least": "-9007199254740991", "10": "10"} {
		b.text("meta", "accept-number-"+name, "an integer within 2^53", "", national(n))
	}
	for name, n := range map[string]string{"2-53": "9007199254740992", "minus-2-53": "-9007199254740992", "int64": "9223372036854775807"} {
		b.text("meta", "number-"+name, "an integer within 2^53", ReasonValue, national(n))
	}
	for name, n := range map[string]string{
		"minus-0": "-0", "1-0": "1.0", "1e3": "1e3", "1E3": "1E3", "1e-3": "1e-3", "1e+0": "1e+0", "0e0": "0e0", "0-0": "0.0", "leading-zero": "01", "two-zeros": "00", "minus-leading-zero": "-01", "dot-end": "1.", "exp-end": "1e", "exp-sign": "1e+",
		"minus": "-", "minus-minus": "--1", "1000-digits": "1" + strings.Repeat("0", 999), "1e400": "1e400", "2-64": "18446744073709551616", "fraction-tiny": "0." + strings.Repeat("0", 400) + "1",
	} {
		b.text("meta", "number-"+strings.ToLower(name)+suffixOf(name), "J35: an integer of RFC 8259, without fraction, exponent, leading zero or minus zero", ReasonNumber, national(n))
	}
	for name, n := range map[string]string{"hex": "0x10", "underscore": "1_000", "suffix": "1n", "inner-space": "1 0", "octal": "0o7", "comma": "1,5"} {
		b.text("meta", "number-"+name, "no number of RFC 8259", map[bool]string{true: ReasonType, false: ReasonJSON}[name == "comma"], national(n))
	}
	for name, n := range map[string]string{"plus": "+1", "dot": ".5", "nan": "NaN", "infinity": "Infinity", "minus-infinity": "-Infinity", "wide": "１", "true": "True", "nul": "nul", "undefined": "undefined"} {
		reason := ReasonType
		switch name {
		case "minus-infinity":
			reason = ReasonNumber
		case "nul":
			reason = ReasonJSON
		}
		b.text("meta", "literal-"+name, "no value of RFC 8259", reason, national(n))
	}
	for name, n := range map[string]string{"true": "true", "false": "false", "null": "null", "empty-object": "{}", "empty-list": "[]", "empty-string": `""`, "spaced": "\t[ 1 ,\n{ } , [ ] ]\r\n"} {
		b.text("meta", "accept-literal-"+name, "any value may stand among the national members", "", national(n))
	}
}

// suffixOf keeps two names apart that differ in case only.
func suffixOf(name string) string {
	if strings.Contains(name, "E") {
		return "-upper"
	}
	return ""
}

// names of members: compared after escapes, and nothing but compared.
func (b *table) names() {
	ok := func(name, about, object string) { b.text("meta", "accept-name-"+name, about, "", national(object)) }
	no := func(name, about, object string) {
		b.text("meta", "name-twice-"+name, about, ReasonDuplicateMember, national(object))
	}
	ok("proto", "a name like any other", `{"__proto__":1,"constructor":2,"toString":3,"hasOwnProperty":4}`)
	ok("empty", "a name may be empty", `{"":1}`)
	ok("case", "names that differ in case are two", `{"a":1,"A":2}`)
	ok("normalisation", "names are compared by code points, not normalised", "{\"\u00e9\":1,\"e\u0301\":2}")
	ok("space", "names that differ in a space are two", `{"a":1,"a ":2," a":3}`)
	ok("escaped-once", "an escaped name, once", `{"\u0061":1,"b":2}`)
	ok("same-below", "one name at several depths", `{"a":{"a":{"a":1}}}`)
	ok("same-beside", "one name in several objects", `[{"a":1},{"a":1}]`)
	members := func(n int) string { return `{"` + strings.Join(numbered("m", n), `":0,"`) + `":0` }
	ok("many", "200 members", members(200)+"}")
	no("proto", "J14: no member twice, whatever its name", `{"__proto__":1,"__proto__":2}`)
	no("empty", "J14: no member twice, the empty name too", `{"":1,"":2}`)
	no("slash", "J14: compared after escapes", `{"a/b":1,"a\/b":2}`)
	no("unicode", "J14: compared after escapes", `{"õ":1,"\u00F5":2}`)
	no("pair", "J14: compared after escapes", `{"🚔":1,"\ud83d\ude94":2}`)
	no("deep", "J14: at any depth", `{"a":[{"b":{"c":1,"d":2,"c":3}}]}`)
	no("same-value", "J14: with the same value too", `{"a":1,"a":1}`)
	no("last-of-many", "J14: however many there are", members(200)+`,"m0":1}`)
	no("tail-of-many", "J14: however many there are", members(200)+`,"m199":1}`)
	no("seventeenth", "J14: however many there are", members(16)+`,"m15":1}`)
	b.text("meta", "name-number", "names are strings", ReasonType, national(`{1:1}`))
	b.text("meta", "name-bare", "names are strings", ReasonType, national(`{a:1}`))
	b.text("meta", "name-control", "no control character in a name", ReasonCharacters, national(`{"a\u0000":1}`))
	b.text("meta", "name-bidi", "no control of the writing direction in a name", ReasonCharacters, national("{\"a\u202e\":1}"))
	b.text("meta", "name-surrogate", "no half of a pair in a name", ReasonJSON, national(`{"\ud800":1}`))
	for _, name := range []string{"__proto__", "constructor", "toString", "hasOwnProperty", ""} {
		b.payload("json-unknown-name-"+strings.Trim(name, "_"), "no unknown members, whatever their name", ReasonUnknownMember, `"meta"`, `"`+name+`":1,"meta"`)
	}
}

// syntax of RFC 8259, in a payload that is signed.
func (b *table) syntax() {
	no := func(name, about, reason, old, new string) { b.payload("syntax-"+name, about, reason, old, new) }
	no("colon", "a colon after the name", ReasonJSON, `"iat":`, `"iat" `)
	no("two-colons", "one colon", ReasonType, `"iat":`, `"iat"::`)
	no("two-commas", "one comma", ReasonType, `,"iat"`, `,,"iat"`)
	no("no-comma", "a comma between members", ReasonJSON, `,"iat"`, ` "iat"`)
	no("semicolon", "a comma between members", ReasonJSON, `,"iat"`, `;"iat"`)
	no("comma-first", "no comma before the first member", ReasonType, `{"exchange"`, `{,"exchange"`)
	no("list-comma", "no comma at the end of a list", ReasonJSON, "@AUD@", `["lv/vp",]`)
	no("list-comma-first", "no comma before the first element", ReasonType, "@AUD@", `[,"lv/vp"]`)
	no("list-crossed", "brackets close what they opened", ReasonJSON, "@AUD@", `["lv/vp"}`)
	no("line-comment", "no comments", ReasonType, `{"exchange"`, "{//\n\"exchange\"")
	no("hash-comment", "no comments", ReasonType, `{"exchange"`, "{#\n\"exchange\"")
	no("nbsp", "white space is space, tab, line feed and carriage return", ReasonType, `,"iat"`, ",\u00a0\"iat\"")
	no("form-feed", "white space is space, tab, line feed and carriage return", ReasonType, `,"iat"`, ",\f\"iat\"")
	no("vertical-tab", "white space is space, tab, line feed and carriage return", ReasonType, `,"iat"`, ",\v\"iat\"")
	no("next-line", "white space is space, tab, line feed and carriage return", ReasonType, `,"iat"`, ",\u0085\"iat\"")
	no("ideographic-space", "white space is space, tab, line feed and carriage return", ReasonType, `,"iat"`, ",\u3000\"iat\"")
	no("bom-inside", "no byte order mark between tokens", ReasonType, `,"iat"`, ",\ufeff\"iat\"")
	no("nul-after", "nothing after the payload", ReasonJSON, `"meta":@META@}`, `"meta":@META@}`+"\x00")
	no("brace-after", "nothing after the payload", ReasonJSON, `"meta":@META@}`, `"meta":@META@}}`)
	no("comma-after", "nothing after the payload", ReasonJSON, `"meta":@META@}`, `"meta":@META@},`)
	no("smart-quotes", "strings in quotation marks of ASCII", ReasonType, `"iat"`, "\u201ciat\u201d")
	whole := func(name, about, reason, payload string) {
		b.manifest("payload-is-"+name, about, reason, func(f *forge) { f.manifestPayload = payload })
	}
	for name, payload := range map[string]string{"null": "null", "true": "true", "number": "1", "string": `"x"`, "text": "x", "space": " ", "xml": "<manifest/>", "cbor": "\xa1\x61a\x01"} {
		whole(name, "a payload is an object", ReasonType, payload)
	}
	whole("empty-object", "members are required", ReasonMissingMember, "{}")
	b.manifest("payload-is-twice", "one object", ReasonJSON, func(f *forge) { f.manifestPayload += "\n" + f.manifestPayload })
	b.manifest("payload-is-utf16", "UTF-8, no other encoding", ReasonType, func(f *forge) {
		m, _, _ := f.build()
		payload, _ := decode64([]byte(strings.Split(m, ".")[1]))
		var wide strings.Builder
		for _, c := range payload {
			wide.WriteByte(0)
			wide.WriteByte(c)
		}
		f.manifestPayload = wide.String()
	})
	b.manifest("payload-is-base64", "encoded once", ReasonType, func(f *forge) {
		m, _, _ := f.build()
		f.manifestPayload = strings.Split(m, ".")[1]
	})
	b.manifest("accept-white-space", "each white space wherever it may stand", "", func(f *forge) {
		m, _, _ := f.build()
		payload, _ := decode64([]byte(strings.Split(m, ".")[1]))
		f.manifestPayload = spaced(string(payload))
	})
}

// spaced puts white space around each token of a JSON text.
func spaced(text string) string {
	var out strings.Builder
	quotes := false
	for _, c := range text {
		if c == '"' {
			quotes = !quotes
		}
		if !quotes && strings.ContainsRune("{}[]:,", c) {
			out.WriteString(" \t" + string(c) + "\r\n")
		} else {
			out.WriteRune(c)
		}
	}
	return "\n" + out.String() + "\t"
}

// depths: objects and lists nest 16 deep, counted from the text's own object.
func (b *table) depths() {
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "0" + strings.Repeat("}", n) }
	// ext and the jurisdiction's object are levels 2 and 3 of meta, 3 and 4 of a manifest.
	b.text("meta", "accept-depth-lists", "16 levels", "", national(lists(13)))
	b.text("meta", "depth-lists", "J23: at most 16 levels", ReasonDepth, national(lists(14)))
	b.text("meta", "accept-depth-objects", "16 levels", "", national(objects(13)))
	b.text("meta", "depth-objects", "J23: at most 16 levels", ReasonDepth, national(objects(14)))
	b.text("meta", "accept-depth-beside", "depth is not the number of brackets", "", national("["+repeated(lists(12), 50)+"]"))
	b.payload("accept-depth", "16 levels, the manifest's own object the first", "", "@META@", national(lists(12)))
	b.payload("depth-17", "J23: at most 16 levels", ReasonDepth, "@META@", national(lists(13)))
	b.text("meta", "depth-7000", "J23: very deep", ReasonDepth, national(strings.Repeat("[", 7000)))
	b.text("meta", "accept-brackets-in-string", "brackets in a string nest nothing", "", national(`"`+strings.Repeat("[{", 40)+`"`))
}
