package authorization

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// world is a whole exchange and the model of it.
type world struct {
	t       testing.TB
	x       *exchangetest.Exchange
	m       *model
	clients map[identity]*http.Client
	sign    map[string]envelope.PrivateKey
	encrypt map[string]envelope.PublicKey
	drafts  map[string]*exchangetest.Draft
	labels  map[[32]byte]string // what bytes are, by their digest
	began   int                 // entries that the operator's log had before
}

// posted is a parcel with its bytes, and what the first answer said of each
// recipient's decision.
type posted struct {
	parcel
	parts          []exchangetest.Part
	manifestSHA256 string
	decided        map[string]api.Outcome
}

// identities are who asks: of each agency its unit and its data-protection
// officer, a second unit, the operator, a supervisor of an agency that may
// have one and of one that may not, and an agency that nobody admitted.
func identities() (all []identity) {
	for _, a := range demo.Agencies {
		all = append(all, identity{a, unit, "demo"}, identity{a, dpo, "demo"})
	}
	return append(all, identity{"lv/vp", unit, "second"}, identity{operators, operator, "first"},
		identity{"it/dcpc", supervisor, "first"}, identity{"lv/vp", supervisor, "first"}, identity{"ee/customs", unit, "first"})
}

// newWorld starts an exchange in which Italy's agency may have a supervisor.
func newWorld(t testing.TB) *world {
	w := &world{t: t, x: exchangetest.New(t, exchangetest.Unwatched()), clients: map[identity]*http.Client{}, sign: map[string]envelope.PrivateKey{},
		encrypt: map[string]envelope.PublicKey{}, drafts: map[string]*exchangetest.Draft{}, labels: map[[32]byte]string{},
		m: &model{agencies: map[string]*agency{}, packages: map[string]*parcel{}, consultations: map[string]*consultation{}, logs: map[string][]entry{}}}
	w.m.agencies[operators] = &agency{roles: []string{operator}}
	for _, a := range demo.Agencies {
		w.sign[a], w.encrypt[a] = w.x.SignKey(a), w.x.PublicKey(a, envelope.UseEncrypt)
		w.m.agencies[a] = &agency{roles: []string{unit, dpo}, kid: w.sign[a].Kid(), others: []string{w.encrypt[a].Kid(), w.x.PublicKey(a, envelope.UseApprove).Kid()}}
	}
	for _, id := range identities() {
		w.clients[id] = w.x.HTTPWith(w.certificate(id))
	}
	checkpoint := w.x.Do(w.client(identity{"ee/pbgb", unit, "demo"}), http.MethodGet, api.RouteCheckpoint, nil, nil)
	if _, err := fmt.Sscan(strings.Split(string(checkpoint.Body), "\n")[1], &w.began); err != nil {
		t.Fatal(err)
	}
	w.m.logs[operators] = make([]entry, w.began)
	w.m.agencies["it/dcpc"].roles = []string{unit, dpo, supervisor}
	w.admit("it/dcpc", false)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// certificate has an identity's own jurisdiction issue one that outlives the
// walk.
func (w *world) certificate(id identity) tls.Certificate {
	w.t.Helper()
	j, short, err := certs.ParseAgencyID(id.agency)
	w.must(err)
	key, err := certs.GenerateKey()
	w.must(err)
	leaf, err := w.x.CA(j).IssueClient(certs.Identity{Jurisdiction: j, Agency: short, Role: id.role, Name: id.name}, key.Public(), 60*24*time.Hour)
	w.must(err)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func (w *world) client(id identity) *http.Client { return w.clients[id] }

// admit has the operator say whether an agency is suspended. Its identities
// hang up first: who is suspended is cut off.
func (w *world) admit(id string, suspended bool) {
	w.t.Helper()
	for who, c := range w.clients {
		if who.agency == id {
			c.CloseIdleConnections()
		}
	}
	w.x.Admission(node.Admission{ID: id, Roles: w.m.agencies[id].roles, Suspended: suspended})
	w.must(w.x.Node.Reload(w.t.Context()))
	w.m.suspend(id, suspended)
}

// restart stops the node and starts it again.
func (w *world) restart() {
	w.hangUp()
	w.x.Restart()
	w.m.restarted()
}

// hangUp closes idle connections, for which a server that stops would wait.
func (w *world) hangUp() {
	for _, c := range w.clients {
		c.CloseIdleConnections()
	}
}

// retire ends the trust in an agency's signing key: an act of the exchange
// that has no call yet.
func (w *world) retire(id string) {
	w.t.Helper()
	w.hangUp()
	p := w.x.Parts(exchangetest.PartsConfig{})
	_, err := p.Journal.Commit(w.t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, err
		}
		row := reg.KeyByID(w.sign[id].Kid()).KeyRow
		row.Until = tx.Now()
		tx.PutKey(row)
		return []audit.Entry{{Owner: operators, Operation: audit.Alteration, Action: "key.retire", Outcome: "done", SigningKey: row.Kid}}, nil
	})
	w.must(err)
	p.Close()
	w.m.restarted()
	w.m.retire(id)
	w.x.Start()
	w.m.restarted()
}

