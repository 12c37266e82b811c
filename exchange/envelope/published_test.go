package envelope

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// examplesOfRFCs are the public halves of the P-256 and Ed25519 keys that RFC
// 7515 A.3, 7517 A.1, 7518 C and 8037 A print with their private halves.
var examplesOfRFCs = []string{
	`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","use":"sig"}`,
	`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig"}`,
	`{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps","use":"enc"}`,
	`{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","use":"enc"}`,
	`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig"}`,
}

// publishedNow lists the kids of every key whose private half is published here
// or in an RFC.
func publishedNow(t testing.TB) []string {
	t.Helper()
	var kids []string
	add := func(raw []byte) {
		k, err := ParsePublicJWK(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		kids = append(kids, k.Kid())
	}
	for _, raw := range examplesOfRFCs {
		add([]byte(raw))
	}
	vectors := loadVectors(t)
	example := new(vector)
	if err := json.Unmarshal(must2(os.ReadFile("testdata/example.json")), example); err != nil {
		t.Fatal(err)
	}
	vectors["example"] = example
	for _, v := range vectors {
		for _, d := range v.Directory {
			add(d.JWK)
		}
		for _, p := range v.Private {
			if k, err := ParsePrivateJWK(p.JWK); err == nil { // what does not parse is never registered
				kids = append(kids, k.Kid())
			}
		}
	}
	slices.Sort(kids)
	return slices.Compact(kids)
}

// TestPublishedKeysAreListed: what is published is listed. What once was stays
// in the list, though no vector has it any more.
func TestPublishedKeysAreListed(t *testing.T) {
	kids := slices.Concat(publishedNow(t), strings.Fields(publishedText))
	slices.Sort(kids)
	kids = slices.Compact(kids)
	if *update {
		if err := os.WriteFile("published.txt", []byte(strings.Join(kids, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := strings.Fields(publishedText); !slices.Equal(got, kids) {
		t.Fatalf("published.txt has %d keys, %d are published: run go test -run TestPublishedKeysAreListed -update ./exchange/envelope", len(got), len(kids))
	}
	if k := must2(ParsePublicJWK([]byte(examplesOfRFCs[0]))); !k.IsPublished() {
		t.Fatal("the key of RFC 7515 A.3 is not known")
	}
	if k := must2(GenerateSigning(ES256)); k.Public().IsPublished() {
		t.Fatal("a new key is known")
	}
}
