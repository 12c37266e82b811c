package envelope

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// What go-jose refuses by itself, kept so that a change of the library is
// noticed. Nothing here is what Liaison relies on: the strict parsers come first.
func TestLibraryStillRefuses(t *testing.T) {
	keys := newForgeKeys(t)
	k := keys.es256
	header := `{"alg":"ES256","kid":"` + k.Kid() + `","typ":"JWT"}`
	good := compact(k, header, "{}")
	if !joseVerifies([]byte(good), k.public) {
		t.Fatal("the good one is refused")
	}
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"alg none":       encode64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"alg HS256":      compact(k, strings.Replace(header, "ES256", "HS256", 1), "{}"),
		"alg of another": compact(k, strings.Replace(header, "ES256", "EdDSA", 1), "{}"),
		"member twice":   compact(k, strings.Replace(header, "{", `{"alg":"ES256",`, 1), "{}"),
		"unknown crit":   compact(k, strings.Replace(header, "{", `{"crit":["x"],"x":1,`, 1), "{}"),
		"two parts":      parts[0] + "." + parts[1],
		"four parts":     good + ".AAAA",
		"63 bytes":       parts[0] + "." + parts[1] + "." + encode64(make([]byte, 63)),
		"zero signature": parts[0] + "." + parts[1] + "." + encode64(make([]byte, 64)),
		"no signature":   parts[0] + "." + parts[1] + ".",
	} {
		if joseVerifies([]byte(raw), k.public) {
			t.Errorf("go-jose accepts: %s", name)
		}
	}
	ed := keys.eddsa
	edGood := compact(ed, `{"alg":"EdDSA"}`, "{}")
	if !joseVerifies([]byte(edGood), ed.public) || joseVerifies([]byte(withSignature(plusL)(edGood)), ed.public) {
		t.Error("go-jose on S+L")
	}
}

// TestLibraryDecryptsNothingBroken: go-jose, asked without our parser, neither
// panics on the refused contents nor opens one whose cipher parts are broken.
func TestLibraryDecryptsNothingBroken(t *testing.T) {
	broken := 0
	for name, v := range loadVectors(t) {
		if v.Kind != "content" || v.Expect == "accept" {
			continue
		}
		obj, err := jose.ParseEncryptedJSON(string(v.part(t, "content")), []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			broken++
			continue
		}
		// The key is a stranger's: what opens is opened without a key.
		if _, _, plaintext, err := obj.DecryptMulti(must2(GenerateEncryption()).private); err == nil {
			t.Errorf("%s: opened to %q", name, plaintext)
		}
	}
	if broken < 10 {
		t.Errorf("go-jose parses all but %d of the refused contents", broken)
	}
}

// TestLibraryRecipientLimit: go-jose opens at most 32 JWE recipients; a package
// has as many at most.
func TestLibraryRecipientLimit(t *testing.T) {
	keys := newForgeKeys(t)
	f := newForge(t, keys, "lv/vp", "ua/npu")
	var one []json.RawMessage
	if err := json.Unmarshal([]byte(f.member("recipients")), &one); err != nil {
		t.Fatal(err)
	}
	for n, ok := range map[int]bool{32: true, 33: false} {
		list := "[" + strings.Repeat(string(one[0])+",", n-1) + string(one[0]) + "]"
		raw := strings.Replace(f.content, f.member("recipients"), list, 1)
		obj, err := jose.ParseEncryptedJSON(raw, []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
		if err == nil {
			_, _, _, err = obj.DecryptMulti(keys.enc["lv/vp"].private)
		}
		if (err == nil) != ok {
			t.Errorf("%d recipients: %v", n, err)
		}
	}
}
