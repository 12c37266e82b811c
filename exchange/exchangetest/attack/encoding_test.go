package attack_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestEncoding: base64url in its one spelling, three parts, and nothing
// around them (J19, J20, J22, J39).
func TestEncoding(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	cs := carriers(k)
	a.run(each(2, attacks(cs, spellings()))...)
	a.run(each(2, attacks(cs, segmentCounts()))...)
	a.run(each(2, attacks(cs, nested()))...)
	a.given(k)
	a.accepted(func(f *forgery) { // blanks in the JSON are its signer's
		f.manifest.header = strings.ReplaceAll(f.manifest.header, ",", " ,\t")
		f.manifest.payload += "\n"
	})
}

// places at which something is put into a segment.
var places = []string{"at the beginning", "in the middle", "at the end"}

func put(segment, what string, place int) string {
	at := []int{0, len(segment) / 2, len(segment)}[place]
	return segment[:at] + what + segment[at:]
}

// spellings: what is not of the alphabet, in each segment, signed as it is
// sent (J19). The catalogue names what go-jose passes: line breaks, leading
// and trailing blanks, bits that are not zero.
func spellings() (flaws []flaw) {
	defects := []string{"=", "==", "+", "/", "\r", "\n", "\r\n", " ", "\t", "\x00", "\v", "\ufeff", "\u00a0", "~", "%3D", "*", "Ａ"}
	for n, segment := range []string{"header", "payload", "signature"} {
		for _, defect := range defects {
			for place, where := range places {
				name := fmt.Sprintf("%q in the %s, %s", defect, segment, where)
				reason := "base64url"
				edit := func(j *jws) {
					j.segments = func(header, payload string) (string, string) {
						if n == 0 {
							return put(header, defect, place), payload
						}
						return header, put(payload, defect, place)
					}
				}
				if n == 2 {
					edit = func(j *jws) {
						j.finished = func(compact string) string {
							dot := strings.LastIndexByte(compact, '.') + 1
							return compact[:dot] + put(compact[dot:], defect, place)
						}
					}
				}
				flaws = append(flaws, flaw{"J19", name, edit, form(reason)})
			}
		}
		if n == 2 {
			continue
		}
		// The last character has two or four bits that stand for nothing.
		for _, rest := range []int{1, 2} {
			flaws = append(flaws, flaw{"J19", fmt.Sprintf("bits that are not zero after %d bytes of the %s", rest, segment), func(j *jws) {
				text := []*string{&j.header, &j.payload}[n]
				for len(*text)%3 != rest {
					*text += " "
				}
				j.segments = func(header, payload string) (string, string) {
					if n == 0 {
						return nextLast(header), payload
					}
					return header, nextLast(payload)
				}
			}, form("base64url")})
		}
	}
	return append(flaws,
		flaw{"J19", "bits that are not zero in the signature", func(j *jws) { j.finished = nextLast }, form("base64url")},
		flaw{"J19", "another bit that is not zero in the signature", func(j *jws) { j.finished = func(s string) string { return nextLast(nextLast(s)) } }, form("base64url")})
}

// nextLast replaces the last character with the next one of the alphabet.
func nextLast(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + alphabet[strings.IndexByte(alphabet, s[len(s)-1])+1:][:1]
}

// segmentCounts: not three parts, or empty ones (J20, J22).
func segmentCounts() (flaws []flaw) {
	as := func(row, name, text string, want func(carrier) verdict) {
		flaws = append(flaws, flaw{row, name, func(j *jws) {
			j.finished = func(compact string) string {
				p := strings.Split(compact, ".")
				return strings.NewReplacer("H", p[0], "P", p[1], "S", p[2]).Replace(text)
			}
		}, want})
	}
	for _, text := range []string{"", ".", "..", "...", "....", "H", "H.P", "H..S", ".P.S", "H.P.", "H.P..", ".H.P.S", "H.P.S.", "H.P.S.S", "H.P..S", "H..P.S", "H.P.S.H.P", "H.P.S.H.P.S", "H P S", "H,P,S", "HPS", "P.S", "H.S"} {
		row := "J20"
		if text == "H..S" || text == "H.P" {
			row = "J22"
		}
		as(row, fmt.Sprintf("%q", text), text, form("parts"))
	}
	as("J20", "forty thousand dots", strings.Repeat(".", 40_000), form("*"))
	as("J20", "a page of HTML", "<!doctype html><title>x</title>", form("parts"))
	as("J20", "XML with an entity", `<!DOCTYPE x [<!ENTITY e SYSTEM "http://`+lureHost+`/">]><x>&e;</x>`, form("*"))
	as("J22", "an empty payload", "H..S", form("parts"))
	flaws = append(flaws,
		flaw{"J22", "a payload of nothing, signed", func(j *jws) { j.payload = "" }, form("parts")},
		flaw{"J22", "a header of nothing, signed", func(j *jws) { j.header = "" }, form("parts")},
		flaw{"J22", "an empty object as payload", func(j *jws) { j.payload = "{}" }, form("missing-member")},
		flaw{"J22", "an empty object as header", func(j *jws) { j.header = "{}" }, form("missing-member")})
	for _, text := range []string{"null", "[]", `""`, "0", "true", "[{}]", `"{}"`} {
		flaws = append(flaws, flaw{"J22", "payload " + text, func(j *jws) { j.payload = text }, form("type")},
			flaw{"J22", "header " + text, func(j *jws) { j.header = text }, form("type")})
	}
	return flaws
}

// nested: a JWS in the payload of a JWS, each signed (J39).
func nested() (flaws []flaw) {
	for _, depth := range []int{1, 2, 3, 5} {
		inside := func(j *jws) string {
			inner := *j
			inner.finished = nil
			text := inner.compact()
			for range depth - 1 {
				inner.payload = text
				text = inner.compact()
			}
			return text
		}
		want := form("type")
		flaws = append(flaws,
			flaw{"J39", fmt.Sprintf("%d inside", depth), func(j *jws) { j.payload = inside(j) }, want},
			flaw{"J39", fmt.Sprintf("%d inside, as a string", depth), func(j *jws) { j.payload = `"` + inside(j) + `"` }, want},
			flaw{"J39", fmt.Sprintf("%d inside, in a member", depth), func(j *jws) { j.payload = `{"jws":"` + inside(j) + `"}` }, form("unknown-member")})
	}
	return append(flaws, flaw{"J39", "a thousand levels", func(j *jws) {
		text := "e30"
		for range 20 { // each level is a third longer
			text = encode(text)
		}
		j.payload = strings.Repeat(text, 60)
	}, tooLarge})
}
