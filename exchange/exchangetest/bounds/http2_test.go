package bounds

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// preface is how a client begins HTTP/2 (RFC 9113 §3.4), with empty settings.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Types of frames.
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	endStream  = 1
	endHeaders = 4
)

func frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[5:], stream)
	return string(b) + payload
}

func uint32s(v uint32) string { return string(binary.BigEndian.AppendUint32(nil, v)) }

// literal is a header field without index and compression (RFC 7541 §6.2.2).
func literal(name, value string) string {
	return "\x00" + short(name) + short(value)
}

func short(s string) string {
	if len(s) < 127 {
		return string([]byte{byte(len(s))}) + s
	}
	b := []byte{127}
	n := len(s) - 127
	for ; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return string(append(b, byte(n))) + s
}

func get(path string) string {
	return literal(":method", "GET") + literal(":scheme", "https") + literal(":authority", "localhost") + literal(":path", path)
}

// TestHTTP2: floods of frames that cost the client nothing end their
// connection, or cost the server as little.
func TestHTTP2(t *testing.T) {
	s := besiege(t, nil, nil)
	request := get(api.RouteAgencies)
	settings := func(id uint16, v uint32) string {
		return frame(frameSettings, 0, 0, string(binary.BigEndian.AppendUint16(nil, id))+uint32s(v))
	}
	twice := func(stream uint32) string { // a request and its end
		return frame(frameHeaders, endStream|endHeaders, stream, request) + frame(frameReset, 0, stream, uint32s(8))
	}
	cases := []struct {
		name   string
		begin  string
		frames func(i uint32) string // again and again, until the server closes; nil: once
	}{
		{"settings", "", func(uint32) string { return settings(4, 1000) }},
		{"settings unread acknowledgements", "", func(uint32) string { return frame(frameSettings, 0, 0, "") }},
		{"pings", "", func(uint32) string { return frame(framePing, 0, 0, "12345678") }},
		{"priorities", "", func(i uint32) string { return frame(framePriority, 0, 2*i+1, "\x00\x00\x00\x00\x10") }},
		{"window updates", "", func(i uint32) string { return frame(frameWindow, 0, 0, uint32s(1)) }},
		{"unknown frames", "", func(uint32) string { return frame(0xee, 0, 0, "x") }},
		{"empty data", frame(frameHeaders, endHeaders, 1, strings.Replace(request, "GET", "PUT", 1)), func(uint32) string { return frame(frameData, 0, 1, "") }},
		{"rapid reset", "", func(i uint32) string { return twice(2*i + 1) }},
		{"too many streams", "", func(i uint32) string { return frame(frameHeaders, endHeaders, 2*i+1, request) }},
		{"continuations", frame(frameHeaders, 0, 1, request), func(uint32) string { return frame(frameContinuation, 0, 1, literal("x", strings.Repeat("y", 1000))) }},
		{"empty continuations", frame(frameHeaders, 0, 1, request), func(uint32) string { return frame(frameContinuation, 0, 1, "") }},
		{"small continuations", frame(frameHeaders, 0, 1, request), func(uint32) string { return frame(frameContinuation, 0, 1, literal("x", "y")) }},
		{"dynamic table", "", func(i uint32) string {
			return frame(frameHeaders, endStream|endHeaders, 2*i+1, request+strings.Repeat("\x40"+short("x")+short(strings.Repeat("y", 3000)), 1)+strings.Repeat("\xbe", 12000))
		}},
		{"window overflow", frame(frameWindow, 0, 0, uint32s(1<<31-1)), nil},
		{"window of nothing", frame(frameWindow, 0, 0, uint32s(0)), nil},
		{"initial window too large", settings(4, 1<<31), nil},
		{"frame size too small", settings(5, 1), nil},
		{"frame size too large", settings(5, 1<<24), nil},
		{"push enabled by two", settings(2, 2), nil},
		{"settings of five bytes", frame(frameSettings, 0, 0, "12345"), nil},
		{"ping of seven bytes", frame(framePing, 0, 0, "1234567"), nil},
		{"frame of 16 MB", "\xff\xff\xff\x00\x00\x00\x00\x00\x01", func(uint32) string { return strings.Repeat("x", 4096) }},
		{"data on no stream", frame(frameData, 0, 0, "x"), nil},
		{"data on an idle stream", frame(frameData, 0, 1, "x"), nil},
		{"stream of the server", frame(frameHeaders, endStream|endHeaders, 2, request), nil},
		{"push from a client", frame(framePush, endHeaders, 1, uint32s(2)+request), nil},
		{"continuation of nothing", frame(frameContinuation, endHeaders, 1, request), nil},
		{"padding longer than its frame", frame(frameData, 8, 1, "\xffx"), nil},
		{"half a frame", "\x00\x10\x00\x01", nil},
		{"a header list of 1 MB", "", func(i uint32) string {
			return frame(frameHeaders, endStream|endHeaders, 2*i+1, request+literal("x", strings.Repeat("y", 15000)))
		}},
	}
	s.Attr("cases", strconv.Itoa(len(cases)))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			conns := s.crowd(max(4, many()/100), func(i int) (net.Conn, error) { return s.flood(i, c.begin, c.frames) })
			s.holds(most().Connections.Each*80, int64(len(conns))*4*mib)
			s.ended(conns)
			s.settles()
		})
	}
	s.work()
	s.account()
}

