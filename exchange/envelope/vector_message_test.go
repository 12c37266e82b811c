package envelope

import (
	"strings"
)

const saltMember = `"salt":"` + forgeSalt + `"`

// attached is a message with one attachment, as a list of pairs of old and new.
func (b *table) attached(pairs ...string) string {
	f := &forge{t: b.t}
	return f.replaceAll(pairs...)(`{` + saltMember + `,"attachments":[{"name":"scan.pdf","media_type":"application/pdf","key":"` + forgeSalt + `","size":1,"sha256":"` + forgeSalt + `"}]}`)
}

func (b *table) message(name, about, reason, members string) {
	b.text("message", name, about, reason, `{`+saltMember+`,`+members+`}`)
}

func (b *table) messages() {
	b.text("message", "no-salt", "salt is required", ReasonMissingMember, `{"text":"x"}`)
	b.text("message", "salt-short", "32 bytes", ReasonBase64, `{"salt":"AAAA"}`)
	b.text("message", "salt-33", "32 bytes", ReasonBase64, `{"salt":"`+encode64(make([]byte, 33))+`"}`)
	b.text("message", "salt-bits", "canonical", ReasonBase64, `{"salt":"`+forgeSalt[:42]+`9"}`)
	b.text("message", "salt-null", "a string", ReasonType, `{"salt":null}`)
	b.text("message", "salt-twice", "J14: no member twice", ReasonDuplicateMember, `{`+saltMember+`,`+saltMember+`}`)
	b.text("message", "accept-salt", "the least message", "", `{`+saltMember+`}`)
	b.text("message", "accept-white-space", "white space wherever it may stand", "", spaced(`{`+saltMember+`,"counts":{"a":1},"attachments":[]}`))
	m := b.message
	m("unknown", "no unknown members", ReasonUnknownMember, `"html":"x"`)
	m("twice", "no member twice", ReasonDuplicateMember, `"structured":{"format":"x","body":{"a":1,"a":2}}`)
	m("twice-text", "no member twice", ReasonDuplicateMember, `"text":"a","te\u0078t":"b"`)
	m("nul", "no control character", ReasonCharacters, `"text":"\u0000"`)
	m("raw-newline", "a line break is escaped", ReasonCharacters, "\"text\":\"a\nb\"")
	m("raw-tab", "a tab is escaped", ReasonCharacters, "\"text\":\"a\tb\"")
	m("backspace", "no control character", ReasonCharacters, `"text":"\b"`)
	m("form-feed", "no control character", ReasonCharacters, `"text":"\f"`)
	m("escape", "no control character", ReasonCharacters, `"text":"\u001b[2J"`)
	m("del", "no control character", ReasonCharacters, "\"text\":\"\x7f\"")
	m("c1", "no control character", ReasonCharacters, `"text":"\u009b"`)
	m("bom", "no byte order mark in a text", ReasonCharacters, `"text":"\ufeff"`)
	m("noncharacter", "no noncharacter that ends a plane", ReasonCharacters, "\"text\":\"\U0001ffff\"")
	m("lone-surrogate", "no half of a pair", ReasonJSON, `"text":"\ud83d"`)
	m("accept-breaks", "tab, line feed and carriage return, escaped, short or not", "", `"text":"\t\n\r\u0009\u000a\u000D"`)
	m("accept-direction", "controls of the writing direction, as they are and escaped", "", "\"text\":\"\u202a\u202e\u2066\u2069\u2028\u2029"+`\u202b\u2067"`)
	m("accept-breaks-in-subject", "line breaks in a subject too", "", `"subject":"a\nb"`)
	m("accept-breaks-in-body", "line breaks in names and values of a body", "", `"structured":{"format":"x","body":{"a\nb":"c\td"}}`)
	m("format-newline", "a code", ReasonValue, `"structured":{"format":"x\n","body":1}`)
	m("text-number", "a string", ReasonType, `"text":1`)
	m("text-null", "absent or a string", ReasonType, `"text":null`)
	m("subject-list", "a string", ReasonType, `"subject":["x"]`)
	m("no-body", "format and body", ReasonMissingMember, `"structured":{"format":"x"}`)
	m("no-format", "format and body", ReasonMissingMember, `"structured":{"body":1}`)
	m("structured-unknown", "format and body", ReasonUnknownMember, `"structured":{"format":"x","body":1,"version":1}`)
	m("structured-null", "absent or an object", ReasonType, `"structured":null`)
	m("counts-list", "absent or an object", ReasonType, `"counts":[]`)
	m("counts-twice", "no member twice", ReasonDuplicateMember, `"counts":{"a":1,"\u0061":1}`)
	m("counts-name", "codes", ReasonValue, `"counts":{"a b":1}`)
	m("counts-name-empty", "codes", ReasonValue, `"counts":{"":1}`)
	m("attachments-null", "absent or a list", ReasonType, `"attachments":null`)
	for name, body := range map[string]string{"null": "null", "string": `"x"`, "true": "true", "list": "[]", "object": `{"":{"":[]}}`} {
		m("accept-body-"+name, "any value", "", `"structured":{"format":"umf:2.0","body":`+body+`}`)
	}
	for name, text := range map[string]string{"empty": "", "list": "[]", "null": "null", "plain": "Two persons, one car."} {
		b.text("message", "is-"+name, "an object", ReasonType, text)
	}
	b.text("message", "trailing", "nothing after", ReasonJSON, `{`+saltMember+`} x`)
	b.text("message", "utf8", "valid UTF-8", ReasonCharacters, "{"+saltMember+",\"text\":\"\xff\"}")
	b.text("message", "bom-before", "no byte order mark", ReasonType, "\ufeff{"+saltMember+"}")
	v := b.text("message", "accept-8-mib", "the largest message, by white space", "", `{`+saltMember+`}`)
	v.pad("message", MaxContent-len(v.Parts["message"]))
	v = b.text("message", "long", "at most 8 MiB: one byte more", ReasonTooLarge, `{`+saltMember+`}`)
	v.pad("message", MaxContent+1-len(v.Parts["message"]))
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	m("depth", "at most 16 levels", ReasonDepth, `"structured":{"format":"x","body":`+lists(15)+`}`)
	m("accept-depth", "16 levels", "", `"structured":{"format":"x","body":`+lists(14)+`}`)
}

