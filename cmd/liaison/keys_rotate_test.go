package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// ca is the directory of a jurisdiction's authority.
func (d desks) ca(jurisdiction string) string { return filepath.Join(d.World.Dir, "ca", jurisdiction) }

// kids are those of the private keys in a file of a profile.
func kids(t *testing.T, dir, name string) []string {
	t.Helper()
	keys, err := keyFiles{}.read(dir, name)
	must(t, err)
	var all []string
	for _, k := range keys {
		all = append(all, k.Kid())
	}
	return all
}

// directoryKey is what the directory says of a key.
func (d desks) directoryKey(agency, kid string) client.Key {
	d.TB.Helper()
	k, err := d.As(agency, certs.RoleUnit).Key(d.TB.Context(), agency, kid, d.Clock.Now())
	if err != nil {
		d.TB.Fatal(err)
	}
	return k
}

// TestRotateInterrupted: a rotation that was cut off anywhere goes on with the
// same command, ends in the same state, and loses no key.
func TestRotateInterrupted(t *testing.T) {
	for _, use := range []envelope.Use{envelope.UseSign, envelope.UseEncrypt} {
		t.Run(string(use), func(t *testing.T) {
			d := newDesks(t)
			files, dir := rotatedFiles[use], d.ee.profile
			in := func(name string) string { return filepath.Join(dir, name) }
			asked := lines[rotated](d.ee.on(t).run("keys", "rotate", "--use", string(use), "--json").exits(exitDone))[0]
			if asked.Done || asked.Request != in(files.csr) {
				t.Fatalf("%+v", asked)
			}
			if again := lines[rotated](d.ee.on(t).run("keys", "rotate", "--use", string(use), "--json").exits(exitDone))[0]; again.Key != asked.Key {
				t.Fatal("asked again, it made another key")
			}
			before, err := files.read(dir, files.private)
			must(t, err)
			old := before[0].Kid()
			request, err := os.ReadFile(asked.Request)
			must(t, err)
			leaf, err := d.CA("ee").IssueFromCSR(request, time.Hour)
			must(t, err)
			secret, err := os.ReadFile(in(files.next))
			must(t, err)
			begin := func() { // as it was after the certificate had come
				must(t, certs.WriteSecret(in(files.next), secret))
				must(t, certs.WritePublic(in(files.nextCert), certs.EncodeChain(leaf)))
			}
			key, err := files.read(dir, files.next)
			must(t, err)
			begin()
			published := envelope.PublishedKey{PublicKey: key[0].Public(), X5C: [][]byte{leaf.Raw}}
			raw, err := json.Marshal(envelope.KeySet{published})
			must(t, err)
			must(t, os.WriteFile(in("new.jwks"), raw, 0o600))
			publish := func() { d.ee.on(t).run("keys", "publish", in("new.jwks")).exits(exitDone) }
			for _, cut := range []struct {
				name string
				make func()
			}{
				{"after it was put in force", func() {
					publish()
					promoted := secret
					if files.set {
						promoted, err = envelope.MarshalPrivateSet(append(key, before...))
						must(t, err)
					}
					must(t, certs.WriteSecret(in(files.private), promoted))
					must(t, certs.WritePublic(in(files.retiring), []byte(old)))
				}},
				{"before it was put in force", func() {
					publish()
					restored, err := envelope.MarshalPrivateSet(before)
					if !files.set {
						restored, err = before[0].MarshalPrivate()
					}
					must(t, err)
					must(t, certs.WriteSecret(in(files.private), restored))
				}},
				{"when all was done", func() {}},
			} {
				begin()
				cut.make()
				done := lines[rotated](d.ee.on(t).run("keys", "rotate", "--use", string(use), "--overlap", "30m", "--json").exits(exitDone))[0]
				if !done.Done || done.Key != asked.Key || kids(t, dir, files.private)[0] != asked.Key {
					t.Fatalf("%s: %+v", cut.name, done)
				}
				if k := d.directoryKey("ee/pbgb", old); k.Until.IsZero() || k.Until.After(d.Clock.Now().Add(time.Hour)) {
					t.Errorf("%s: the old key ends %v", cut.name, k.Until)
				}
				if k := d.directoryKey("ee/pbgb", asked.Key); k.Err != nil || !k.Until.IsZero() {
					t.Errorf("%s: the new key: %v, until %v", cut.name, k.Err, k.Until)
				}
				for _, name := range []string{files.next, files.nextCert, files.csr, files.retiring} {
					if _, err := os.Stat(in(name)); err == nil {
						t.Errorf("%s: %s is left", cut.name, name)
					}
				}
			}
			if all := kids(t, dir, files.private); files.set && (len(all) != 2 || all[1] != old) {
				t.Errorf("decryption keys: %v", all)
			}
		})
	}
}

// TestSendWhileRotating: packages are sent and opened from other processes all
// the time, while both sides replace their keys again and again.
func TestSendWhileRotating(t *testing.T) {
	d := newDesks(t)
	const senders, each = 2, 4
	sent := make(chan string, senders*each)
	var done sync.WaitGroup
	for range senders {
		done.Go(func() {
			for range each {
				r := d.ee.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--reason", testReason, "--json", "Hello")
				if r.code != exitDone {
					t.Errorf("%s%s", r.out, r.errors)
					return
				}
				sent <- lines[sentJSON](r)[0].ID
			}
		})
	}
	for range 3 {
		d.ee.run("keys", "rotate", "--use", "sig", "--ca", d.ca("ee"), "--validity", "24h").exits(exitDone)
		d.lv.run("keys", "rotate", "--use", "enc", "--ca", d.ca("lv"), "--validity", "24h").exits(exitDone)
	}
	done.Wait()
	close(sent)
	opened := 0
	for id := range sent {
		d.lv.run("open", id, "--yes", "--reason", testReason).exits(exitDone).says("Hello")
		opened++
	}
	if opened != senders*each {
		t.Errorf("%d of %d arrived", opened, senders*each)
	}
}
