package envelope

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// layers are the words of the member layer, as the README of the vectors
// explains them.
var layers = []string{"json", "jose", "claims", "signature", "binding", "opening"}

// layerOf says which rules refuse a vector.
func (v *vector) layerOf(t testing.TB, err error) string {
	switch reason := Reason(err); {
	case err == nil:
		return ""
	case verdict(err) == "invalid", slices.Contains([]string{ReasonPairKey, ReasonPairIssuer, ReasonNotForUs}, reason):
		return "binding"
	case slices.Contains([]string{ReasonUnopenable, ReasonPlaintext}, reason):
		return "opening"
	case verdict(err) == "rejected":
		return "signature"
	case strings.HasSuffix(Detail(err), inOneHeader):
		return "jose"
	case slices.Contains([]string{ReasonJSON, ReasonDepth, ReasonCharacters, ReasonNumber, ReasonDuplicateMember}, reason):
		return "json"
	case reason == ReasonType && !json.Valid(v.judged(t, err)):
		return "json"
	case v.inPayload(t, err):
		return "claims"
	}
	return "jose"
}

// inOneHeader ends the detail of a JWE whose two headers overlap, which are two
// texts without a duplicate.
const inOneHeader = "each parameter in one header only"

// inPayload says whether what is wrong lies in what JOSE carries, not in JOSE.
func (v *vector) inPayload(t testing.TB, err error) bool {
	switch v.Kind {
	case "meta", "message":
		return true
	case "content":
		for _, claim := range []string{"iss", "aud", "jti"} {
			if strings.HasPrefix(Detail(err), "content protected header /"+claim) {
				return true
			}
		}
		return false
	}
	_, signed := parsedJWS(v.Kind, v.part(t, v.Kind))
	return signed
}

// judged is the JSON text in which a fault lies.
func (v *vector) judged(t testing.TB, err error) []byte {
	raw := v.part(t, v.Kind)
	if v.Kind == "content" && strings.HasPrefix(Detail(err), "content protected header") {
		var j struct {
			Protected string `json:"protected"`
		}
		if json.Unmarshal(raw, &j) != nil {
			return nil
		}
		header, _ := decode64([]byte(j.Protected))
		return header
	}
	if parts := strings.Split(string(raw), "."); len(parts) == 3 && !json.Valid(raw) {
		i := 0
		if v.inPayload(t, err) {
			i = 1
		}
		text, _ := decode64([]byte(parts[i]))
		return text
	}
	return raw
}

// TestEveryRejectHasOneLayer: a refused vector names the layer that refuses it,
// and there are enough of each to trust.
func TestEveryRejectHasOneLayer(t *testing.T) {
	count := map[string]int{}
	for name, v := range loadVectors(t) {
		switch {
		case v.About == "":
			t.Errorf("%s: about what?", name)
		case v.Expect == "accept" && v.Layer+v.LegalJOSE+v.Reason != "":
			t.Errorf("%s: accepted, with a reason to refuse it", name)
		case v.Expect != "accept" && (v.Reason == "" || !slices.Contains(layers, v.Layer)):
			t.Errorf("%s: reason %q, layer %q", name, v.Reason, v.Layer)
		case v.LegalJOSE != "" && !strings.HasPrefix(v.LegalJOSE, "refused here, because "):
			t.Errorf("%s: %q", name, v.LegalJOSE)
		case v.LegalJOSE != "" && !slices.Contains([]string{"jose", "json", "signature", "opening"}, v.Layer):
			t.Errorf("%s: JOSE has nothing to say about %s", name, v.Layer)
		}
		if v.Expect == "accept" {
			count["accept"]++
		} else {
			count[v.Layer]++
		}
	}
	for _, l := range append([]string{"accept"}, layers...) {
		t.Logf("%-10s %d", l, count[l])
		if count[l] < 15 {
			t.Errorf("%s: only %d vectors", l, count[l])
		}
	}
}
