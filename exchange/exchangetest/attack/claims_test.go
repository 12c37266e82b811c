package attack_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestClaims: what a signed part says of itself: ids, times, names, and that
// the parts of one package say the same (J9, J29, J32, J35).
func TestClaims(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	a.run(each(2, times(a, k))...)
	a.run(each(2, windows(a, k))...)
	a.run(each(2, ids(a))...)
	a.run(each(2, recipients(a))...)
	a.run(each(2, speakers(a, k))...)
	a.run(each(2, disagreements(a))...)
	a.run(each(2, acknowledgements(a, k))...)
	a.given(k)
	a.accepted()
}

// claimed is an attack by a claim of the manifest: old, which it has, is
// replaced.
func claimed(row, name string, want verdict, old, with string) attack {
	return attack{row: row, name: "manifest: " + name, want: want, make: post(func(f *forgery) { in(&f.manifest.payload, old, with) })}
}

// times: numbers that are no seconds (J35).
//
// DESIGN 5: where the catalogue has 422 it is 400 here: the form of a number
// is seen without a key.
func times(a *arena, k *acknowledgement) (all []attack) {
	for value, reason := range map[string]string{
		"1795312345.0": "number", "1795312345.5": "number", "1.795312345e9": "number", "1795312345e0": "number", "1E9": "number", "01795312345": "number", "-0": "number", "1e400": "number", "-1e400": "number",
		"9223372036854775808": "number", "18446744073709551616": "number", "1" + strings.Repeat("0", 100): "number", "-1": "value", "-9223372036854775808": "value", "9007199254740992": "value", "9223372036854775807": "value",
		`"1795312345"`: "type", `""`: "type", "null": "type", "true": "type", "[1795312345]": "type", "{}": "type", `"2026-11-22T00:00:00Z"`: "type", "NaN": "type", "Infinity": "type", "+1": "type", ".5": "type", "0x6B": "*", "1_000": "*", "1.": "number", "1e": "number", "-": "number", "--1": "number",
	} {
		for _, member := range []string{"iat", "exp"} {
			all = append(all, attack{row: "J35", name: fmt.Sprintf("manifest: %s %.40s", member, value), want: malformed("manifest:" + reason), make: post(func(f *forgery) {
				i := strings.Index(f.manifest.payload, quote(member)+":") + len(member) + 3
				f.manifest.payload = f.manifest.payload[:i] + value + f.manifest.payload[i+10:]
			})})
		}
		all = append(all, attack{row: "J35", name: fmt.Sprintf("acknowledgement: iat %.40s", value), from: "lv/vp",
			want: refusal("package.acknowledge", api.EnvelopeMalformed, "acknowledgement:"+reason), make: func(a *arena) request {
				return k.request(a, func(j *jws) {
					i := strings.Index(j.payload, `"iat":`) + 6
					j.payload = j.payload[:i] + value + j.payload[i+10:]
				})
			}})
	}
	return each(3, all)
}

