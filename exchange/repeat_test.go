package exchange_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestRepeatParallel posts one package a hundred times at once: it is
// accepted once, and every answer is the first one.
func TestRepeatParallel(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	parts := x.PartsOf(x.Seal(draft(x, demo.EEtoLVUA)))
	answers := atOnce(100, func(int) *exchangetest.Answer { return x.Post(ee, parts) })
	created := 0
	for _, a := range answers {
		if a.Status == http.StatusCreated {
			created++
		} else if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if !bytes.Equal(a.Body, answers[0].Body) {
			t.Fatalf("two answers:\n%s\n%s", a.Body, answers[0].Body)
		}
	}
	if created != 1 {
		t.Errorf("%d answers were 201", created)
	}
	want := []string{"ee/pbgb package.send delivered", "lv/vp package.deliver delivered", "ua/npu package.deliver delivered"}
	for range 99 {
		want = append(want, "ee/pbgb package.send repeated")
	}
	o.expect(t, "a hundred posts", want...)
	for agency, box := range map[string]string{"ee/pbgb": client.Outbox, "lv/vp": client.Inbox, "ua/npu": client.Inbox} {
		if n := listed(t, x.As(agency, certs.RoleUnit), client.Query{Box: box}); n != 1 {
			t.Errorf("%s of %s has %d packages", box, agency, n)
		}
	}
	o.verify(t)
}

// atOnce calls f n times at the same time.
func atOnce(n int, f func(i int) *exchangetest.Answer) []*exchangetest.Answer {
	answers := make([]*exchangetest.Answer, n)
	var done sync.WaitGroup
	gun := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-gun
			answers[i] = f(i)
		})
	}
	close(gun)
	done.Wait()
	return answers
}

// TestRepeatOtherPayload posts packages of one id and different payloads at
// once: one wins, and its parts are the ones that are kept.
func TestRepeatOtherPayload(t *testing.T) {
	t.Parallel()
	x := start(t)
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	const n = 24
	forms := make([][]exchangetest.Part, n)
	texts := make([]string, n)
	id := newID()
	for i := range forms {
		d := draft(x, demo.EEtoLV)
		texts[i] = strings.Repeat(plaintext, 1200) + newID() // becomes a blob
		d.JTI, d.Message.Text, d.Attachments = id, texts[i], files(attached+newID())
		forms[i] = x.PartsOf(x.Seal(d))
	}
	answers := atOnce(n, func(i int) *exchangetest.Answer { return x.Post(ee, forms[i]) })
	winner := -1
	for i, a := range answers {
		switch a.Status {
		case http.StatusCreated:
			if winner >= 0 {
				t.Error("two packages of one id were accepted")
			}
			winner = i
		case http.StatusConflict:
			refused(t, x, a, api.Conflict)
		default:
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	if winner < 0 {
		t.Fatal("none was accepted")
	}
	opened, err := x.As("lv/vp", certs.RoleUnit).Open(t.Context(), id, client.OpenOptions{Officer: reader, Reason: why, Accept: acceptAll})
	if err != nil {
		t.Fatal(err)
	}
	var photo bytes.Buffer
	if err := opened.Attachment(t.Context(), 0, &photo, nil); err != nil || !strings.HasPrefix(photo.String(), attached) {
		t.Errorf("attachment: %v", err)
	}
	if opened.Message.Text != texts[winner] {
		t.Error("the content is not the winner's")
	}
	sweepLeavesNamed(t, x, opened.Manifest.Content.SHA256)
}

// sweepLeavesNamed lets all blobs grow old and sweeps: what a package names
// stays, what the losers brought goes.
func sweepLeavesNamed(t testing.TB, x *exchangetest.Exchange, named string) {
	t.Helper()
	p := x.Parts(exchangetest.PartsConfig{})
	old := time.Now().Add(-48 * time.Hour)
	blobs := func(age bool) (names []string) {
		for path := range stateFiles(t, x) {
			if !strings.Contains(path, "/blobs/") {
				continue
			}
			names = append(names, filepath.Base(path))
			if age {
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		return names
	}
	// Whether a loser brought anything before it was refused is the scheduler's affair: one more is there in any case.
	for path := range stateFiles(t, x) {
		if before, is := strings.CutSuffix(path, named); is {
			other := sha256.Sum256([]byte("what a loser brought"))
			if err := os.WriteFile(before+base64.RawURLEncoding.EncodeToString(other[:]), other[:], 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if before := blobs(true); len(before) <= 2 {
		t.Fatalf("the losers brought nothing: %v", before)
	}
	if _, err := p.Service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := blobs(false)
	if len(left) != 2 || !strings.Contains(left[0]+left[1], named) {
		t.Errorf("left are %v, the package names %s and one attachment", left, named)
	}
}

// TestRepeatLater: a repeat is a repeat whatever the clock says by now, and
// after the sender itself signed the same payload anew.
func TestRepeatLater(t *testing.T) {
	t.Parallel()
	x := start(t)
	sealed := x.Seal(draft(x, demo.EEtoLVUA))
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	first := x.Post(ee, x.PartsOf(sealed))
	x.Clock.Advance(48 * time.Hour)
	second := x.Post(ee, x.PartsOf(sealed))
	if second.Status != http.StatusOK || !bytes.Equal(first.Body, second.Body) {
		t.Errorf("two days later: %d %s", second.Status, second.Body)
	}
	// ES256 signs differently each time: the payload tells a repeat, not the bytes.
	parts := x.PartsOf(sealed)
	segments := bytes.Split(parts[0].Body, []byte("."))
	again := resign(t, x.SignKey("ee/pbgb"), segments[0], segments[1])
	if bytes.Equal(again, parts[0].Body) {
		t.Fatal("the signature is the same")
	}
	parts[0].Body = again
	third := x.Post(ee, parts)
	if third.Status != http.StatusOK || !bytes.Equal(first.Body, third.Body) {
		t.Errorf("signed anew: %d %s", third.Status, third.Body)
	}
	// Latvia cannot find out by posting it that it was accepted.
	refused(t, x, x.Post(x.HTTP("it/dcpc", certs.RoleUnit), x.PartsOf(sealed)), api.EnvelopeRejected)
}

// TestRepeatAfterDenial: a denial leaves the id free; once its reason is
// gone the same package is accepted.
func TestRepeatAfterDenial(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	lv, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row, _ := lv.Agency("lv/vp")
	suspend := func(yes bool) {
		row.Suspended = yes
		if err := p.Service.Admit(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	caller, parts := x.Caller("ee/pbgb", certs.RoleUnit), x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
	suspend(true)
	for range 2 {
		_, err := p.Service.Post(t.Context(), caller, incoming(parts))
		if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.Denied || r.Receipt == nil {
			t.Fatalf("to a suspended agency: %v", err)
		}
	}
	suspend(false)
	got, err := p.Service.Post(t.Context(), caller, incoming(parts))
	if err != nil || got.Repeat {
		t.Errorf("admitted again: %+v, %v", got, err)
	}
}