// kind is a sort of package: a sample of the demo with what is changed in it,
// and what policy says of it.
type kind struct {
	sample, verdict, originator string
	change                      map[string]any
}

var kinds = []kind{
	{sample: demo.EEtoLV, verdict: "delivered"},
	{sample: demo.EEtoLVUA, verdict: "delivered"},
	{sample: demo.LVtoEE, verdict: "delivered"},
	{sample: demo.ITtoLV, verdict: "delivered"},
	{sample: demo.UAtoEE, verdict: "delivered"},
	{sample: demo.ITtoBY, verdict: "denied"},
	{sample: demo.EEtoLV, verdict: "pending", change: map[string]any{"handling": map[string]any{"code": "H3"}}},
	{sample: demo.EEtoLVUA, verdict: "pending", change: map[string]any{"handling": map[string]any{"code": "H3"}}},
	{sample: demo.EEtoLV, verdict: "pending", originator: "it/dcpc", change: map[string]any{"originator": []any{"it/dcpc"}}},
}

// wish is a package that is to be sealed.
type wish struct {
	kind
	id          string // empty: a new one
	attachments int
	large       bool // its content lies in the blob store
	stale       bool
	fault       string
	lasts       time.Duration
}

// seal makes a package.
func (w *world) seal(k wish) *posted {
	w.t.Helper()
	if w.drafts[k.sample] == nil {
		w.drafts[k.sample] = w.x.Draft(k.sample)
	}
	d := w.drafts[k.sample]
	in := d.SealInput
	in.JTI, in.Now, in.Expires, in.SpoolDir = k.id, w.x.Clock.Now(), w.x.Clock.Now().Add(k.lasts), w.t.TempDir()
	meta := map[string]any{}
	for name, value := range d.About {
		meta[name] = value
	}
	for name, value := range k.change {
		meta[name] = value
	}
	var err error
	in.Meta, err = json.Marshal(meta)
	w.must(err)
	if k.large {
		in.Message.Text = strings.Repeat("large ", 20<<10)
	}
	for i := range k.attachments {
		in.Attachments = append(in.Attachments, envelope.AttachmentSource{Name: "a.txt", MediaType: "text/plain",
			Open: func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(fmt.Sprint("attachment ", i))), nil
			}})
	}
	if k.stale {
		in.Now = in.Now.Add(-10 * time.Minute)
	}
	if k.fault == "stranger" {
		fresh, err := envelope.GenerateEncryption()
		w.must(err)
		in.Recipients = append(slices.Clone(in.Recipients), envelope.RecipientKey{Agency: "se/noa", Key: fresh.Public()})
	}
	p := w.pack(in)
	p.verdict, p.originator, p.fault, p.lapses = k.verdict, k.originator, k.fault, in.Expires.Truncate(time.Second)
	p.signed = in.Now
	switch k.fault {
	case "malformed":
		p.parts[0].Body = p.parts[0].Body[:len(p.parts[0].Body)-7]
	case "damaged":
		in.JTI = ""
		p.parts[2].Body = w.pack(in).parts[2].Body
	}
	return p
}

