package envelope

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxe "github.com/lestrrat-go/jwx/v3/jwe"
	jwxk "github.com/lestrrat-go/jwx/v3/jwk"
	jwxs "github.com/lestrrat-go/jwx/v3/jws"
)

// A second JOSE library reads what we write, and writes what we read.

func jwxAlg(t testing.TB, name string) jwa.SignatureAlgorithm {
	t.Helper()
	alg, ok := jwa.LookupSignatureAlgorithm(name)
	if !ok {
		t.Fatalf("jwx does not know %s", name)
	}
	return alg
}

// jwxVerify checks a compact JWS of a vector with jwx.
func (v *vector) jwxVerify(t testing.TB, name, iss string, j JWS) {
	t.Helper()
	key := v.signer(t, iss, j.Kid)
	payload, err := jwxs.Verify(v.part(t, name), jwxs.WithKey(jwxAlg(t, j.Alg), key.CryptoKey()))
	if err != nil || !bytes.Equal(payload, j.Payload) {
		t.Errorf("jwx on the %s: %v", name, err)
	}
}

// TestVectorsWithJWX: whatever we accept, jwx accepts and opens to the same bytes.
func TestVectorsWithJWX(t *testing.T) {
	for name, v := range loadVectors(t) {
		if v.Expect != "accept" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			switch v.Kind {
			case "open":
				m := must2(ParseManifest(v.part(t, "manifest")))
				v.jwxVerify(t, "manifest", m.Iss, m.JWS)
				v.jwxOpen(t, m.Content.PlaintextSHA256)
			case "content":
				v.jwxOpen(t, "")
			case "manifest":
				if name == "manifest-accept-header-white-space-around" {
					return // jwx trims a header before it verifies, against RFC 7515 section 5.2
				}
				m := must2(ParseManifest(v.part(t, v.Kind)))
				v.jwxVerify(t, v.Kind, m.Iss, m.JWS)
			case "statement":
				s := must2(ParseStatement(v.part(t, v.Kind)))
				v.jwxVerify(t, v.Kind, s.Iss, s.JWS)
			case "package":
				m := must2(ParseManifest(v.part(t, "manifest")))
				s := must2(ParseStatement(v.part(t, "statement")))
				v.jwxVerify(t, "manifest", m.Iss, m.JWS)
				v.jwxVerify(t, "statement", s.Iss, s.JWS)
				v.jwxOpen(t, m.Content.PlaintextSHA256)
			case "acknowledgement":
				a := must2(ParseAcknowledgement(v.part(t, v.Kind)))
				v.jwxVerify(t, v.Kind, a.Iss, a.JWS)
			case "approval":
				a := must2(ParseApproval(v.part(t, v.Kind)))
				v.jwxVerify(t, v.Kind, a.Iss, a.JWS)
			case "public-key":
				k := must2(ParsePublicJWK(v.part(t, v.Kind)))
				if k.Use() == UseSign || k.Use() == UseEncrypt {
					jwxSameKey(t, v.part(t, v.Kind), k.PublicKey)
				}
			case "private-key":
				k := must2(ParsePrivateJWK(v.part(t, v.Kind)))
				jwxSameKey(t, v.part(t, v.Kind), k.Public())
			}
		})
	}
}

// jwxSameKey compares a key with jwx's reading of it, its thumbprint included.
func jwxSameKey(t testing.TB, raw []byte, k PublicKey) {
	t.Helper()
	// jwx looks into x5c, which the vectors leave opaque.
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "x5c")
	other, err := jwxk.ParseKey(must2(json.Marshal(members)))
	if err != nil {
		t.Fatal(err)
	}
	if err := jwxk.AssignKeyID(other); err != nil {
		t.Fatal(err)
	}
	if kid, _ := other.KeyID(); kid != k.Kid() {
		t.Errorf("thumbprint %s, jwx says %s", k.Kid(), kid)
	}
}

// jwxOpen opens the content for every private key of the vector, to a message of
// that digest, or to that of the vector.
func (v *vector) jwxOpen(t testing.TB, digest string) {
	t.Helper()
	if len(v.Private) == 0 {
		t.Fatal("nobody can open it")
	}
	for _, p := range v.Private {
		k := must2(ParsePrivateJWK(p.JWK))
		plaintext, err := jwxe.Decrypt(v.part(t, "content"), jwxe.WithKey(jwa.ECDH_ES_A256KW(), k.private))
		if err != nil {
			t.Errorf("jwx for %s: %v", p.Agency, err)
			continue
		}
		if digest != "" && digest64(plaintext) != digest {
			t.Errorf("jwx for %s opened something else", p.Agency)
		}
		got, want := must2(ParseMessage(plaintext)), must2(ParseMessage(v.Message))
		if string(must2(marshal(got))) != string(must2(marshal(want))) {
			t.Errorf("jwx for %s opened another message", p.Agency)
		}
	}
}

