package server

import (
	"time"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Limits bound what a client can make the server hold. A zero field has its
// default.
type Limits struct {
	// Connections open, in all and of one identity (agency and role); default
	// 4096. When all are there, the identity that has most gives way to one
	// that has fewer.
	Connections Share

	// Handshakes under way, in all and of one source (an IPv4 address, an
	// IPv6 /64); default 2048. When all are there, the source that has most
	// gives way.
	Handshakes Share

	// Requests in flight, in all and of one agency; default 1024. More: 503;
	// as many refusals may be on their way, then streams and connections are
	// closed without one. Of these, packages being posted; default 512. Of
	// these, and of answers, those of which more than 256 KiB are held in
	// memory; default 32. More: 503.
	Requests Share
	Uploads  Share
	Large    Share

	// Streams of one HTTP/2 connection; default 64.
	Streams int

	// Attachment is the greatest size of one attachment in bytes; default
	// 2 GiB. It should equal the domain's.
	Attachment int64

	Header time.Duration // for the TLS handshake, and for a request's header; default 10 s
	Idle   time.Duration // of a connection between requests; default 2 min
	Drain  time.Duration // for requests in flight at Shutdown; default 10 s

	// A body and an answer may take Grace, and one second more for each Rate
	// bytes that went through. Default 30 s and 16 KiB.
	Grace time.Duration
	Rate  int64
}

// Sizes of what a request may bring, in bytes.
const (
	maxHeader    = 16 << 10 // net/http allows 4 KiB more
	maxJWS       = 48 << 10 // manifest, statement, acknowledgement: 24 KiB of payload in base64url, and a header
	maxJSON      = 64 << 10
	maxPartFrame = 16 << 10 // boundary and header of a part; more than multipart reads ahead
	large        = 256 << 10
)

// maxForm is the greatest body of a package in bytes.
func (l Limits) maxForm() int64 {
	parts := int64(3 + envelope.MaxAttachments)
	return 2*maxJWS + envelope.MaxContent + envelope.MaxAttachments*l.Attachment + parts*maxPartFrame
}

// WithDefaults are the limits with nothing left out.
func (l Limits) WithDefaults() Limits {
	l.Connections.withDefault(4096)
	l.Handshakes.withDefault(2048)
	l.Requests.withDefault(1024)
	l.Uploads.withDefault(512)
	l.Large.withDefault(32)
	set(&l.Streams, 64)
	set(&l.Attachment, 2<<30)
	set(&l.Header, 10*time.Second)
	set(&l.Idle, 2*time.Minute)
	set(&l.Drain, 10*time.Second)
	set(&l.Grace, 30*time.Second)
	set(&l.Rate, 16<<10)
	return l
}

func set[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}
