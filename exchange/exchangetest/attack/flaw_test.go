package attack_test

import (
	"crypto/x509"
	"encoding/json"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// carrier is a signed part in which a JWS travels to the exchange.
type carrier struct {
	name   string // as reasons name it
	from   string // who sends it
	action string
	nobody string // the reason where the key is nobody's
	early  bool   // its size is checked before the domain is asked
	make   func(edit func(*jws)) func(a *arena) request
}

// carriers are the three parts that are signed.
func carriers(k *acknowledgement) []carrier { return carriersBy(k, nil) }

// carriersBy are the same, signed with other keys, by agency.
func carriersBy(k *acknowledgement, keys map[string]envelope.PrivateKey) []carrier {
	forged := func(part func(f *forgery) *jws) func(edit func(*jws)) func(a *arena) request {
		return func(edit func(*jws)) func(a *arena) request {
			return post(func(f *forgery) {
				if own, ok := keys["ee/pbgb"]; ok {
					f.signWith(own)
				}
				edit(part(f))
			})
		}
	}
	return []carrier{
		{name: "manifest", from: "ee/pbgb", action: "package.send", nobody: "signing-key-unknown", make: forged(func(f *forgery) *jws { return &f.manifest })},
		{name: "statement", from: "ee/pbgb", action: "package.send", nobody: "statement-key-differs", make: forged(func(f *forgery) *jws { return &f.statement })},
		{name: "acknowledgement", from: "lv/vp", action: "package.acknowledge", nobody: "signing-key-unknown", early: true,
			make: func(edit func(*jws)) func(a *arena) request {
				return func(a *arena) request {
					return k.request(a, func(j *jws) {
						if own, ok := keys["lv/vp"]; ok {
							j.signWith(own)
						}
						edit(j)
					})
				}
			}},
	}
}

// flaw is one thing that is wrong with a JWS.
type flaw struct {
	row, name string
	edit      func(*jws)
	want      func(carrier) verdict
}

// What a flaw leads to, whatever carries it.

// form: wrong without a look at a key.
func form(reason string) func(carrier) verdict {
	return func(c carrier) verdict { return refusal(c.action, api.EnvelopeMalformed, c.name+":"+reason) }
}

// forgedAs: the signature or its key does not hold.
func forgedAs(reason string) func(carrier) verdict {
	return func(c carrier) verdict { return refusal(c.action, api.EnvelopeRejected, c.name+":"+reason) }
}

// nobodysKey: the kid is not that of a signing key of the agency.
func nobodysKey(c carrier) verdict { return refusal(c.action, api.EnvelopeRejected, c.nobody) }

// tooLarge: refused by its size.
func tooLarge(c carrier) verdict {
	if c.early {
		return refusal("request.refused", api.TooLarge, "body-size")
	}
	return refusal(c.action, api.TooLarge, "part-size")
}

// attacks puts each flaw into a carrier, in turn; with time, into each.
func attacks(cs []carrier, flaws []flaw) (all []attack) {
	for i, f := range flaws {
		for k, c := range cs {
			if i%len(cs) == k || torture.On() {
				all = append(all, attack{row: f.row, name: c.name + ": " + f.name, from: c.from, make: c.make(f.edit), want: f.want(c)})
			}
		}
	}
	return all
}

// Changes of a header. They panic if there is nothing to change.

// set gives a member of the header another value.
func set(name, value string) func(*jws) {
	return func(j *jws) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(j.header), &members); err != nil {
			panic(err)
		}
		in(&j.header, `"`+name+`":`+string(members[name]), `"`+name+`":`+value)
	}
}

// drop takes a member out of the header.
func drop(name string) func(*jws) {
	return func(j *jws) {
		set(name, "@")(j)
		j.header = strings.NewReplacer(`"`+name+`":@,`, "", `,"`+name+`":@`, "").Replace(j.header)
	}
}

// add puts a member into the header, at its end.
func add(member string) func(*jws) {
	return func(j *jws) { j.header = strings.TrimSuffix(j.header, "}") + "," + member + "}" }
}

// addFirst puts it at the beginning.
func addFirst(member string) func(*jws) {
	return func(j *jws) { j.header = "{" + member + "," + strings.TrimPrefix(j.header, "{") }
}

// claim replaces something in the payload.
func claim(old, with string) func(*jws) { return func(j *jws) { in(&j.payload, old, with) } }

// quote is a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// signWith has a JWS signed with another key.
func (j *jws) signWith(k envelope.PrivateKey) {
	set("kid", quote(k.Kid()))(j)
	set("alg", quote(k.Public().Alg()))(j)
	j.key = k
}

// register makes a key, has it certified by its jurisdiction, publishes it
// beside the agency's other keys, and lets the exchange know.
func (a *arena) register(agency string, use envelope.Use, alg string) envelope.PrivateKey {
	a.t.Helper()
	k, err := envelope.Generate(use, alg)
	if err != nil {
		a.t.Fatal(err)
	}
	a.publish(agency, a.certified(agency, k, 24*time.Hour))
	if err := a.Node.Reload(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	return k
}

// certified is a key as its agency publishes it.
func (a *arena) certified(agency string, k envelope.PrivateKey, validity time.Duration) envelope.PublishedKey {
	a.t.Helper()
	j, name, err := certs.ParseAgencyID(agency)
	if err != nil {
		a.t.Fatal(err)
	}
	var cert *x509.Certificate
	if cert, err = a.CA(j).IssueKey(certs.KeyIdentity{Jurisdiction: j, Agency: name, Use: string(k.Use()), Name: "attack"}, k.Public().CryptoKey(), validity); err != nil {
		a.t.Fatal(err)
	}
	return envelope.PublishedKey{PublicKey: k.Public(), X5C: [][]byte{cert.Raw}}
}

// publish adds keys to those that an agency hands to the exchange.
func (a *arena) publish(agency string, keys ...envelope.PublishedKey) {
	a.t.Helper()
	set, err := json.Marshal(append(a.Published(agency), keys...))
	if err != nil {
		a.t.Fatal(err)
	}
	a.Publish(agency, set)
}
