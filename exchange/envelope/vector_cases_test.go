package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// vectorCase is one row of the table of vectors: <part>-<what>.
type vectorCase struct {
	name   string
	vector *vector
}

// table collects cases. Its methods make one case each.
type table struct {
	t     testing.TB
	keys  *forgeKeys
	cases []vectorCase
}

func vectorCases(t testing.TB) []vectorCase {
	b := &table{t: t, keys: newForgeKeys(t)}
	for _, add := range []func(){
		b.acceptedPackages, b.acceptedContents, b.jwsHeaders, b.jwsHeaderValues, b.jwsAlgorithms, b.jwsEncodings, b.typMatrix,
		b.manifestJSON, b.manifestValues, b.manifestEdges, b.metaValues, b.metaEdges, b.characters, b.numbers, b.names, b.syntax, b.depths,
		b.statements, b.statementEdges, b.signatures, b.es256Edges, b.eddsaEdges, b.told, b.toldEdges,
		b.contentHeaders, b.contentHeaderValues, b.contentAlgorithms, b.ephemeralKeys, b.contentForms, b.contentLengths, b.recipients,
		b.acknowledgements, b.approvals, b.keysOfAgencies, b.privateKeys, b.keySets, b.messages, b.messageEdges, b.messageNumbers, b.opened,
	} {
		add()
	}
	return b.cases
}

func (b *table) add(name string, v *vector) *vector {
	b.cases = append(b.cases, vectorCase{name, v})
	return v
}

// legal marks a reject that JOSE allows.
func (v *vector) legal(why string) *vector {
	v.LegalJOSE = "refused here, because " + why
	return v
}

// expected is a vector that is refused for its form with a reason, or accepted.
func expected(kind, about, reason string) *vector {
	v := &vector{About: about, Kind: kind, Expect: "malformed", Reason: reason}
	if reason == "" {
		v.Expect = "accept"
	}
	return v
}

// whole is a case of a whole package for lv/vp, or for the agencies of aud.
func (b *table) whole(name, about, expect, reason string, change func(*forge), aud ...string) *vector {
	f := b.forge(change, aud...)
	v := &vector{About: about, Expect: expect, Reason: reason}
	f.vector(v)
	return b.add("package-"+name, v)
}

func (b *table) forge(change func(*forge), aud ...string) *forge {
	if len(aud) == 0 {
		aud = []string{"lv/vp"}
	}
	f := newForge(b.t, b.keys, aud...)
	if change != nil {
		change(f)
	}
	return f
}

func (b *table) accept(name, about string, change func(*forge), aud ...string) {
	b.whole("accept-"+name, about, "accept", "", change, aud...)
}

// manifest is a manifest that is refused for its form, or accepted.
func (b *table) manifest(name, about, reason string, change func(*forge)) *vector {
	f := b.forge(change)
	m, _, _ := f.build()
	return b.part(f, "manifest", name, about, reason, m)
}

// part is a case of a signed part by itself.
func (b *table) part(f *forge, kind, name, about, reason, raw string) *vector {
	v := expected(kind, about, reason)
	v.Exchange, v.Now = testExchange, testNow.Unix()
	f.directory(v)
	v.put(kind, raw)
	return b.add(kind+"-"+name, v)
}

// content is a content that is refused for its form, or accepted.
func (b *table) content(name, about, reason string, change func(*forge), aud ...string) *vector {
	f := b.forge(change, aud...)
	v := expected("content", about, reason)
	v.put("content", apply(f.rawContent, f.encrypted()))
	v.pad("content", f.padding)
	f.secrets(v)
	if reason == "" {
		v.Message = json.RawMessage(f.message)
	}
	return b.add("content-"+name, v)
}

// text is a case of a part that is one text: meta, message, keys.
func (b *table) text(kind, name, about, reason, text string) *vector {
	v := expected(kind, about, reason)
	v.put(kind, text)
	return b.add(kind+"-"+name, v)
}

