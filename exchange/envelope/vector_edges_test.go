package envelope

import (
	"encoding/json"
	"strconv"
	"strings"
)

// quoted is a list of strings as JSON.
func quoted(list []string) string { return string(must2(json.Marshal(list))) }

// numbered are n strings that differ.
func numbered(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, prefix+strconv.Itoa(i))
	}
	return out
}

// manifestEdges: for each limit of a manifest the last that is accepted, the
// first that is refused.
func (b *table) manifestEdges() {
	ok := func(name, about, old, new string) { b.payload("accept-"+name, about, "", old, new) }
	no := func(name, about, reason, old, new string) { b.payload(name, about, reason, old, new) }
	ok("aud-31", "31 recipients", "@AUD@", quoted(manyAgencies(31)))
	ok("aud-like-sender", "a recipient whose id begins like the sender's", "@AUD@", `["ee/pbgb-2","ee/pbg","ee/p","e/pbgb"]`)
	no("aud-null", "a list", ReasonType, "@AUD@", "null")
	no("aud-null-element", "agency ids", ReasonType, "@AUD@", "[null]")
	no("aud-object", "a list", ReasonType, "@AUD@", `{"0":"lv/vp"}`)
	no("aud-nested", "agency ids", ReasonType, "@AUD@", `[["lv/vp"]]`)
	no("aud-upper", "agency ids", ReasonValue, "@AUD@", `["LV/vp"]`)
	no("aud-twice-escaped", "distinct, compared after escapes", ReasonDuplicateValue, "@AUD@", `["lv/vp","\u006cv\/vp"]`)
	no("aud-sender-escaped", "never the sender, compared after escapes", ReasonValue, "@AUD@", `["lv/vp","\u0065e/pbgb"]`)
	b.agencyEdges()
	for name, id := range map[string]string{
		"least": "00000000-0000-7000-8000-000000000000", "most": "ffffffff-ffff-7fff-bfff-ffffffffffff", "variant-9": "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "variant-a": "0199f3a2-7c1e-7b3a-ad52-3f1c2a4b5c6d",
	} {
		if id != forgeJTI {
			ok("jti-"+name, "any UUIDv7: version 7, variant 8, 9, a or b", forgeJTI, id)
		}
	}
	for name, id := range map[string]string{
		"nil": "00000000-0000-0000-0000-000000000000", "max": "ffffffff-ffff-ffff-ffff-ffffffffffff", "v8": "0199f3a2-7c1e-8b3a-9d52-3f1c2a4b5c6d", "v1": "0199f3a2-7c1e-1b3a-9d52-3f1c2a4b5c6d",
		"variant-7": "0199f3a2-7c1e-7b3a-7d52-3f1c2a4b5c6d", "short": forgeJTI[:35], "long": forgeJTI + "0", "hyphen-moved": "0199f3a-27c1e-7b3a-9d52-3f1c2a4b5c6d", "letter-g": "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6g", "space": " " + forgeJTI,
	} {
		no("jti-"+name, "a UUIDv7 in lower case", ReasonValue, forgeJTI, id)
	}
	for _, member := range []string{"exchange", "iss", "jti"} {
		no(member+"-number", "a string", ReasonType, `"`+member+`":"`, `"`+member+`":1,"x":"`)
	}
	for name, origin := range map[string]string{"shortest": "x", "longest": strings.Repeat("e", 255), "signs": "Az09._:/-"} {
		f := b.forge(func(f *forge) { swap(&f.manifestPayload, f, testExchange, origin) })
		m, _, _ := f.build()
		b.part(f, "manifest", "accept-exchange-"+name, "an origin: 1 to 255 of A-Z a-z 0-9 . _ : / -", "", m).Exchange = origin
	}
	no("exchange-256", "at most 255 characters", ReasonValue, testExchange, strings.Repeat("e", 256))
	for name, origin := range map[string]string{"unicode": "dėmo.example", "plus": "demo+1.example", "at": "x@demo.example", "percent": "demo%2f", "newline-like": `demo\\n`, "tilde": "~demo"} {
		no("exchange-"+name, "A-Z a-z 0-9 . _ : / -", ReasonValue, testExchange, origin)
	}
	ok("exp-next-second", "exp one second after iat and now", "1797904345", "1795312346")
	no("exp-null", "a number", ReasonType, `"exp":1797904345`, `"exp":null`)
	no("exp-bool", "a number", ReasonType, `"exp":1797904345`, `"exp":true`)
	no("iat-list", "a number", ReasonType, `"iat":1795312345`, `"iat":[1795312345]`)
	no("iat-plus", "J35: an integer", ReasonType, `"iat":1795312345`, `"iat":+1795312345`)
	no("iat-hex", "J35: an integer", ReasonJSON, `"iat":1795312345`, `"iat":0x6b02b759`)
	b.digestEdges()
	b.attachmentEdges()
	b.metaSizes()
	ok("member-order", "members in another order", manifestTemplate, `{"meta":@META@,"content":{"plaintext_sha256":"@PLAIN@","size":@SIZE@,"sha256":"@CONTENT@"},"statement_sha256":"@STATEMENT@",`+
		`"exp":1797904345,"iat":1795312345,"jti":"`+forgeJTI+`","aud":@AUD@,"iss":"ee/pbgb","attachments":[],"exchange":"`+testExchange+`"}`)
}

