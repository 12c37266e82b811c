package envelope

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testExchange = "demo.liaison.example/ledger"
	testMeta     = `{"v":1,"message_type":"spontaneous","content_kind":"operational","case_ref":"EE-2026-0117","purpose":"investigation",
"legal_basis":[{"instrument":"ee-police-act","article":"7-46","jurisdiction":"ee"}],"transfer_basis":"internal_eu","crime_areas":["drug_trafficking"],
"offence":{"max_penalty_years":10,"serious":true},"subjects":[{"category":"suspect","count":2,"minors":"none","data_categories":["a","b"],"link":"direct"}],
"assertion_type":"fact","evaluation":{"scheme":"4x4","source":"B","information":"2"},"quality":{"verified_at":"2026-11-20","as_of":"2026-11-19","completeness":"partial"},
"handling":{"code":"H1"},"classification":"none","originator":["ee/pbgb"],"onward":{"rule":"with_authorisation"},"retention":{"review_by":"2027-11-22","erase_by":"2028-11-22"},
"urgency":{"level":"routine"},"channel_justification":"third_party_involved","hr_attestation":true,"language":"en"}`
)

var testNow = time.Unix(1795312345, 0)

// cast are the keys of one sender and some recipients.
type cast struct {
	sign    PrivateKey
	self    PrivateKey
	decrypt map[string]PrivateKey
}

