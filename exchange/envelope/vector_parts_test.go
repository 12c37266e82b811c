package envelope

import (
	"crypto/elliptic"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

func negateS(sig []byte) []byte {
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s)
	out := append([]byte{}, sig...)
	s.FillBytes(out[32:])
	return out
}

// payload adds a manifest refused for its payload after one replacement.
func (b *table) payload(name, about, reason, old, new string) *vector {
	return b.manifest(name, about, reason, func(f *forge) { swap(&f.manifestPayload, f, old, new) })
}

func (b *table) manifestJSON() {
	b.payload("json-twice", "J14: no member twice", ReasonDuplicateMember, `"meta"`, `"iss":"ee/pbgb","meta"`)
	b.payload("json-twice-escaped", "J14: nor with an escape", ReasonDuplicateMember, `"meta"`, `"\u0069ss":"lv/vp","meta"`)
	b.payload("json-twice-nested", "J14: at any depth", ReasonDuplicateMember, `"size":`, `"size":1,"size":`)
	b.payload("json-unknown", "no unknown members", ReasonUnknownMember, `"meta"`, `"nbf":1,"meta"`)
	b.payload("json-case", "J15: names are case-sensitive", ReasonUnknownMember, `"iss"`, `"Iss"`)
	b.payload("json-unknown-nested", "at any depth", ReasonUnknownMember, `"size":`, `"alg":"x","size":`)
	for _, name := range []string{"exchange", "iss", "aud", "jti", "iat", "exp", "statement_sha256", "content", "meta"} {
		b.manifest("json-no-"+name, "every member but attachments is required", ReasonMissingMember, func(f *forge) {
			swap(&f.manifestPayload, f, `"`+name+`"`, `"attachments":[],"`+name+`"`)
			f.dropMember(name)
		})
	}
	b.payload("json-utf8", "J24: valid UTF-8", ReasonCharacters, "demo.liaison", "demo\xff.liaison")
	b.payload("json-overlong", "J24: no overlong form", ReasonCharacters, "demo.liaison", "demo\xc0\xaf.liaison")
	b.payload("json-surrogate-bytes", "J24: no encoded surrogate", ReasonCharacters, "demo.liaison", "demo\xed\xa0\x80.liaison")
	b.payload("json-lone-surrogate", "J24: no lone surrogate", ReasonJSON, "demo.liaison", `demo\ud800.liaison`)
	b.payload("json-low-surrogate", "J24: no lone surrogate", ReasonJSON, "demo.liaison", `demo\udc00\ud800.liaison`)
	b.payload("json-nul", "J24: no NUL", ReasonCharacters, "demo.liaison", `demo\u0000.liaison`)
	b.payload("json-nul-raw", "J24: no NUL", ReasonCharacters, "demo.liaison", "demo\x00.liaison")
	b.payload("json-newline", "no line break in a string", ReasonCharacters, "demo.liaison", `demo\n.liaison`)
	b.payload("json-del", "no control character", ReasonCharacters, "demo.liaison", "demo\x7f.liaison")
	b.payload("json-c1", "no control character", ReasonCharacters, "demo.liaison", "demo\u0085.liaison")
	b.payload("json-bidi", "J24: no control of the writing direction", ReasonCharacters, "demo.liaison", "demo\u202e.liaison")
	b.payload("json-bidi-escaped", "J24: nor escaped", ReasonCharacters, "demo.liaison", `demo\u202E.liaison`)
	b.payload("json-escape", "a known escape", ReasonJSON, "demo.liaison", `demo\x.liaison`)
	b.payload("json-trailing", "nothing after the payload", ReasonJSON, `"meta":@META@}`, `"meta":@META@}{}`)
	b.payload("json-bom", "J19: no byte order mark", ReasonType, `{"exchange"`, "\ufeff"+`{"exchange"`)
	b.payload("json-list", "an object", ReasonType, `{"exchange"`, `[{"exchange"`)
	b.payload("json-comma", "no comma at the end", ReasonJSON, `@META@}`, `@META@,}`)
	b.payload("json-comment", "no comments", ReasonType, `{"exchange"`, `{/**/"exchange"`)
	b.payload("json-single-quote", "strings in quotation marks", ReasonType, `"iss"`, `'iss'`)
	b.payload("json-null", "null is no value of a member", ReasonType, `"meta":@META@`, `"meta":null`)
	b.payload("json-cut", "a whole object", ReasonJSON, `"meta":@META@}`, `"meta":@META@`)
}