// TestPackageMadeWithJWX: a package that another library made is accepted and opened.
func TestPackageMadeWithJWX(t *testing.T) {
	keys := newForgeKeys(t)
	for _, aud := range [][]string{{"lv/vp"}, {"lv/vp", "ua/npu"}} {
		f := newForge(t, keys, aud...)
		f.content = jwxEncrypted(t, f)
		v := &vector{Expect: "accept"}
		f.vector(v)
		v.Parts["manifest"] = jwxSigned(t, keys.es256, v.Parts["manifest"], TypManifest)
		if err := v.run(t); err != nil {
			t.Fatalf("%v: %v", aud, err)
		}
		v.openAll(t)
	}
}

// jwxEncrypted makes a content with jwx. Its flattened form repeats the
// recipient's parameters in both headers, against RFC 7516 section 7.2.1; for one
// recipient the compact form is made and its five parts are named.
func jwxEncrypted(t testing.TB, f *forge) string {
	t.Helper()
	protected := jwxe.NewHeaders()
	set := func(h jwxe.Headers, name string, value any) {
		if err := h.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set(protected, "typ", TypContent)
	set(protected, "cty", CtyMessage)
	set(protected, "iss", "ee/pbgb")
	set(protected, "aud", f.aud)
	set(protected, "jti", forgeJTI)
	single := len(f.aud) == 1
	options := []jwxe.EncryptOption{jwxe.WithContentEncryption(jwa.A256GCM())}
	if !single {
		options = append(options, jwxe.WithJSON())
	}
	for _, k := range f.encryptionKeys() {
		h := jwxe.NewHeaders()
		if single {
			h = protected
		}
		set(h, "kid", k.Kid())
		options = append(options, jwxe.WithKey(jwa.ECDH_ES_A256KW(), k.CryptoKey(), jwxe.WithPerRecipientHeaders(h)))
	}
	raw, err := jwxe.Encrypt([]byte(f.message), append(options, jwxe.WithProtectedHeaders(protected))...)
	if err != nil {
		t.Fatal(err)
	}
	if !single {
		return string(raw)
	}
	p := strings.Split(string(raw), ".")
	return `{"protected":"` + p[0] + `","encrypted_key":"` + p[1] + `","iv":"` + p[2] + `","ciphertext":"` + p[3] + `","tag":"` + p[4] + `"}`
}

// jwxSigned signs the payload of a compact JWS again, with jwx.
func jwxSigned(t testing.TB, k PrivateKey, compact, typ string) string {
	t.Helper()
	payload, _ := decode64([]byte(strings.Split(compact, ".")[1]))
	h := jwxs.NewHeaders()
	for name, value := range map[string]string{"typ": typ, "kid": k.Kid()} {
		if err := h.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := jwxs.Sign(payload, jwxs.WithKey(jwxAlg(t, k.public.alg), k.private, jwxs.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestSameVerdictAsGoJOSE: our verification of signatures and that of go-jose
// agree on every compact JWS that has the right form, but for what is marked as
// refused here.
func TestSameVerdictAsGoJOSE(t *testing.T) {
	n := 0
	for name, v := range loadVectors(t) {
		for part := range v.Parts {
			j, ok := parsedJWS(part, v.part(t, part))
			if !ok {
				continue
			}
			for _, k := range v.keys(t) {
				if k.kid != j.Kid || k.use != j.use || k.alg != j.Alg {
					continue
				}
				n++
				if ours, theirs := j.VerifySignature(k) == nil, joseVerifies(j.Raw, k); ours != theirs && (ours || v.LegalJOSE == "") {
					t.Errorf("%s %s: we say %v, go-jose says %v", name, part, ours, theirs)
				}
			}
		}
	}
	if n < 100 {
		t.Fatalf("only %d signatures compared", n)
	}
}

func parsedJWS(part string, raw []byte) (JWS, bool) {
	for _, f := range []jwsForm{manifestForm, statementForm, acknowledgementForm, approvalForm} {
		if f.name == part {
			j, err := parseJWS(raw, f)
			return j, err == nil
		}
	}
	return JWS{}, false
}

func joseVerifies(raw []byte, k PublicKey) bool {
	obj, err := jose.ParseSignedCompact(string(raw), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)})
	if err != nil {
		return false
	}
	_, err = obj.Verify(k.key)
	return err == nil
}
