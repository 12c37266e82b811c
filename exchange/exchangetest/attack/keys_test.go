package attack_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// change changes what the exchange knows of keys: an act of its operator,
// with an entry.
func (a *arena) change(edits map[string]func(row *exchange.KeyRow, now time.Time)) {
	a.t.Helper()
	p := a.Parts(exchangetest.PartsConfig{})
	_, err := p.Journal.Commit(context.Background(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, err
		}
		for kid, edit := range edits {
			row := reg.KeyByID(kid).KeyRow
			edit(&row, tx.Now())
			tx.PutKey(row)
		}
		return []audit.Entry{{Owner: demo.Operator, Operation: audit.Alteration, Action: "key.change", Outcome: "done"}}, nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	p.Close()
	a.Start()
}

// moments are what may become of a key. The last two are its authority's: it
// takes the key's certificate back, or lets it end.
var moments = []struct {
	name   string
	change func(row *exchange.KeyRow, now time.Time)
}{
	{"retired now", func(r *exchange.KeyRow, now time.Time) { r.Until = now }},
	{"retired an hour ago", func(r *exchange.KeyRow, now time.Time) { r.Until = now.Add(-time.Hour) }},
	{"compromised now", func(r *exchange.KeyRow, now time.Time) { r.Compromised = now }},
	{"compromised before its time", func(r *exchange.KeyRow, _ time.Time) { r.Compromised = r.From.Add(-time.Hour) }},
	{"compromised before it is to retire", func(r *exchange.KeyRow, now time.Time) { r.Until, r.Compromised = now.Add(time.Hour), now }},
	{"not yet valid", func(r *exchange.KeyRow, now time.Time) { r.From = now.Add(time.Hour) }},
	{"revoked", nil},
	{"lapsed", nil},
}

// trio are keys of which the same becomes, and a package signed with one.
type trio struct {
	sign, seal, accept envelope.PrivateKey
	old                request
	answer             []byte
}

// TestKeysInTime: a key signs, and is sealed to, while it is trusted, and no
// longer; what was accepted stays (J37).
func TestKeysInTime(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	trios := a.trios()
	edits := map[string]func(*exchange.KeyRow, time.Time){}
	for i, m := range moments {
		sign := func(f *forgery) { f.signWith(trios[i].sign) }
		f := a.forge()
		sign(f)
		trios[i].old = f.request()
		trios[i].answer = a.post(trios[i].old, http.StatusCreated)
		a.sealed = sealed{}
		a.post(post(func(f *forgery) { f.header(swap(a.DecryptKeys("lv/vp")[0].Kid(), trios[i].seal.Kid())) })(a), http.StatusCreated)
		a.sealed = sealed{}
		for _, key := range []envelope.PrivateKey{trios[i].sign, trios[i].seal, trios[i].accept} {
			if m.change != nil {
				edits[key.Kid()] = m.change
			}
		}
	}
	a.change(edits)
	revoked := trios[len(moments)-2]
	a.revoke("ee", revoked.sign)
	a.revoke("lv", revoked.seal, revoked.accept)
	a.Clock.Advance(20 * time.Minute)
	a.settle()
	for i, m := range moments {
		a.run(attack{row: "J37", name: "signing key " + m.name, want: rejected("signing-key-not-trusted"), make: post(func(f *forgery) { f.signWith(trios[i].sign) })},
			attack{row: "J37", name: "encryption key " + m.name, want: invalid("content:recipient-key-unusable"),
				make: post(func(f *forgery) { f.header(swap(a.DecryptKeys("lv/vp")[0].Kid(), trios[i].seal.Kid())) })},
			attack{row: "J37", name: "acknowledging key " + m.name, from: "lv/vp", want: refusal("package.acknowledge", api.EnvelopeRejected, "signing-key-not-trusted"),
				make: func(a *arena) request { return k.request(a, func(j *jws) { j.signWith(trios[i].accept) }) }})
		a.repeated("what was accepted before its key was "+m.name, trios[i].old, trios[i].answer)
	}
	a.given(k)
	a.accepted()
}

// revoke has an authority take back the certificates of keys.
func (a *arena) revoke(jurisdiction string, keys ...envelope.PrivateKey) {
	a.t.Helper()
	for _, agency := range a.World.Agencies {
		for _, published := range a.Published(agency) {
			if slices.ContainsFunc(keys, func(k envelope.PrivateKey) bool { return k.Kid() == published.Kid() }) {
				cert, err := x509.ParseCertificate(published.X5C[0])
				must(err)
				a.Revoke(jurisdiction, cert.SerialNumber)
				a.Clock.Advance(time.Second) // by which lists are numbered
			}
		}
	}
	if err := a.Node.Reload(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

// trios registers the keys of TestKeysInTime. The certificates of the last
// ones end in ten minutes.
func (a *arena) trios() []*trio {
	a.t.Helper()
	var all []*trio
	published := map[string][]envelope.PublishedKey{}
	for i := range moments {
		validity := 24 * time.Hour
		if i == len(moments)-1 {
			validity = 10 * time.Minute
		}
		key := func(agency string, use envelope.Use) envelope.PrivateKey {
			k, err := envelope.Generate(use, envelope.ES256)
			must(err)
			published[agency] = append(published[agency], a.certified(agency, k, validity))
			return k
		}
		all = append(all, &trio{sign: key("ee/pbgb", envelope.UseSign), seal: key("lv/vp", envelope.UseEncrypt), accept: key("lv/vp", envelope.UseSign)})
	}
	for agency, keys := range published {
		a.publish(agency, keys...)
	}
	if err := a.Node.Reload(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	return all
}

// TestOldPackages: a recipient reads, and verifies, what was accepted under a
// key that is retired by now (J37).
func TestOldPackages(t *testing.T) {
	t.Parallel()
	a := enter(t)
	id := a.forge().a.jti
	a.accepted()
	a.change(map[string]func(*exchange.KeyRow, time.Time){a.SignKey("ee/pbgb").Kid(): moments[0].change})
	if _, err := a.open("lv/vp", id); err != nil {
		t.Error(err)
	}
	a.settle()
	a.names["J37/an old package"] = true
}

// open opens a package as its recipient's client does.
func (a *arena) open(agency, id string) (*client.Opened, error) {
	a.t.Helper()
	return a.As(agency, certs.RoleUnit).Open(a.t.Context(), id, client.OpenOptions{Officer: "OFF-2", Reason: "A test reads what was sent to it",
		Accept: acceptAll})
}

func acceptAll(context.Context, *api.Descriptor, []api.Obligation) error { return nil }

// Private keys that are printed in RFC 7515 A.3, RFC 7517 A.2 and RFC 8037
// A.1: everybody has them.
var printed = []string{
	`{"kty":"EC","crv":"P-256","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`,
	`{"kty":"EC","crv":"P-256","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`,
	`{"kty":"OKP","crv":"Ed25519","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`,
}

// TestKeysAtTheDoor: what is published and must not be registered. The
// exchange says no, lists no such key, and believes nothing that it signed
// (J38).
func TestKeysAtTheDoor(t *testing.T) {
	t.Parallel()
	a := enter(t)
	generate := func(use envelope.Use) envelope.PrivateKey {
		k, err := envelope.Generate(use, envelope.ES256)
		must(err)
		return k
	}
	key := func(k envelope.PrivateKey, chain ...[]byte) json.RawMessage {
		raw, err := k.Public().MarshalJWK(chain)
		must(err)
		return raw
	}
	issue := func(j string, id certs.KeyIdentity, k envelope.PrivateKey) []byte {
		cert, err := a.CA(j).IssueKey(id, k.Public().CryptoKey(), time.Hour)
		must(err)
		return cert.Raw
	}
	ee := certs.KeyIdentity{Jurisdiction: "ee", Agency: "pbgb", Use: "sig", Name: "x"}
	type door struct {
		name string
		key  envelope.PrivateKey
		jwk  json.RawMessage
	}
	var doors []door
	at := func(name string, k envelope.PrivateKey, jwk json.RawMessage) {
		doors = append(doors, door{name, k, jwk})
	}
	for i, text := range printed {
		k, err := envelope.ParsePrivateJWK([]byte(text))
		must(err)
		at(fmt.Sprintf("a key of an RFC, %d", i), k, key(k, issue("ee", ee, k)))
	}
	lv := a.SignKey("lv/vp")
	at("the key of another agency", lv, key(lv, issue("ee", ee, lv)))
	k := generate(envelope.UseSign)
	at("no certificate", k, key(k))
	k = generate(envelope.UseSign)
	at("a certificate of another key", k, key(k, issue("ee", ee, generate(envelope.UseSign))))
	k = generate(envelope.UseSign)
	at("a certificate for another use", k, key(k, issue("ee", certs.KeyIdentity{Jurisdiction: "ee", Agency: "pbgb", Use: "approve", Name: "x"}, k)))
	k = generate(envelope.UseSign)
	at("a certificate of another agency", k, key(k, issue("ee", certs.KeyIdentity{Jurisdiction: "ee", Agency: "other", Use: "sig", Name: "x"}, k)))
	k = generate(envelope.UseSign)
	at("a certificate of another jurisdiction", k, key(k, issue("lv", certs.KeyIdentity{Jurisdiction: "lv", Agency: "vp", Use: "sig", Name: "x"}, k)))
	k = generate(envelope.UseSign)
	at("a client certificate", k, key(k, a.Identity("ee/pbgb", certs.RoleUnit, "x").Certificate[0]))
	k = generate(envelope.UseSign)
	forger, err := certs.NewCA("ee", a.Clock.Now, 24*time.Hour)
	must(err)
	cert, err := forger.IssueKey(ee, k.Public().CryptoKey(), time.Hour)
	must(err)
	at("an authority that calls itself Estonia's", k, key(k, cert.Raw, forger.Certificate().Raw))
	k = generate(envelope.UseSign)
	future, err := certs.LoadCA(filepath.Join(a.World.Dir, "ca", "ee"), func() time.Time { return a.Clock.Now().Add(2 * time.Hour) })
	must(err)
	cert, err = future.IssueKey(ee, k.Public().CryptoKey(), time.Hour)
	must(err)
	at("a certificate that is not yet valid", k, key(k, cert.Raw))
	k = generate(envelope.UseSign)
	cert, err = a.CA("ee").IssueKey(ee, k.Public().CryptoKey(), time.Second)
	must(err)
	a.Clock.Advance(time.Minute)
	at("a certificate that has lapsed", k, key(k, cert.Raw))
	k = generate(envelope.UseSign)
	good := string(key(k, issue("ee", ee, k)))
	for _, c := range []struct{ name, old, with string }{
		{"another kid", quote(k.Kid()), quote(strings.Repeat("A", 43))}, {"another alg", `"ES256"`, `"EdDSA"`}, {"another use", `"use":"sig"`, `"use":"policy"`}, {"an unknown use", `"use":"sig"`, `"use":"all"`},
		{"a member more", `"use"`, `"key_ops":["sign"],"use"`}, {"a use more", `"use"`, `"use":"enc","use"`}, {"its private half", `"use"`, `"d":"` + strings.Repeat("A", 43) + `","use"`}, {"P-384", `"P-256"`, `"P-384"`}, {"another curve", `"P-256"`, `"secp256k1"`}, {"no point", `"x":"`, `"x":"A`},
		{"a certificate from an address", `"use"`, `"x5u":` + quote(bait.urls()[0]) + `,"use"`},
	} {
		text := good
		in(&text, c.old, c.with)
		at("with "+c.name, k, json.RawMessage(text))
	}
	at("of small order", k, json.RawMessage(`{"kty":"OKP","crv":"Ed25519","use":"sig","x":"`+encode("\x01"+strings.Repeat("\x00", 31))+`"}`))
	at("of RSA", k, json.RawMessage(`{"kty":"RSA","use":"sig","n":"AQAB","e":"AQAB"}`))
	at("a secret", k, json.RawMessage(`{"kty":"oct","use":"sig","k":"AQAB"}`))
	at("of P-384 with its certificate", k, p384(a))
	own, err := json.Marshal(a.Published("ee/pbgb"))
	must(err)
	for _, d := range doors {
		set := swap(`{"keys":[`, `{"keys":[`+string(d.jwk)+`,`)(string(own))
		a.Publish("ee/pbgb", []byte(set))
		if err := a.Node.Reload(t.Context()); err == nil {
			t.Errorf("%s: registered", d.name)
		}
		got := a.do(t, a.logs["ee/pbgb"].unit, request{Method: http.MethodGet, Path: api.KeyPath("ee/pbgb", d.key.Kid())})
		if got.Status != http.StatusNotFound {
			t.Errorf("%s: the directory has it: %s", d.name, got.Body)
		}
		a.run(attack{row: "J38", name: d.name + ", over the API", want: verdict{entry: "key.publish refused *"}, make: func(*arena) request {
			return request{Method: http.MethodPut, Path: api.KeyPath("ee/pbgb", d.key.Kid()), Media: api.MediaJSON, Body: d.jwk}
		}},
			attack{row: "J38", name: d.name, want: rejected("signing-key-unknown"), make: post(func(f *forgery) { f.signWith(d.key) })})
	}
	a.accepted()
}

// p384 is a key that is strong, and not of the format.
func p384(a *arena) json.RawMessage {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	id := certs.KeyIdentity{Jurisdiction: "ee", Agency: "pbgb", Use: "sig", Name: "x"}
	chain := ""
	if cert, err := a.CA("ee").IssueKey(id, k.Public(), time.Hour); err == nil {
		chain = `,"x5c":[` + quote(base64.StdEncoding.EncodeToString(cert.Raw)) + `]`
	}
	raw, err := k.PublicKey.Bytes()
	must(err)
	return json.RawMessage(`{"kty":"EC","crv":"P-384","use":"sig","x":` + quote(encode(string(raw[1:49]))) + `,"y":` + quote(encode(string(raw[49:]))) + chain + `}`)
}
