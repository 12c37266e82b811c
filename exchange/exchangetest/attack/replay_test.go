package attack_test

import (
	"bytes"
	"crypto/elliptic"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// spellings of one payload: each is another JWS with a signature that holds.
// DESIGN 4: a repeat is the same sender, id and payload, whatever its bytes;
// where the catalogue has 422 for the twin of a signature (J16), it is the
// first answer again.
func retold() map[string]func(*jws) {
	return map[string]func(*jws){
		"the same bytes signed anew": func(*jws) {},
		"the twin n-s": resigned(func(s []byte) []byte {
			v := new(big.Int).SetBytes(s[32:])
			return append(s[:32:32], v.Sub(elliptic.P256().Params().N, v).FillBytes(make([]byte, 32))...)
		}),
		"a low s":                  resigned(func(s []byte) []byte { return half(s, true) }),
		"a high s":                 resigned(func(s []byte) []byte { return half(s, false) }),
		"blanks in the header":     func(j *jws) { j.header = strings.ReplaceAll(j.header, ",", " , ") },
		"another order of members": func(j *jws) { drop("alg")(j); add(`"alg":"ES256"`)(j) },
		"an escape in the header":  set("alg", `"\u0045S256"`),
		"a blank before it all":    func(j *jws) { j.header = " \t" + j.header + "\r\n" },
	}
}

// half returns the signature with the lower or the upper of s and n-s.
func half(signature []byte, low bool) []byte {
	n := elliptic.P256().Params().N
	s := new(big.Int).SetBytes(signature[32:])
	if (s.Cmp(new(big.Int).Rsh(n, 1)) <= 0) != low {
		s.Sub(n, s)
	}
	return append(signature[:32:32], s.FillBytes(make([]byte, 32))...)
}

// TestReplay sends what was accepted again (J16, J34): in every spelling, by
// others, under other ids, a hundred times at once, after a restart, and when
// its time is over. It is delivered once, and the first answer stays.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := enter(t)
	old := a.forge()
	id := a.jti
	first := a.post(old.request(), http.StatusCreated)
	a.expect("ee/pbgb", "package.send delivered")
	a.expect("lv/vp", "package.deliver delivered")
	a.sealed = sealed{}
	a.boxes = a.look()
	again := func(name string, edit func(f *forgery)) {
		a.names["J34/"+name] = true
		f := *old
		edit(&f)
		a.repeated(name, f.requestOf(old), first)
	}
	for name, edit := range retold() {
		again(name, func(f *forgery) { edit(&f.manifest); f.statement.finished = func(string) string { return old.sent } })
	}
	again("another content", func(f *forgery) { f.content = strings.Repeat("{", 100) }) // nobody reads it
	again("no content", func(f *forgery) {
		f.parts = func(p []exchangetest.Part) []exchangetest.Part { return p[:2] }
	})
	t.Run("others", func(t *testing.T) { a.replayedByOthers(id, old) })
	t.Run("at once", func(t *testing.T) { a.atOnce() })
	for _, move := range []func(){a.Restart, func() { a.Clock.Advance(40 * time.Minute) }, a.Restart} {
		move()
		again(fmt.Sprintf("later, %d", len(a.names)), func(*forgery) {})
		a.try(t, attack{row: "J34", name: "another payload", want: refusal("package.send", api.Conflict, "id-taken"), id: noPackage, make: func(*arena) request {
			f := *old
			f.manifest.payload += " "
			return f.requestOf(old)
		}})
	}
}

// noPackage is an id that nothing has.
const noPackage = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"

// requestOf makes the request of a forgery whose sealed package is not the
// arena's any more: it has the digests of the one that was sent.
func (f *forgery) requestOf(sent *forgery) request {
	keep := f.a.sealed
	defer func() { f.a.sealed = keep }()
	f.a.sealed = sealed{digest: sha(sent.sent), content: f.content}
	if f.statement.finished == nil {
		f.statement.finished = func(string) string { return sent.sent }
	}
	return f.request()
}

