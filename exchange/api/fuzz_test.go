package api_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// FuzzParseProblem: the body of a refusal is refused, or says the same when it is written again, and is of one type at most.
func FuzzParseProblem(f *testing.F) {
	for _, p := range api.ProblemTypes() {
		b, err := json.Marshal(p.New("detail", "fix"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"/problems/conflict","status":409,"descriptor":{"id":"x","to":["lv/vp"],"outcomes":[{"recipient":"lv/vp","obligations":[{"code":"c","params":{}}]}]}}`))
	f.Add([]byte(`{"request_id":"x","RequestID":"x","RetryAfter":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := api.ParseProblem(body)
		if err != nil {
			return
		}
		if p.RequestID != "" || p.RetryAfter != 0 {
			t.Fatalf("the body says what only headers may: %+v", p)
		}
		types := 0
		for _, known := range api.ProblemTypes() {
			if errors.Is(p, known) {
				types++
			}
		}
		if types > 1 || types == 1 && p.Error() == "" && p.Title != "" {
			t.Fatalf("%+v is of %d types", p, types)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := api.ParseProblem(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if twice, err := json.Marshal(back); err != nil || string(twice) != string(again) {
			t.Fatalf("%s became %s, %v", again, twice, err)
		}
	})
}