func (b *table) acceptedPackages() {
	b.accept("es256", "one recipient: flattened JWE", nil)
	b.accept("eddsa", "signed with Ed25519", func(f *forge) { f.signer = f.keys.eddsa; f.headers() })
	b.accept("two-recipients", "general JWE", nil, "lv/vp", "ua/npu")
	b.accept("copy-for-sender", "one more JWE recipient: a key of iss", func(f *forge) { f.copied = true })
	b.accept("31-recipients-and-copy", "as many recipients as there may be", func(f *forge) { f.copied = true }, manyAgencies(31)...)
	b.accept("header-order", "header members in another order, with white space", func(f *forge) {
		f.manifestHeader = "{ \"typ\" : \"" + TypManifest + "\",\n\t\"kid\":\"" + f.signer.Kid() + "\",\r\n\"alg\":\"ES256\" }"
	})
	b.accept("header-escaped-name", "a header member written with an escape, once", func(f *forge) {
		swap(&f.manifestHeader, f, `"alg"`, `"\u0061lg"`)
	})
	b.accept("payload-white-space", "JSON white space between tokens", func(f *forge) {
		f.manifestPayload = strings.NewReplacer(`,"`, ",\r\n\t \"").Replace(f.manifestPayload)
	})
	b.accept("payload-escapes", "escapes in names and values", func(f *forge) {
		swap(&f.manifestPayload, f, `"iss":"ee/pbgb"`, `"\u0069ss":"ee\/pbgb"`)
	})
	b.accept("empty-attachments", "an empty list of attachments", func(f *forge) {
		swap(&f.manifestPayload, f, `"meta"`, `"attachments":[],"meta"`)
	})
	b.accept("attachment", "one attachment in both lists", func(f *forge) { f.attach(1, 1) })
	b.accept("64-attachments", "as many attachments as there may be, one twice", func(f *forge) { f.attach(MaxAttachments, MaxAttachments) })
	b.accept("exp-90-days", "the longest lifetime", func(f *forge) { swap(&f.manifestPayload, f, "1797904345", "1803088345") })
	b.whole("accept-iat-5-minutes-early", "iat at the edge of the window", "accept", "", func(f *forge) { swap(&f.manifestPayload, f, "1795312345", "1795312045") })
	b.whole("accept-iat-5-minutes-late", "iat at the edge of the window", "accept", "", func(f *forge) { swap(&f.manifestPayload, f, "1795312345", "1795312645") })
	b.accept("justification-20", "the shortest justification; characters are counted, not bytes", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects of case EE-2026-0117 were seen in Riga.", strings.Repeat("õ", 20))
	})
	b.accept("justification-500", "the longest justification", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects of case EE-2026-0117 were seen in Riga.", strings.Repeat("ж", 500))
	})
	b.accept("surrogate-pair", "an escaped character beyond the first plane", func(f *forge) {
		swap(&f.statementPayload, f, "Two suspects", `Two suspects \ud83d\ude94`)
	})
	b.accept("empty-lists", "no approvals, references and texts", func(f *forge) {
		swap(&f.statementPayload, f, `[{"approver":"officer-3","role":"head_of_duty","at":1795312000}]`, "[]")
		swap(&f.statementPayload, f, `["`+forgeSalt+`"]`, "[]")
		swap(&f.statementPayload, f, `{"urgency":"They may leave today."}`, "{}")
	})
	b.accept("prose", "line breaks, fractions and any characters but controls in a message", func(f *forge) {
		f.message = `{"salt":"` + forgeSalt + `","text":"a\r\n\tb שלום Жук 🚔","structured":{"format":"umf:2.0","body":{"lat":59.437,"n":-1.5e3,"x":[null,true]}},"counts":{"suspects":2}}`
	})
	b.accept("salt-only", "the least message", func(f *forge) { f.message = `{"salt":"` + forgeSalt + `"}` })
	b.accept("malleated", "J16: ES256 with n-s for s: accepted, since a repeat is judged by iss, jti and payload", func(f *forge) { f.rawManifest = malleate })
}

// attach lists attachments in manifest and message.
func (f *forge) attach(manifest, message int) {
	ref := `{"sha256":"` + digest64([]byte("x")) + `","size":56}`
	opener := `{"name":"scan.pdf","media_type":"application/pdf","key":"` + forgeSalt + `","size":0,"sha256":"` + digest64(nil) + `"}`
	swap(&f.manifestPayload, f, `"meta"`, `"attachments":[`+repeated(ref, manifest)+`],"meta"`)
	f.message = strings.TrimSuffix(f.message, "}") + `,"attachments":[` + repeated(opener, message) + `]}`
}