// post sends a package of ee/pbgb.
func (a *arena) post(r request, status int) []byte {
	a.t.Helper()
	got := a.do(a.t, a.HTTP("ee/pbgb", certs.RoleUnit), r)
	if got.Status != status {
		a.t.Fatalf("expected %d, got %d %s", status, got.Status, got.Body)
	}
	return got.Body
}

// repeated sends a package again: the first answer, and nothing else.
func (a *arena) repeated(name string, r request, first []byte) {
	a.t.Helper()
	if got := a.post(r, http.StatusOK); !bytes.Equal(got, first) {
		a.t.Errorf("%s: another answer:\n%s\n%s", name, got, first)
	}
	a.nothingMoved(a.t, "ee/pbgb")
	a.expect("ee/pbgb", "package.send repeated")
}

// replayedByOthers: what is accepted is nobody else's, and its id is taken.
func (a *arena) replayedByOthers(id string, old *forgery) {
	a.t.Helper()
	same := func(*arena) request { f := *old; return f.requestOf(old) }
	var all []attack
	for _, agency := range []string{"lv/vp", "ua/npu", "it/dcpc", "by/mia"} {
		all = append(all, attack{row: "J34", name: "by " + agency, from: agency, id: noPackage, want: rejected("sender-is-not-caller"), make: same})
	}
	d := a.Draft(demo.ITtoLV)
	d.JTI = id
	parts := a.PartsOf(a.Seal(d))
	all = append(all, attack{row: "J34", name: "under the id of another's package", from: "it/dcpc", id: noPackage, want: invalid("id-not-free"), make: func(*arena) request { return multipart(parts) }})
	changed := func(name string, want verdict, edit func(f *forgery)) {
		all = append(all, attack{row: "J34", name: name, id: noPackage, want: want, make: func(*arena) request { f := *old; edit(&f); return f.requestOf(old) }})
	}
	taken := refusal("package.send", api.Conflict, "id-taken")
	changed("another exp", taken, func(f *forgery) { in(&f.manifest.payload, `"exp":1`, `"exp":2`) })
	changed("a blank more", taken, func(f *forgery) { f.manifest.payload += " " })
	changed("members in another order", taken, func(f *forgery) {
		in(&f.manifest.payload, `"iss":"ee/pbgb",`, "")
		f.manifest.payload = `{"iss":"ee/pbgb",` + f.manifest.payload[1:]
	})
	changed("an escape", taken, func(f *forgery) { in(&f.manifest.payload, `"ee/pbgb"`, `"\u0065e/pbgb"`) })
	changed("other recipients", taken, func(f *forgery) { in(&f.manifest.payload, `["lv/vp"]`, `["it/dcpc"]`) })
	changed("another statement", invalid("statement:statement-digest"), func(f *forgery) {
		f.parts = func(p []exchangetest.Part) []exchangetest.Part {
			p[1].Body = []byte(old.statement.compact()) // signed anew
			return p
		}
	})
	changed("a signature that does not hold", rejected("manifest:signature"), func(f *forgery) { f.manifest.signature = func(string) string { return strings.Repeat("x", 64) } })
	a.run(all...)
	// Another agency is not told whose it is, nor that it is.
	other := a.Draft(demo.ITtoLV)
	a.run(attack{row: "J34", name: "a content under another manifest", from: "it/dcpc", id: other.JTI, want: invalid("content:content-*"), make: func(a *arena) request {
		p := a.PartsOf(a.Seal(a.Draft(demo.ITtoLV)))
		j := newJWS(p[0].Body, a.SignKey("it/dcpc"))
		in(&j.payload, sha(string(p[2].Body)), sha(old.content))
		in(&j.payload, fmt.Sprintf(`"size":%d`, len(p[2].Body)), fmt.Sprintf(`"size":%d`, len(old.content)))
		p[0].Body, p[2].Body = []byte(j.compact()), []byte(old.content)
		return multipart(p)
	}})
}