// windows: times that are too far away (J35). The clock is the exchange's.
func windows(a *arena, k *acknowledgement) (all []attack) {
	seconds := func(d time.Duration) string { return fmt.Sprint(a.Clock.Now().Add(d).Unix()) }
	set := func(member string, at func() string) func(f *forgery) {
		return func(f *forgery) {
			i := strings.Index(f.manifest.payload, quote(member)+":") + len(member) + 3
			end := i + strings.IndexByte(f.manifest.payload[i:], ',')
			f.manifest.payload = f.manifest.payload[:i] + at() + f.manifest.payload[end:]
		}
	}
	const day = 24 * time.Hour
	for _, d := range []time.Duration{-5*time.Minute - 2*time.Second, -time.Hour, -day, -400 * day, 5*time.Minute + 20*time.Second, time.Hour, day, 36500 * day} {
		all = append(all, attack{row: "J35", name: fmt.Sprint("manifest: iat ", d), want: invalid("manifest:iat-window"), make: post(set("iat", func() string { return seconds(d) }))},
			attack{row: "J35", name: fmt.Sprint("acknowledgement: iat ", d), from: "lv/vp", want: refusal("package.acknowledge", api.PackageInvalid, "acknowledgement:iat-window"), make: func(a *arena) request {
				return k.request(a, func(j *jws) {
					i := strings.Index(j.payload, `"iat":`) + 6
					j.payload = j.payload[:i] + seconds(d) + j.payload[i+10:]
				})
			}})
	}
	for _, at := range []string{"0", "1", "9007199254740991"} {
		all = append(all, attack{row: "J35", name: "manifest: iat " + at, want: invalid("manifest:iat-window"), make: post(set("iat", func() string { return at }))})
	}
	for name, d := range map[string]time.Duration{"in a hundred years": 36500 * day, "in 91 days": 91 * day, "a day ago": -day, "an hour ago": -time.Hour, "ten minutes ago": -10 * time.Minute} {
		all = append(all, attack{row: "J35", name: "manifest: exp " + name, want: invalid("manifest:exp-range"), make: post(set("exp", func() string { return seconds(d) }))})
	}
	for _, at := range []string{"0", "9007199254740991"} {
		all = append(all, attack{row: "J35", name: "manifest: exp " + at, want: invalid("manifest:exp-range"), make: post(set("exp", func() string { return at }))})
	}
	return append(all,
		attack{row: "J35", name: "manifest: exp is iat", want: invalid("manifest:exp-range"), make: post(func(f *forgery) {
			now := seconds(0)
			set("iat", func() string { return now })(f)
			set("exp", func() string { return now })(f)
		})},
		attack{row: "J35", name: "manifest: exp has passed since iat", want: invalid("manifest:expired"), make: post(func(f *forgery) {
			set("iat", func() string { return seconds(-2 * time.Minute) })(f)
			set("exp", func() string { return seconds(-time.Minute) })(f)
		})})
}

// ids: package ids that are none (J34: what is compared has one spelling).
func ids(a *arena) (all []attack) {
	id := a.forge().a.jti
	v4 := uuid.NewString()
	v1, err := uuid.NewUUID()
	must(err)
	for _, jti := range []string{"", "1", "null", strings.ToUpper(id) + "", "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id + " ", " " + id, id + "0", id[:35], v4, v1.String(), uuid.Nil.String(), uuid.Max.String(),
		id[:14] + "6" + id[15:], id[:14] + "8" + id[15:], id[:19] + "c" + id[20:], id[:19] + "7" + id[20:], id[:35] + "g", strings.Replace(id, "-", "_", 1), "../" + id, id + "/../x", "' OR 1=1 --", strings.Repeat("0", 36), "0x" + id[2:], id[:35] + "\u0660"} {
		want := malformed("manifest:value")
		all = append(all, attack{row: "J34", name: fmt.Sprintf("manifest: jti %q", jti), want: want, make: post(func(f *forgery) {
			in(&f.manifest.payload, `"jti":`+quote(f.a.jti), `"jti":`+quote(jti))
		})}, attack{row: "J34", name: fmt.Sprintf("statement: jti %q", jti), want: malformed("statement:value"), make: post(func(f *forgery) {
			in(&f.statement.payload, `"jti":`+quote(f.a.jti), `"jti":`+quote(jti))
		})})
	}
	for _, value := range []string{"null", "1", "[]", "{}", "true", `["` + id + `"]`} {
		all = append(all, attack{row: "J34", name: "manifest: jti is " + value, want: malformed("manifest:type"), make: post(func(f *forgery) {
			in(&f.manifest.payload, `"jti":`+quote(f.a.jti), `"jti":`+value)
		})})
	}
	return each(3, all)
}

