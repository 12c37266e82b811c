package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// lyingExchange changes what comes back from the log.
type lyingExchange struct {
	http.RoundTripper
	lie func(search bool, page *api.AuditPage)
}

func (l *lyingExchange) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || r.URL.Path != api.RouteAuditEntries || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var page api.AuditPage
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	l.lie(r.URL.Query().Has("order"), &page)
	if body, err = json.Marshal(page); err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

// TestSearchCheck: whatever an exchange hides from a search, or shows falsely,
// is named.
func TestSearchCheck(t *testing.T) {
	x := exchangetest.New(t)
	for range 3 {
		if _, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(x.Draft(demo.EEtoLV))); err != nil {
			t.Fatal(err)
		}
	}
	without := func(page *api.AuditPage, i int) { page.Items = append(page.Items[:i:i], page.Items[i+1:]...) }
	for name, c := range map[string]struct {
		lie  func(search bool, page *api.AuditPage)
		says string // empty: true and complete
	}{
		"honest": {func(bool, *api.AuditPage) {}, ""},
		"hides a hit": {func(search bool, page *api.AuditPage) {
			if search {
				without(page, 1)
			}
		}, "hidden: entry 2 matches"},
		"hides all hits": {func(search bool, page *api.AuditPage) {
			if search {
				page.Items = nil
			}
		}, "hidden: entry 3 matches"},
		"hides an entry": {func(_ bool, page *api.AuditPage) { without(page, 1) }, "came in the place of entry 2"},
		"hides the end":  {func(search bool, page *api.AuditPage) { page.Items = page.Items[:min(len(page.Items), 2)] }, "the log ends at entry 2, before entry"},
		"shows another": {func(search bool, page *api.AuditPage) {
			if search {
				more := page.Items[2]
				more.Seq = 4 // the consultation
				page.Items = append(page.Items, more)
			}
		}, "false: entry 4 was shown"},
		"says that it is erased": {func(search bool, page *api.AuditPage) {
			if !search {
				page.Items[0].Entry, page.Items[0].Salt, page.Items[0].Erased = "", "", true
			}
		}, "entry 1 was found, and is said to be erased"},
		"changes an entry": {func(search bool, page *api.AuditPage) {
			if !search {
				page.Items[1].Entry = page.Items[0].Entry
			}
		}, "entry 2: it is not the entry that was recorded"},
		"exchanges two": {func(search bool, page *api.AuditPage) {
			if !search {
				page.Items[0].Entry, page.Items[1].Entry = page.Items[1].Entry, page.Items[0].Entry
				page.Items[0].Salt, page.Items[1].Salt = page.Items[1].Salt, page.Items[0].Salt
				page.Items[0].Commitment, page.Items[1].Commitment = page.Items[1].Commitment, page.Items[0].Commitment
			}
		}, "entry 1: it says that it is entry 2"},
	} {
		t.Run(name, func(t *testing.T) {
			profile, err := client.LoadProfile(x.World.Profile("ee/pbgb", certs.RoleDPO))
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := profile.Config()
			if err != nil {
				t.Fatal(err)
			}
			cfg.Now = x.Clock.Now
			cfg.Wrap = func(rt http.RoundTripper) http.RoundTripper { return &lyingExchange{rt, c.lie} }
			cl, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			var out bytes.Buffer
			s := &searching{env: &environment{Stdout: &out, Stderr: io.Discard, Now: time.Now, IsTerminal: func(any) bool { return false }}, check: true, limit: 50, top: 10}
			s.officer, s.reason = "d-1", "Complaint 2026-31, access by unit"
			err = s.run(t.Context(), cl, []string{"action:package.send recipient:lv/vp"})
			if c.says == "" {
				if err != nil || !strings.Contains(out.String(), "true and complete") {
					t.Errorf("%v\n%s", err, &out)
				}
				return
			}
			if exitCode(err) != exitUnverified || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit %d, %v, want %q in\n%s", exitCode(err), err, c.says, &out)
			}
		})
	}
}