// agencyEdges: ids of agencies at their longest, shortest and strangest.
func (b *table) agencyEdges() {
	for name, id := range map[string]string{
		"longest": strings.Repeat("j", 32) + "/" + strings.Repeat("a", 64), "shortest": "a/b", "digits": "1/2", "hyphens": "-/-", "organisation": "europol/ec3-1",
	} {
		f := b.forge(func(f *forge) { f.sender = id; swap(&f.manifestPayload, f, "ee/pbgb", id) })
		m, _, _ := f.build()
		b.part(f, "manifest", "accept-iss-"+name, "an agency id: 1 to 32 and 1 to 64 of a-z 0-9 -", "", m)
	}
	for name, id := range map[string]string{
		"jurisdiction-33": strings.Repeat("j", 33) + "/a", "agency-65": "ee/" + strings.Repeat("a", 65), "empty": "", "slash": "/", "no-jurisdiction": "/pbgb", "underscore": "ee/p_b", "escaped-slash": `ee\\/pbgb`, "percent": "ee%2fpbgb",
		"final-newline": "ee/pbgb ", "two-slashes": "ee//pbgb", "star": "ee/*", "turkish": "ee/pbgı", "combining": "ee/pbgb\u0301",
	} {
		b.payload("iss-"+name, "an agency id: 1 to 32 and 1 to 64 of a-z 0-9 -", ReasonValue, `"iss":"ee/pbgb"`, `"iss":"`+id+`"`)
	}
}

func (b *table) digestEdges() {
	for member, value := range map[string]string{"statement_sha256": "@STATEMENT@", "sha256": "@CONTENT@", "plaintext_sha256": "@PLAIN@"} {
		for name, digest := range map[string]string{"42": forgeSalt[:42], "44": forgeSalt + "A", "empty": "", "bits": forgeSalt[:42] + "B", "space": " " + forgeSalt[:42], "plus": "+" + forgeSalt[1:], "slash": forgeSalt[:40] + "//8"} {
			b.payload("digest-"+member+"-"+name, "base64url of 32 bytes", ReasonValue, value, digest)
		}
		b.payload("digest-"+member+"-null", "a string", ReasonType, `"`+member+`":"`+value+`"`, `"`+member+`":null`)
	}
	b.payload("content-null", "an object", ReasonType, `{"sha256":"@CONTENT@","size":@SIZE@,"plaintext_sha256":"@PLAIN@"}`, "null")
	b.payload("content-no-sha256", "every member is required", ReasonMissingMember, `"sha256":"@CONTENT@",`, "")
	b.payload("content-no-size", "every member is required", ReasonMissingMember, `"size":@SIZE@,`, "")
	b.payload("content-no-plaintext", "every member is required", ReasonMissingMember, `,"plaintext_sha256":"@PLAIN@"`, "")
	b.payload("accept-size-8-mib", "the size of the largest content", "", "@SIZE@", "8388608")
	b.payload("accept-size-1", "a size of one byte is a form; that it is the content's is another question", "", "@SIZE@", "1")
	b.payload("size-negative", "a size", ReasonValue, "@SIZE@", "-1")
	b.payload("size-string", "a number", ReasonType, "@SIZE@", `"1"`)
	b.payload("size-fraction", "an integer", ReasonNumber, "@SIZE@", "800.0")
}