// atOnce sends one package, in all its spellings, a hundred times at once.
func (a *arena) atOnce() {
	a.t.Helper()
	f := a.forge()
	first := f.request()
	forms := []request{first}
	for _, edit := range retold() {
		twin := *f
		edit(&twin.manifest)
		forms = append(forms, twin.requestOf(f))
	}
	answers := make([]*exchangetest.Answer, 100)
	var done sync.WaitGroup
	gun := make(chan struct{})
	client := a.HTTP("ee/pbgb", certs.RoleUnit)
	for i := range answers {
		a.names[fmt.Sprintf("J34/at once, %d", i)] = true
		done.Go(func() {
			<-gun
			answers[i] = a.do(a.t, client, forms[i%len(forms)])
		})
	}
	close(gun)
	done.Wait()
	created := 0
	for _, got := range answers {
		if got.Status == http.StatusCreated {
			created++
		} else if got.Status != http.StatusOK {
			a.t.Errorf("%d %s", got.Status, got.Body)
		}
		if !bytes.Equal(got.Body, answers[0].Body) {
			a.t.Errorf("two answers:\n%s\n%s", got.Body, answers[0].Body)
		}
	}
	if created != 1 {
		a.t.Errorf("accepted %d times", created)
	}
	counts := map[string]int{}
	for _, e := range a.entries("ee/pbgb") {
		counts[line(e)]++
	}
	if counts["package.send delivered"] != 1 || counts["package.send repeated"] != 99 || len(counts) != 2 {
		a.t.Errorf("recorded %v", counts)
	}
	a.expect("lv/vp", "package.deliver delivered")
	now := a.look()
	if n := strings.Count(now["inbox of lv/vp"], `"id":`+quote(a.jti)); n != 1 {
		a.t.Errorf("delivered %d times", n)
	}
	a.boxes, a.sealed = now, sealed{}
}

// TestReplayedAcknowledgement: as TestReplay, for an acknowledgement.
func TestReplayedAcknowledgement(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	sent := k.jws
	in(&sent.payload, fmt.Sprint(iat), fmt.Sprint(a.Clock.Now().Unix()))
	as := func(edit func(*jws)) request {
		j := sent
		edit(&j)
		return request{Path: api.PackagePath(k.id, "acknowledgement"), Media: api.MediaJOSE, Body: []byte(j.compact())}
	}
	lv := a.HTTP("lv/vp", certs.RoleUnit)
	forms := []request{as(func(*jws) {})}
	for _, edit := range retold() {
		forms = append(forms, as(edit))
	}
	answers := make([]*exchangetest.Answer, 100)
	var done sync.WaitGroup
	for i := range answers {
		a.names[fmt.Sprintf("J34/acknowledged at once, %d", i)] = true
		done.Go(func() { answers[i] = a.do(a.t, lv, forms[i%len(forms)]) })
	}
	done.Wait()
	created := 0
	for _, got := range answers {
		if got.Status == http.StatusCreated {
			created++
		} else if got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if !bytes.Equal(got.Body, answers[0].Body) {
			t.Errorf("two answers:\n%s\n%s", got.Body, answers[0].Body)
		}
	}
	counts := map[string]int{}
	for _, e := range a.entries("lv/vp") {
		counts[line(e)]++
	}
	if created != 1 || counts["package.acknowledge acknowledged"] != 1 || counts["package.acknowledge repeated"] != 99 || len(counts) != 2 {
		t.Errorf("%d were 201; recorded %v", created, counts)
	}
	a.expect("ee/pbgb", "package.acknowledged acknowledged")
	a.boxes = a.look()
	conflict := refusal("package.acknowledge", api.Conflict, "already-acknowledged")
	for name, edit := range map[string]func(*jws){
		"another time": func(j *jws) {
			j.payload = k.payload
			in(&j.payload, fmt.Sprint(iat), fmt.Sprint(a.Clock.Now().Unix()-60))
		},
		"a blank more": func(j *jws) { j.payload += " " }, "another decision": claim(`"decision":"0`, `"decision":"1`),
		"another exchange": claim(demo.Origin, "other.example/ledger"),
	} {
		a.run(attack{row: "J34", name: "acknowledgement: " + name, from: "lv/vp", want: conflict, make: func(*arena) request { return as(edit) }})
	}
}
