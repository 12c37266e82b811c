package exchange_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// under is the header of a read under a consultation.
func under(consultation string) http.Header {
	return http.Header{api.HeaderConsultation: {consultation}}
}

// TestConsultation: content is read under a consultation of this package by
// this identity, for a quarter of an hour, and nothing else opens it.
func TestConsultation(t *testing.T) {
	t.Parallel()
	x := start(t)
	id, other := post(t, x, draft(x, demo.EEtoLVUA)).ID(), post(t, x, draft(x, demo.EEtoLVUA)).ID()
	lv := x.As("lv/vp", certs.RoleUnit)
	for _, agency := range []string{"lv/vp", "ua/npu"} {
		accept(t, x.As(agency, certs.RoleUnit), id)
		accept(t, x.As(agency, certs.RoleUnit), other)
	}
	raw, content := x.HTTP("lv/vp", certs.RoleUnit), api.PackagePath(id, "content")
	second := x.Identity("lv/vp", certs.RoleUnit, "second")
	dpoLog := consult(t, x.As("lv/vp", certs.RoleDPO), "")
	o := observe(t, x)
	for name, c := range map[string]struct {
		consultation, reason string
	}{
		"none":               {"", "consultation-missing"},
		"no id":              {"please", "consultation-form"},
		"one that is none":   {noPackage, "consultation-of-another"},
		"of another package": {consult(t, lv, other), "consultation-of-another"},
		"of another agency":  {consult(t, x.As("ua/npu", certs.RoleUnit), id), "consultation-of-another"},
		"of the sender":      {consult(t, x.As("ee/pbgb", certs.RoleUnit), id), "consultation-of-another"},
		"of the log":         {dpoLog, "consultation-of-another"},
	} {
		o.next(t)
		header := under(c.consultation)
		if c.consultation == "" {
			header = nil
		}
		refused(t, x, x.Do(raw, http.MethodGet, content, header, nil), api.ConsultationRequired)
		entries := o.next(t)
		if len(entries) != 1 || entries[0].Reason != c.reason || entries[0].Problem != api.ConsultationRequired.Slug {
			t.Errorf("%s: %v", name, lines(entries))
		}
	}
	own := consult(t, lv, id)
	// Another person of the same unit says for itself why it reads.
	refused(t, x, x.Do(x.HTTPWith(second), http.MethodGet, content, under(own), nil), api.ConsultationRequired)

	x.Clock.Advance(15*time.Minute - time.Second)
	if a := x.Do(raw, http.MethodGet, content, under(own), nil); a.Status != http.StatusOK || len(a.Body) == 0 {
		t.Errorf("within its time: %d %s", a.Status, a.Body)
	}
	x.Clock.Advance(2 * time.Second)
	o.next(t)
	refused(t, x, x.Do(raw, http.MethodGet, content, under(own), nil), api.ConsultationRequired)
	o.expect(t, "lapsed", "lv/vp content.read refused consultation-required/consultation-lapsed")
	o.verify(t)
}

// TestConsultationRefuses: who reads, and why, in words of their own; units
// packages, reviewers the log.
func TestConsultationRefuses(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	body := func(officer, why, ref, id string) []byte {
		b := fmt.Sprintf(`{"officer":%q,"justification":%q,"case_ref":%q`, officer, why, ref)
		if id != "" {
			b += fmt.Sprintf(`,"package":%q`, id)
		}
		return []byte(b + "}")
	}
	for name, c := range map[string]struct {
		role string
		body []byte
		want api.ProblemType
	}{
		"no reason":         {certs.RoleUnit, body(reader, "", "", id), api.RequestMalformed},
		"short reason":      {certs.RoleUnit, body(reader, "because I want it..", "", id), api.RequestMalformed},
		"long reason":       {certs.RoleUnit, body(reader, strings.Repeat("why ", 126), "", id), api.RequestMalformed},
		"reason in lines":   {certs.RoleUnit, body(reader, "one line\nand another one of the same", "", id), api.RequestMalformed},
		"no officer":        {certs.RoleUnit, body("", why, "", id), api.RequestMalformed},
		"a name":            {certs.RoleUnit, body("Jaan Tamm", why, "", id), api.RequestMalformed},
		"a sentence as ref": {certs.RoleUnit, body(reader, why, "the case of May", id), api.RequestMalformed},
		"no id":             {certs.RoleUnit, body(reader, why, "", "x"), api.RequestMalformed},
		"unknown member":    {certs.RoleUnit, []byte(`{"officer":"o","justification":"` + why + `","sender":"ee/pbgb"}`), api.RequestMalformed},
		"unit, the log":     {certs.RoleUnit, body(reader, why, "", ""), api.RoleForbidden},
		"DPO, a package":    {certs.RoleDPO, body(reader, why, "", id), api.RoleForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, x, x.Do(x.HTTP("lv/vp", c.role), http.MethodPost, api.RouteConsultations, http.Header{"Content-Type": {api.MediaJSON}}, c.body), c.want)
		})
	}
}

