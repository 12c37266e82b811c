package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

func TestCheckQuery(t *testing.T) {
	names := []string{"box", "limit"}
	for raw, good := range map[string]bool{
		"": true, "box=inbox": true, "limit=5&box=outbox": true, "box=%69nbox": true,
		"box": false, "box=": false, "box=inbox&box=outbox": false, "Box=inbox": false, "bo%78=inbox&box=inbox": false,
		"other=1": false, "box=inbox;limit=5": false, "box=%zz": false, "=1": false, "&box=inbox": true,
	} {
		if err := checkQuery(raw, names); (err == nil) != good {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func parametersOfQuery(raw string) *parameters {
	return (&call{r: httptest.NewRequest(http.MethodGet, "/v1/packages?"+raw, nil)}).parameters()
}

func TestParameters(t *testing.T) {
	p := parametersOfQuery("box=outbox&after=17&due_before=2026-11-22T08:00:00Z")
	if p.word("box", "inbox", "outbox") != "outbox" || p.number("after", 0, 0, maxSeq) != 17 || p.number("limit", 50, 1, 200) != 50 {
		t.Error("values differ from what was asked")
	}
	if got := p.moment("due_before"); !got.Equal(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)) || p.err != nil {
		t.Errorf("got %s, %v", got, p.err)
	}
	for _, raw := range []string{"after=-1", "after=+1", "after=01", "after=0x1", "after=1e3", "after=9223372036854775808", "after=%201", "after=١"} {
		p := parametersOfQuery(raw)
		if p.number("after", 0, 0, maxSeq); exchange.AsRefusal(p.err) == nil {
			t.Errorf("%s was taken", raw)
		}
	}
	for _, raw := range []string{"2026-11-22T08:00:00+00:00", "2026-11-22", "2026-11-22T08:00:00.1Z", "2026-11-22t08:00:00z", "2026-02-30T08:00:00Z"} {
		p := parametersOfQuery("due_before=" + url.QueryEscape(raw))
		if p.moment("due_before"); exchange.AsRefusal(p.err) == nil {
			t.Errorf("%s was taken", raw)
		}
	}
}

// What passes holds each name once, with a value, and no other names.
func FuzzCheckQuery(f *testing.F) {
	f.Add("box=inbox&limit=5")
	f.Add("box=a&box=b")
	f.Add("b%6fx=a;limit=1")
	f.Fuzz(func(t *testing.T, raw string) {
		if checkQuery(raw, []string{"box", "limit"}) != nil {
			return
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			if name != "box" && name != "limit" || len(v) != 1 || v[0] == "" {
				t.Errorf("%q passed with %q=%q", raw, name, v)
			}
		}
	})
}

func TestCanonicalPath(t *testing.T) {
	for path, good := range map[string]bool{
		"/v1/packages": true, "/log/tile/0/x001/067.p/12": true, "/v1/agencies/ee/pbgb/keys/a_B-9": true,
		"/": false, "//v1/packages": false, "/v1/packages/": false, "/v1//packages": false, "/v1/./packages": false, "/v1/../admin": false,
		"/v1/packages%2F": false, "/v1/p%61ckages": false, "/v1/packages/..;/": false, "/v1/packages/é": false, "": false, "*": false,
	} {
		if canonicalPath(path) != good {
			t.Errorf("%q: %v", path, !good)
		}
	}
}

func TestParseRange(t *testing.T) {
	const size = 1000
	for header, want := range map[string][2]int64{
		"bytes=0-0": {0, 1}, "bytes=0-999": {0, 1000}, "bytes=0-": {0, 1000}, "bytes=999-": {999, 1}, "bytes=10-19": {10, 10},
		"bytes=990-5000": {990, 10}, "bytes=-1": {999, 1}, "bytes=-5000": {0, 1000}, "bytes=1-9223372036854775808": {1, 999},
		"bytes=1000-": {0, 0}, "bytes=1000-2000": {0, 0}, "bytes=-0": {1000, 0}, "bytes=18446744073709551615-": {0, 0},
	} {
		r, err := parseRange(http.Header{"Range": {header}})
		if err != nil || !r.asked {
			t.Errorf("%s: %v", header, err)
			continue
		}
		if first, length := r.within(size); first != want[0] || length != want[1] {
			t.Errorf("%s: from %d, %d bytes", header, first, length)
		}
	}
	for _, header := range []string{"", "bytes", "bytes=", "bytes=-", "bytes=1-0", "bytes=0-1,3-4", "items=0-1", "Bytes=0-1", "bytes= 0-1", "bytes=0-1 ",
		"bytes=+0-1", "bytes=0x1-2", "bytes=01-2", "bytes=--1", "bytes=1-2-3", "bytes=99999999999999999999-"} {
		if r, err := parseRange(http.Header{"Range": {header}}); exchange.AsRefusal(err) == nil {
			t.Errorf("%q: %+v", header, r)
		}
	}
	if _, err := parseRange(http.Header{"Range": {"bytes=0-1", "bytes=2-3"}}); err == nil {
		t.Error("two headers were taken")
	}
	if r, err := parseRange(http.Header{"Range": {"bytes=0-1"}, "If-Range": {`"x"`}}); err != nil || r.asked {
		t.Errorf("with If-Range: %+v, %v", r, err)
	}
}

// A range is always inside of what there is.
func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-99", int64(100))
	f.Add("bytes=-5", int64(3))
	f.Add("bytes=9007199254740993-", int64(1))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		r, err := parseRange(http.Header{"Range": {header}})
		if err != nil || size < 0 || size > maxOffset {
			return
		}
		if first, length := r.within(size); r.asked && (first < 0 || length < 0 || first > size || length > size-first) {
			t.Errorf("%q of %d: from %d, %d bytes", header, size, first, length)
		}
	})
}
