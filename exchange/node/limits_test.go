package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/server"
)

// Few descriptors leave a third for everything but connections.
func TestLimitsFitDescriptors(t *testing.T) {
	for files, want := range map[uint64][2]server.Share{
		1 << 20: {{All: 4096, Each: 1024}, {All: 2048, Each: 512}},
		1024:    {{All: 341, Each: 85}, {All: 341, Each: 85}},
		64:      {{All: 21, Each: 5}, {All: 21, Each: 5}},
		1:       {{All: 1, Each: 1}, {All: 1, Each: 1}},
	} {
		got := Limits{}.server(0, files)
		if got.Connections != want[0] || got.Handshakes != want[1] {
			t.Errorf("%d descriptors: %v %v, want %v", files, got.Connections, got.Handshakes, want)
		}
	}
}

// What an operator sets reaches the server.
func TestLimitsReachTheServer(t *testing.T) {
	share := func(n int) server.Share { return server.Share{All: 2 * n, Each: n} }
	l := Limits{Connections: share(1), Handshakes: share(2), Requests: share(3), Uploads: share(4), Large: share(5), Streams: 6,
		Handshake: Duration(7 * time.Second), Idle: Duration(8 * time.Second), Grace: Duration(9 * time.Second), Rate: 10}
	want := server.Limits{Connections: share(1), Handshakes: share(2), Requests: share(3), Uploads: share(4), Large: share(5), Streams: 6,
		Header: 7 * time.Second, Idle: 8 * time.Second, Grace: 9 * time.Second, Rate: 10, Attachment: 11}.WithDefaults()
	if got := l.server(11, 1<<20); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A rate that cannot be, and a Redis that cannot be what is meant, are said
// at the start, by the name of the key.
func TestRatesAndRedisAreChecked(t *testing.T) {
	minute := Duration(time.Minute)
	for want, cfg := range map[string]Config{
		"":                            {Limits: Limits{Rates: map[string]Rate{"packages": {5, minute}}, Agencies: map[string]map[string]Rate{"ee/pbgb": {"bytes": {1, minute}}}}},
		"parcels: no such limit":      {Limits: Limits{Rates: map[string]Rate{"parcels": {5, minute}}}},
		"quota: from 1":               {Limits: Limits{Rates: map[string]Rate{"packages": {0, minute}}}},
		"window: whole seconds":       {Limits: Limits{Rates: map[string]Rate{"packages": {1, Duration(1500 * time.Millisecond)}}}},
		"before any agency":           {Limits: Limits{Agencies: map[string]map[string]Rate{"ee/pbgb": {"handshakes": {1, minute}}}}},
		"limits: agencies: ":          {Limits: Limits{Agencies: map[string]map[string]Rate{"EE": {}}}},
		"redis: addresses":            {Redis: &Redis{}},
		"at most 20ms":                {Redis: &Redis{Addresses: []string{"127.0.0.1:1"}, Timeout: Duration(time.Second)}},
		"is another machine":          {Redis: &Redis{Addresses: []string{"10.0.0.1:6379"}}},
		"127.example:6379 is another": {Redis: &Redis{Addresses: []string{"127.0.0.1:1", "127.example:6379"}}},
		"certificate and key go to":   {Redis: &Redis{Addresses: []string{"127.0.0.1:1"}, Key: "k"}},
	} {
		err := errors.Join(cfg.Limits.check(), cfg.Redis.check())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for _, r := range []*Redis{nil, {Addresses: []string{"localhost:6379"}}, {Addresses: []string{"[::1]:6379"}}, {Addresses: []string{"/run/redis.sock"}}, {Addresses: []string{"a:1"}, CA: "ca.pem"}, {Addresses: []string{"a:1"}, Plain: true}} {
		if err := r.check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for _, url := range []string{"http://a:1", "redis://u:secret@a:x", "::", "unix://u:secret@/tmp/redis.sock?db=1", "unix://u:secret@", "redis://u:secret@127.0.0.1:7?db=3", "redis://u:secret@a:7"} {
		if _, err := ParseRedis(url); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if r, err := ParseRedis("rediss://u:secret@a:7/3"); err != nil || r.Addresses[0] != "a:7" || r.User != "u" || r.password != "secret" || r.Database != 3 || !r.system {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := ParseRedis("unix://u:secret@/run/redis.sock"); err != nil || r.Addresses[0] != "/run/redis.sock" || r.User != "u" || r.password != "secret" || r.system {
		t.Errorf("%+v, %v", r, err)
	}
}
