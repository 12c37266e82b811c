package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// lossy passes everything on and loses the answers to posts.
type lossy struct{ http.RoundTripper }

func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost {
		resp.Body.Close()
		return nil, errors.New("connection reset")
	}
	return resp, err
}

// deaf loses posts on their way.
type deaf struct{ http.RoundTripper }

func (l deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		r.Body.Close()
		return nil, errors.New("connection refused")
	}
	return l.RoundTripper.RoundTrip(r)
}

// TestSendAgain: whatever became of a package whose answer never came, --again finds out, and sends it at most once.
func TestSendAgain(t *testing.T) {
	x := exchangetest.New(t)
	profile := x.World.Profile("ee/pbgb", certs.RoleUnit)
	desk := shell{t: t, profile: profile, now: x.Clock.Now}
	meta, err := os.ReadFile(filepath.Join(x.World.Dir, "meta", "ee-lv.json"))
	must(t, err)
	send := func(wrap func(http.RoundTripper) http.RoundTripper) string {
		p, err := client.LoadProfile(profile)
		must(t, err)
		config, err := p.Config()
		must(t, err)
		config.Now, config.Wrap, config.Retries.Tries = x.Clock.Now, wrap, 1
		c, err := client.New(config)
		must(t, err)
		defer c.Close()
		sent, err := c.Send(t.Context(), client.SendInput{To: []string{"lv/vp"}, Meta: json.RawMessage(meta), Reason: testReason,
			Message: envelope.Message{Text: "Hello Riga"}})
		s := &sending{env: &environment{Getenv: os.Getenv}, profileFlags: profileFlags{dir: profile}}
		if err = s.keep(sent, err); exitCode(err) != exitUnavailable {
			t.Fatalf("exit code %d: %v", exitCode(err), err)
		}
		must(t, sent.Close())
		return sent.ID()
	}
	outbox := func() int {
		return len(lines[sentJSON](desk.run("inbox", "--box", "outbox", "--json").exits(exitDone)))
	}
	accepted := send(func(rt http.RoundTripper) http.RoundTripper { return lossy{rt} })
	if n := outbox(); n != 1 {
		t.Fatalf("%d packages in the outbox", n)
	}
	got := lines[sentJSON](desk.run("send", "--again", accepted, "--json").exits(exitDone))[0]
	if !got.Repeat || got.ID != accepted || outbox() != 1 {
		t.Errorf("again %+v, %d packages in the outbox", got, outbox())
	}
	lost := send(func(rt http.RoundTripper) http.RoundTripper { return deaf{rt} })
	desk.run("send", "--again", lost).exits(exitDone).says("sent: package " + lost)
	if n := outbox(); n != 2 {
		t.Errorf("%d packages in the outbox", n)
	}
	old := send(func(rt http.RoundTripper) http.RoundTripper { return deaf{rt} })
	x.Clock.Advance(6 * time.Minute)
	desk.run("send", "--again", old).exits(exitFailed).complains("never accepted")
	for _, id := range []string{accepted, lost, old} {
		desk.run("send", "--again", id).exits(exitUsage).complains("no package")
	}
	desk.run("send", "--again", "../receipts").exits(exitUsage)
	desk.run("send", "--again", old, "--to", "lv/vp").exits(exitUsage)
	if n := outbox(); n != 2 {
		t.Errorf("%d packages in the outbox", n)
	}
}
