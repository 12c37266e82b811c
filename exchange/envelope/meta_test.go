package envelope

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMetaAgreesWithSchema changes the fullest meta in one place at a time:
// every member dropped, doubled under another name, set to each of many values.
func TestMetaAgreesWithSchema(t *testing.T) {
	s := compiledMetaSchema(t)
	values := []any{
		nil, true, false, 0, 1, 2, 99, 100, 100000, 100001, -1, "", "a", "x", "ee", "EE", "ee/pbgb", "ee/", "A", "B2", "none", "national:ee:x", "national:ee:", "national::x",
		"2026-01-01", "2026-02-29", "2024-02-29", "2000-02-29", "2100-02-29", "0999-01-01", "3000-01-01", "2026-13-01", "2026-04-31", "2026-1-1", forgeJTI, strings.ToUpper(forgeJTI),
		strings.Repeat("x", 64), strings.Repeat("x", 65), "é", "a b", "internal_eu", "investigation", "suspect", "H1", "u18", "4x4",
		[]any{}, []any{"a"}, []any{"a", "a"}, []any{"ee"}, []any{"ee", "ee"}, []any{"ee/pbgb"}, []any{1}, []any{map[string]any{}}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"ee": map[string]any{}},
		map[string]any{"code": "H1"}, map[string]any{"level": "routine"}, map[string]any{"rule": "none"},
	}
	var full any
	if err := json.Unmarshal([]byte(fullMeta), &full); err != nil {
		t.Fatal(err)
	}
	n := 0
	check := func() {
		n++
		sameVerdict(t, s, must2(json.Marshal(full)))
	}
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		few := values
		switch v.(type) {
		case map[string]any, []any:
			few = values[len(values)-14:] // lists and objects; a scalar in their place is another type, whichever it is
		}
		for _, other := range few {
			set(other)
			check()
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				delete(v, k)
				check()
				v[strings.ToUpper(k)+"_"] = e
				check()
				delete(v, strings.ToUpper(k)+"_")
				v[k] = e
				walk(e, func(x any) { v[k] = x })
			}
		case []any:
			for i, e := range v {
				walk(e, func(x any) { v[i] = x })
			}
			for _, length := range []int{8, 9, 16, 17, 32, 33} {
				long := make([]any, 0, length)
				for i := range length {
					if e, ok := v[0].(string); ok {
						long = append(long, e+fmt.Sprint(i))
					} else {
						long = append(long, v[0])
					}
				}
				set(long)
				check()
			}
			set(v)
		}
	}
	walk(full, func(x any) { full = x })
	if n < 4000 {
		t.Fatalf("only %d changes", n)
	}
}

// TestGrammarsAgreeWithPatterns: the function of a grammar is its pattern.
func TestGrammarsAgreeWithPatterns(t *testing.T) {
	for name, g := range map[string]grammar{
		"code": codeGrammar, "jurisdiction": jurisdictionGrammar, "officer": officerGrammar, "origin": originGrammar, "language": languageGrammar,
		"grade": gradeGrammar, "digest": digestGrammar, "agency": agencyGrammar, "uuid": uuidGrammar, "date": dateGrammar, "national": nationalGrammar,
		"member": memberNameGrammar, "media type": mediaTypeGrammar,
	} {
		pattern := rapid.StringMatching(g.pattern)
		rapid.Check(t, func(rt *rapid.T) {
			s := []byte(pattern.Draw(rt, "s"))
			if !g.match(s) {
				rt.Fatalf("%s: %q matches the pattern only", name, s)
			}
			if len(s) == 0 {
				return
			}
			i := rapid.IntRange(0, len(s)-1).Draw(rt, "i")
			s[i] = rapid.Byte().Draw(rt, "b")
			if want := matches(g.pattern, s); g.match(s) != want {
				rt.Fatalf("%s: %q: function says %v, pattern %v", name, s, !want, want)
			}
		})
	}
}

// TestDays: a date is a day of the calendar, from 1000 to 2999: every year of
// some centuries, every eighth or fifteenth of the others.
func TestDays(t *testing.T) {
	for year := 990; year <= 3010; year += 1 + 7*((year/100)%3) {
		for month := 0; month <= 13; month++ {
			for _, day := range []int{0, 1, 28, 29, 30, 31, 32} {
				s := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				if isDate([]byte(s)) != matches(dateGrammar.pattern, []byte(s)) {
					t.Fatalf("%s: function and pattern differ", s)
				}
			}
		}
	}
}

// TestCodesOfTheVocabulary: the counts that the law gives.
func TestCodesOfTheVocabulary(t *testing.T) {
	areas := crimeAreaShape.schema["anyOf"].([]any)[0].(schema)["enum"].([]string)
	if len(areas) != 31 {
		t.Errorf("%d crime areas, Europol Regulation Annex I has 31", len(areas))
	}
	for name, tc := range map[string]struct {
		k    shape[string]
		want int
	}{"purposes": {purposeShape, 7}, "data categories": {dataCategoryShape, 12}, "schemes": {schemeShape, 4}} {
		if got := len(tc.k.schema["enum"].([]string)); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