// flood begins HTTP/2 and sends frames in the background until the server
// closes the connection.
func (s *siege) flood(i int, begin string, frames func(uint32) string) (net.Conn, error) {
	c, err := s.speak(i, "h2")
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(c, preface+frame(frameSettings, 1, 0, "")+begin)
	if frames == nil {
		return c, err
	}
	go func() {
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		var b strings.Builder
		for n := uint32(1); ; b.Reset() {
			for ; b.Len() < 16<<10; n++ {
				b.WriteString(frames(n))
			}
			if _, err := io.WriteString(c, b.String()); err != nil {
				return
			}
		}
	}()
	return c, nil
}

// TestWindows: whoever asks for answers and does not take them is cut off.
func TestWindows(t *testing.T) {
	s := besiege(t, nil, nil)
	closed := "\x00\x04" + uint32s(0) // SETTINGS_INITIAL_WINDOW_SIZE of 0
	requests := func(path string) string {
		var b strings.Builder
		for i := range uint32(60) {
			b.WriteString(frame(frameHeaders, endStream|endHeaders, 2*i+1, get(path)))
		}
		return frame(frameSettings, 0, 0, closed) + b.String()
	}
	for name, open := range map[string]func(s *siege, i int) (net.Conn, error){
		"window of nothing in HTTP/2": func(s *siege, i int) (net.Conn, error) { return s.flood(i, requests(api.RouteOpenAPI), nil) },
		"nothing is read in HTTP/1.1": func(s *siege, i int) (net.Conn, error) {
			c, err := s.speak(i, "http/1.1")
			if err != nil {
				return nil, err
			}
			return c, s.pipeline(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			conns := s.crowd(many()/4, func(i int) (net.Conn, error) { return open(s, i) })
			s.work()
			s.holds(most().Connections.Each*10+2*most().Requests.Each, int64(most().Connections.Each)*mib)
			if name == "nothing is read in HTTP/1.1" {
				s.await("they are cut off", func() (string, bool) {
					m := s.Metrics()
					return strconv.Itoa(int(m[`liaison_http_connections{state="open"}`])), m[`liaison_http_connections{state="open"}`] == 0
				})
			}
			s.ended(conns)
			s.recovers()
		})
	}
	s.account()
}

// pipeline asks a thousand times for the largest document and reads nothing.
func (s *siege) pipeline(c *tls.Conn) error {
	go func() {
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, strings.Repeat("GET "+api.RouteOpenAPI+" HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000))
	}()
	return nil
}