// dropMember removes a member, from the manifest's payload, whatever its value.
func (f *forge) dropMember(name string) {
	var order []string
	dec := json.NewDecoder(strings.NewReader(strings.NewReplacer("@AUD@", `"@AUD@"`, "@SIZE@", `"@SIZE@"`, "@META@", `"@META@"`).Replace(f.manifestPayload)))
	if _, err := dec.Token(); err != nil {
		f.t.Fatal(err)
	}
	for dec.More() {
		key := must2(dec.Token()).(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			f.t.Fatal(err)
		}
		if key != name {
			order = append(order, strconv.Quote(key)+":"+string(value))
		}
	}
	f.manifestPayload = strings.NewReplacer(`"@AUD@"`, "@AUD@", `"@SIZE@"`, "@SIZE@", `"@META@"`, "@META@").Replace("{" + strings.Join(order, ",") + "}")
}

func (b *table) manifestValues() {
	for name, n := range map[string]string{
		"fraction": "1795312345.0", "exponent": "1.795312345e9", "leading-zero": "01795312345", "minus-zero": "-0", "1e400": "1e400", "digits": "1" + strings.Repeat("0", 5000), "beyond-int64": "9223372036854775808",
	} {
		reason := ReasonNumber
		b.payload("iat-"+name, "J35: an integer", reason, `"iat":1795312345`, `"iat":`+n)
	}
	b.payload("iat-negative", "J35: not before 1970", ReasonValue, `"iat":1795312345`, `"iat":-1`)
	b.payload("iat-string", "J35: a number", ReasonType, `"iat":1795312345`, `"iat":"1795312345"`)
	b.payload("exp-beyond-2-53", "J35: within 2^53", ReasonValue, `"exp":1797904345`, `"exp":9007199254740992`)
	b.payload("aud-empty", "1 to 31 recipients", ReasonCount, "@AUD@", "[]")
	b.payload("aud-32", "1 to 31 recipients", ReasonCount, "@AUD@", string(must2(json.Marshal(manyAgencies(32)))))
	b.payload("aud-twice", "distinct recipients", ReasonDuplicateValue, "@AUD@", `["lv/vp","ua/npu","lv/vp"]`)
	b.payload("aud-sender", "never the sender", ReasonValue, "@AUD@", `["lv/vp","ee/pbgb"]`)
	b.payload("aud-string", "a list", ReasonType, "@AUD@", `"lv/vp"`)
	for name, id := range map[string]string{"upper": "EE/pbgb", "one-segment": "ee", "three-segments": "ee/pbgb/unit", "empty-segment": "ee/", "dot": "ee/..", "space": "ee/ pbgb", "unicode": "ee/рbgb"} {
		b.payload("iss-"+name, "jurisdiction/agency of a-z 0-9 -", ReasonValue, `"iss":"ee/pbgb"`, `"iss":"`+id+`"`)
	}
	for name, id := range map[string]string{
		"v4": "0199f3a2-7c1e-4b3a-9d52-3f1c2a4b5c6d", "upper": strings.ToUpper(forgeJTI), "variant": "0199f3a2-7c1e-7b3a-cd52-3f1c2a4b5c6d",
		"braces": "{" + forgeJTI + "}", "urn": "urn:uuid:" + forgeJTI, "no-hyphens": strings.ReplaceAll(forgeJTI, "-", ""),
	} {
		b.payload("jti-"+name, "a UUIDv7 in lower case", ReasonValue, forgeJTI, id)
	}
	b.payload("size-0", "a content is not empty", ReasonValue, `"size":@SIZE@`, `"size":0`)
	b.payload("size-large", "at most 8 MiB", ReasonValue, `"size":@SIZE@`, `"size":8388609`)
	b.payload("digest-padded", "base64url of 32 bytes", ReasonValue, "@PLAIN@", forgeSalt+"=")
	b.payload("digest-hex", "base64url of 32 bytes", ReasonValue, "@PLAIN@", strings.Repeat("0", 64))
	b.payload("digest-bits", "canonical", ReasonValue, "@PLAIN@", forgeSalt[:42]+"9")
	ref := `{"sha256":"` + forgeSalt + `","size":56}`
	b.payload("attachments-65", "at most 64", ReasonCount, `"meta"`, `"attachments":[`+strings.Repeat(ref+",", 64)+ref+`],"meta"`)
	b.payload("attachment-size-55", "no ciphertext is shorter than 56 bytes", ReasonValue, `"meta"`, `"attachments":[{"sha256":"`+forgeSalt+`","size":55}],"meta"`)
	b.payload("attachment-name", "digest and size only", ReasonUnknownMember, `"meta"`, `"attachments":[{"name":"x","sha256":"`+forgeSalt+`","size":56}],"meta"`)
	b.payload("exchange-empty", "an origin", ReasonValue, testExchange, "")
	b.payload("exchange-space", "an origin", ReasonValue, testExchange, "demo liaison")
	b.payload("meta-long", "at most 16 KiB", ReasonTooLarge, "@META@", strings.Replace(strings.ReplaceAll(testMeta, "\n", ""), `"language"`, `"ext":{"ee":{"x":"`+strings.Repeat("x", maxMeta)+`"}},"language"`, 1))
	b.payload("depth", "J23: at most 16 levels", ReasonDepth, "@META@", strings.Replace(strings.ReplaceAll(testMeta, "\n", ""), `"language"`, `"ext":{"ee":{"x":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)+`}},"language"`, 1))
}

func (b *table) metaValues() {
	meta := func(name, about, reason, old, new string) {
		f := &forge{t: b.t}
		b.text("meta", name, about, reason, f.replace(old, new)(testMeta))
	}
	meta("accept", "the meta of the worked example", "", `"v":1`, `"v":1`)
	b.text("meta", "accept-all-members", "every member that there is", "", fullMeta)
	b.text("meta", "accept-least", "only what is required", "", leastMeta)
	meta("accept-national", "national codes", "", `["drug_trafficking"]`, `["drug_trafficking","national:ee:184"]`)
	meta("accept-no-subjects", "an empty list of subjects is policy's matter", "", `"subjects":[{"category":"suspect","count":2,"minors":"none","data_categories":["a","b"],"link":"direct"}]`, `"subjects":[]`)
	meta("accept-leap-day", "29 February of a leap year", "", "2026-11-20", "2024-02-29")
	meta("v-2", "an unknown version", ReasonValue, `"v":1`, `"v":2`)
	meta("v-string", "a number", ReasonType, `"v":1`, `"v":"1"`)
	meta("v-fraction", "an integer", ReasonNumber, `"v":1`, `"v":1.0`)
	meta("no-v", "required", ReasonMissingMember, `"v":1,`, ``)
	meta("no-purpose", "required", ReasonMissingMember, `"purpose":"investigation",`, ``)
	meta("purpose-unknown", "a published code", ReasonValue, `"investigation"`, `"curiosity"`)
	meta("purpose-case", "codes are case-sensitive", ReasonValue, `"investigation"`, `"Investigation"`)
	meta("unknown-member", "no unknown members", ReasonUnknownMember, `"v":1`, `"v":1,"note":"x"`)
	meta("unknown-member-nested", "at any depth", ReasonUnknownMember, `"serious":true`, `"serious":true,"name":"x"`)
	meta("twice", "no member twice", ReasonDuplicateMember, `"v":1`, `"v":1,"v":1`)
	meta("twice-in-ext", "no member twice, national ones included", ReasonDuplicateMember, `"v":1`, `"v":1,"ext":{"ee":{"a":1,"\u0061":2}}`)
	meta("twice-jurisdiction", "no jurisdiction twice", ReasonDuplicateMember, `"v":1`, `"v":1,"ext":{"ee":{},"ee":{}}`)
	meta("ext-fraction", "integers only, national members included", ReasonNumber, `"v":1`, `"v":1,"ext":{"ee":{"a":1.5}}`)
	meta("ext-list", "an object for each jurisdiction", ReasonType, `"v":1`, `"v":1,"ext":{"ee":[]}`)
	meta("ext-name", "a jurisdiction", ReasonValue, `"v":1`, `"v":1,"ext":{"EE":{}}`)
	meta("date-31-november", "a day of the calendar", ReasonValue, "2026-11-20", "2026-11-31")
	meta("date-leap", "a day of the calendar", ReasonValue, "2026-11-20", "2026-02-29")
	meta("date-1900", "1900 was no leap year", ReasonValue, "2026-11-20", "1900-02-29")
	meta("date-time", "a day, no time", ReasonValue, `"2026-11-20"`, `"2026-11-20T00:00:00Z"`)
	meta("count-0", "at least one person", ReasonValue, `"count":2`, `"count":0`)
	meta("count-large", "at most 100000", ReasonValue, `"count":2`, `"count":100001`)
	meta("penalty-100", "0 to 99 years", ReasonValue, `"max_penalty_years":10`, `"max_penalty_years":100`)
	meta("data-categories-empty", "at least one", ReasonCount, `["a","b"]`, `[]`)
	meta("data-categories-twice", "each once", ReasonDuplicateValue, `["a","b"]`, `["a","a"]`)
	meta("legal-basis-empty", "1 to 8", ReasonCount, `[{"instrument":"ee-police-act","article":"7-46","jurisdiction":"ee"}]`, `[]`)
	meta("case-ref-space", "a code", ReasonValue, "EE-2026-0117", "EE 2026 0117")
	meta("case-ref-long", "at most 64 characters", ReasonValue, "EE-2026-0117", strings.Repeat("E", 65))
	meta("originator-empty", "1 to 8", ReasonCount, `["ee/pbgb"]`, `[]`)
	meta("language-upper", "lower case", ReasonValue, `"language":"en"`, `"language":"EN"`)
	meta("null", "null is no value", ReasonType, `"hr_attestation":true`, `"hr_attestation":null`)
	meta("grade-two", "one character", ReasonValue, `"source":"B"`, `"source":"B2"`)
	meta("classification-unknown", "a published code or national", ReasonValue, `"classification":"none"`, `"classification":"secret"`)
}

const leastMeta = `{"v":1,"message_type":"request","content_kind":"strategic","case_ref":"x","purpose":"prevention","legal_basis":[{"instrument":"i","article":"1","jurisdiction":"lv"}],` +
	`"transfer_basis":"led36","crime_areas":["fraud"],"subjects":[],"assertion_type":"mixed","handling":{"code":"H0"},"classification":"none","originator":["lv/vp"],"retention":{},"urgency":{"level":"routine"},"language":"lv"}`

const fullMeta = `{"v":1,"message_type":"answer","content_kind":"operational","case_ref":"LV:1/2","relates_to":[{"package":"` + forgeJTI + `","relation":"answers"}],
"purpose":"prosecution","original_purpose":"detection","purpose_change":{"law_ref":"x","necessity":true,"proportionality":false},"europol_purpose":"cross_check",
"legal_basis":[{"instrument":"i","article":"1","jurisdiction":"europol"}],"transfer_basis":"europol_25_1a","transfer_instrument":"eu-ua-agreement",
"crime_areas":["terrorism","national:lv:12"],"offence":{"national_code":"c","max_penalty_years":0,"serious":false},
"subjects":[{"category":"unknown","count":1,"minors":"u15","special_categories":["health","biometric"],"data_categories":["a","l"],"link":"contact_of_contact","link_type_only":true,"unknown_reason":"urgent_case"}],
"art10_ground":"vital_interests","strict_necessity":true,"assertion_type":"assessment",
"evaluation":{"scheme":"6x6","source":"A","information":"1","origin_scheme":"5x5x5","origin_source":"B","origin_information":"3"},
"quality":{"verified_at":"2026-01-01","as_of":"2025-12-31","completeness":"complete","known_issues":false},
"handling":{"code":"H3","gb":"C","conditions":[{"code":"eu_only","domestic_equivalent":true},{"code":"no_onward"}],"tlp":"amber_strict"},
"classification":"national:ua:dsk","originator":["ua/npu","lv/vp"],"prior_authorisation":[{"originator":"ua/npu","state":"granted","ref":"r","granted_at":"2026-01-01","until":"2027-01-01"}],
"not_in_time":false,"onward":{"rule":"listed","listed":["lv","ee"]},"retention":{"review_by":"2027-01-01","erase_by":"2028-01-01","basis":"b"},
"urgency":{"level":"urgent","ground":"life"},"judicial_auth":"granted","refusal":{"code":"c","sub":"ii","partial":true},"cc_spoc":["ee/pbgb"],"cc_exempt_reason":"person_safety","cc_europol":true,
"channel_justification":"urgency","assurances":["no_death_penalty"],"hr_attestation":true,"third_country_origin":false,"sensitive_matter":"none",
"request":{"what":true,"purpose_facts":true,"availability_reason":true,"person_link":true,"restrictions":false},"balancing":{"result":"transfer_prevails"},
"led39":{"specific_case":true,"strictly_necessary":true,"rights_balanced":true,"authority_ineffective":true,"authority_informed":false},
"language":"uk","structured_format":"umf:2.0","profiling_used":false,"ext":{"ua":{"a":[1,null,{"b":"c"}]},"lv":{}}}`

const why = "Two suspects of case EE-2026-0117 were seen in Riga."

// statement is a statement after one replacement in its payload.
func (b *table) statement(name, about, reason, old, new string) *vector {
	f := b.forge(nil)
	swap(&f.statementPayload, f, old, new)
	return b.part(f, "statement", name, about, reason, compact(f.signer, f.statementHeader, f.statementPayload))
}

func (b *table) statements() {
	st := b.statement
	st("short", "at least 20 characters", ReasonValue, why, strings.Repeat("õ", 19))
	st("long", "at most 500 characters", ReasonValue, why, strings.Repeat("x", 501))
	st("officer-name", "a pseudonym, no name", ReasonValue, "officer-17", "Jaan Tamm")
	st("officer-empty", "a pseudonym", ReasonValue, "officer-17", "")
	st("officer-long", "at most 64 characters", ReasonValue, "officer-17", strings.Repeat("o", 65))
	st("unknown", "no unknown members", ReasonUnknownMember, `"officer"`, `"aud":"x","officer"`)
	st("text-name", "the name of a member of meta", ReasonValue, `"urgency"`, `"Urgency"`)
	st("text-twice", "no text twice", ReasonDuplicateMember, `"urgency":`, `"\u0075rgency":"x","urgency":`)
	st("text-empty", "no empty text", ReasonValue, "They may leave today.", "")
	st("ref-padded", "base64url", ReasonValue, forgeSalt, forgeSalt+"=")
	st("ref-short", "at least 16 bytes", ReasonValue, forgeSalt, "AAAA")
	st("ref-twice", "each once", ReasonDuplicateValue, `"`+forgeSalt+`"`, `"`+forgeSalt+`","`+forgeSalt+`"`)
	st("at-string", "seconds", ReasonType, "1795312000", `"2026-11-22T00:00:00Z"`)
	st("control", "no control character in a justification", ReasonCharacters, "in Riga", `in\u001bRiga`)
	for name, header := range map[string]string{"none": `{"alg":"none","kid":"` + b.keys.es256.Kid() + `","typ":"` + TypStatement + `"}`} {
		f := b.forge(nil)
		b.part(f, "statement", "alg-"+name, "J1: only ES256 and EdDSA", ReasonAlg, compact(f.signer, header, f.statementPayload))
	}
	f := b.forge(func(f *forge) { f.signer = f.keys.eddsa; f.headers() })
	b.part(f, "statement", "accept-eddsa", "a statement signed with Ed25519", "", compact(f.signer, f.statementHeader, f.statementPayload))
	f = b.forge(nil)
	full := f.statementPayload + strings.Repeat(" ", maxStatement-len(f.statementPayload))
	b.part(f, "statement", "accept-6-kib", "the longest payload, by white space", "", compact(f.signer, f.statementHeader, full))
	b.part(f, "statement", "long-payload", "at most 6 KiB: one byte more", ReasonTooLarge, compact(f.signer, f.statementHeader, full+" ")).legal("a statement has at most 6 KiB")
}