// recipients: addresses (J29).
func recipients(a *arena) (all []attack) {
	const aud = `"aud":["lv/vp"]`
	for list, reason := range map[string]string{
		"[]": "count", `"lv/vp"`: "type", `{}`: "type", "null": "type", `[null]`: "type", `[1]`: "type", `[["lv/vp"]]`: "type", `["lv/vp","lv/vp"]`: "duplicate-value", `["lv/vp","ee/pbgb"]`: "value", `["ee/pbgb"]`: "value",
		`["LV/VP"]`: "value", `["lv"]`: "value", `["lv/"]`: "value", `["/vp"]`: "value", `["lv/vp/unit"]`: "value", `["lv/*"]`: "value", `["*"]`: "value", `["lv//vp"]`: "value", `["lv/vp "]`: "value", `["lv/vр"]`: "value", `["lv/vp","ua/../by/mia"]`: "value",
		`["spiffe://lv/vp/unit/x"]`: "value", `[""]`: "value", `["lv\u002fvp","lv/vp"]`: "duplicate-value", "[" + agencies(32) + "]": "count", "[" + agencies(300) + "]": "count",
	} {
		all = append(all, claimed("J29", fmt.Sprintf("aud %.60s, of %d", list, len(list)), malformed("manifest:"+reason), aud, `"aud":`+list))
	}
	for _, list := range []string{`["lv/ghost"]`, `["lv/vp","lv/ghost"]`, `["xx/vp"]`, "[" + agencies(31) + "]", `["exchange/operator"]`, `["lv/vp","lv/vp-"]`} {
		all = append(all, claimed("J29", fmt.Sprintf("aud %.60s, of %d", list, len(list)), invalid("recipient-unknown"), aud, `"aud":`+list))
	}
	// J32: the manifest is sent to somebody else than the content is for.
	for _, list := range []string{`["it/dcpc"]`, `["lv/vp","it/dcpc"]`, `["it/dcpc","lv/vp"]`} {
		all = append(all, claimed("J32", "aud "+list, invalid("content:content-aud"), aud, `"aud":`+list))
		all = append(all, attack{row: "J32", name: "content: aud " + list, want: invalid("content:content-aud"), make: post(func(f *forgery) { f.header(swap(aud, `"aud":`+list)) })})
	}
	for name, agency := range map[string]string{"ukraine's": "ua/npu", "belarus'": "by/mia", "italy's": "it/dcpc"} {
		all = append(all, attack{row: "J32", name: "content: encrypted to " + name + " key", want: invalid("content:recipient-extra"), make: post(func(f *forgery) {
			f.header(swap(f.a.DecryptKeys("lv/vp")[0].Kid(), f.a.DecryptKeys(agency)[0].Kid()))
		})})
	}
	stranger, err := envelope.GenerateEncryption()
	must(err)
	to := func(name, kid string, reason string) {
		all = append(all, attack{row: "J29", name: "content: " + name, want: invalid("content:" + reason), make: post(func(f *forgery) {
			f.header(swap(f.a.DecryptKeys("lv/vp")[0].Kid(), kid))
		})})
	}
	to("encrypted to nobody's key", stranger.Kid(), "recipient-key-unknown")
	to("encrypted to zeroes", strings.Repeat("A", 43), "recipient-key-unknown")
	to("encrypted to the recipient's signing key", a.SignKey("lv/vp").Kid(), "recipient-key-unknown")
	to("encrypted to the sender alone", a.DecryptKeys("ee/pbgb")[0].Kid(), "recipient-missing")
	return all
}

// speakers: who speaks is who the certificate says (J9).
//
// DESIGN 3: envelope-rejected, with its reason in the log of who sent it.
func speakers(a *arena, k *acknowledgement) (all []attack) {
	for _, agency := range []string{"lv/vp", "ua/npu", "it/dcpc", "by/mia"} {
		all = append(all, attack{row: "J9", name: "manifest: the package of ee/pbgb, by " + agency, from: agency, want: rejected("sender-is-not-caller"), make: post(func(*forgery) {})})
		if agency == "by/mia" {
			continue
		}
		all = append(all, attack{row: "J9", name: "manifest: iss " + agency + " with the key of ee/pbgb", from: agency, want: rejected("signing-key-unknown"), make: post(func(f *forgery) {
			in(&f.manifest.payload, `"iss":"ee/pbgb"`, `"iss":`+quote(agency))
			in(&f.manifest.payload, `"aud":["lv/vp"]`, `"aud":["by/mia"]`)
		})})
	}
	for _, agency := range []string{"ee/ghost", "ee/pbg", "ee/pbgbb", "xx/pbgb", "it/dcpc"} {
		all = append(all, claimed("J9", "iss "+agency+" by ee/pbgb", rejected("sender-is-not-caller"), `"iss":"ee/pbgb"`, `"iss":`+quote(agency)))
	}
	for _, agency := range []string{"EE/pbgb", "ee/pbgb/", "ee", "ee/pbgb ", "ee/рbgb", "", "ee//pbgb", "ee/pbgb/unit/demo"} {
		all = append(all, claimed("J9", fmt.Sprintf("iss %q", agency), malformed("manifest:value"), `"iss":"ee/pbgb"`, `"iss":`+quote(agency)))
	}
	for _, agency := range []string{"lv/vp", "it/dcpc", "ee/ghost"} {
		all = append(all, attack{row: "J9", name: "statement: iss " + agency, want: rejected("statement:pair-issuer"), make: post(func(f *forgery) { in(&f.statement.payload, "ee/pbgb", agency) })})
	}
	for _, agency := range []string{"ee/pbgb", "ua/npu", "it/dcpc", "by/mia"} {
		all = append(all,
			attack{row: "J9", name: "acknowledgement: that of lv/vp, by " + agency, from: agency, want: refusal("package.acknowledge", api.EnvelopeRejected, "signer-is-not-caller"), make: func(a *arena) request { return k.request(a, func(*jws) {}) }},
			attack{row: "J9", name: "acknowledgement: iss " + agency + ", its key, by lv/vp", from: "lv/vp", want: refusal("package.acknowledge", api.EnvelopeRejected, "signer-is-not-caller"), make: func(a *arena) request {
				return k.request(a, func(j *jws) {
					claim("lv/vp", agency)(j)
					j.signWith(a.SignKey(agency))
				})
			}},
			attack{row: "J9", name: "acknowledgement: iss " + agency + ", the key of lv/vp", from: agency, want: refusal("package.acknowledge", api.EnvelopeRejected, "signing-key-unknown"), make: func(a *arena) request {
				return k.request(a, claim("lv/vp", agency))
			}},
			// Not theirs to acknowledge: the same 404 as for what is not there.
			attack{row: "J9", name: "acknowledgement: its own, by " + agency, from: agency, want: notTheirs(agency), make: func(a *arena) request {
				return k.request(a, func(j *jws) {
					claim("lv/vp", agency)(j)
					j.signWith(a.SignKey(agency))
				})
			}})
	}
	return all
}

