package exchange_test

import (
	"bytes"
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
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// files are attachments of the given texts.
func files(texts ...string) (all []envelope.AttachmentSource) {
	for i, text := range texts {
		all = append(all, envelope.AttachmentSource{Name: fmt.Sprintf("%d.txt", i), MediaType: "text/plain",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	return all
}

// TestPostRefuses sends packages that are wrong in one way each. The sender
// is told as much as it may know, its DPO why, and nobody else anything.
func TestPostRefuses(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	key := x.SignKey("ee/pbgb")
	taken := x.Seal(draft(x, demo.EEtoLV))
	lvTaken := x.Seal(draft(x, demo.LVtoEE))
	for _, s := range []*envelope.Sealed{taken, lvTaken} {
		c := x.HTTP("ee/pbgb", certs.RoleUnit)
		if s == lvTaken {
			c = x.HTTP("lv/vp", certs.RoleUnit)
		}
		if a := x.Post(c, x.PartsOf(s)); a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	o.next(t)
	other := func() []exchangetest.Part { return x.PartsOf(x.Seal(draft(x, demo.EEtoLV))) }
	at := func(d time.Duration) func(*exchangetest.Draft) {
		return func(dr *exchangetest.Draft) { dr.Now = dr.Now.Add(d) }
	}
	type parts = []exchangetest.Part
	for _, c := range []struct {
		name   string
		draft  func(*exchangetest.Draft)
		parts  func(p parts) parts
		want   api.ProblemType
		reason string
	}{
		{"no manifest", nil, func(p parts) parts { return p[1:] }, api.EnvelopeMalformed, "part-order"},
		{"no statement", nil, func(p parts) parts { return slices.Delete(p, 1, 2) }, api.EnvelopeMalformed, "part-order"},
		{"no content", nil, func(p parts) parts { return p[:2] }, api.EnvelopeMalformed, "part-missing"},
		{"nothing", nil, func(parts) parts { return nil }, api.EnvelopeMalformed, "part-missing"},
		{"content before statement", nil, func(p parts) parts { p[1], p[2] = p[2], p[1]; return p }, api.EnvelopeMalformed, "part-order"},
		{"media type of a part", nil, func(p parts) parts { p[2].Media = api.MediaJSON; return p }, api.EnvelopeMalformed, "part-type"},
		{"manifest with padding", nil, func(p parts) parts { p[0].Body = append(p[0].Body, '='); return p }, api.EnvelopeMalformed, "manifest:base64url"},
		{"manifest in two lines", nil, func(p parts) parts { p[0].Body = append(p[0].Body, '\n'); return p }, api.EnvelopeMalformed, "manifest:base64url"},
		{"manifest too large", nil, func(p parts) parts { p[0].Body = bytes.Repeat([]byte("x"), 49<<10); return p }, api.TooLarge, "part-size"},
		{"content is no JWE", nil, func(p parts) parts { p[2].Body = []byte("{}"); return p }, api.EnvelopeMalformed, "content:missing-member"},
		{"two messages in one", nil, func(p parts) parts { p[2].Body = append(p[2].Body, p[2].Body...); return p }, api.EnvelopeMalformed, "content:json"},
		{"statement of another package", nil, func(p parts) parts { p[1] = other()[1]; return p }, api.PackageInvalid, "statement:pair-jti"},
		{"statement of the same id, another text", nil, func(p parts) parts {
			p[1].Body = resigned(t, key, envelope.TypStatement, p[1].Body, func(_, claims object) { claims["officer"] = "SOMEBODY" })
			return p
		}, api.PackageInvalid, "statement:statement-digest"},
		{"content of another package", nil, func(p parts) parts { p[2] = other()[2]; return p }, api.PackageInvalid, "content:content-"},
		{"one byte of content", nil, func(p parts) parts { p[2].Body = flip(p[2].Body, bytes.LastIndexByte(p[2].Body, '"')-5); return p }, api.PackageInvalid, "content:content-digest"},
		{"content of another package, its digest signed", nil, func(p parts) parts { return withContent(t, key, p, other()[2].Body) }, api.PackageInvalid, "content:content-jti"},
		{"content for other recipients", nil, func(p parts) parts {
			d := draft(x, demo.EEtoLVUA).To(x, "ua/npu")
			d.JTI = claimsOf(t, p[0].Body)["jti"].(string)
			return withContent(t, key, p, x.Seal(d).Content)
		}, api.PackageInvalid, "content:content-aud"},
		{"content of another sender", nil, func(p parts) parts {
			d := draft(x, demo.ITtoLV)
			d.JTI = claimsOf(t, p[0].Body)["jti"].(string)
			return withContent(t, key, p, x.Seal(d).Content)
		}, api.PackageInvalid, "content:content-iss"},
		{"key of somebody else for the recipient", func(d *exchangetest.Draft) { d.Recipients[0].Key = x.PublicKey("by/mia", envelope.UseEncrypt) }, nil, api.PackageInvalid, "content:recipient-extra"},
		{"unregistered key for the recipient", func(d *exchangetest.Draft) {
			k, err := envelope.GenerateEncryption()
			if err != nil {
				t.Fatal(err)
			}
			d.Recipients[0].Key = k.Public()
		}, nil, api.PackageInvalid, "content:recipient-key-unknown"},
		{"iat too old", at(-6 * time.Minute), nil, api.PackageInvalid, "manifest:iat-window"},
		{"iat in the future", at(6 * time.Minute), nil, api.PackageInvalid, "manifest:iat-window"},
		{"expired", func(d *exchangetest.Draft) { d.Now, d.Expires = d.Now.Add(-4*time.Minute), d.Now.Add(-time.Minute) }, nil, api.PackageInvalid, "manifest:expired"},
		{"exp after ninety days", func(d *exchangetest.Draft) { d.Expires = d.Now.Add(91 * 24 * time.Hour) }, nil, api.PackageInvalid, "manifest:exp-range"},
		{"id of another sender", func(d *exchangetest.Draft) { d.JTI = lvTaken.JTI }, nil, api.PackageInvalid, "id-not-free"},
		{"own id, another payload", func(d *exchangetest.Draft) { d.JTI = taken.JTI }, nil, api.Conflict, "id-taken"},
		{"attachment missing", func(d *exchangetest.Draft) { d.Attachments = files(attached, "second") }, func(p parts) parts { return p[:4] }, api.PackageInvalid, "attachment-missing"},
		{"attachment too many", func(d *exchangetest.Draft) { d.Attachments = files(attached) }, func(p parts) parts { return append(p, p[3]) }, api.PackageInvalid, "attachment-extra"},
		{"attachment of none", nil, func(p parts) parts {
			return append(p, exchangetest.Part{Name: api.PartAttachment, Media: api.MediaBinary, Body: []byte("x")})
		}, api.PackageInvalid, "attachment-extra"},
		{"attachment altered", func(d *exchangetest.Draft) { d.Attachments = files(attached) }, func(p parts) parts { p[3].Body[9] ^= 1; return p }, api.PackageInvalid, "attachment-digest"},
		{"attachment shortened", func(d *exchangetest.Draft) { d.Attachments = files(attached) }, func(p parts) parts { p[3].Body = p[3].Body[:len(p[3].Body)-1]; return p }, api.PackageInvalid, "attachment-size"},
		{"attachment lengthened", func(d *exchangetest.Draft) { d.Attachments = files(attached) }, func(p parts) parts { p[3].Body = append(p[3].Body, 0); return p }, api.PackageInvalid, "attachment-size"},
		{"attachments swapped", func(d *exchangetest.Draft) { d.Attachments = files("one", "two") }, func(p parts) parts { p[3], p[4] = p[4], p[3]; return p }, api.PackageInvalid, "attachment-digest"},
	} {
		d := draft(x, demo.EEtoLV)
		if c.draft != nil {
			c.draft(d)
		}
		body := x.PartsOf(x.Seal(d))
		if c.parts != nil {
			body = c.parts(body)
		}
		answer := x.Post(x.HTTP("ee/pbgb", certs.RoleUnit), body)
		p := refused(t, x, answer, c.want)
		if told := c.want == api.PackageInvalid || c.want == api.Conflict; told && (p.Detail == "" || p.Fix == "") {
			t.Errorf("%s: the sender is not told what to do: %s", c.name, answer.Body)
		}
		entries := o.next(t)
		want := "ee/pbgb package.send refused " + c.want.Slug + "/" + c.reason
		if len(entries) != 1 || !strings.HasPrefix(line(entries[0]), want) {
			t.Errorf("%s: recorded %v, not %q", c.name, lines(entries), want)
		}
	}
	if n := listed(t, x.As("lv/vp", certs.RoleUnit), client.Query{}); n != 1 {
		t.Errorf("lv/vp has %d packages", n)
	}
	o.verify(t)
}

func lines(entries []audit.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, line(e))
	}
	return all
}

// withContent puts a content into a package whose manifest then names it.
func withContent(t testing.TB, key envelope.PrivateKey, p []exchangetest.Part, content []byte) []exchangetest.Part {
	t.Helper()
	p[0].Body = resigned(t, key, envelope.TypManifest, p[0].Body, func(_, claims object) {
		named := claims["content"].(object)
		named["sha256"], named["size"] = sha(content), len(content)
	})
	p[2].Body = content
	return p
}

// TestPostRequestsOfAnotherForm: what is no package at all.
func TestPostRequestsOfAnotherForm(t *testing.T) {
	t.Parallel()
	x := start(t)
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	contentType, body := exchangetest.Form(x.PartsOf(x.Seal(draft(x, demo.EEtoLV))))
	for name, c := range map[string]struct {
		header http.Header
		body   []byte
		want   api.ProblemType
	}{
		"JSON":              {http.Header{"Content-Type": {api.MediaJSON}}, []byte("{}"), api.UnsupportedMediaType},
		"no type":           {http.Header{}, body, api.UnsupportedMediaType},
		"two types":         {http.Header{"Content-Type": {contentType, contentType}}, body, api.UnsupportedMediaType},
		"compressed":        {http.Header{"Content-Type": {contentType}, "Content-Encoding": {"gzip"}}, body, api.UnsupportedMediaType},
		"another boundary":  {http.Header{"Content-Type": {api.MediaForm + "; boundary=zzz"}}, body, api.RequestMalformed},
		"no boundary":       {http.Header{"Content-Type": {api.MediaForm}}, body, api.RequestMalformed},
		"broken off":        {http.Header{"Content-Type": {contentType}}, body[:len(body)-20], api.RequestMalformed},
		"nothing in a form": {http.Header{"Content-Type": {contentType}}, nil, api.RequestMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, x, x.Do(ee, http.MethodPost, api.RoutePackages, c.header, c.body), c.want)
		})
	}
	if n := listed(t, x.As("ee/pbgb", certs.RoleUnit), client.Query{Box: client.Outbox}); n != 0 {
		t.Errorf("the outbox has %d packages", n)
	}
}

// TestPostLarge carries a content that becomes a blob and several
// attachments all the way.
func TestPostLarge(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLVUA)
	d.Message.Text = strings.Repeat(plaintext+"\n", 4000)
	texts := []string{"", attached, strings.Repeat("0123456789abcdef", 1<<17)} // none, few, two segments and more
	d.Attachments = files(texts...)
	sealed := x.Seal(d)
	if len(sealed.Content) < 200<<10 {
		t.Fatalf("the content has %d bytes", len(sealed.Content))
	}
	if _, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	x.Restart()
	opened, err := x.As("ua/npu", certs.RoleUnit).Open(t.Context(), sealed.JTI, client.OpenOptions{Officer: reader, Reason: why, Accept: acceptAll})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Message.Text != d.Message.Text {
		t.Error("the content is another")
	}
	for i, text := range texts {
		var got bytes.Buffer
		if err := opened.Attachment(t.Context(), i, &got, nil); err != nil || got.String() != text {
			t.Errorf("attachment %d: %d bytes instead of %d, %v", i, got.Len(), len(text), err)
		}
	}
}

