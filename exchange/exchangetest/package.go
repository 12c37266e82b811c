package exchangetest

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// Draft is a package that is not sealed yet.
type Draft struct {
	envelope.SealInput
	About map[string]any // becomes Meta
}

// Draft returns one of the demo's samples as a package that its sender might
// seal now, to be changed by the test.
func (x *Exchange) Draft(sample string) *Draft {
	x.TB.Helper()
	s, ok := demo.Find(sample, x.Clock.Now())
	if !ok {
		x.TB.Fatalf("there is no sample %q", sample)
	}
	d := &Draft{About: s.Meta, SealInput: envelope.SealInput{
		Exchange: demo.Origin, Iss: s.From, Now: x.Clock.Now(), Officer: "OFF-17", SpoolDir: x.TB.TempDir(),
		Justification: "Both units act on Friday night against the same group",
		SignKey:       x.SignKey(s.From), Message: envelope.Message{Subject: "Friday", Text: "Two trucks leave on Friday night."},
	}}
	d.To(x, s.To...)
	return d
}

// To replaces the recipients.
func (d *Draft) To(x *Exchange, agencies ...string) *Draft {
	x.TB.Helper()
	d.Recipients = nil
	for _, a := range agencies {
		d.Recipients = append(d.Recipients, envelope.RecipientKey{Agency: a, Key: x.PublicKey(a, envelope.UseEncrypt)})
	}
	return d
}

// Seal seals a draft. The end of the test removes what it spooled.
func (x *Exchange) Seal(d *Draft) *envelope.Sealed {
	x.TB.Helper()
	in := d.SealInput
	raw, err := json.Marshal(d.About)
	x.must(err)
	in.Meta = raw
	sealed, err := envelope.Seal(in)
	x.must(err)
	x.TB.Cleanup(func() { _ = sealed.Close() })
	return sealed
}

// Sealed seals one of the demo's samples as it is.
func (x *Exchange) Sealed(sample string) *envelope.Sealed {
	x.TB.Helper()
	return x.Seal(x.Draft(sample))
}

// SignKey is the private signing key of an agency.
func (x *Exchange) SignKey(agency string) envelope.PrivateKey {
	x.TB.Helper()
	raw, err := os.ReadFile(filepath.Join(x.World.Profile(agency, certs.RoleUnit), client.FileSign))
	x.must(err)
	key, err := envelope.ParsePrivateJWK(raw)
	x.must(err)
	return key
}

// ApproveKey is the private key with which an agency's chief approves.
func (x *Exchange) ApproveKey(agency string) envelope.PrivateKey {
	x.TB.Helper()
	raw, err := os.ReadFile(filepath.Join(x.World.Profile(agency, certs.RoleUnit), client.FileApprove))
	x.must(err)
	key, err := envelope.ParsePrivateJWK(raw)
	x.must(err)
	return key
}

// Order has an agency's chief sign an order to erase, of which the test says
// what.
func (x *Exchange) Order(agency string, edit func(*envelope.Erasure)) []byte {
	x.TB.Helper()
	o := envelope.Erasure{Exchange: demo.Origin, Iss: agency, JTI: uuid.Must(uuid.NewV7()).String(), IAT: x.Clock.Now().Unix(),
		Reason: "Court order 2026-117: sent without a legal basis"}
	edit(&o)
	raw, err := envelope.SignErasure(o, x.ApproveKey(agency))
	x.must(err)
	return raw
}

// DecryptKeys are the private encryption keys of an agency.
func (x *Exchange) DecryptKeys(agency string) []envelope.PrivateKey {
	x.TB.Helper()
	raw, err := os.ReadFile(filepath.Join(x.World.Profile(agency, certs.RoleUnit), client.FileDecrypt))
	x.must(err)
	keys, err := envelope.ParsePrivateSet(raw)
	x.must(err)
	return keys
}

// PublicKey is the first key of an agency for a use, as it was registered.
func (x *Exchange) PublicKey(agency string, use envelope.Use) envelope.PublicKey {
	x.TB.Helper()
	for _, k := range x.Published(agency) {
		if k.Use() == use {
			return k.PublicKey
		}
	}
	x.TB.Fatalf("%s has no key of use %s", agency, use)
	return envelope.PublicKey{}
}

// Published are the keys that an agency has published.
func (x *Exchange) Published(agency string) envelope.KeySet {
	x.TB.Helper()
	raw, err := os.ReadFile(filepath.Join(x.admitted(agency), node.KeysFile))
	x.must(err)
	set, err := envelope.ParseKeySet(raw)
	x.must(err)
	return set
}