// notTheirs is what an agency hears that acknowledges what is not for it.
func notTheirs(agency string) verdict {
	if agency == "ee/pbgb" { // its sender
		return refusal("package.acknowledge", api.NotFound, "not-a-recipient")
	}
	return refusal("package.acknowledge", api.NotFound, "not-a-party")
}

// disagreements: parts that do not belong together, each signed (J32).
func disagreements(a *arena) (all []attack) {
	other := a.Sealed(demo.EEtoLV)
	as := func(name, reason string, edit func(f *forgery)) {
		all = append(all, attack{row: "J32", name: name, want: invalid(reason), make: post(edit)})
	}
	digest := strings.Repeat("A", 43)
	as("statement: the jti of another package", "statement:pair-jti", func(f *forgery) { in(&f.statement.payload, f.a.jti, other.JTI) })
	as("statement: another one's digest", "statement:statement-digest", func(f *forgery) { in(&f.manifest.payload, f.a.digest, digest) })
	as("content: another one's digest", "content:content-digest", func(f *forgery) { in(&f.manifest.payload, sha(f.content), digest) })
	as("content: another size", "content:content-size", func(f *forgery) {
		in(&f.manifest.payload, fmt.Sprintf(`"size":%d`, len(f.content)), fmt.Sprintf(`"size":%d`, len(f.content)+1))
	})
	as("content: that of another package", "content:content-jti", func(f *forgery) { f.content = string(other.Content) })
	as("content: another jti", "content:content-jti", func(f *forgery) { f.header(swap(f.a.jti, other.JTI)) })
	as("content: another sender", "content:content-iss", func(f *forgery) { f.header(swap("ee/pbgb", "it/dcpc")) })
	as("content: a blank behind it", "content:content-digest", func(f *forgery) {
		in(&f.manifest.payload, sha(f.content), sha(f.content+" "))
		in(&f.manifest.payload, fmt.Sprintf(`"size":%d`, len(f.content)), fmt.Sprintf(`"size":%d`, len(f.content)+1))
	})
	for _, exchange := range []string{"other.example/ledger", demo.Origin + "/", strings.ToUpper(demo.Origin), demo.Origin[:len(demo.Origin)-1], "x"} {
		as("manifest: exchange "+exchange, "other-exchange", func(f *forgery) { in(&f.manifest.payload, quote(demo.Origin), quote(exchange)) })
	}
	all = append(all, claimed("J32", "exchange of nothing", malformed("manifest:value"), quote(demo.Origin), `""`),
		claimed("J32", "exchange with a blank", malformed("manifest:value"), quote(demo.Origin), quote(demo.Origin+" ")))
	for name, value := range map[string]string{"padded": digest + "=", "short": digest[:42], "long": digest + "A", "of bits that are not zero": digest[:42] + "B", "in hex": strings.Repeat("0", 64), "empty": "", "in standard base64": strings.Repeat("+", 43)} {
		all = append(all, attack{row: "J19", name: "manifest: statement digest " + name, want: malformed("manifest:value"), make: post(func(f *forgery) { in(&f.manifest.payload, f.a.digest, value) })},
			attack{row: "J19", name: "manifest: content digest " + name, want: malformed("manifest:value"), make: post(func(f *forgery) { in(&f.manifest.payload, sha(f.content), value) })})
	}
	for _, size := range []string{"0", "-1", "8388609", "9007199254740991"} {
		all = append(all, attack{row: "J32", name: "manifest: content of size " + size, want: malformed("manifest:value"), make: post(func(f *forgery) {
			in(&f.manifest.payload, fmt.Sprintf(`"size":%d`, len(f.content)), `"size":`+size)
		})})
	}
	return all
}