// pack seals and keeps what the bytes are.
func (w *world) pack(in envelope.SealInput) *posted {
	w.t.Helper()
	sealed, err := envelope.Seal(in)
	w.must(err)
	p := &posted{parts: w.x.PartsOf(sealed), manifestSHA256: sealed.ManifestSHA256, decided: map[string]api.Outcome{}}
	w.must(sealed.Close())
	p.id, p.from, p.attachments, p.payload = sealed.JTI, in.Iss, len(in.Attachments), claims(sealed.Manifest)
	for _, r := range in.Recipients {
		p.to = append(p.to, r.Agency)
	}
	w.label("manifest of "+p.id, p.parts[0].Body)
	w.label("content of "+p.id, p.parts[2].Body)
	for i, part := range p.parts[3:] {
		w.label(fmt.Sprint("attachment ", i, " of ", p.id), part.Body)
	}
	return p
}

func (w *world) label(what string, b []byte) { w.labels[sha256.Sum256(b)] = what }

// claims is the payload of a compact JWS, as it stands in it.
func claims(jws []byte) string { return strings.Split(string(jws), ".")[1] }

// plain decodes the payload of a compact JWS.
func plain(jws []byte) json.RawMessage {
	b, err := base64.RawURLEncoding.DecodeString(claims(jws))
	if err != nil {
		panic(err) // our own
	}
	return b
}

// acknowledge signs an acknowledgement of a package as an agency, with a
// fault or without.
func (w *world) acknowledge(p *posted, signer, fault string) ([]byte, acknowledgement) {
	w.t.Helper()
	if fault == "malformed" {
		return []byte("x.y.z"), acknowledgement{fault: fault}
	}
	o := p.decided[signer]
	a := envelope.Acknowledgement{Exchange: demo.Origin, Iss: signer, Sub: p.id, IAT: w.x.Clock.Now().Unix(),
		ManifestSHA256: p.manifestSHA256, Decision: o.Decision, Obligations: []envelope.Obligation{}}
	for _, b := range o.Obligations {
		a.Obligations = append(a.Obligations, envelope.Obligation{Code: b.Code, Params: b.Params})
	}
	if a.Decision == "" {
		a.Decision = noID
	}
	switch fault {
	case "another":
		a.Iss = "by/mia"
		if signer == a.Iss {
			a.Iss = "it/dcpc"
		}
	case "misnamed":
		a.Sub = noID
	case "differs":
		a.Decision = noID
	}
	key, has := w.sign[a.Iss]
	if !has {
		key = w.sign["ee/pbgb"] // of who has none, and is refused before it is looked at
	}
	jws, err := envelope.SignAcknowledgement(a, key)
	w.must(err)
	return jws, acknowledgement{payload: claims(jws), fault: fault}
}

// noID is the id of nothing.
const noID = "01900000-0000-7000-8000-000000000000"

// ledger reads the logs of all owners from the store of the stopped exchange.
func (w *world) ledger() (map[string][]entry, error) {
	w.hangUp()
	p := w.x.Parts(exchangetest.PartsConfig{})
	w.m.restarted()
	logs := map[string][]entry{}
	err := p.Store.View(w.t.Context(), func(rows exchange.Reader) error {
		for owner := range w.m.agencies {
			all, err := rows.Entries(owner, 0, 1<<30)
			if err != nil {
				return err
			}
			for _, row := range all {
				e, err := audit.ParseEntry(row.Entry)
				if err == nil {
					err = onlyOwn(e)
				}
				if err != nil {
					return err
				}
				logs[owner] = append(logs[owner], entryOf(e))
			}
		}
		return nil
	})
	p.Close()
	return logs, err
}

// onlyOwn says what an entry holds of another agency's people.
func onlyOwn(e audit.Entry) error {
	if e.Actor.Agency != e.Owner && e.Owner != operators &&
		(e.Officer != "" || e.Justification != "" || e.Statement != nil || e.Actor.Identity != "" || e.Actor.Certificate != "" || e.Request != "" || e.Consultation != "") {
		return fmt.Errorf("the log of %s holds what is %s's: %+v", e.Owner, e.Actor.Agency, e)
	}
	return nil
}

func entryOf(e audit.Entry) entry { return entry{e.Action, e.Outcome, e.Problem, e.Package} }