// TestPostRetiredKeys: a key that is retired signs nothing new and is sealed
// to no more; what was accepted under it is repeated and opened as before.
func TestPostRetiredKeys(t *testing.T) {
	t.Parallel()
	x := start(t)
	before := x.Seal(draft(x, demo.EEtoLV))
	first, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	toEE := x.Seal(draft(x, demo.LVtoEE))
	p := x.Parts(exchangetest.PartsConfig{})
	retire(t, p, x.SignKey("ee/pbgb").Kid(), 0)
	retire(t, p, x.DecryptKeys("ee/pbgb")[0].Kid(), 0)
	p.Close()
	x.Start()
	o := observe(t, x)

	_, err = x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.EEtoLV)))
	problem(t, err, api.EnvelopeRejected)
	o.expect(t, "signed with a retired key", "ee/pbgb package.send refused envelope-rejected/signing-key-not-trusted")
	_, err = x.As("lv/vp", certs.RoleUnit).PostSealed(t.Context(), toEE)
	if told := problem(t, err, api.PackageInvalid); told.Fix == "" {
		t.Errorf("sealed to a retired key: %+v", told)
	}
	o.expect(t, "sealed to a retired key", "lv/vp package.send refused package-invalid/content:recipient-key-unusable")

	again, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), before)
	if err != nil || !again.Repeat || again.Receipt.Text != first.Receipt.Text {
		t.Errorf("repeat: %+v, %v", again, err)
	}
	if _, err := x.As("lv/vp", certs.RoleUnit).Open(t.Context(), before.JTI, client.OpenOptions{Officer: reader, Reason: why, Accept: acceptAll}); err != nil {
		t.Errorf("an old package cannot be opened: %v", err)
	}
}

