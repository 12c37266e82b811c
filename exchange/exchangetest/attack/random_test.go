package attack_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// damage changes some bytes of a text, and never leaves it as it was.
func damage(t *rapid.T, s string) string {
	out := []byte(s)
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		at := rapid.IntRange(0, max(0, len(out)-1)).Draw(t, "at")
		switch rapid.SampledFrom([]string{"flip", "drop", "insert", "cut", "repeat", "swap"}).Draw(t, "how") {
		case "flip":
			if len(out) > 0 {
				out[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			}
		case "drop":
			out = append(out[:at:at], out[min(at+rapid.IntRange(1, 9).Draw(t, "bytes"), len(out)):]...)
		case "insert":
			what := rapid.SampledFrom([]string{"=", ".", "\n", "\x00", "A", "\"", "{", "}", ",", "\\u0000", "\xff", " ", "-", "\u202e"}).Draw(t, "what")
			out = append(out[:at:at], append([]byte(what), out[at:]...)...)
		case "cut":
			out = out[:at]
		case "repeat":
			out = append(out[:at:at], append(append([]byte{}, out[:at]...), out[at:]...)...)
		case "swap":
			if to := rapid.IntRange(0, max(0, len(out)-1)).Draw(t, "to"); len(out) > 0 {
				out[at], out[to] = out[to], out[at]
			}
		}
	}
	if string(out) == s {
		return s + "~"
	}
	return string(out)
}

// TestDamage: a part that was changed on its way, anyhow, is refused.
func TestDamage(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		part := rapid.IntRange(0, 3).Draw(rt, "part")
		c := attack{row: "J19", name: "damaged " + strconv.Itoa(n), want: verdict{entry: "package.send refused *"}}
		c.make = post(func(f *forgery) {
			f.parts = func(p []exchangetest.Part) []exchangetest.Part {
				p[part].Body = []byte(damage(rt, string(p[part].Body)))
				return p
			}
		})
		if part == 3 {
			c.from, c.want.entry = "lv/vp", "package.acknowledge refused *"
			c.make = func(a *arena) request {
				r := k.request(a, func(*jws) {})
				r.Body = []byte(damage(rt, string(r.Body)))
				return r
			}
		}
		a.names[c.row+"/"+c.name] = true
		a.try(rt, c)
	})
	a.given(k)
	a.accepted()
}

// TestDamageSigned: a header or payload that is damaged, and then signed with
// the right key, is accepted only if it means the same.
func TestDamageSigned(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		c := rapid.SampledFrom(carriers(k)).Draw(rt, "carrier")
		header := rapid.Bool().Draw(rt, "in the header")
		edit := func(j *jws) {
			text := &j.payload
			if header {
				text = &j.header
			}
			// What holds the text together, and is part of no value.
			at := rapid.SampledFrom(structure(*text)).Draw(rt, "at")
			with := rapid.SampledFrom([]string{"", "x", "\\", "\"\"", "{", "[", "]", "}", "\x00", "\xff", "1", ",,"}).Draw(rt, "with")
			if with == (*text)[at:at+1] {
				with = "x"
			}
			*text = (*text)[:at] + with + (*text)[at+1:]
		}
		a.names[fmt.Sprintf("J14/damaged %d", n)] = true
		a.try(rt, attack{row: "J14", from: c.from, want: verdict{api.EnvelopeMalformed, c.action + " refused envelope-malformed/" + c.name + ":*"}, make: c.make(edit)})
	})
	a.given(k)
	a.accepted()
}

// structure lists where braces, brackets, colons, commas and quotes stand.
func structure(text string) (at []int) {
	for i := range len(text) {
		if strings.IndexByte(`{}[]:,`, text[i]) >= 0 {
			at = append(at, i)
		}
	}
	return at
}