// repeated is a list of n elements, without brackets.
func repeated(element string, n int) string {
	return strings.TrimSuffix(strings.Repeat(element+",", n), ",")
}

func (b *table) acceptedContents() {
	b.accept("general-of-one", "the general form with one recipient, its parameters in the protected header", func(f *forge) { f.box.general = true })
	b.accept("general-of-one-header", "the general form with one recipient, its parameters in the per-recipient header", func(f *forge) { f.box.general, f.box.apart = true, true })
	b.accept("flattened-header", "the flattened form with alg, kid and epk in the per-recipient header", func(f *forge) { f.box.flat, f.box.apart = true, true })
	b.accept("shared-alg", "alg once in the protected header, kid and epk per recipient", func(f *forge) { f.shared(`"alg":"` + algEncrypt + `"`) }, "lv/vp", "ua/npu")
	b.accept("shared-epk", "epk once in the protected header: one ephemeral key for all, RFC 7516 section 4.6 lets it", func(f *forge) {
		one := must2(ecdh.P256().NewPrivateKey(derived("ephemeral of all")))
		f.box.epk = func(int) *ecdh.PrivateKey { return one }
		f.shared(`"epk":` + epkJSON(one.PublicKey()))
	}, "lv/vp", "ua/npu")
	for _, name := range []string{"alg", "kid", "epk"} {
		b.accept("flattened-header-"+name, "RFC 7516 section 7.2.1: any split of the two headers; here "+name+" stands in the per-recipient header", func(f *forge) {
			f.encrypted()
			member := memberText(f.protectedText(), name)
			f.content = ""
			f.box.protect = f.replace(member, "")
			f.content = f.replace(`"encrypted_key"`, `"header":{`+strings.TrimSuffix(member, ",")+`},"encrypted_key"`)(f.encrypted())
		})
	}
	b.accept("recipients-order", "the JWE recipients in another order than aud", func(f *forge) { f.rawOrder(1, 0) }, "lv/vp", "ua/npu")
	b.accept("copy-first", "the copy for the sender before the recipient", func(f *forge) { f.copied = true; f.rawOrder(1, 0) })
	b.accept("aud-order", "aud in any order, the same in both places", nil, "ua/npu", "lv/vp", "it/dcpc")
	b.accept("member-order", "the members of the JWE in another order", func(f *forge) {
		f.content = `{"tag":` + f.member("tag") + `,"ciphertext":` + f.member("ciphertext") + `,"iv":` + f.member("iv") + `,"encrypted_key":` + f.member("encrypted_key") + `,"protected":` + f.member("protected") + `}`
	})
	b.accept("protected-order", "the members of the protected header in another order, with white space: it is encrypted under as it stands", func(f *forge) {
		f.box.protect = func(h string) string {
			return " {\t\"typ\" : \"" + TypContent + "\",\r\n" + strings.TrimSuffix(strings.Replace(h, `,"typ":"`+TypContent+`"`, "", 1), "}")[1:] + " \n}\n"
		}
	})
	b.accept("protected-escapes", "escapes in names and values of the protected header", func(f *forge) {
		f.box.protect = f.replaceAll(`"enc":"A256GCM"`, `"\u0065nc":"\u0041256GCM"`, `"ee/pbgb"`, `"ee\/pbgb"`)
	})
	b.accept("epk-order", "the members of epk in another order, with white space", func(f *forge) {
		f.box.protect = func(h string) string {
			return f.replaceAll(`{"kty":"EC","crv":"P-256",`, `{ `, `},"kid"`, `, "crv" : "P-256","kty":"EC" },"kid"`)(h)
		}
	})
	b.accept("content-white-space", "white space around the members of the JWE", func(f *forge) {
		f.content = "\n " + strings.ReplaceAll(f.encrypted(), `,"`, ",\r\n\t\"") + "\n"
	})
	b.accept("content-escapes", "escapes in a base64url member", func(f *forge) {
		tag := f.member("tag")
		f.content = f.replace(tag, `"\u00`+hexOf(tag[1])+tag[2:])(f.content)
	})
	b.accept("content-escaped-names", "escapes in the names of the JWE's members", func(f *forge) {
		f.content = f.replaceAll(`"iv"`, `"\u0069\u0076"`, `"tag"`, `"t\u0061g"`)(f.encrypted())
	})
	b.accept("content-8-mib", "the largest content, by white space", func(f *forge) { f.padding = MaxContent - len(f.encrypted()) })
	header := func(f *forge, n int) {
		f.box.protect = func(h string) string { return h + strings.Repeat(" ", n-len(h)) }
	}
	b.accept("protected-4-kib", "the longest protected header, by white space", func(f *forge) { header(f, maxHeader) })
	b.leadingZeros()
}