// messageEdges: for each limit the last that is accepted, the first that is refused.
func (b *table) messageEdges() {
	m := b.message
	m("accept-subject-1000", "the longest subject; characters are counted", "", `"subject":"`+strings.Repeat("🚔", 1000)+`"`)
	m("subject-1001", "a subject of at most 1000 characters", ReasonValue, `"subject":"`+strings.Repeat("x", 1001)+`"`)
	m("accept-empty-texts", "subject and text may be empty", "", `"subject":"","text":"","counts":{},"attachments":[]`)
	counts := func(n int) string { return `"counts":{"` + strings.Join(numbered("c", n), `":0,"`) + `":0}` }
	m("accept-counts-256", "256 counts", "", counts(256))
	m("counts-257", "at most 256 counts", ReasonCount, counts(257))
	m("accept-count-most", "within 2^53", "", `"counts":{"a":9007199254740991}`)
	m("count-2-53", "within 2^53", ReasonValue, `"counts":{"a":9007199254740992}`)
	m("count-negative", "from 0", ReasonValue, `"counts":{"a":-1}`)
	m("count-minus-0", "an integer, without minus zero", ReasonNumber, `"counts":{"a":-0}`)
	m("counts-fraction", "counts are integers", ReasonNumber, `"counts":{"a":1.5}`)
	m("counts-exponent", "counts are integers", ReasonNumber, `"counts":{"a":1e2}`)
	m("accept-counts-name-64", "the longest code", "", `"counts":{"`+strings.Repeat("c", 64)+`":1}`)
	m("counts-name-65", "a code of at most 64", ReasonValue, `"counts":{"`+strings.Repeat("c", 65)+`":1}`)
	m("accept-proto", "__proto__ is a code", "", `"counts":{"__proto__":1},"structured":{"format":"x","body":{"__proto__":{"a":1}}}`)
	one := strings.TrimSuffix(strings.TrimPrefix(b.attached(), `{`+saltMember+`,"attachments":[`), "]}")
	m("accept-attachments-64", "64 attachments, alike", "", `"attachments":[`+repeated(one, 64)+`]`)
	m("attachments-65", "at most 64", ReasonCount, `"attachments":[`+repeated(one, 65)+`]`)
	for _, member := range []string{"name", "media_type", "key", "size", "sha256"} {
		m("attachment-no-"+strings.ReplaceAll(member, "_", "-"), "every member is required", ReasonMissingMember, `"attachments":[`+dropped(one, member)+`]`)
	}
	text := func(name, about, reason string, pairs ...string) {
		b.text("message", name, about, reason, b.attached(pairs...))
	}
	text("attachment-unknown", "exactly the members of the specification", ReasonUnknownMember, `"size"`, `"url":"http://127.0.0.1/","size"`)
	for name, file := range map[string]string{
		"path": "../x", "slash": "a/b", "backslash": `a\\b`, "dots": "..", "dot": ".", "empty": "", "bidi": "a\u202efdp.exe", "bidi-escaped": `a\u202efdp.exe`, "newline": `a\nb`, "line-separator": "a\u2028b", "isolate": "a\u2066b",
		"256": strings.Repeat("x", 256), "256-bytes": strings.Repeat("õ", 128), "absolute": "/etc/passwd", "drive": `C:\\x`, "escaped-slash": `a\/b`,
	} {
		text("name-"+name, "the name of a file, of at most 255 bytes, without path and without control of the writing direction", ReasonValue, "scan.pdf", file)
	}
	for name, file := range map[string]string{"255": strings.Repeat("x", 255), "254-bytes": strings.Repeat("õ", 127), "three-dots": "...", "spaces": " a b ", "hidden": ".profile", "letters": "шкіра.pdf", "signs": `a:b*c?\"<>|`, "emoji": "🚔.jpg", "device": "CON"} {
		text("accept-name-"+name, "a name that a file may have", "", "scan.pdf", file)
	}
	text("accept-media-type-longest", "127 and 127 characters", "", "application/pdf", strings.Repeat("a", 127)+"/"+strings.Repeat("b", 127))
	text("accept-media-type-signs", "every sign of RFC 6838 section 4.2", "", "application/pdf", "Aa0!#$&-^_.+/x+json")
	for name, media := range map[string]string{
		"128": strings.Repeat("a", 128) + "/b", "parameter": "text/plain;charset=utf-8", "star": "*/*", "no-subtype": "text", "empty-subtype": "text/", "two-slashes": "a/b/c", "space": "text/ plain", "empty": "",
	} {
		text("media-type-"+name, "a media type without parameters", ReasonValue, "application/pdf", media)
	}
	text("attachment-key-31", "32 bytes", ReasonBase64, `"key":"`+forgeSalt, `"key":"`+encode64(make([]byte, 31)))
	text("attachment-key-33", "32 bytes", ReasonBase64, `"key":"`+forgeSalt, `"key":"`+encode64(make([]byte, 33)))
	text("attachment-digest", "base64url of 32 bytes", ReasonValue, `"sha256":"`+forgeSalt, `"sha256":"`+forgeSalt[:42]+"9")
	text("accept-attachment-size-0", "an empty file", "", `"size":1`, `"size":0`)
	text("accept-attachment-size-most", "within 2^53", "", `"size":1`, `"size":9007199254740991`)
	text("attachment-size-2-53", "within 2^53", ReasonValue, `"size":1`, `"size":9007199254740992`)
	text("attachment-size-negative", "from 0", ReasonValue, `"size":1`, `"size":-1`)
	text("attachment-size-fraction", "an integer", ReasonNumber, `"size":1`, `"size":1.0`)
}

