package envelope

import (
	"strconv"
	"strings"
)

const acknowledgementText = `{"exchange":"` + testExchange + `","iss":"ee/pbgb","sub":"` + forgeJTI + `","iat":1795312345,"manifest_sha256":"` + forgeSalt + `",` +
	`"decision":"` + forgeJTI2 + `","obligations":[{"code":"no_judicial_use","params":{}},{"code":"erase_after","params":{"days":30}}]}`

const approvalText = `{"exchange":"` + testExchange + `","iss":"ee/pbgb","sub":"` + forgeJTI + `","iat":1795312345,"manifest_sha256":"` + forgeSalt + `",` +
	`"recipient":"lv/vp","codes":["originator_consent","R31"],"verdict":"granted"}`

// signedCase is a part by itself after one replacement in its payload. An empty
// expect is malformed.
type signedCase struct{ name, about, expect, reason, old, new string }

func (b *table) signed(kind, text, typ string, k PrivateKey, cases []signedCase) {
	for _, c := range cases {
		f := b.forge(func(f *forge) { f.signer = k })
		payload := text
		if c.old != "" {
			swap(&payload, f, c.old, c.new)
		}
		v := b.part(f, kind, c.name, c.about, c.reason, compact(k, headerOf(k, typ), payload))
		if c.expect != "" {
			v.Expect = c.expect
		}
	}
}

// sized pads a payload to its limit and beyond.
func (b *table) sized(kind, text, typ string, k PrivateKey, max int, words string) {
	f := b.forge(nil)
	full := text + strings.Repeat(" ", max-len(text))
	b.part(f, kind, "accept-"+strconv.Itoa(max>>10)+"-kib", "the longest payload, by white space", "", compact(k, headerOf(k, typ), full))
	b.part(f, kind, "long", "one byte more than "+words, ReasonTooLarge, compact(k, headerOf(k, typ), full+" ")).legal("the payload has at most " + words)
	for _, member := range members(text) {
		b.part(f, kind, "no-"+strings.ReplaceAll(member, "_", "-"), "every member is required", ReasonMissingMember, compact(k, headerOf(k, typ), dropped(text, member)))
		null := strings.Replace(text, `"`+member+`":`, `"`+member+`":null,"x":`, 1)
		b.part(f, kind, "null-"+strings.ReplaceAll(member, "_", "-"), "null is no value of a member", ReasonType, compact(k, headerOf(k, typ), null))
		twice := strings.Replace(text, "{", `{"`+member+`":"x",`, 1)
		v := b.part(f, kind, "twice-"+strings.ReplaceAll(member, "_", "-"), "J14: no member twice, the first value another", ReasonDuplicateMember, compact(k, headerOf(k, typ), twice))
		v.Reason = Reason(v.run(b.t)) // the first value is met first
	}
	b.part(f, kind, "accept-header-order", "header members in another order, with white space", "",
		compact(k, "{\"typ\":\""+typ+"\" ,\n\"kid\":\""+k.Kid()+"\",\t\"alg\":\""+k.public.alg+"\"\r}", text))
	b.part(f, kind, "accept-white-space", "white space wherever it may stand", "", compact(k, headerOf(k, typ), spaced(text)))
	v := b.part(f, kind, "signature-flipped", "a signature of other bytes", ReasonSignature, withSignature(func(s []byte) []byte { s[9] ^= 4; return s })(compact(k, headerOf(k, typ), text)))
	v.Expect = "rejected"
	if k.public.alg == ES256 {
		b.part(f, kind, "accept-malleated", "J16: n-s for s verifies as well", "", malleate(compact(k, headerOf(k, typ), text)))
	}
}

// members are the names of the members of an object, in alphabetical order.
func members(object string) (names []string) {
	for _, name := range strings.Split(object, `"`) {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && name != "" && strings.Contains(object, `"`+name+`":`) && topLevel(object, name) {
			names = append(names, name)
		}
	}
	return names
}

// topLevel says whether the first member of that name is one of the object itself.
func topLevel(object, name string) bool {
	before := object[:strings.Index(object, `"`+name+`":`)]
	return strings.Count(before, "{")-strings.Count(before, "}") == 1
}