// leadingZeros are the packages on which a library fails that drops zeros.
func (b *table) leadingZeros() {
	to := b.keys.enc["lv/vp"].public.key.(*ecdsa.PublicKey)
	search := func(fits func(epk *ecdh.PrivateKey) bool) func(*forge) {
		return func(f *forge) {
			for i := 0; ; i++ {
				k := must2(ecdh.P256().NewPrivateKey(derived("ephemeral zero " + strconv.Itoa(i))))
				if fits(k) {
					f.box.epk = func(int) *ecdh.PrivateKey { return k }
					return
				}
			}
		}
	}
	b.accept("epk-x-zero", "J27: x of epk begins with a zero byte, which stands (RFC 7518 section 6.2.1.2)", search(func(k *ecdh.PrivateKey) bool { return k.PublicKey().Bytes()[1] == 0 }))
	b.accept("epk-y-zero", "J27: y of epk begins with a zero byte, which stands", search(func(k *ecdh.PrivateKey) bool { return k.PublicKey().Bytes()[33] == 0 }))
	b.accept("shared-secret-zero", "the shared secret begins with a zero byte, which is hashed (RFC 7518 section 4.6.2)", search(func(k *ecdh.PrivateKey) bool {
		return must2(k.ECDH(must2(to.ECDH())))[0] == 0
	}))
	zero := derivedUntil(UseEncrypt, "", "enc x zero", func(k PrivateKey) bool {
		return strings.HasPrefix(k.public.fields.x, "AA") || strings.HasPrefix(k.public.fields.x, "AB")
	})
	b.accept("recipient-x-zero", "x of the recipient's key begins with a zero byte: its thumbprint has it", func(f *forge) {
		keys := *b.keys
		keys.enc = map[string]PrivateKey{"lv/vp": zero, "ee/pbgb": b.keys.enc["ee/pbgb"], "ua/npu": b.keys.enc["ua/npu"]}
		f.keys = &keys
	})
}

// shared puts a member into the protected header instead of the others.
func (f *forge) shared(member string) {
	f.box.protect = f.replace("{", "{"+member+",")
	f.box.headers = func(_ int, header, key string) (string, string) { return f.replace(member+",", "")(header), key }
}

// rawOrder puts two JWE recipients into another order.
func (f *forge) rawOrder(order ...int) {
	list := make([]string, 0, len(order))
	f.encrypted()
	for _, i := range order {
		header, key := f.recipientJSON(i)
		list = append(list, `{"header":`+header+`,"encrypted_key":`+key+`}`)
	}
	f.content = f.replace(f.member("recipients"), "["+strings.Join(list, ",")+"]")(f.content)
}

// protectedText is the JSON of the protected header.
func (f *forge) protectedText() string {
	header, ok := decode64([]byte(f.text("protected")))
	if !ok {
		f.t.Fatal("protected header")
	}
	return string(header)
}

// memberText is a member of an object as it stands there, with a comma after it.
func memberText(object, name string) string {
	text := object[strings.Index(object, `"`+name+`":`):]
	value := len(name) + 3
	if text[value] == '{' {
		return text[:value+strings.IndexByte(text[value:], '}')+1] + ","
	}
	return text[:value+strings.IndexAny(text[value:], ",}")] + ","
}

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }
