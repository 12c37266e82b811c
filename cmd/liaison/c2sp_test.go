package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

// c2sp builds a program of testdata/c2sp.txtar. A test that wants it is skipped where it cannot be had (the module proxy may not serve
// it), unless LIAISON_TEST_REQUIRE asks for c2sp.
func c2sp(t *testing.T, pkg string) (program string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "c2sp.txtar"))
	must(t, err)
	dir := t.TempDir()
	must(t, txtar.Write(archive, dir))
	program = filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, pkg)
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		required := strings.Split(os.Getenv("LIAISON_TEST_REQUIRE"), ",")
		if slices.Contains(required, "all") || slices.Contains(required, "c2sp") {
			t.Fatalf("LIAISON_TEST_REQUIRE asks for %s: %v\n%s", pkg, err, out)
		}
		t.Skipf("%s cannot be had: %v\n%s", pkg, err, out)
	}
	return program
}

// fullTiles is as many entries as make a ledger with full tiles of the lowest
// level, and a partial one.
const fullTiles = 2*audit.TileWidth + 40

// grown is an exchange whose ledger has grown to some full tiles.
func grown(t *testing.T) *exchangetest.Exchange {
	t.Helper()
	x := exchangetest.New(t)
	x.Stop()
	p := x.Parts(exchangetest.PartsConfig{})
	for range fullTiles {
		_, err := p.Journal.Commit(t.Context(), func(*exchange.Tx) ([]audit.Entry, error) {
			return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Consultation, Action: "package.list", Outcome: "shown"}}, nil
		})
		must(t, err)
	}
	p.Close()
	x.Start()
	return x
}

// proxied is a log's address for tools that have no client certificate: a plain proxy on this machine adds one. harm changes what passes.
func proxied(t *testing.T, x *exchangetest.Exchange, harm func(path string, body []byte) []byte) string {
	t.Helper()
	profile, err := client.LoadProfile(x.World.Profile("it/dcpc", certs.RoleDPO))
	must(t, err)
	cfg, err := profile.Config()
	must(t, err)
	to, err := url.Parse("https://" + x.Node.Addr() + "/log")
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true},
		ModifyResponse: func(r *http.Response) error {
			if harm == nil {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			body = harm(r.Request.URL.Path, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return errors.Join(err, r.Body.Close())
		},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	t.Cleanup(proxy.Transport.(*http.Transport).CloseIdleConnections)
	return s.URL + "/"
}

// TestAnotherToolVerifiesTheLog: the tool of another project reads the whole log as it is served, and verifies it: entries, tiles, head. It
// finds what is changed on the way, so that its silence means something.
func TestAnotherToolVerifiesTheLog(t *testing.T) {
	t.Parallel()
	fsck := c2sp(t, "github.com/transparency-dev/tessera/cmd/fsck")
	x := grown(t)
	check := func(harm func(path string, body []byte) []byte) (string, map[string]int) {
		t.Helper()
		var mu sync.Mutex // the tool asks for several at a time
		asked := map[string]int{}
		address := proxied(t, x, func(path string, body []byte) []byte {
			mu.Lock()
			defer mu.Unlock()
			kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/log/tile/"), "/")
			asked[kind]++
			if harm != nil {
				body = harm(path, body)
			}
			return body
		})
		out, err := exec.CommandContext(t.Context(), fsck, "-storage_url", address, "-public_key", filepath.Join(x.World.Dir, "ledger", "log.vkey"), "-ui=false", "-logtostderr", "-N=8").CombinedOutput()
		must(t, err) // it always ends with 0: what it found stands in its log. With one worker it hangs at the first fault: -N
		return string(out), asked
	}
	out, asked := check(nil)
	if strings.Contains(out, "fsck failed") || !strings.Contains(out, "Successfully fsck'd log") || asked["entries"] < 3 || asked["0"] < 3 || asked["1"] < 1 {
		t.Errorf("asked for %v\n%s", asked, out)
	}
	flip := func(part string, at int) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if strings.Contains(path, part) && len(body) > at {
				body[at] ^= 1
			}
			return body
		}
	}
	for what, harm := range map[string]func(string, []byte) []byte{
		"a commitment": flip("tile/entries/001", 2+7), "a leaf hash": flip("tile/0/000", 100), "a node": flip("tile/1/000", 5),
		"the head": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/checkpoint") {
				body = bytes.Replace(body, []byte("\n5"), []byte("\n4"), 1)
			}
			return body
		},
	} {
		if out, _ := check(harm); !strings.Contains(out, "fsck failed") {
			t.Errorf("%s was changed, and the other tool says nothing:\n%s", what, out)
		}
	}
}

// TestAnotherWitness: our exchange is witnessed by the witness of another project, and our witness by that project's client.
func TestAnotherWitness(t *testing.T) {
	t.Parallel()
	program := c2sp(t, "./witness")
	skey, vkey, err := audit.GenerateWitnessKey("other.example/witness")
	must(t, err)
	var address string
	x := exchangetest.New(t, exchangetest.Witnessed(nil), exchangetest.Configure(func(c *node.Config) {
		if address == "" {
			key, err := os.ReadFile(c.LedgerKey[:len(c.LedgerKey)-len("ledger.key")] + "log.vkey")
			must(t, err)
			address = foreignWitness(t, program, skey, strings.TrimSpace(string(key)))
		}
		c.Witnesses = &node.Witnesses{Quorum: 2, Every: c.Witnesses.Every, Members: append(c.Witnesses.Members[1:2:2], node.WitnessMember{VKey: vkey, URL: address},
			c.Witnesses.Members[0])}
	}))
	x.Witnesses.Down(true, "lv/vp") // the quorum needs the other project's
	foreign, err := audit.ParseWitness(vkey)
	must(t, err)
	for range 3 { // from nothing, and from one head to the next
		sent, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(x.Draft(demo.EEtoLV)))
		must(t, err)
		x.Ask()
		head, _, err := x.As("ee/pbgb", certs.RoleUnit).Witnessed(t.Context())
		must(t, err)
		cs, err := head.Cosignatures([]audit.Witness{foreign})
		if err != nil || len(cs) != 1 || head.Size <= sent.Receipt.Index {
			t.Fatalf("%v, %v on a head of %d\n%s", cs, err, head.Size, x.Log)
		}
	}
	x.Restart() // the newest head is known there: the exchange is not taken for a fork
	x.Ask()
	x.Stop()
	ownWitness(t, x, program)
}

// foreignWitness runs the other project's witness, and returns its address.
func foreignWitness(t *testing.T, program, skey, ledger string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "serve", skey, ledger)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = t.Output()
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line)
}

// ownWitness has the other project's client ask our witness.
func ownWitness(t *testing.T, x *exchangetest.Exchange, program string) {
	t.Helper()
	p := x.Parts(exchangetest.PartsConfig{})
	log := exchange.HeadLog{Journal: p.Journal, Store: p.Store}
	raw, err := os.ReadFile(filepath.Join(x.World.Dir, "ledger", "log.vkey"))
	must(t, err)
	keys, err := audit.ParseKeys(raw)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "own")
	_, err = witness.Init(dir, "own.example/witness")
	must(t, err)
	must(t, witness.Watch(dir, keys))
	w, err := witness.Open(witness.Config{Dir: dir, Clock: x.Clock.Now})
	must(t, err)
	defer w.Close()
	s := httptest.NewServer(w.Handler())
	defer s.Close()
	own, err := audit.ParseWitness(w.VerifierKey())
	must(t, err)
	ask := func(old int64, spoil bool) (audit.Checkpoint, []byte, error) {
		t.Helper()
		head, err := audit.OpenCheckpoint(p.Journal.Checkpoint(), keys)
		must(t, err)
		sub, err := log.Submission(t.Context(), old, head)
		must(t, err)
		file := filepath.Join(t.TempDir(), "checkpoint")
		must(t, os.WriteFile(file, head.Note, 0o600))
		args := []string{"ask", s.URL, strings.TrimPrefix(strings.SplitN(string(sub.Encode()), "\n", 2)[0], "old "), file}
		for i, h := range sub.Proof {
			if spoil && i == 0 {
				h[3] ^= 1
			}
			args = append(args, base64.StdEncoding.EncodeToString(h[:]))
		}
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		return head, out, err
	}
	said := func(what string, out []byte, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %s", what, err, out)
		}
	}
	first, out, err := ask(0, false)
	must(t, err)
	if _, _, err := first.Merge(out, own); err != nil {
		t.Errorf("%v in %s", err, out)
	}
	_, err = p.Journal.Commit(t.Context(), func(*exchange.Tx) ([]audit.Entry, error) {
		return []audit.Entry{{Owner: "ee/pbgb", Action: "package.list", Outcome: "shown"}}, nil
	})
	must(t, err)
	_, out, err = ask(0, false)
	said("from nothing again", out, err, "old size != current (size "+strings.Split(string(first.Note), "\n")[1]+")")
	_, out, err = ask(first.Size, true)
	said("a wrong proof", out, err, "consistency proof invalid")
	second, out, err := ask(first.Size, false)
	must(t, err)
	if _, _, err := second.Merge(out, own); err != nil {
		t.Errorf("%v in %s", err, out)
	}
}
