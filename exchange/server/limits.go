package server

import (
	"time"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Limits bound what a client can make the server hold. A zero field has its
// default.
type Limits struct {
	Requests int // in flight over all connections; default 1024. More: 503
	Uploads  int // of these, packages being posted; default 128. More: 503
	Streams  int // of one HTTP/2 connection; default 64

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
)

// maxForm is the greatest body of a package in bytes.
func (l Limits) maxForm() int64 {
	parts := int64(3 + envelope.MaxAttachments)
	return 2*maxJWS + envelope.MaxContent + envelope.MaxAttachments*l.Attachment + parts*maxPartFrame
}

func (l Limits) withDefaults() Limits {
	set(&l.Requests, 1024)
	set(&l.Uploads, 128)
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