// TestPostAllOrNothing: one recipient that policy denies or holds decides for
// all.
func TestPostAllOrNothing(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	d := draft(x, demo.EEtoLVUA)
	d.About["transfer_basis"] = "internal_eu" // does not reach Ukraine
	delete(d.About, "transfer_instrument")
	_, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))
	p := problem(t, err, api.PolicyDenied)
	if len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "ua/npu" {
		t.Errorf("named are %+v", p.Outcomes)
	}
	o.expect(t, "one of two is denied", "ee/pbgb package.send denied policy-denied/")

	// Italy's data may go to Italy, and wait for Italy on their way to Latvia.
	d = draft(x, demo.EEtoLV).To(x, "it/dcpc", "lv/vp")
	d.About["originator"] = []any{"it/dcpc"}
	sent := post(t, x, d)
	for _, outcome := range sent.Outcomes {
		if outcome.Outcome != "pending" {
			t.Errorf("%s: %s", outcome.Recipient, outcome.Outcome)
		}
	}
	o.expect(t, "one of two waits", "ee/pbgb package.send pending", "it/dcpc package.await pending")
	for _, agency := range []string{"lv/vp", "ua/npu"} {
		if n := listed(t, x.As(agency, certs.RoleUnit), client.Query{}); n != 0 {
			t.Errorf("%s has %d packages", agency, n)
		}
	}
}

