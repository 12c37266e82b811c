package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var compiled = map[string]*regexp.Regexp{}

func matches(pattern string, s []byte) bool {
	if compiled[pattern] == nil {
		compiled[pattern] = regexp.MustCompile(pattern)
	}
	return compiled[pattern].Match(s) && !bytes.HasSuffix(s, []byte{'\n'})
}

func anyJSON(text string, d dialect) error {
	var v json.RawMessage
	return readAll([]byte(text), d, anyValue, &v)
}

func TestAnyJSON(t *testing.T) {
	for _, good := range []string{
		`{}`, `[]`, `""`, `0`, `-1`, `9007199254740991`, `-9007199254740991`, `true`, `false`, `null`, " [ 1 , 2 ]\r\n\t", `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`,
		`"\"\\\/"`, `"\u00e9\ud83d\ude94é🚔"`, strings.Repeat("[", 16) + strings.Repeat("]", 16),
	} {
		if err := anyJSON(good, signedDialect); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for text, reason := range map[string]string{
		``: ReasonType, ` `: ReasonType, `{`: ReasonType, `[`: ReasonType, `"`: ReasonJSON, `"\`: ReasonJSON, `"\u12`: ReasonJSON, `"\u12G4"`: ReasonJSON, `{"a"}`: ReasonJSON, `{"a":}`: ReasonType,
		`{"a":1,}`: ReasonJSON, `[1,]`: ReasonJSON, `[,1]`: ReasonType, `[1 2]`: ReasonJSON, `{"a":1 "b":2}`: ReasonJSON, `{a:1}`: ReasonType, `[1}`: ReasonJSON, `1 2`: ReasonJSON,
		`01`: ReasonNumber, `-`: ReasonNumber, `+1`: ReasonType, `.5`: ReasonType, `1.`: ReasonNumber, `1e`: ReasonNumber, `1e+`: ReasonNumber, `1.0`: ReasonNumber, `1e2`: ReasonNumber, `-0`: ReasonNumber,
		`9007199254740992`: ReasonValue, `NaN`: ReasonType, `Infinity`: ReasonType, `nul`: ReasonJSON, `truex`: ReasonJSON, `TRUE`: ReasonType,
		`{"a":1,"a":2}`: ReasonDuplicateMember, `{"a":1,"\u0061":2}`: ReasonDuplicateMember, `[{"b":[{"x":1,"x":1}]}]`: ReasonDuplicateMember, `{"":1,"":2}`: ReasonDuplicateMember,
		"\"\n\"": ReasonCharacters, `"\n"`: ReasonCharacters, `"\u007f"`: ReasonCharacters, `"\u009f"`: ReasonCharacters, "\"\xc2\x85\"": ReasonCharacters, "\"\xff\"": ReasonCharacters,
		"\"\xf4\x90\x80\x80\"": ReasonCharacters, `"\ud800"`: ReasonJSON, `"\ud800x"`: ReasonJSON, `"\ud800\ud800"`: ReasonJSON, `"\uffff"`: ReasonCharacters, `"\ud83f\udfff"`: ReasonCharacters,
		`"\u2028"`: ReasonCharacters, `"\u2066"`: ReasonCharacters, `"\ufeff"`: ReasonCharacters, "\ufeff{}": ReasonType, "{}\x00": ReasonJSON, "\v1": ReasonType,
		strings.Repeat("[", 17) + strings.Repeat("]", 17): ReasonDepth, strings.Repeat("[", 20000): ReasonDepth, strings.Repeat(`{"a":`, 20000): ReasonDepth,
	} {
		if err := anyJSON(text, signedDialect); !errors.Is(err, ErrMalformed) || Reason(err) != reason {
			t.Errorf("%.40q: %v, want %s", text, err, reason)
		}
	}
	for _, good := range []string{`1.5`, `-0`, `1e400`, `1E-7`, `"\n\t\r\u2066"`} {
		if err := anyJSON(good, messageDialect); err != nil {
			t.Errorf("in a message: %s: %v", good, err)
		}
	}
	for _, bad := range []string{`"\b"`, `"\u0000"`, "\"\t\"", `"\u007f"`, strings.Repeat("1", 65), `01`, `{"a":1,"a":1}`} {
		if err := anyJSON(bad, messageDialect); !errors.Is(err, ErrMalformed) {
			t.Errorf("in a message: %.40q: %v", bad, err)
		}
	}
}

// TestManyNames: a repeated name is found among few and among many.
func TestManyNames(t *testing.T) {
	for _, n := range []int{2, 15, 16, 17, 18, 300} {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"` + strings.Repeat("x", i+1) + `":1,`)
		}
		if err := anyJSON("{"+b.String()+`"y":1}`, signedDialect); err != nil {
			t.Errorf("%d names: %v", n, err)
		}
		for _, again := range []int{1, n / 2, n} {
			if err := anyJSON("{"+b.String()+`"`+strings.Repeat("x", max(again, 1))+`":1}`, signedDialect); Reason(err) != ReasonDuplicateMember {
				t.Errorf("%d names, number %d again: %v", n, again, err)
			}
		}
	}
}

// TestReaderTakesWhatStandardEncodes: what encoding/json writes of strings and
// integers is read back to the same.
func TestReaderTakesWhatStandardEncodes(t *testing.T) {
	r := regexp.MustCompile(`^[^\p{Cc}\x{2028}-\x{202e}\x{2066}-\x{2069}\x{feff}\x{fffe}\x{ffff}]*$`)
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.String().Draw(rt, "s")
		raw := must2(json.Marshal(s))
		var got string
		err := readAll(raw, signedDialect, text(0, 1<<20), &got)
		clean := r.MatchString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c&0xfffe == 0xfffe })
		if (err == nil) != clean || err == nil && got != s {
			rt.Fatalf("%q: %q, %v", s, got, err)
		}
	})
}

// TestBase64: canonical64 and decode64 accept exactly what encoding yields.
func TestBase64(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(rt, "b")
		s := []byte(base64.RawURLEncoding.EncodeToString(b))
		if got, ok := decode64(s); !ok || !bytes.Equal(got, b) || !canonical64(s) {
			rt.Fatalf("%q refused", s)
		}
		i := rapid.IntRange(0, len(s)).Draw(rt, "i")
		c := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\r\n =+/AB_-"))).Draw(rt, "c")
		changed := append(append(bytes.Clone(s[:i]), c), s[i:]...)
		if rapid.Bool().Draw(rt, "instead") && i < len(s) {
			changed = append(changed[:i+1], s[i+1:]...)
		}
		got, ok := decode64(changed)
		if ok != canonical64(changed) || ok && base64.RawURLEncoding.EncodeToString(got) != string(changed) {
			rt.Fatalf("%q: decode64 %v, canonical64 %v", changed, ok, canonical64(changed))
		}
	})
}

// TestDetailSaysNothing: no part of the input comes back.
func TestDetailSaysNothing(t *testing.T) {
	const secret = "SECRETWORD"
	for _, text := range []string{
		strings.Replace(testMeta, `"v":1`, `"v":1,"`+secret+`":1`, 1),
		strings.Replace(testMeta, `"investigation"`, `"`+secret+`"`, 1),
		strings.Replace(testMeta, `"v":1`, `"v":1,"ext":{"`+secret+`":{}}`, 1),
		strings.Replace(testMeta, `"v":1`, `"v":1,"ext":{"ee":{"`+secret+`":1,"`+secret+`":1}}`, 1),
		strings.Replace(testMeta, `"v":1`, `"v":`+secret, 1),
		strings.Replace(testMeta, "2026-11-20", secret, 1),
	} {
		_, err := ParseMeta([]byte(text))
		if err == nil || strings.Contains(err.Error()+Detail(err)+Reason(err), secret) {
			t.Errorf("%v", err)
		}
	}
	if _, err := ParseMeta([]byte(strings.Replace(testMeta, `"a","b"`, `"a","z"`, 1))); Detail(err) != "/subjects/0/data_categories/1: one of the published codes" {
		t.Errorf("detail: %q", Detail(err))
	}
	if Detail(rejected(ReasonSignature)) != "" || Reason(nil) != "" || Detail(nil) != "" || Reason(errors.New("x")) != ReasonOther || Detail(errors.New("x")) != "" {
		t.Error("Reason or Detail say too much")
	}
}
