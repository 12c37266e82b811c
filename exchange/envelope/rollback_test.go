package envelope

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testOrder = Rollback{Exchange: testExchange, Iss: "lv/vp", IAT: testNow.Unix(), Jurisdiction: "lv", Seq: 7,
	Declared: strings.Repeat("d", 42) + "A", Rules: strings.Repeat("r", 42) + "A", Reason: "The new rule refuses what courts asked for"}

func TestRollback(t *testing.T) {
	for _, alg := range []string{ES256, EdDSA} {
		key, err := Generate(UsePolicy, alg)
		if err != nil {
			t.Fatal(err)
		}
		common := Rollback{Exchange: testExchange, Iss: "lv/vp", IAT: testNow.Unix(), Jurisdiction: "common", Seq: 1, Common: testOrder.Rules, Reason: testOrder.Reason}
		bare := testOrder
		bare.Rules = ""
		for _, order := range []Rollback{testOrder, common, bare} {
			raw, err := SignRollback(order, key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseRollback(raw)
			if err != nil || got.VerifySignature(key.Public()) != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			if d := cmp.Diff(order, got.Rollback); d != "" {
				t.Fatal(d)
			}
			if got.CheckTime(testNow) != nil || Reason(got.CheckTime(testNow.Add(6*time.Minute))) != ReasonIAT {
				t.Fatal("time not checked")
			}
		}
	}
}

// TestHostileRollbacks: an order says exactly what it must, as a key of use
// policy signs it, and nothing else is one.
func TestHostileRollbacks(t *testing.T) {
	key := fuzzKey(t, UsePolicy, ES256, 3)
	signed := func(typ string, claims map[string]any) []byte {
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return deterministic(t, key, fuzzHeader(key, typ), payload)
	}
	raw, err := json.Marshal(testOrder)
	if err != nil {
		t.Fatal(err)
	}
	with := func(edit func(map[string]any)) map[string]any {
		var claims map[string]any
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		edit(claims)
		return claims
	}
	set := func(name string, v any) map[string]any { return with(func(m map[string]any) { m[name] = v }) }
	cases := map[string][]byte{
		"empty": nil, "no JWS": []byte("back"), "three dots": []byte("..."),
		"typ of an approval": signed(TypApproval, with(func(map[string]any) {})),
		"unknown member":     signed(TypRollback, set("force", true)),
		"seq zero":           signed(TypRollback, set("seq", 0)),
		"seq negative":       signed(TypRollback, set("seq", -1)),
		"seq a fraction":     signed(TypRollback, set("seq", 1.5)),
		"seq a text":         signed(TypRollback, set("seq", "7")),
		"seq null":           signed(TypRollback, set("seq", nil)),
		"iss a country":      signed(TypRollback, set("iss", "lv")),
		"jurisdiction path":  signed(TypRollback, set("jurisdiction", "../lv")),
		"rules no digest":    signed(TypRollback, set("rules", "latest")),
		"no digest at all":   signed(TypRollback, with(func(m map[string]any) { delete(m, "declared"); delete(m, "rules") })),
		"rules alone":        signed(TypRollback, with(func(m map[string]any) { delete(m, "declared") })),
		"common of lv":       signed(TypRollback, set("common", testOrder.Rules)),
		"lv's of common":     signed(TypRollback, set("jurisdiction", "common")),
		"both of common":     signed(TypRollback, with(func(m map[string]any) { m["jurisdiction"], m["common"] = "common", testOrder.Rules })),
		"reason short":       signed(TypRollback, set("reason", "because")),
		"reason long":        signed(TypRollback, set("reason", strings.Repeat("why ", 126))),
		"reason steers":      signed(TypRollback, set("reason", "a reason \x1b[2J that clears the screen")),
		"too long":           append(signed(TypRollback, with(func(map[string]any) {})), make([]byte, 16<<10)...),
	}
	for _, name := range []string{"exchange", "iss", "iat", "jurisdiction", "seq", "reason"} {
		cases["no "+name] = signed(TypRollback, with(func(m map[string]any) { delete(m, name) }))
	}
	for name, raw := range cases {
		if got, err := ParseRollback(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	good, err := ParseRollback(signed(TypRollback, with(func(map[string]any) {})))
	if err != nil || good.VerifySignature(key.Public()) != nil {
		t.Fatalf("the order that all cases change is refused itself: %v", err)
	}
	if err := good.VerifySignature(fuzzKey(t, UsePolicy, ES256, 5).Public()); !errors.Is(err, ErrRejected) {
		t.Errorf("of another key: %v", err)
	}
	if _, err := SignRollback(testOrder, fuzzKey(t, UseSign, ES256, 3)); err == nil {
		t.Error("signed with a key of use sig")
	}
}

// FuzzRollback: whatever comes in is an order that says what its payload says,
// or malformed.
func FuzzRollback(f *testing.F) {
	key := fuzzKey(f, UsePolicy, ES256, 3)
	raw, err := json.Marshal(testOrder)
	if err != nil {
		f.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, name := range []string{"rules", "reason", "seq"} {
		c := maps.Clone(claims)
		delete(c, name)
		b, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		signed := deterministic(t, key, fuzzHeader(key, TypRollback), payload)
		for _, raw := range [][]byte{signed, payload} {
			o, err := ParseRollback(raw)
			if err != nil {
				checkError(t, err)
				continue
			}
			checkJWS(t, raw, o.JWS, o.Rollback)
			if err := o.VerifySignature(key.public); err != nil {
				t.Fatalf("a good signature is refused: %v", err)
			}
		}
	})
}
