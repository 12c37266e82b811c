package envelope

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testErasure = Erasure{Exchange: testExchange, Iss: "lv/vp", JTI: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", IAT: testNow.Unix(),
	Package: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e", Reason: "Court order 2026-117: sent without a legal basis"}

func TestErasure(t *testing.T) {
	for _, alg := range []string{ES256, EdDSA} {
		key, err := Generate(UseApprove, alg)
		if err != nil {
			t.Fatal(err)
		}
		entries := testErasure
		entries.Package, entries.From, entries.To = "", 7, 7
		for _, order := range []Erasure{testErasure, entries} {
			raw, err := SignErasure(order, key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseErasure(raw)
			if err != nil || got.VerifySignature(key.Public()) != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			if d := cmp.Diff(order, got.Erasure); d != "" {
				t.Fatal(d)
			}
			week := 7 * 24 * time.Hour
			if got.CheckTime(testNow.Add(week)) != nil || Reason(got.CheckTime(testNow.Add(week+time.Second))) != ReasonIAT ||
				Reason(got.CheckTime(testNow.Add(-6*time.Minute))) != ReasonIAT {
				t.Fatal("time not checked")
			}
		}
	}
}

// TestHostileErasures: an order says exactly what it must, as a key of use
// approve signs it, and nothing else is one.
func TestHostileErasures(t *testing.T) {
	key := fuzzKey(t, UseApprove, ES256, 3)
	raw, err := json.Marshal(testErasure)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(typ string, edit func(map[string]any)) []byte {
		claims := map[string]any{}
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		edit(claims)
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return deterministic(t, key, fuzzHeader(key, typ), payload)
	}
	set := func(name string, v any) []byte {
		return signed(TypErasure, func(m map[string]any) { m[name] = v })
	}
	entries := func(from, to any) []byte {
		return signed(TypErasure, func(m map[string]any) { delete(m, "package"); m["from"], m["to"] = from, to })
	}
	same := func(map[string]any) {}
	cases := map[string][]byte{
		"empty": nil, "no JWS": []byte("erase"), "three dots": []byte("..."),
		"typ of an approval": signed(TypApproval, same), "typ of a rollback": signed(TypRollback, same),
		"unknown member": set("all", true), "package a path": set("package", "../x"), "package upper case": set("package", strings.ToUpper(testErasure.Package)),
		"jti no UUID": set("jti", "1"), "iss a country": set("iss", "lv"), "reason short": set("reason", "because"), "reason long": set("reason", strings.Repeat("why ", 126)),
		"reason steers": set("reason", "a reason \x1b[2J that clears the screen"), "both": set("from", 7), "neither": signed(TypErasure, func(m map[string]any) { delete(m, "package") }),
		"from zero": entries(0, 7), "backwards": entries(8, 7), "open": entries(7, nil), "fraction": entries(1.5, 2), "text": entries("1", "2"),
		"too many": entries(1, MaxErased+1), "too long": append(signed(TypErasure, same), make([]byte, 16<<10)...),
	}
	for _, name := range []string{"exchange", "iss", "jti", "iat", "reason"} {
		cases["no "+name] = signed(TypErasure, func(m map[string]any) { delete(m, name) })
	}
	for name, raw := range cases {
		if got, err := ParseErasure(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, raw := range map[string][]byte{"as it is": signed(TypErasure, same), "as many as go": entries(1, MaxErased)} {
		good, err := ParseErasure(raw)
		if err != nil || good.VerifySignature(key.Public()) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignErasure(testErasure, fuzzKey(t, UseSign, ES256, 3)); err == nil {
		t.Error("signed with a key of use sig")
	}
}

// FuzzErasure: whatever comes in is an order that says what its payload says,
// or malformed.
func FuzzErasure(f *testing.F) {
	key := fuzzKey(f, UseApprove, ES256, 3)
	raw, err := json.Marshal(testErasure)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(strings.Replace(string(raw), `"package":"`+testErasure.Package+`"`, `"from":1,"to":2`, 1)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, raw := range [][]byte{deterministic(t, key, fuzzHeader(key, TypErasure), payload), payload} {
			o, err := ParseErasure(raw)
			if err != nil {
				checkError(t, err)
				continue
			}
			if (o.Package == "") == (o.From == 0) || o.To < o.From {
				t.Errorf("%+v", o.Erasure)
			}
		}
	})
}