func (b *table) acknowledgements() {
	const two = `[{"code":"no_judicial_use","params":{}},{"code":"erase_after","params":{"days":30}}]`
	const none = `{"code":"no_judicial_use","params":{}}`
	b.signed("acknowledgement", acknowledgementText, TypAcknowledgement, b.keys.es256, []signedCase{
		{"accept", "two obligations", "", "", "", ""},
		{"accept-none", "no obligation", "", "", two, `[]`},
		{"accept-64", "64 obligations, alike", "", "", two, "[" + repeated(none, 64) + "]"},
		{"obligations-65", "at most 64", "", ReasonCount, two, "[" + repeated(none, 65) + "]"},
		{"accept-params", "any members of an object", "", "", `{"days":30}`, `{"days":30,"who":["a",null,true,{"":-1}],"__proto__":{},"õ":"\u00f5"}`},
		{"accept-order", "obligations in another order are another acknowledgement, of the same form", "", "", two, `[{"params":{"days":30},"code":"erase_after"},` + none + `]`},
		{"no-params", "params is required, if only {}", "", ReasonMissingMember, `,"params":{}`, ``},
		{"no-code", "code is required", "", ReasonMissingMember, `"code":"no_judicial_use",`, ``},
		{"obligation-unknown", "exactly code and params", "", ReasonUnknownMember, `"params":{}`, `"params":{},"text":"x"`},
		{"obligation-string", "an object", "", ReasonType, none, `"no_judicial_use"`},
		{"params-list", "params is an object", "", ReasonType, `"params":{}`, `"params":[]`},
		{"params-null", "params is an object", "", ReasonType, `"params":{}`, `"params":null`},
		{"params-string", "params is an object", "", ReasonType, `"params":{}`, `"params":"{}"`},
		{"params-fraction", "integers only", "", ReasonNumber, `{"days":30}`, `{"days":30.0}`},
		{"params-exponent", "integers only", "", ReasonNumber, `{"days":30}`, `{"days":3e1}`},
		{"params-2-53", "within 2^53", "", ReasonValue, `{"days":30}`, `{"days":9007199254740993}`},
		{"params-twice", "J14: no member twice", "", ReasonDuplicateMember, `{"days":30}`, `{"days":30,"days":1}`},
		{"params-twice-deep", "J14: no member twice, at any depth", "", ReasonDuplicateMember, `{"days":30}`, `{"a":[{"b":1,"\u0062":1}]}`},
		{"accept-params-depth", "16 levels", "", "", `{"days":30}`, `{"a":` + strings.Repeat("[", 12) + strings.Repeat("]", 12) + `}`},
		{"params-depth", "J23: at most 16 levels", "", ReasonDepth, `{"days":30}`, `{"a":` + strings.Repeat("[", 13) + strings.Repeat("]", 13) + `}`},
		{"accept-code-64", "the longest code", "", "", "no_judicial_use", strings.Repeat("c", 64)},
		{"code-65", "a code of at most 64", "", ReasonValue, "no_judicial_use", strings.Repeat("c", 65)},
		{"code-space", "a code", "", ReasonValue, "no_judicial_use", "no judicial use"},
		{"officer", "officer and justification are not in it", "", ReasonUnknownMember, `"iat"`, `"officer":"x","iat"`},
		{"aud", "no unknown members", "", ReasonUnknownMember, `"iat"`, `"aud":["lv/vp"],"iat"`},
		{"exp", "no unknown members", "", ReasonUnknownMember, `"iat"`, `"exp":1797904345,"iat"`},
		{"digest", "base64url of 32 bytes", "", ReasonValue, forgeSalt, "x"},
		{"digest-bits", "canonical", "", ReasonValue, forgeSalt, forgeSalt[:42] + "9"},
		{"sub", "a package id", "", ReasonValue, `"sub":"` + forgeJTI, `"sub":"x`},
		{"sub-upper", "in lower case", "", ReasonValue, `"sub":"` + forgeJTI, `"sub":"` + strings.ToUpper(forgeJTI)},
		{"accept-decision-64", "the longest id of a decision", "", "", forgeJTI2, strings.Repeat("d", 64)},
		{"decision-65", "a code of at most 64", "", ReasonValue, forgeJTI2, strings.Repeat("d", 65)},
		{"decision-empty", "a code", "", ReasonValue, forgeJTI2, ""},
		{"iss", "an agency id", "", ReasonValue, "ee/pbgb", "ee"},
		{"iat-fraction", "J35: an integer", "", ReasonNumber, `1795312345`, `1795312345.5`},
		{"iat-string", "J35: a number", "", ReasonType, `1795312345`, `"1795312345"`},
		{"iat-negative", "J35: not before 1970", "", ReasonValue, `1795312345`, `-1`},
		{"accept-iat-early", "iat at the edge of the window", "", "", `1795312345`, `1795312045`},
		{"accept-iat-late", "iat at the edge of the window", "", "", `1795312345`, `1795312645`},
		{"iat", "within 5 minutes", "invalid", ReasonIAT, `1795312345`, `1795311345`},
		{"iat-early", "a second beyond the window", "invalid", ReasonIAT, `1795312345`, `1795312044`},
		{"iat-late", "a second beyond the window", "invalid", ReasonIAT, `1795312345`, `1795312646`},
		{"exchange", "another exchange", "invalid", ReasonExchange, testExchange, "other.example/ledger"},
		{"exchange-form", "an origin", "", ReasonValue, testExchange, "other example"},
	})
	b.signed("acknowledgement", acknowledgementText, TypAcknowledgement, b.keys.eddsa, []signedCase{{"accept-eddsa", "signed with Ed25519", "", "", "", ""}})
	b.keysOfPart("acknowledgement", acknowledgementText, TypAcknowledgement, b.keys.es256, b.keys.approve)
	b.sized("acknowledgement", acknowledgementText, TypAcknowledgement, b.keys.es256, maxAcknowledgement, "16 KiB")
}