func (b *table) attachmentEdges() {
	list := func(name, about, reason, elements string) {
		b.payload(name, about, reason, `"meta"`, `"attachments":`+elements+`,"meta"`)
	}
	ref := func(size string) string { return `{"sha256":"` + forgeSalt + `","size":` + size + `}` }
	list("accept-attachments-64", "64 attachments, alike", "", "["+repeated(ref("56"), 64)+"]")
	list("accept-attachment-large", "the largest size that is a number here", "", "["+ref("9007199254740991")+"]")
	list("attachment-2-53", "within 2^53", ReasonValue, "["+ref("9007199254740992")+"]")
	list("attachment-negative", "a size", ReasonValue, "["+ref("-56")+"]")
	list("attachment-no-size", "every member is required", ReasonMissingMember, `[{"sha256":"`+forgeSalt+`"}]`)
	list("attachment-no-sha256", "every member is required", ReasonMissingMember, `[{"size":56}]`)
	list("attachment-null", "an object", ReasonType, "[null]")
	list("attachment-twice-size", "J14: no member twice", ReasonDuplicateMember, `[{"sha256":"`+forgeSalt+`","size":56,"siz\u0065":57}]`)
	list("attachments-null", "absent or a list", ReasonType, "null")
	list("attachments-object", "absent or a list", ReasonType, "{}")
	list("attachment-digest", "base64url of 32 bytes", ReasonValue, `[{"sha256":"x","size":56}]`)
}

// metaOf is the meta of the vectors with national members of a size.
func metaOf(size int) string {
	m := strings.Replace(flatMeta, `"language"`, `"ext":{"ee":{"x":"@"}},"language"`, 1)
	return strings.Replace(m, "@", strings.Repeat("x", size-len(m)+1), 1)
}

func (b *table) metaSizes() {
	b.payload("accept-meta-16-kib", "the longest meta", "", "@META@", metaOf(maxMeta))
	b.payload("meta-16-kib-and-1", "at most 16 KiB as it stands", ReasonTooLarge, "@META@", metaOf(maxMeta+1))
	b.payload("meta-white-space", "white space within counts", ReasonTooLarge, "@META@", "{"+strings.Repeat(" ", maxMeta+1-len(flatMeta))+flatMeta[1:])
	b.payload("accept-meta-white-space-around", "white space around it does not count", "", "@META@", strings.Repeat(" ", 200)+metaOf(maxMeta)+"\n")
	b.payload("meta-string", "an object", ReasonType, "@META@", `"{}"`)
	b.payload("meta-list", "an object", ReasonType, "@META@", `[]`)
	b.payload("meta-empty", "members are required", ReasonMissingMember, "@META@", `{}`)
	b.text("meta", "accept-16-kib", "the longest meta, by white space", "", flatMeta+strings.Repeat(" ", maxMeta-len(flatMeta)))
	b.text("meta", "long", "at most 16 KiB: one byte more", ReasonTooLarge, flatMeta+strings.Repeat(" ", maxMeta+1-len(flatMeta)))
}