func newCast(t testing.TB, alg string, agencies ...string) *cast {
	t.Helper()
	c := &cast{decrypt: map[string]PrivateKey{}}
	var err error
	if c.sign, err = GenerateSigning(alg); err != nil {
		t.Fatal(err)
	}
	if c.self, err = GenerateEncryption(); err != nil {
		t.Fatal(err)
	}
	for _, a := range agencies {
		if c.decrypt[a], err = GenerateEncryption(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *cast) input(agencies ...string) SealInput {
	in := SealInput{
		Exchange: testExchange, Iss: "ee/pbgb", Now: testNow, Meta: json.RawMessage(testMeta),
		Officer: "officer-17", Justification: "Two suspects of case EE-2026-0117 were seen in Riga.",
		SignKey: c.sign, Message: Message{Subject: "Sighting", Text: "line one\nline two – õäöü"},
	}
	for _, a := range agencies {
		in.Recipients = append(in.Recipients, RecipientKey{Agency: a, Key: c.decrypt[a].Public()})
	}
	return in
}

// owner is the directory: whose key a kid is.
func (c *cast) owner(kid string) (string, bool) {
	if kid == c.self.Kid() {
		return "ee/pbgb", true
	}
	for a, k := range c.decrypt {
		if k.Kid() == kid {
			return a, true
		}
	}
	return "", false
}

func (c *cast) open(s *Sealed, agency string) OpenInput {
	return OpenInput{
		Exchange: testExchange, Self: agency, Manifest: s.Manifest, Content: s.Content,
		SenderKey:     func(string, string) (PublicKey, error) { return c.sign.Public(), nil },
		RecipientKeys: c.owner,
		Decrypt:       []PrivateKey{c.decrypt[agency]},
	}
}

func mustSeal(t testing.TB, in SealInput) *Sealed {
	t.Helper()
	s, err := Seal(in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// verify runs what the exchange runs, in its order.
func verify(s *Sealed, key PublicKey, owner func(string) (string, bool)) error {
	m, err := ParseManifest(s.Manifest)
	if err != nil {
		return err
	}
	st, err := ParseStatement(s.Statement)
	if err != nil {
		return err
	}
	c, err := ParseContent(s.Content)
	if err != nil {
		return err
	}
	return errors.Join(m.VerifySignature(key), st.VerifySignature(key), CheckPair(m, st), m.CheckTimes(testNow),
		m.CheckExchange(testExchange), c.Check(m, owner))
}

func TestSealVerifyOpen(t *testing.T) {
	for _, alg := range []string{ES256, EdDSA} {
		for _, aud := range [][]string{{"lv/vp"}, {"lv/vp", "ua/npu"}} {
			for _, copied := range []bool{false, true} {
				c := newCast(t, alg, aud...)
				in := c.input(aud...)
				if copied {
					self := c.self.Public()
					in.CopyToSelf = &self
				}
				s := mustSeal(t, in)
				if err := verify(s, c.sign.Public(), c.owner); err != nil {
					t.Fatalf("%s %v: %v", alg, aud, err)
				}
				for _, a := range aud {
					got, m, err := Open(c.open(s, a))
					if err != nil {
						t.Fatalf("%s opens: %v", a, err)
					}
					if got.Text != in.Message.Text || m.JTI != s.JTI || m.Claimed.Purpose != "investigation" {
						t.Fatalf("%s opened %+v", a, got)
					}
				}
				own := c.open(s, "ee/pbgb")
				own.Decrypt = []PrivateKey{c.self}
				if _, _, err := Open(own); (err == nil) != copied {
					t.Fatalf("copy for the sender: %v, opening it: %v", copied, err)
				}
			}
		}
	}
}

func TestOpenChecksEverythingAgain(t *testing.T) {
	c := newCast(t, ES256, "lv/vp", "ua/npu", "it/dcpc")
	s := mustSeal(t, c.input("lv/vp"))
	other := mustSeal(t, c.input("lv/vp"))
	stranger := newCast(t, ES256)
	for name, tc := range map[string]struct {
		change func(*OpenInput)
		reason string
	}{
		"another exchange":        {func(in *OpenInput) { in.Exchange = "other.example/ledger" }, ReasonNotForUs},
		"not in aud":              {func(in *OpenInput) { in.Self = "ua/npu" }, ReasonNotForUs},
		"content of another":      {func(in *OpenInput) { in.Content = other.Content }, ReasonContentDigest},
		"no key of ours":          {func(in *OpenInput) { in.Decrypt = []PrivateKey{c.decrypt["ua/npu"]} }, ReasonUnopenable},
		"no key at all":           {func(in *OpenInput) { in.Decrypt = nil }, ReasonUnopenable},
		"key of another sender":   {func(in *OpenInput) { in.SenderKey = keyOf(stranger.sign) }, ReasonKid},
		"recipient key not known": {func(in *OpenInput) { in.RecipientKeys = stranger.owner }, ReasonRecipientUnknown},
	} {
		in := c.open(s, "lv/vp")
		tc.change(&in)
		if m, _, err := Open(in); err == nil || m != nil || Reason(err) != tc.reason {
			t.Errorf("%s: %v, want %s", name, err, tc.reason)
		}
	}
	broken := errors.New("directory is down")
	in := c.open(s, "lv/vp")
	in.SenderKey = func(string, string) (PublicKey, error) { return PublicKey{}, broken }
	if _, _, err := Open(in); !errors.Is(err, broken) {
		t.Errorf("the error of SenderKey is lost: %v", err)
	}
}

// TestOpenWithoutDirectory: a recipient that asks nobody still counts.
func TestOpenWithoutDirectory(t *testing.T) {
	keys := newForgeKeys(t)
	for n, ok := range map[int]bool{0: true, 1: true, 2: false} {
		f := newForge(t, keys, append([]string{"lv/vp"}, manyAgencies(n)...)...)
		to := f.encryptionKeys()
		f.aud = []string{"lv/vp"}
		f.content = string(must2(encrypt([]byte(f.message), to, "ee/pbgb", f.aud, forgeJTI)))
		manifest, _, content := f.build()
		_, _, err := Open(OpenInput{
			Exchange: testExchange, Self: "lv/vp", Manifest: []byte(manifest), Content: []byte(content),
			SenderKey: keyOf(keys.es256), Decrypt: []PrivateKey{keys.enc["lv/vp"]},
		})
		if (err == nil) != ok || !ok && Reason(err) != ReasonCount {
			t.Errorf("%d recipients beside the one in aud: %v", n, err)
		}
	}
}

func keyOf(k PrivateKey) func(string, string) (PublicKey, error) {
	return func(string, string) (PublicKey, error) { return k.Public(), nil }
}

// forge signs a manifest again after a change, as a dishonest sender would.
func (c *cast) forge(t testing.TB, s *Sealed, change func(*Manifest)) []byte {
	t.Helper()
	m, err := ParseManifest(s.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	change(&m.Manifest)
	raw, err := signPart(m.Manifest, manifestForm, c.sign)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestOpenRefusesDishonestSenders: what only the recipient can see.
func TestOpenRefusesDishonestSenders(t *testing.T) {
	c := newCast(t, ES256, "lv/vp", "ua/npu")
	s := mustSeal(t, c.input("lv/vp"))
	two := mustSeal(t, c.input("lv/vp", "ua/npu"))
	for name, tc := range map[string]struct {
		s      *Sealed
		change func(*Manifest)
		reason string
	}{
		"plaintext digest": {s, func(m *Manifest) { m.Content.PlaintextSHA256 = digest64(nil) }, ReasonPlaintext},
		"an attachment that the message does not know": {s, func(m *Manifest) {
			m.Attachments = []AttachmentRef{{SHA256: digest64(nil), Size: minAttachment}}
		}, ReasonPlaintext},
		"another package": {s, func(m *Manifest) { m.JTI = two.JTI }, ReasonContentJTI},
		"more in aud":     {s, func(m *Manifest) { m.Aud = []string{"lv/vp", "ua/npu"} }, ReasonContentAud},
		"another order":   {two, func(m *Manifest) { m.Aud = []string{"ua/npu", "lv/vp"} }, ReasonContentAud},
		"another sender":  {s, func(m *Manifest) { m.Iss = "it/dcpc" }, ReasonContentIss},
		"size":            {s, func(m *Manifest) { m.Content.Size++ }, ReasonContentSize},
	} {
		in := c.open(tc.s, "lv/vp")
		in.Manifest = c.forge(t, tc.s, tc.change)
		if _, _, err := Open(in); Reason(err) != tc.reason {
			t.Errorf("%s: %v, want %s", name, err, tc.reason)
		}
	}
}

// TestStrippedCiphertext (J33): nobody sends another's ciphertext as their own.
func TestStrippedCiphertext(t *testing.T) {
	c := newCast(t, ES256, "lv/vp")
	s := mustSeal(t, c.input("lv/vp"))
	thief := newCast(t, ES256)
	m, _ := ParseManifest(s.Manifest)
	m.Iss = "ua/npu"
	stolen, err := signPart(m.Manifest, manifestForm, thief.sign)
	if err != nil {
		t.Fatal(err)
	}
	in := c.open(s, "lv/vp")
	in.Manifest, in.SenderKey = stolen, keyOf(thief.sign)
	if _, _, err := Open(in); Reason(err) != ReasonContentIss {
		t.Fatalf("stolen ciphertext: %v", err)
	}
}

// TestForwardedPlaintext (J31): what A told B is not shown to C as told by A.
func TestForwardedPlaintext(t *testing.T) {
	a := newCast(t, ES256, "lv/vp", "ua/npu")
	s := mustSeal(t, a.input("lv/vp"))
	m, err := ParseManifest(s.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	message, _, err := Open(a.open(s, "lv/vp"))
	if err != nil {
		t.Fatal(err)
	}
	plaintext, _ := marshal(message)
	raw, err := encrypt(plaintext, []PublicKey{a.decrypt["ua/npu"].Public()}, m.Iss, m.Aud, m.JTI)
	if err != nil {
		t.Fatal(err)
	}
	in := a.open(s, "ua/npu")
	in.Content = raw
	if _, _, err := Open(in); Reason(err) != ReasonNotForUs {
		t.Fatalf("surreptitious forwarding: %v", err)
	}
}

// TestSealRefuses: what the exchange would refuse is not sealed.
func TestSealRefuses(t *testing.T) {
	c := newCast(t, ES256, "lv/vp", "ua/npu")
	approve, _ := Generate(UseApprove, ES256)
	for name, change := range map[string]func(*SealInput){
		"short justification": func(in *SealInput) { in.Justification = "because" },
		"unknown meta":        func(in *SealInput) { in.Meta = json.RawMessage(`{"v":1}`) },
		"no recipient":        func(in *SealInput) { in.Recipients = nil },
		"sender as recipient": func(in *SealInput) { in.Recipients[0].Agency = in.Iss },
		"same key twice":      func(in *SealInput) { in.Recipients[1].Key = in.Recipients[0].Key },
		"same agency twice":   func(in *SealInput) { in.Recipients[1].Agency = in.Recipients[0].Agency },
		"signing key as recipient": func(in *SealInput) {
			in.Recipients[0].Key = c.sign.Public()
		},
		"approval key as sender": func(in *SealInput) { in.SignKey = approve },
		"no key":                 func(in *SealInput) { in.SignKey = PrivateKey{} },
		"path as name": func(in *SealInput) {
			in.Attachments = []AttachmentSource{{Name: "../x", MediaType: "text/plain", Open: func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("x")), nil
			}}}
		},
		"ready-made attachment list": func(in *SealInput) { in.Message.Attachments = make([]MessageAttachment, 1) },
		"jti of another version":     func(in *SealInput) { in.JTI = "0199f3a2-7c1e-4b3a-9d52-3f1c2a4b5c6d" },
		"salt":                       func(in *SealInput) { in.Message.Salt = "c2FsdA" },
	} {
		in := c.input("lv/vp", "ua/npu")
		in.SpoolDir = t.TempDir()
		change(&in)
		if s, err := Seal(in); err == nil || s != nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

// TestMetaRoundTrip: a Meta that is marshalled parses to itself.
func TestMetaRoundTrip(t *testing.T) {
	m, err := ParseMeta([]byte(testMeta))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseMeta(raw)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, again); d != "" {
		t.Fatal(d)
	}
	var a, b any
	if json.Unmarshal(raw, &a) != nil || json.Unmarshal([]byte(testMeta), &b) != nil || !cmp.Equal(a, b) {
		t.Fatal(cmp.Diff(a, b))
	}
}

func TestAcknowledgementAndApproval(t *testing.T) {
	c := newCast(t, EdDSA, "lv/vp")
	s := mustSeal(t, c.input("lv/vp"))
	ack := Acknowledgement{
		Exchange: testExchange, Iss: "lv/vp", Sub: s.JTI, IAT: testNow.Unix(), ManifestSHA256: s.ManifestSHA256,
		Decision: "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e", Obligations: []Obligation{{Code: "no_judicial_use"}, {Code: "erase", Params: json.RawMessage(`{"days":30}`)}},
	}
	raw, err := SignAcknowledgement(ack, c.sign)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseAcknowledgement(raw)
	if err != nil || got.VerifySignature(c.sign.Public()) != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	ack.Obligations[0].Params = json.RawMessage("{}")
	if d := cmp.Diff(ack, got.Acknowledgement); d != "" {
		t.Fatal(d)
	}
	if err := errors.Join(got.CheckTime(testNow), got.CheckExchange(testExchange)); err != nil {
		t.Fatal(err)
	}
	if Reason(got.CheckTime(testNow.Add(6*time.Minute))) != ReasonIAT || Reason(got.CheckExchange("x")) != ReasonExchange {
		t.Fatal("time or exchange not checked")
	}

	key, _ := Generate(UseApprove, ES256)
	approval := Approval{
		Exchange: testExchange, Iss: "lv/vp", Sub: s.JTI, IAT: testNow.Unix(), ManifestSHA256: s.ManifestSHA256,
		Recipient: "ua/npu", Codes: []string{"R20"}, Verdict: Granted,
	}
	if _, err := SignApproval(approval, c.sign); err == nil {
		t.Fatal("an approval signed with a key of use sig")
	}
	raw, err = SignApproval(approval, key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseApproval(raw)
	if err != nil || a.VerifySignature(key.Public()) != nil {
		t.Fatalf("%+v, %v", a, err)
	}
	if d := cmp.Diff(approval, a.Approval); d != "" {
		t.Fatal(d)
	}
	if Reason(a.CheckTime(testNow.Add(-6*time.Minute))) != ReasonIAT || Reason(a.CheckExchange("x")) != ReasonExchange {
		t.Fatal("time or exchange not checked")
	}
	approval.Verdict = "maybe"
	if _, err := SignApproval(approval, key); !errors.Is(err, ErrMalformed) {
		t.Fatalf("an unknown verdict signed: %v", err)
	}
}