// keysOfPart are keys that may not sign a part.
func (b *table) keysOfPart(kind, text, typ string, right, otherUse PrivateKey) {
	reject := func(name, about, reason, raw string) *vector {
		f := b.forge(func(f *forge) { f.signer = right })
		v := b.part(f, kind, name, about, reason, raw)
		v.Expect = "rejected"
		return v
	}
	const holds = "the signature holds, but its key "
	reject("other-agency", "the key of another agency", ReasonKid, compact(right, headerOf(right, typ), strings.Replace(text, "ee/pbgb", "lv/vp", 1))).legal(holds + "is not one of iss (RFC 8725 section 3.8)")
	reject("other-use", "a key of another use", ReasonKeyUse, compact(otherUse, headerOf(otherUse, typ), text)).legal(holds + "is of another use")
	unknown := derivedKey(right.public.use, ES256, "nobody's")
	reject("unknown-key", "a key that nobody has registered", ReasonKid, compact(unknown, headerOf(unknown, typ), text))
	reject("stranger", "a key of another agency", ReasonKid, compact(b.keys.stranger, headerOf(b.keys.stranger, typ), text)).legal(holds + "is not one of iss (RFC 8725 section 3.8)")
	other := map[string]string{ES256: EdDSA, EdDSA: ES256}[right.public.alg]
	reject("other-alg", "J4: the algorithm of another kind of key", ReasonKeyAlg, compact(right, strings.Replace(headerOf(right, typ), right.public.alg, other, 1), text))
	reject("other-signer", "the right kid, another key", ReasonSignature, compact(unknown, headerOf(right, typ), text))
}

func (b *table) approvals() {
	const codes = `["originator_consent","R31"]`
	b.signed("approval", approvalText, TypApproval, b.keys.approve, []signedCase{
		{"accept", "granted", "", "", "", ""},
		{"accept-refused", "refused", "", "", "granted", "refused"},
		{"accept-codes-16", "16 codes", "", "", codes, quoted(numbered("R", 16))},
		{"codes-17", "at most 16", "", ReasonCount, codes, quoted(numbered("R", 17))},
		{"accept-code-64", "the longest code", "", "", "R31", strings.Repeat("c", 64)},
		{"code-65", "a code of at most 64", "", ReasonValue, "R31", strings.Repeat("c", 65)},
		{"accept-own-jurisdiction", "a recipient of the approver's own agency is a form", "", "", "lv/vp", "ee/pbgb"},
		{"verdict", "granted or refused", "", ReasonValue, "granted", "maybe"},
		{"verdict-upper", "granted or refused", "", ReasonValue, "granted", "Granted"},
		{"verdict-bool", "a string", "", ReasonType, `"granted"`, "true"},
		{"codes-empty", "at least one code", "", ReasonCount, codes, `[]`},
		{"codes-twice", "each once", "", ReasonDuplicateValue, `"R31"`, `"R31","R31"`},
		{"codes-twice-escaped", "each once, compared after escapes", "", ReasonDuplicateValue, `"R31"`, `"R31","\u00523\u0031"`},
		{"codes-string", "a list", "", ReasonType, codes, `"R31"`},
		{"codes-null", "codes", "", ReasonType, `"R31"`, `null`},
		{"recipient-form", "an agency id", "", ReasonValue, "lv/vp", "lv"},
		{"recipient-list", "one agency", "", ReasonType, `"lv/vp"`, `["lv/vp"]`},
		{"unknown", "no unknown members", "", ReasonUnknownMember, `"iat"`, `"exp":1,"iat"`},
		{"jti", "no unknown members", "", ReasonUnknownMember, `"iat"`, `"jti":"` + forgeJTI + `","iat"`},
		{"digest", "base64url of 32 bytes", "", ReasonValue, forgeSalt, forgeSalt[:42]},
		{"sub", "a package id", "", ReasonValue, `"sub":"` + forgeJTI, `"sub":"` + strings.ReplaceAll(forgeJTI, "-", "")},
		{"accept-iat-early", "iat at the edge of the window", "", "", `1795312345`, `1795312045`},
		{"accept-iat-late", "iat at the edge of the window", "", "", `1795312345`, `1795312645`},
		{"iat", "within 5 minutes", "invalid", ReasonIAT, `1795312345`, `1795313345`},
		{"iat-early", "a second beyond the window", "invalid", ReasonIAT, `1795312345`, `1795312044`},
		{"iat-late", "a second beyond the window", "invalid", ReasonIAT, `1795312345`, `1795312646`},
		{"exchange", "another exchange", "invalid", ReasonExchange, testExchange, "other.example/ledger"},
	})
	b.signed("approval", approvalText, TypApproval, b.keys.approveEd, []signedCase{{"accept-eddsa", "signed with Ed25519", "", "", "", ""}})
	b.keysOfPart("approval", approvalText, TypApproval, b.keys.approve, b.keys.es256)
	b.sized("approval", approvalText, TypApproval, b.keys.approve, maxApproval, "4 KiB")
}
