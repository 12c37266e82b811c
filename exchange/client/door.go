package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// atTheDoor asks again why no connection could be made. In TLS 1.3 a client learns that its certificate is refused only after
// its own handshake, and HTTP/2 may forget what it was told and say no more than that there is no connection. It gives the
// refusal, or nil if there is none.
func (c *Client) atTheDoor(ctx context.Context, err error) error {
	var network *net.OpError
	if errors.As(err, &network) || ctx.Err() != nil {
		return nil // the reason is known
	}
	port := c.base.Port()
	if port == "" {
		port = "443"
	}
	config := c.tls.Clone()
	config.NextProtos = []string{"h2"} // whose server speaks first
	if config.ServerName == "" {
		config.ServerName = c.base.Hostname()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", net.JoinHostPort(c.base.Hostname(), port))
	if err != nil {
		return refusal(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	_, err = conn.Read(make([]byte, 1))
	return refusal(err)
}

// refusal is what the other side, or the own check of it, had against the connection; nil for anything else.
func refusal(err error) error {
	if explained := certs.Explain(err); certs.Failed(explained) != "" {
		return explained
	}
	return nil
}
