package envelope

// A grammar is a set of strings: as the regular expression that is published
// (ECMA-262 and RE2 read it alike), and as the function that decides.
type grammar struct {
	pattern string
	want    string // what is expected, for Detail
	format  string // JSON Schema format annotation, if any
	match   func(s []byte) bool
}

func (g grammar) schema() schema {
	s := schema{"type": "string", "pattern": g.pattern}
	if g.format != "" {
		s["format"] = g.format
	}
	return s
}

// class is a set of ASCII characters.
type class [256]bool

func classOf(ranges string) (c class) {
	for i := 0; i < len(ranges); i += 2 {
		for b := ranges[i]; b <= ranges[i+1]; b++ {
			c[b] = true
		}
	}
	return c
}

// within says whether s has min to max characters, all of the class.
func (c *class) within(s []byte, min, max int) bool {
	if len(s) < min || len(s) > max {
		return false
	}
	for _, b := range s {
		if !c[b] {
			return false
		}
	}
	return true
}

// run is the grammar of min to max characters of a class.
func run(ranges string, min, max int, pattern, want string) grammar {
	c := classOf(ranges)
	return grammar{pattern: pattern, want: want, match: func(s []byte) bool { return c.within(s, min, max) }}
}

var (
	lower = classOf("az09--")
	plain = classOf("AZaz09..__--")

	codeGrammar = run("AZaz.:__--", 1, 64, `^[A-Za-z0-9._:/-]{1,64}$`, "a code of 1 to 64 of A-Z a-z 0-9 . _ : / -")

	jurisdictionGrammar = run("az09--", 1, 32, `^[a-z0-9-]{1,32}$`, "the id of a jurisdiction")

	officerGrammar = run("AZaz09..__--", 1, 64, `^[A-Za-z0-9._-]{1,64}$`, "a pseudonym of 1 to 64 of A-Z a-z 0-9 . _ -")

	originGrammar = run("AZaz.:__--", 1, 255, `^[A-Za-z0-9._:/-]{1,255}$`, "a ledger origin")

	languageGrammar = run("az", 2, 2, `^[a-z]{2}$`, "a language code of ISO 639-1")

	gradeGrammar = run("AZ09", 1, 1, `^[A-Z0-9]$`, "one character of A-Z 0-9")

	digestGrammar = grammar{
		pattern: `^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`, want: "the base64url of a SHA-256 digest",
		match: isDigest,
	}

	agencyGrammar = grammar{
		pattern: `^[a-z0-9-]{1,32}/[a-z0-9-]{1,64}$`, want: "an agency id, jurisdiction/agency", match: isAgency,
	}

	uuidGrammar = grammar{
		pattern: `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		want:    "a UUIDv7 in lower case", match: isUUIDv7,
	}

	dateGrammar = grammar{
		pattern: `^(?:[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))` +
			`|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)-02-29)$`,
		want: "a date YYYY-MM-DD", format: "date", match: isDate,
	}

	nationalGrammar = grammar{
		pattern: `^national:[a-z0-9-]{1,32}:[A-Za-z0-9._-]{1,64}$`, want: "national:<jurisdiction>:<code>", match: isNational,
	}

	memberNameGrammar = run("az09__", 1, 64, `^[a-z0-9_]{1,64}$`, "the name of a member of meta")

	mediaTypeGrammar = grammar{
		pattern: `^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$`, want: "a media type without parameters", match: isMediaType,
	}
)

// cut splits s at the first separator byte.
func cut(s []byte, sep byte) (before, after []byte, found bool) {
	for i, c := range s {
		if c == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, nil, false
}

func isAgency(s []byte) bool {
	j, a, ok := cut(s, '/')
	return ok && lower.within(j, 1, 32) && lower.within(a, 1, 64)
}

func isNational(s []byte) bool {
	const prefix = "national:"
	if len(s) < len(prefix) || string(s[:len(prefix)]) != prefix {
		return false
	}
	j, level, ok := cut(s[len(prefix):], ':')
	return ok && lower.within(j, 1, 32) && plain.within(level, 1, 64)
}

// isUUIDv7 says whether s is a UUID of version 7, variant 10, in lower case
// (RFC 9562 section 5.7).
func isUUIDv7(s []byte) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return s[14] == '7' && (s[19] == '8' || s[19] == '9' || s[19] == 'a' || s[19] == 'b')
}

// isDate says whether s is a day of the Gregorian calendar from 1000 to 2999.
func isDate(s []byte) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i, c := range s {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return false
		}
	}
	number := func(b []byte) (n int) {
		for _, c := range b {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(s[:4]), number(s[5:7]), number(s[8:])
	return year >= 1000 && year <= 2999 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// mediaChars are the characters of RFC 6838 section 4.2.
var mediaChars = classOf("AZaz09!!##$$&&--^^__..++")

func isMediaType(s []byte) bool {
	t, sub, ok := cut(s, '/')
	return ok && mediaChars.within(t, 1, 127) && mediaChars.within(sub, 1, 127)
}

// isFileName says whether s can name a file in any directory: no path, no
// control of the writing direction, at most 255 bytes.
func isFileName(s []byte) bool {
	if len(s) == 0 || len(s) > 255 || string(s) == "." || string(s) == ".." {
		return false
	}
	strict := reader{dialect: signedDialect}
	for _, c := range string(s) {
		if c == '/' || c == '\\' || !strict.allowed(c) {
			return false
		}
	}
	return true
}