// messageNumbers: where any value may stand, numbers are those of RFC 8259.
func (b *table) messageNumbers() {
	body := func(name, about, reason, n string) {
		b.message(name, about, reason, `"structured":{"format":"x","body":[`+n+`]}`)
	}
	for name, n := range map[string]string{
		"fraction": "1.0", "exponent": "1e3", "exponent-upper": "1E+2", "exponent-minus": "1e-400", "exponent-large": "1e400", "minus-0": "-0", "minus-0-0": "-0.0e-0", "2-64": "18446744073709551616", "2-53": "9007199254740993", "0": "0", "exponent-zeros": "1e007",
		"64": strings.Repeat("9", 64), "64-fraction": "0." + strings.Repeat("3", 62),
	} {
		body("accept-number-"+name, "a number of RFC 8259, of at most 64 characters", "", n)
	}
	for name, n := range map[string]string{"65": strings.Repeat("9", 65), "65-fraction": "0." + strings.Repeat("3", 63), "leading-zero": "01", "dot-end": "1.", "minus": "-", "exponent-end": "1e", "exponent-sign": "1e-", "minus-dot": "-.5", "double-dot": "1..2"} {
		body("number-"+name, "no number of RFC 8259, or longer than 64 characters", ReasonNumber, n)
	}
	for name, n := range map[string]string{"plus": "+1", "dot": ".5", "nan": "NaN", "infinity": "Infinity"} {
		body("number-"+name, "no number of RFC 8259", ReasonType, n)
	}
	body("number-two-fractions", "one number", ReasonJSON, "1.2.3")
	body("number-hex", "no number of RFC 8259", ReasonJSON, "0x10")
}
