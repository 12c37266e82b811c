package envelope

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxe "github.com/lestrrat-go/jwx/v3/jwe"
	jwxk "github.com/lestrrat-go/jwx/v3/jwk"
	jwxs "github.com/lestrrat-go/jwx/v3/jws"
)

// difference is where jwx and JOSE part: why, and the vectors, by patterns.
type difference struct {
	why   string
	names string
}

// jwxLax are rejects without a mark that jwx accepts although JOSE does not.
var jwxLax = []difference{
	{"takes the last of two members of one name, against RFC 7515 and 7516 section 4", `manifest-header-twice-* manifest-header-none-twice content-header-twice content-header-twice-* content-member-twice content-epk-twice-x
		content-recipient-header-twice public-key-twice-* private-key-d-twice key-set-keys-twice`},
	{"decodes base64 of either alphabet, with padding, line breaks and unused bits, against RFC 7515 section 2", `manifest-base64-payload-* manifest-base64-signature-* manifest-trailing-newline manifest-trailing-crlf
		content-base64-* content-epk-bits content-epk-padded public-key-x-bits public-key-x-padded private-key-d-bits`},
	{"takes null for an absent member", "manifest-header-kid-null manifest-header-typ-null manifest-header-crit-null content-recipient-header-null content-recipients-null-element"},
	{"reads one JSON value and not what follows it", "content-trailing content-trailing-nul content-protected-trailing public-key-trailing"},
	{"reads broken UTF-8 and halves of a pair as U+FFFD", "content-utf8 content-protected-utf8 content-protected-surrogate"},
	{"lets the two headers of a JWE overlap or be empty, against RFC 7516 section 7.2.1", `content-both-headers-* content-recipient-header-enc content-recipient-header-iss content-recipient-header-typ
		content-recipient-header-zip content-recipient-header-crit content-empty-header content-member-unprotected-empty`},
	{"opens for one recipient and does not look at the others", "content-recipient-no-alg content-recipient-no-epk content-recipient-no-header content-recipients-empty-element"},
	{"does not ask which kind of object it has, against RFC 7516 section 9 and RFC 7517 section 5", "content-member-payload key-set-bare-key"},
	{"takes an empty chain, against RFC 7515 section 4.1.6", "manifest-header-x5c content-header-x5c public-key-x5c-empty"},
	{"does not ask whether d is a scalar and belongs to the key", "private-key-d-ff private-key-d-n private-key-zero-d private-key-other-d private-key-set-other-d"},
	{"does not ask whether a key of Ed25519 is a point, canonically encoded", "public-key-beyond-prime-* public-key-not-a-point"},
}

// jwxStrict are rejects with a mark that jwx refuses although JOSE does not.
var jwxStrict = []difference{
	{"has a limit of its own for recipients", "content-recipients-1000"},
	{"does not look for alg in the shared unprotected header", "content-member-unprotected-alg"},
	{"wants an extension that crit names declared", "manifest-header-crit-b64-true"},
	{"has no such curves without a build tag or a module", "public-key-kind-secp256k1 public-key-kind-ed448 public-key-kind-akp"},
	{"compares alg and curve of a key, by the old name", "public-key-alg-ed25519"},
	{"wants iss, aud and jti as RFC 7519 types them", "content-iss-null content-jti-null content-aud-null"},
}

// known says whether a difference is listed, and notes that it was seen.
func known(list []difference, name string, seen map[string]bool) bool {
	for _, d := range list {
		for _, pattern := range strings.Fields(d.names) {
			if ok, err := path.Match(pattern, name); err == nil && ok {
				seen[pattern] = true
				return true
			}
		}
	}
	return false
}