// TestRolesReadTheirOwn: units exchange, reviewers review, nobody does both.
func TestRolesReadTheirOwn(t *testing.T) {
	t.Parallel()
	x := start(t)
	x.Admission(node.Admission{ID: "lv/vp", Roles: []string{certs.RoleUnit, certs.RoleDPO, certs.RoleSupervisor}})
	if err := x.Node.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	unit, dpo := x.HTTP("lv/vp", certs.RoleUnit), x.HTTP("lv/vp", certs.RoleDPO)
	supervisor := x.HTTPWith(x.Identity("lv/vp", certs.RoleSupervisor, "first"))
	opened := x.Do(supervisor, http.MethodPost, api.RouteConsultations, http.Header{"Content-Type": {api.MediaJSON}},
		fmt.Appendf(nil, `{"officer":%q,"justification":%q}`, reader, why))
	if opened.Status != http.StatusCreated {
		t.Fatalf("the supervisor's consultation: %d %s", opened.Status, opened.Body)
	}
	log := under(field(t, opened.Body, "id"))
	contentType, form := exchangetest.Form(x.PartsOf(x.Seal(draft(x, demo.LVtoEE))))
	dry := fmt.Appendf(nil, `{"manifest":{},"statement":{}}`)
	for name, call := range map[string]struct {
		method, path string
		header       http.Header
		body         []byte
		units        bool
	}{
		"send":        {"POST", api.RoutePackages, http.Header{"Content-Type": {contentType}}, form, true},
		"dry run":     {"POST", api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, dry, true},
		"list":        {"GET", api.RoutePackages, nil, nil, true},
		"show":        {"GET", api.PackagePath(id, ""), nil, nil, true},
		"manifest":    {"GET", api.PackagePath(id, "manifest"), nil, nil, true},
		"content":     {"GET", api.PackagePath(id, "content"), log, nil, true},
		"attachment":  {"GET", api.AttachmentPath(id, 0), log, nil, true},
		"acknowledge": {"POST", api.PackagePath(id, "acknowledgement"), http.Header{"Content-Type": {api.MediaJOSE}}, []byte("x"), true},
		"log":         {"GET", api.RouteAuditEntries, log, nil, false},
		"entry":       {"GET", api.AuditEntryPath("lv/vp", 1), log, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, who := range []struct {
				role string
				c    *http.Client
			}{{certs.RoleUnit, unit}, {certs.RoleDPO, dpo}, {certs.RoleSupervisor, supervisor}} {
				a := x.Do(who.c, call.method, call.path, call.header, call.body)
				forbidden := a.Status == http.StatusForbidden && x.Problem(a).Type == api.RoleForbidden.URI()
				if may := (who.role == certs.RoleUnit) == call.units; forbidden == may {
					t.Errorf("%s as %s: %d %s", name, who.role, a.Status, a.Body)
				}
			}
		})
	}
	if a := x.Do(supervisor, http.MethodGet, api.RouteAuditEntries, log, nil); a.Status != http.StatusOK {
		t.Errorf("the supervisor reads the log of its agency: %d %s", a.Status, a.Body)
	}
}

// TestContent: after the acknowledgement the recipient, and at any time the
// sender, gets the bytes as they were sent, attachments in parts as well.
func TestContent(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	key := x.PublicKey("ee/pbgb", "enc")
	d.CopyToSelf, d.Attachments = &key, files(strings.Repeat(attached, 100), "two")
	sealed := x.Seal(d)
	ee, lv := x.As("ee/pbgb", certs.RoleUnit), x.As("lv/vp", certs.RoleUnit)
	if _, err := ee.PostSealed(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	parts, id := x.PartsOf(sealed), sealed.JTI
	raw := x.HTTP("lv/vp", certs.RoleUnit)
	read := under(consult(t, lv, id))
	for _, path := range []string{api.PackagePath(id, "content"), api.AttachmentPath(id, 0)} {
		refused(t, x, x.Do(raw, http.MethodGet, path, read, nil), api.Conflict)
	}
	accept(t, lv, id)
	if a := x.Do(raw, http.MethodGet, api.PackagePath(id, "content"), read, nil); a.Status != http.StatusOK || !bytes.Equal(a.Body, sealed.Content) || a.Header.Get("Content-Type") != api.MediaJOSEJSON {
		t.Errorf("content: %d, %d bytes of %s", a.Status, len(a.Body), a.Header.Get("Content-Type"))
	}
	blob := parts[3].Body
	for asked, want := range map[string][]byte{"": blob, "bytes=0-": blob, "bytes=10-19": blob[10:20], "bytes=100-": blob[100:], "bytes=-7": blob[len(blob)-7:], "bytes=0-99999999": blob} {
		header := read.Clone()
		status := http.StatusOK
		if asked != "" {
			header.Set("Range", asked)
			status = http.StatusPartialContent
		}
		if a := x.Do(raw, http.MethodGet, api.AttachmentPath(id, 0), header, nil); a.Status != status || !bytes.Equal(a.Body, want) {
			t.Errorf("range %q: %d, %d bytes of %d", asked, a.Status, len(a.Body), len(want))
		}
	}
	header := read.Clone()
	header.Set("Range", fmt.Sprintf("bytes=%d-", len(blob)))
	refused(t, x, x.Do(raw, http.MethodGet, api.AttachmentPath(id, 0), header, nil), api.RangeNotSatisfiable)
	refused(t, x, x.Do(raw, http.MethodGet, api.AttachmentPath(id, 2), read, nil), api.NotFound)
	refused(t, x, x.Do(raw, http.MethodGet, api.PackagePath(id, "attachments/00"), read, nil), api.NotFound)

	opened, err := ee.Open(t.Context(), id, client.OpenOptions{Officer: officer, Reason: why})
	if err != nil || opened.Message.Text != plaintext {
		t.Errorf("the sender's own copy: %v", err)
	}
}