// acknowledgements: what is signed is what the descriptor shows (J32, J36).
func acknowledgements(a *arena, k *acknowledgement) (all []attack) {
	as := func(name string, want verdict, edit func(*jws)) {
		all = append(all, attack{row: "J32", name: "acknowledgement: " + name, from: "lv/vp", want: want, make: func(a *arena) request { return k.request(a, edit) }})
	}
	no := func(problem api.ProblemType, reason string) verdict {
		return refusal("package.acknowledge", problem, reason)
	}
	other := uuid.Must(uuid.NewV7()).String()
	member := func(name string) string {
		i := strings.Index(k.payload, quote(name)+`:"`) + len(name) + 4
		return k.payload[i : i+strings.IndexByte(k.payload[i:], '"')]
	}
	as("another package", no(api.PackageInvalid, "names-another"), claim(k.id, other))
	as("another exchange", no(api.PackageInvalid, "names-another"), claim(demo.Origin, "other.example/ledger"))
	as("another manifest", no(api.PackageInvalid, "names-another"), claim(member("manifest_sha256"), strings.Repeat("A", 43)))
	as("another decision", no(api.Conflict, "acknowledgement-differs"), claim(member("decision"), other))
	as("a decision of another form", no(api.Conflict, "acknowledgement-differs"), claim(member("decision"), "1"))
	as("no obligations", no(api.Conflict, "acknowledgement-differs"), func(j *jws) {
		before, _, _ := strings.Cut(j.payload, `"obligations":[`)
		j.payload = before + `"obligations":[]}`
	})
	as("one more obligation", no(api.Conflict, "acknowledgement-differs"), claim(`"obligations":[`, `"obligations":[{"code":"x","params":{}},`))
	as("obligations in another order", no(api.Conflict, "acknowledgement-differs"), func(j *jws) {
		before, list, _ := strings.Cut(j.payload, `"obligations":[`)
		list = strings.TrimSuffix(list, "]}")
		first, rest, _ := strings.Cut(list, `},{"code"`)
		j.payload = before + `"obligations":[{"code"` + rest + "," + first + "}]}"
	})
	as("another code", no(api.Conflict, "acknowledgement-differs"), claim(`"code":"erase_by"`, `"code":"erase_on"`))
	as("more days", no(api.Conflict, "acknowledgement-differs"), claim(`"days":`, `"days":9`))
	as("another parameter", no(api.Conflict, "acknowledgement-differs"), claim(`"params":{}`, `"params":{"x":1}`))
	as("obligations null", no(api.EnvelopeMalformed, "acknowledgement:type"), func(j *jws) {
		before, _, _ := strings.Cut(j.payload, `"obligations":[`)
		j.payload = before + `"obligations":null}`
	})
	as("65 obligations", no(api.EnvelopeMalformed, "acknowledgement:count"), claim(`"obligations":[`, `"obligations":[`+strings.Repeat(`{"code":"x","params":{}},`, 64)))
	for name, path := range map[string]string{"under another id": other, "under an id in upper case": strings.ToUpper(k.id), "under no id": "x"} {
		want := no(api.NotFound, "not-a-party") // the entry tells no more than the answer
		if name != "under another id" {
			want = refusal("request.refused", api.NotFound, "id-form")
		}
		all = append(all, attack{row: "J32", name: "acknowledgement: " + name, from: "lv/vp", want: want, make: func(a *arena) request {
			r := k.request(a, func(*jws) {})
			r.Path = api.PackagePath(path, "acknowledgement")
			return r
		}})
	}
	return all
}