// TestMarksOfLegalJOSE asks the second library about every reject. What is
// marked legal_jose it accepts: the signature verifies, the content opens, the
// key parses. What is not marked it refuses, unless what is wrong lies in what
// JOSE carries: there the signature verifies, or the content opens, as well.
func TestMarksOfLegalJOSE(t *testing.T) {
	seen := map[string]bool{}
	asked, marks := 0, 0
	for name, v := range loadVectors(t) {
		if v.Expect == "accept" || v.Kind == "meta" || v.Kind == "message" {
			continue
		}
		asked++
		marked := v.LegalJOSE != ""
		if marked {
			marks++
		}
		switch accepts, legal := v.jwxAccepts(t), marked || v.carried(t); {
		case legal && !accepts && !known(jwxStrict, name, seen):
			t.Errorf("%s: legal JOSE (%s: %s%s), but jwx refuses it", name, v.Layer, v.About, v.LegalJOSE)
		case !legal && accepts && !known(jwxLax, name, seen):
			t.Errorf("%s: not marked, but jwx accepts it (%s: %s)", name, v.Layer, v.About)
		}
	}
	for _, d := range slices.Concat(jwxLax, jwxStrict) {
		for _, pattern := range strings.Fields(d.names) {
			if !seen[pattern] {
				t.Errorf("%s: jwx no longer %s", pattern, d.why)
			}
		}
	}
	t.Logf("jwx was asked about %d rejects, %d of them marked", asked, marks)
	if asked < 900 || marks < 100 {
		t.Error("too few to trust")
	}
}

// carried says whether what is wrong lies in what JOSE carries.
func (v *vector) carried(t testing.TB) bool {
	switch v.Layer {
	case "claims", "binding":
		return true
	case "opening":
		return v.Reason == ReasonPlaintext
	case "json":
		_, signed := parsedJWS(v.Kind, v.part(t, v.Kind))
		return signed
	}
	return false
}

// jwxAccepts is what jwx says of the part that is judged.
func (v *vector) jwxAccepts(t testing.TB) bool {
	switch v.Kind {
	case "package":
		return v.jwxVerifies(t, "manifest") && v.jwxVerifies(t, "statement")
	case "open":
		if v.Layer == "opening" {
			return v.jwxOpens(t)
		}
		return v.jwxVerifies(t, "manifest")
	case "content":
		return v.jwxOpens(t)
	case "public-key", "private-key":
		k, err := jwxk.ParseKey(v.part(t, v.Kind))
		return err == nil && jwxUses(k)
	case "key-set", "private-key-set":
		set, err := jwxk.Parse(v.part(t, v.Kind))
		for i := 0; err == nil && i < set.Len(); i++ {
			if k, _ := set.Key(i); !jwxUses(k) {
				return false
			}
		}
		return err == nil
	}
	return v.jwxVerifies(t, v.Kind)
}

// jwxUses says whether jwx makes a key of the standard library of a JWK.
func jwxUses(k jwxk.Key) bool {
	var raw any
	return k.Validate() == nil && jwxk.Export(k, &raw) == nil
}

// jwxVerifies says whether jwx verifies a JWS with the key that it names, or, if
// it names none that there is, with any key of the directory.
func (v *vector) jwxVerifies(t testing.TB, name string) bool {
	raw := v.part(t, name)
	var header struct{ Alg, Kid string }
	text, _ := decode64([]byte(strings.Split(string(raw), ".")[0]))
	_ = json.Unmarshal(text, &header) // jwx decides
	alg, known := jwa.LookupSignatureAlgorithm(header.Alg)
	if !known {
		return false
	}
	named := slices.ContainsFunc(v.keys(t), func(k PublicKey) bool { return k.Kid() == header.Kid })
	for _, k := range v.keys(t) {
		if named && k.Kid() != header.Kid {
			continue
		}
		if _, err := jwxs.Verify(raw, jwxs.WithKey(alg, k.CryptoKey()), jwxs.WithCritValidation(true)); err == nil {
			return true
		}
	}
	return false
}

// jwxOpens says whether jwx opens the content with the private keys of the vector.
func (v *vector) jwxOpens(t testing.TB) bool {
	raw := v.part(t, "content")
	message, err := jwxe.Parse(raw)
	if err != nil {
		return false
	}
	for _, p := range v.Private {
		for _, r := range message.Recipients() {
			if v.jwxOpensAs(t, raw, p, r, message) {
				return true
			}
		}
	}
	return false
}

func (v *vector) jwxOpensAs(t testing.TB, raw []byte, p vectorSecret, r jwxe.Recipient, message *jwxe.Message) bool {
	t.Helper()
	alg, ok := r.Headers().Algorithm()
	if !ok {
		alg, ok = message.ProtectedHeaders().Algorithm()
	}
	if !ok {
		alg = jwa.ECDH_ES_A256KW()
	}
	key, err := jwxk.ParseKey(p.JWK)
	if err != nil {
		t.Fatal(err)
	}
	_, err = jwxe.Decrypt(raw, jwxe.WithKey(alg, key), jwxe.WithCritValidation(true))
	return err == nil
}
