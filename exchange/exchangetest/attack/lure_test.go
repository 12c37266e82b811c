package attack_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bait is the lure of this process.
var bait *lure

// lure is where every address in an attack points: a listener, and names that
// only it answers for. It hears of each connection, of each lookup of the
// default resolver, and of each connection of the default HTTP client.
type lure struct {
	listener net.Listener
	done     sync.WaitGroup

	mu    sync.Mutex
	heard []string
}

// lureHost is a name that nobody has.
const lureHost = "keys.lure.example"

func newLure() *lure {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	l := &lure{listener: listener}
	l.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.hear("a connection")
			_ = conn.Close()
		}
	})
	net.DefaultResolver.PreferGo, net.DefaultResolver.Dial = true, l.dial
	http.DefaultTransport.(*http.Transport).DialContext = l.dial
	return l
}

func (l *lure) close() {
	_ = l.listener.Close()
	l.done.Wait()
}

// dial stands for the network where nobody should use it.
func (l *lure) dial(_ context.Context, network, address string) (net.Conn, error) {
	l.hear(network + " to " + address)
	return nil, errors.New("the tests have no network")
}

func (l *lure) hear(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, what)
}

// take returns what was heard, and forgets it.
func (l *lure) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// urls are addresses that nobody may follow.
func (l *lure) urls() []string {
	port := l.listener.Addr().(*net.TCPAddr).Port
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	_, digits, _ := strings.Cut(address, ":")
	return []string{
		"http://" + address + "/keys", "https://" + address + "/keys", "https://localhost:" + digits + "/keys",
		"http://2130706433:" + digits + "/", "http://[::ffff:127.0.0.1]:" + digits + "/", "https://" + lureHost + "/jwks.json",
		"http://" + lureHost + ":" + digits + "/", "ftp://" + lureHost + "/", "ldap://" + lureHost + "/cn=key", "file:///etc/hostname",
		"//" + lureHost + "/keys", "data:application/json,{}",
	}
}

// TestLure: the lure hears what it is there for.
func TestLure(t *testing.T) {
	ctx := t.Context()
	for what, try := range map[string]func(url string) error{
		"a connection": func(string) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", bait.listener.Addr().String())
			if err == nil {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1)) // until it is closed: then it was heard
			}
			return err
		},
		"tcp to " + lureHost: func(url string) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			return nil
		},
		"udp to ": func(string) error {
			_, _ = net.DefaultResolver.LookupHost(ctx, lureHost)
			return nil
		},
	} {
		if err := try("https://" + lureHost + "/"); err != nil {
			t.Fatal(err)
		}
		if heard := bait.take(); !slices.ContainsFunc(heard, func(s string) bool { return strings.HasPrefix(s, what) }) {
			t.Errorf("heard %q, not %q", heard, what)
		}
	}
}