// metaEdges: counts of the lists and numbers of meta, at the limit and beyond.
func (b *table) metaEdges() {
	f := &forge{t: b.t}
	meta := func(name, about, reason, old, new string) {
		b.text("meta", name, about, reason, f.replace(old, new)(flatMeta))
	}
	lists := func(name string, max int, reason, old string, of func(n int) string) {
		meta("accept-"+name+"-most", "at most "+strconv.Itoa(max), "", old, of(max))
		meta(name+"-more", "at most "+strconv.Itoa(max), reason, old, of(max+1))
	}
	subject := `{"category":"suspect","count":2,"minors":"none","data_categories":["a","b"],"link":"direct"}`
	lists("subjects", 32, ReasonCount, "["+subject+"]", func(n int) string { return "[" + repeated(subject, n) + "]" })
	basis := `{"instrument":"ee-police-act","article":"7-46","jurisdiction":"ee"}`
	lists("legal-basis", 8, ReasonCount, "["+basis+"]", func(n int) string { return "[" + repeated(basis, n) + "]" })
	lists("originator", 8, ReasonCount, `["ee/pbgb"]`, func(n int) string { return quoted(manyAgencies(n)) })
	lists("crime-areas", 8, ReasonCount, `["drug_trafficking"]`, func(n int) string { return quoted(numbered("national:ee:", n)) })
	lists("relates-to", 16, ReasonCount, `"v":1`, func(n int) string {
		return `"v":1,"relates_to":[` + repeated(`{"package":"`+forgeJTI+`","relation":"answers"}`, n) + `]`
	})
	lists("conditions", 16, ReasonCount, `{"code":"H1"}`, func(n int) string { return `{"code":"H1","conditions":[` + repeated(`{"code":"eu_only"}`, n) + `]}` })
	lists("prior-authorisation", 16, ReasonCount, `"v":1`, func(n int) string {
		return `"v":1,"prior_authorisation":[` + repeated(`{"originator":"ua/npu","state":"general"}`, n) + `]`
	})
	lists("listed", 64, ReasonCount, `{"rule":"with_authorisation"}`, func(n int) string { return `{"rule":"listed","listed":` + quoted(numbered("j", n)) + `}` })
	lists("cc-spoc", 31, ReasonCount, `"v":1`, func(n int) string { return `"v":1,"cc_spoc":` + quoted(manyAgencies(n)) })
	lists("ext", 8, ReasonCount, `"v":1`, func(n int) string {
		return `"v":1,"ext":{"` + strings.Join(numbered("j", n), `":{},"`) + `":{}}`
	})
	lists("count", 100000, ReasonValue, `"count":2`, func(n int) string { return `"count":` + strconv.Itoa(n) })
	lists("penalty", 99, ReasonValue, `"max_penalty_years":10`, func(n int) string { return `"max_penalty_years":` + strconv.Itoa(n) })
	lists("code", 64, ReasonValue, "EE-2026-0117", func(n int) string { return strings.Repeat("c", n) })
	lists("ext-name", 32, ReasonValue, `"v":1`, func(n int) string { return `"v":1,"ext":{"` + strings.Repeat("j", n) + `":{}}` })
	lists("national-jurisdiction", 32, ReasonValue, "drug_trafficking", func(n int) string { return "national:" + strings.Repeat("j", n) + ":x" })
	lists("national-code", 64, ReasonValue, "drug_trafficking", func(n int) string { return "national:ee:" + strings.Repeat("C", n) })
	meta("accept-count-1", "at least one person", "", `"count":2`, `"count":1`)
	meta("accept-penalty-0", "0 to 99 years", "", `"max_penalty_years":10`, `"max_penalty_years":0`)
	meta("penalty-minus-1", "0 to 99 years", ReasonValue, `"max_penalty_years":10`, `"max_penalty_years":-1`)
	meta("accept-code-signs", "every sign that a code may have", "", "EE-2026-0117", "A.z_0:9/-")
	for name, code := range map[string]string{"empty": "", "hash": "a#b", "unicode": "õ", "plus": "a+b", "quote": `a\"b`, "backslash": `a\\b`} {
		meta("code-"+name, "a code of A-Z a-z 0-9 . _ : / -", ReasonValue, "EE-2026-0117", code)
	}
	for name, date := range map[string]string{"first": "1000-01-01", "last": "2999-12-31", "2000": "2000-02-29", "30-april": "2026-04-30"} {
		meta("accept-date-"+name, "a day of the calendar from 1000 to 2999", "", "2026-11-20", date)
	}
	for name, date := range map[string]string{
		"999": "0999-12-31", "3000": "3000-01-01", "month-0": "2026-00-10", "month-13": "2026-13-10", "day-0": "2026-11-00", "day-32": "2026-12-32", "30-february": "2024-02-30", "2100": "2100-02-29",
		"short": "2026-1-1", "slashes": "2026/11/20", "basic": "20261120", "arabic-digits": "٢٠٢٦-١١-٢٠", "space": "2026-11-20 ", "sign": "+026-11-20", "31-april": "2026-04-31",
	} {
		meta("date-"+name, "a day of the calendar from 1000 to 2999", ReasonValue, "2026-11-20", date)
	}
	for name, national := range map[string]string{"no-code": "national:ee:", "no-jurisdiction": "national::x", "upper": "National:ee:x", "colon": "national:ee:a:b", "two": "national:ee", "upper-jurisdiction": "national:EE:x"} {
		meta("national-"+name, "a published code, or national:<jurisdiction>:<code>", ReasonValue, "drug_trafficking", national)
	}
	for _, member := range []string{"message_type", "content_kind", "case_ref", "legal_basis", "transfer_basis", "crime_areas", "subjects", "assertion_type", "handling", "classification", "originator", "retention", "urgency", "language"} {
		b.text("meta", "no-"+strings.ReplaceAll(member, "_", "-"), "required", ReasonMissingMember, dropped(flatMeta, member))
	}
	meta("bool-string", "true or false", ReasonType, `"serious":true`, `"serious":"true"`)
	meta("bool-number", "true or false", ReasonType, `"serious":true`, `"serious":1`)
	meta("bool-upper", "true or false", ReasonType, `"serious":true`, `"serious":True`)
	meta("crime-areas-twice", "each once", ReasonDuplicateValue, `["drug_trafficking"]`, `["drug_trafficking","drug_traffick\u0069ng"]`)
	meta("v-0", "a version that there is", ReasonValue, `"v":1`, `"v":0`)
	meta("v-null", "a number", ReasonType, `"v":1`, `"v":null`)
}

