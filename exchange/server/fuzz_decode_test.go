package server

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// strictly decodes a body and judges what was made of it: nothing but the members of the type, none null or left out, and the
// same that encoding/json reads.
func strictly[T any](t *testing.T, body []byte) {
	t.Helper()
	var strict, lenient T
	if err := decodeStrict(body, &strict); err != nil {
		return
	}
	if err := json.Unmarshal(body, &lenient); err != nil || cmp.Diff(lenient, strict) != "" {
		t.Fatalf("%v: %s", err, cmp.Diff(lenient, strict))
	}
	plain, err := json.Marshal(strict)
	if err != nil {
		t.Fatal(err)
	}
	sent, read := members(t, body), members(t, plain)
	for name, value := range sent {
		back, there := read[name]
		if empty := value == "" || value == nil; !there && !empty || there && !cmp.Equal(value, back) {
			t.Fatalf("member %q was read as %v: %s", name, back, plain)
		}
	}
}

// members are those of an object, numbers as they are written.
func members(t *testing.T, body []byte) (m map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("no object: %s", body)
	}
	return m
}

// FuzzBodies decodes the bodies of all calls that take an object.
func FuzzBodies(f *testing.F) {
	f.Add(uint8(0), []byte(goodConsultation))
	f.Add(uint8(1), []byte(`{"manifest":{"a":[1e400,null,"\ud83d\ude00"]},"statement":{}}`))
	f.Add(uint8(2), []byte(`{"roles":["unit","dpo"],"suspended":false,"reason":"The agency asked for it."}`))
	f.Add(uint8(2), []byte(`{"roles":[null],"suspended":false,"reason":"x"}`))
	f.Add(uint8(2), []byte(`{"roles":[],"suspended":null,"reason":"x","Suspended":true}`))
	f.Fuzz(func(t *testing.T, call uint8, body []byte) {
		switch call % 3 {
		case 0:
			strictly[api.ConsultationRequest](t, body)
		case 1:
			strictly[api.DryRun](t, body)
		case 2:
			strictly[api.AdmissionRequest](t, body)
		}
	})
}

// FuzzHeaders reads the headers that mean something: each has one spelling, or is refused as the caller's fault.
func FuzzHeaders(f *testing.F) {
	f.Add("application/json; charset=utf-8", "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "bytes=0-99")
	f.Add("multipart/form-data; boundary=x", "{0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d}", "bytes=-0")
	f.Add("Application/JSON;charset=\"utf-8\";x=y", "urn:uuid:0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "items=0-1")
	f.Fuzz(func(t *testing.T, contentType, consultation, span string) {
		h := http.Header{"Content-Type": {contentType}, api.HeaderConsultation: {consultation}, "Range": {span}}
		for i := range operations {
			op := &operations[i]
			if op.media == "" {
				continue
			}
			c := &call{op: op, r: &http.Request{Header: h}}
			if err := c.checkMedia(); err != nil {
				if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.Unsupported {
					t.Fatalf("error out of place: %v", err)
				}
				continue
			}
			media, params, err := mime.ParseMediaType(contentType)
			if err != nil || media != op.media || len(params) > 1 || len(params) == 1 && params["boundary"] == "" && !strings.EqualFold(params["charset"], "utf-8") {
				t.Fatalf("%s takes %q", op.id, contentType)
			}
		}
		c := &call{r: &http.Request{Header: h}}
		if id, err := c.consultation(); err == nil && (id != consultation || uuid.Validate(id) != nil || len(id) != 36) {
			t.Fatalf("consultation %q", id)
		} else if err != nil && exchange.AsRefusal(err) == nil {
			t.Fatalf("error out of place: %v", err)
		}
		if _, err := parseRange(h); err != nil && exchange.AsRefusal(err) == nil {
			t.Fatalf("error out of place: %v", err)
		}
	})
}

// FuzzPath: a path that is taken has one spelling, and no segment of it that could lead elsewhere.
func FuzzPath(f *testing.F) {
	f.Add("/v1/packages/0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d/attachments/0")
	f.Add("/v1/%2e%2e/packages")
	f.Add("/v1//packages/")
	f.Add("/v1/packages/0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d/attachments/01")
	f.Add("/log/tile/0/x001/067.p/12")
	f.Fuzz(func(t *testing.T, path string) {
		if canonicalPath(path) {
			u, err := url.ParseRequestURI("https://x/" + strings.TrimPrefix(path, "/"))
			if err != nil || u.EscapedPath() != "/"+strings.TrimPrefix(path, "/") || u.RawQuery != "" || strings.Contains(path, "//") || strings.Contains(path+"/", "/../") {
				t.Fatalf("%q is taken: %v", path, err)
			}
		}
		last := path[strings.LastIndexByte(path, '/')+1:]
		if n, ok := decimal(last); ok && (len(last) > 20 || strings.HasPrefix(last, "+") || len(last) > 1 && last[0] == '0') {
			t.Fatalf("%q is %d", last, n)
		}
		if canonicalUUID(last) && (strings.ToLower(last) != last || len(last) != 36) {
			t.Fatalf("%q is an id", last)
		}
	})
}

// FuzzParameters: values of a query are what they say, within their bounds, or refused as the caller's fault.
func FuzzParameters(f *testing.F) {
	f.Add("inbox", "17", "2026-11-22T08:00:00Z")
	f.Add("Inbox", "+1", "2026-11-22T08:00:00+00:00")
	f.Add("", "18446744073709551616", "0000-00-00T00:00:00Z")
	f.Fuzz(func(t *testing.T, word, number, moment string) {
		p := &parameters{values: url.Values{"box": {word}, "after": {number}, "due_before": {moment}}}
		box, after, due := p.word("box", "inbox", "outbox"), p.number("after", 0, 0, maxSeq), p.moment("due_before")
		if p.err != nil {
			if exchange.AsRefusal(p.err) == nil {
				t.Fatalf("error out of place: %v", p.err)
			}
			return
		}
		if box != "inbox" && box != "outbox" || after > maxSeq || due.Location() != time.UTC {
			t.Fatalf("%q, %d, %s of %q, %q, %q", box, after, due, word, number, moment)
		}
	})
}
