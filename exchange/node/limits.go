package node

import (
	"fmt"
	"syscall"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// Limits bound what clients can make the exchange hold. What is not set has
// its default. Each bound in two parts, all and each, keeps one from taking
// what is there for all; each is a quarter of all, unless it is set.
type Limits struct {
	// Connections open, in all and of one identity (agency and role). Default
	// 4096. An open one takes about 50 KB. When all are there, the identity
	// that has most gives way. Two descriptors of three are for connections:
	// a low limit of open files (ulimit -n) lowers connections and handshakes.
	Connections server.Share `yaml:"connections,omitempty"`

	// Handshakes under way, in all and of one source (an IPv4 address, an
	// IPv6 /64): connections that have not shown their certificate. Default
	// 2048. When all are there, the source that has most gives way.
	Handshakes server.Share `yaml:"handshakes,omitempty"`

	// Requests in flight, in all and of one agency. Default 1024. More: 503.
	// When as many refusals wait to be taken, the next is a closed stream.
	Requests server.Share `yaml:"requests,omitempty"`

	// Uploads are packages being posted, in all and of one agency. Default
	// 512. More: 503.
	Uploads server.Share `yaml:"uploads,omitempty"`

	// Large are packages and answers of which more than 256 KiB are held in
	// memory, in all and of one agency. Default 32. More: 503. A content of
	// the greatest size takes about 25 MB while it is checked.
	Large server.Share `yaml:"large,omitempty"`

	// Streams of one HTTP/2 connection. Default 64. One whose answer is not
	// taken holds about 20 KB until Grace ends; Requests bounds how many do.
	Streams int `yaml:"streams,omitempty"`

	// Handshake is how long a TLS handshake may take, and the header of a
	// request. Default 10s.
	Handshake Duration `yaml:"handshake,omitempty"`

	// Idle is how long a connection may do nothing. Default 2m.
	Idle Duration `yaml:"idle,omitempty"`

	// Grace is what a body may take to arrive, and an answer to be taken, and
	// Rate how many bytes earn one second more. Default 30s, 16384. Who is
	// slower is cut off.
	Grace Duration `yaml:"grace,omitempty"`
	Rate  int64    `yaml:"rate,omitempty"`

	// Rates are how much may happen in how long, by the name of the limit
	// (liaison limits list), where it is not the built-in default: of each
	// agency, and of those in Agencies. What operators set by the API holds
	// before these.
	Rates    map[string]Rate            `yaml:"rates,omitempty"`
	Agencies map[string]map[string]Rate `yaml:"agencies,omitempty"`
}

// Rate is a quota in a window, "1m"; whole seconds.
type Rate struct {
	Quota  int64    `yaml:"quota"`
	Window Duration `yaml:"window"`
}

// table is the rates as the domain has them.
func (l Limits) table() exchange.RateTable {
	of := func(rates map[string]Rate) exchange.Rates {
		out := exchange.Rates{}
		for name, r := range rates {
			out[name] = exchange.Rate{Quota: r.Quota, Window: time.Duration(r.Window)}
		}
		return out
	}
	t := exchange.RateTable{Default: of(l.Rates), Agencies: map[string]exchange.Rates{}}
	for agency, rates := range l.Agencies {
		t.Agencies[agency] = of(rates)
	}
	return t
}

// check tells what cannot be.
func (l Limits) check() error {
	for name, s := range map[string]server.Share{"connections": l.Connections, "handshakes": l.Handshakes,
		"requests": l.Requests, "uploads": l.Uploads, "large": l.Large} {
		if s.All < 0 || s.Each < 0 || s.All > 0 && s.Each > s.All {
			return fmt.Errorf("limits: %s: all and each are not negative, and each not more than all", name)
		}
	}
	if l.Streams < 0 || l.Rate < 0 {
		return fmt.Errorf("limits: streams and rate are not negative")
	}
	for agency := range l.Agencies {
		if _, _, err := certs.ParseAgencyID(agency); err != nil {
			return fmt.Errorf("limits: agencies: %w", err)
		}
	}
	table := l.table()
	if err := table.Check(); err != nil {
		return fmt.Errorf("limits: rates: %w", err)
	}
	return nil
}

// server is what the server is told, given how many files may be open.
func (l Limits) server(attachment int64, files uint64) server.Limits {
	s := server.Limits{
		Connections: l.Connections, Handshakes: l.Handshakes, Requests: l.Requests, Uploads: l.Uploads, Large: l.Large,
		Streams: l.Streams, Attachment: attachment, Header: time.Duration(l.Handshake), Idle: time.Duration(l.Idle),
		Grace: time.Duration(l.Grace), Rate: l.Rate,
	}.WithDefaults()
	s.Connections = fit(s.Connections, files/3)
	s.Handshakes = fit(s.Handshakes, files/3)
	return s
}

// fit makes a share no larger than what there is.
func fit(s server.Share, most uint64) server.Share {
	if uint64(s.All) <= most {
		return s
	}
	all := max(1, int(most))
	return server.Share{All: all, Each: max(1, min(s.Each, all/4))}
}

// openFiles is how many files this process may have open.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return limit.Cur, nil
}