// statementEdges: for each limit of a statement the last that is accepted, the
// first that is refused.
func (b *table) statementEdges() {
	ok := func(name, about, old, new string) { b.statement("accept-"+name, about, "", old, new) }
	no := func(name, about, reason, old, new string) { b.statement(name, about, reason, old, new) }
	approval := `{"approver":"officer-3","role":"head_of_duty","at":1795312000}`
	texts := `{"urgency":"They may leave today."}`
	for _, member := range []string{"iss", "jti", "officer", "justification", "approvals", "subject_refs", "texts"} {
		f := b.forge(nil)
		f.statementPayload = dropped(f.statementPayload, member)
		b.part(f, "statement", "no-"+strings.ReplaceAll(member, "_", "-"), "every member is required", ReasonMissingMember, compact(f.signer, f.statementHeader, f.statementPayload))
		no("null-"+strings.ReplaceAll(member, "_", "-"), "null is no value of a member", ReasonType, `"`+member+`":`, `"`+member+`":null,"x":`)
	}
	ok("officer-1", "the shortest pseudonym", "officer-17", "o")
	ok("officer-64", "the longest pseudonym, with every sign", "officer-17", strings.Repeat("oO9._-", 10)+"aaaa")
	for name, officer := range map[string]string{"slash": "a/b", "colon": "a:b", "at": "a@b", "unicode": "jõe", "newline": "a b"} {
		no("officer-"+name, "A-Z a-z 0-9 . _ -", ReasonValue, "officer-17", officer)
	}
	ok("justification-20-emoji", "20 characters beyond the first plane are 20, not 40", why, strings.Repeat("🚔", 20))
	no("justification-10-emoji", "10 characters beyond the first plane are 10, not 20", ReasonValue, why, strings.Repeat("🚔", 10))
	ok("justification-500-emoji", "500 characters of four bytes", why, strings.Repeat("🚔", 500))
	no("justification-501-emoji", "501 characters of four bytes", ReasonValue, why, strings.Repeat("🚔", 501))
	ok("justification-escaped", "characters are counted after escapes", why, strings.Repeat(`\u0061`, 20))
	no("justification-escaped-short", "characters are counted after escapes", ReasonValue, why, strings.Repeat(`\u0061`, 19))
	ok("justification-combining", "code points are counted, composed or not; nothing is normalised", why, strings.Repeat("o\u0303", 10))
	ok("justification-spaces", "what it says is not looked at", why, strings.Repeat(" ", 20))
	no("justification-empty", "at least 20 characters", ReasonValue, why, "")
	ok("approvals-16", "16 approvals", approval, repeated(approval, 16))
	no("approvals-17", "at most 16 approvals", ReasonCount, approval, repeated(approval, 17))
	no("approval-unknown", "exactly approver, role, at", ReasonUnknownMember, `"at":1795312000`, `"at":1795312000,"sig":"x"`)
	no("approval-no-at", "exactly approver, role, at", ReasonMissingMember, `,"at":1795312000`, ``)
	no("approval-role-long", "a code of at most 64 characters", ReasonValue, "head_of_duty", strings.Repeat("r", 65))
	no("approval-role-space", "a code", ReasonValue, "head_of_duty", "head of duty")
	no("approval-approver", "a pseudonym", ReasonValue, "officer-3", "officer/3")
	ok("approval-at-0", "any time", "1795312000", "0")
	ok("approval-at-most", "any time within 2^53", "1795312000", "9007199254740991")
	no("approval-at-2-53", "within 2^53", ReasonValue, "1795312000", "9007199254740992")
	no("approval-at-negative", "not before 1970", ReasonValue, "1795312000", "-1")
	no("approval-string", "an object", ReasonType, approval, `"officer-3"`)
	ref := func(n int) string { return encode64(make([]byte, n)) }
	ok("ref-16", "a reference of 16 bytes", forgeSalt, ref(16))
	ok("ref-64", "a reference of 64 bytes", forgeSalt, ref(64))
	no("ref-15", "at least 16 bytes", ReasonValue, forgeSalt, ref(15))
	no("ref-65", "at most 64 bytes", ReasonValue, forgeSalt, ref(65))
	no("ref-bits", "unused bits are zero", ReasonValue, forgeSalt, ref(16)[:21]+"B")
	no("ref-length", "a length that no bytes have", ReasonValue, forgeSalt, ref(24)+"A")
	no("ref-plus", "base64url", ReasonValue, forgeSalt, "+"+ref(16)[1:])
	no("ref-null", "strings", ReasonType, `"`+forgeSalt+`"`, "null")
	refs := func(n int) string {
		list := make([]string, 0, n)
		for i := range n {
			list = append(list, encode64(append(make([]byte, 15), byte(i))))
		}
		return strings.Trim(quoted(list), "[]")
	}
	ok("refs-100", "100 references", `"`+forgeSalt+`"`, refs(100))
	no("refs-101", "at most 100 references", ReasonCount, `"`+forgeSalt+`"`, refs(101))
	text := func(n int) string { return `{"` + strings.Join(numbered("m", n), `":"x","`) + `":"x"}` }
	ok("texts-32", "32 texts", texts, text(32))
	no("texts-33", "at most 32 texts", ReasonCount, texts, text(33))
	ok("text-name-64", "the longest name, with every sign", `"urgency"`, `"`+strings.Repeat("az09_x", 10)+`aaaa"`)
	no("text-name-65", "a name of at most 64", ReasonValue, `"urgency"`, `"`+strings.Repeat("a", 65)+`"`)
	no("text-name-empty", "a name of at least 1", ReasonValue, `"urgency"`, `""`)
	no("text-name-hyphen", "a-z 0-9 _", ReasonValue, `"urgency"`, `"ur-gency"`)
	ok("text-name-proto", "a name like any other", `"urgency"`, `"__proto__"`)
	no("text-proto-twice", "no text twice, whatever its name", ReasonDuplicateMember, texts, `{"__proto__":"x","__proto\u005f_":"y"}`)
	ok("text-2000", "the longest text", "They may leave today.", strings.Repeat("x", 2000))
	no("text-2001", "at most 2000 characters", ReasonValue, "They may leave today.", strings.Repeat("x", 2001))
	ok("text-1", "the shortest text", "They may leave today.", "x")
	no("text-number", "a string", ReasonType, `"They may leave today."`, "1")
	no("texts-list", "an object", ReasonType, texts, "[]")
	no("refs-object", "a list", ReasonType, `["`+forgeSalt+`"]`, "{}")
	no("jti-upper", "a UUIDv7 in lower case", ReasonValue, forgeJTI, strings.ToUpper(forgeJTI))
	no("iss-empty", "an agency id", ReasonValue, "ee/pbgb", "")
}

// dropped is an object without one of its members.
func dropped(object, name string) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		panic(err)
	}
	if _, there := members[name]; !there {
		panic(name)
	}
	delete(members, name)
	return string(must2(json.Marshal(members)))
}