// TestPostWaitsForItsRecipient: a package that waits for the consent of its
// recipient is in that agency's inbox, to be looked at and no more.
func TestPostWaitsForItsRecipient(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Configure(func(cfg *node.Config) { cfg.Policies = otherPolicies(t) }))
	o := observe(t, x)
	d := draft(x, demo.EEtoLV).To(x, "it/dcpc")
	d.About["case_ref"] = consenting
	id := post(t, x, d).ID()
	o.expect(t, "post", "ee/pbgb package.send pending", "it/dcpc package.await pending")
	it := x.As("it/dcpc", certs.RoleUnit)
	if n := listed(t, it, client.Query{State: "pending"}); n != 1 {
		t.Errorf("the inbox has %d packages that wait", n)
	}
	if m, err := it.Manifest(t.Context(), id); err != nil || m.JTI != id {
		t.Errorf("its manifest: %v", err)
	}
	seen := descriptor(t, x, "it/dcpc", id)
	if seen.State != "pending" || len(seen.Outcomes) != 1 || len(seen.Outcomes[0].Reasons) == 0 {
		t.Errorf("its descriptor: %+v", seen)
	}
	refused(t, x, acknowledgeAs(x, x.HTTP("it/dcpc", certs.RoleUnit), id, acknowledgementOf(t, x, "it/dcpc", seen)), api.Conflict)
	neverReleased(t, x, id, "it/dcpc")
}
