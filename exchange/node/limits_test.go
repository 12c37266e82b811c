package node

import (
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
