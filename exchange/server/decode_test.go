package server

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/exchange/api"
)

const goodConsultation = `{"officer":"j.berzins","justification":"Preparing the answer to the request."}`

func TestDecodeStrict(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth) + `1` + strings.Repeat(`}`, maxDepth)
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"good":              {goodConsultation, nil},
		"white space":       {" \n" + goodConsultation + "\t\n", nil},
		"optional members":  {`{"officer":"a","justification":"b","case_ref":"c","package":"d"}`, nil},
		"empty":             {``, errSyntax},
		"not JSON":          {`{officer:"a"}`, errSyntax},
		"cut off":           {goodConsultation[:20], errSyntax},
		"trailing object":   {goodConsultation + `{}`, errSyntax},
		"trailing word":     {goodConsultation + ` null`, errSyntax},
		"byte order mark":   {"\ufeff" + goodConsultation, errSyntax},
		"not UTF-8":         {"{\"officer\":\"\xff\",\"justification\":\"b\"}", errSyntax},
		"lone surrogate":    {`{"officer":"\ud800","justification":"b"}`, errSyntax},
		"array":             {`[]`, errObject},
		"null":              {`null`, errObject},
		"number":            {`1`, errObject},
		"unknown member":    {`{"officer":"a","justification":"b","role":"operator"}`, errMember},
		"other case":        {`{"Officer":"a","justification":"b","officer":"c"}`, errMember},
		"only other case":   {`{"OFFICER":"a","justification":"b","officer":"c"}`, errMember},
		"twice":             {`{"officer":"a","officer":"b","justification":"c"}`, errTwice},
		"twice, escaped":    {`{"officer":"a","\u006ffficer":"b","justification":"c"}`, errTwice},
		"null member":       {`{"officer":null,"justification":"b"}`, errNull},
		"wrong type":        {`{"officer":1,"justification":"b"}`, errValue},
		"object for string": {`{"officer":{},"justification":"b"}`, errValue},
		"too deep":          {deep[:len(deep)-1] + `,"b":` + deep + `}`, errDepth},
	} {
		t.Run(name, func(t *testing.T) {
			var v api.ConsultationRequest
			if err := decodeStrict([]byte(c.body), &v); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDecodeStrictLooksInside(t *testing.T) {
	for body, want := range map[string]error{
		`{"manifest":{"a":{"b":1,"b":2}},"statement":{}}`:                 errTwice,
		`{"manifest":{"a":[{"b":1},{"b":2}]},"statement":{}}`:             nil,
		`{"manifest":{"a":1,"c":[1,"a","a"]},"statement":{}}`:             nil,
		`{"manifest":{"a":[[{"x":1,"y":{"z":1},"x":3}]]},"statement":{}}`: errTwice,
	} {
		var v api.DryRun
		if err := decodeStrict([]byte(body), &v); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}

func TestDecodeStrictNamesWhatLacks(t *testing.T) {
	var v api.ConsultationRequest
	err := decodeStrict([]byte(`{"officer":"a"}`), &v)
	if err == nil || !strings.Contains(err.Error(), `"justification"`) {
		t.Errorf("got %v", err)
	}
}

// What is let through decodes to the same whoever reads it: encoding again
// and reading leniently changes nothing.
func FuzzDecodeStrict(f *testing.F) {
	f.Add([]byte(goodConsultation))
	f.Add([]byte(`{"officer":"\u00e9\ud83d\ude00","justification":"","package":""}`))
	f.Add([]byte(`{"officer":"a","officer":"b","justification":"c"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, lenient api.ConsultationRequest
		if decodeStrict(body, &strict) != nil {
			return
		}
		if err := json.Unmarshal(body, &lenient); err != nil {
			t.Fatalf("strict took what is not JSON: %v", err)
		}
		if diff := cmp.Diff(lenient, strict); diff != "" {
			t.Error(diff)
		}
		var members map[string]string
		if err := json.Unmarshal(body, &members); err != nil || len(members) > 4 {
			t.Errorf("strict took other members: %v %v", members, err)
		}
	})
}
