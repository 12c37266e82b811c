package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// When two clocks are too far apart: to look at it, and so far that packages are refused.
const (
	skewOdd   = time.Minute
	skewFault = envelope.MaxSkew
)

// dates notes the Date of the first answer, and when it came.
type dates struct {
	next         http.RoundTripper
	now          func() time.Time
	server, here time.Time
}

// RoundTrip implements http.RoundTripper. The client makes one request after another.
func (d *dates) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err != nil || !d.server.IsZero() {
		return resp, err
	}
	if at, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		d.server, d.here = at, d.now()
	}
	return resp, nil
}

// lastHead shows the saved checkpoint and saves none: the doctor changes nothing.
type lastHead struct{ client.CheckpointStore }

// Save implements client.CheckpointStore.
func (lastHead) Save([]byte) error { return nil }

// connection speaks with the exchange as the profile would, and says whether the profile can.
func (p *profile) connection(ctx context.Context, now func() time.Time) bool {
	config, err := p.profile.Config()
	if err != nil {
		return false // what is wrong was found file by file
	}
	clocks := &dates{now: now}
	config.Now, config.Checkpoints = now, lastHead{config.Checkpoints}
	config.Retries = client.Retries{Tries: 2, Budget: 2 * time.Second}
	config.Wrap = func(next http.RoundTripper) http.RoundTripper { clocks.next = next; return clocks }
	c, err := client.New(config)
	if err != nil {
		p.fault("profile", p.dir, err, "correct the profile")
		return false
	}
	defer c.Close()
	_, err = c.AgencyByID(ctx, p.profile.Agency)
	p.clock(clocks)
	if err != nil {
		p.notConnected(err)
		return true
	}
	p.ok("connection", p.profile.Server, "TLS 1.3, and it knows %s", p.profile.Agency)
	p.head(ctx, c)
	if p.role == certs.RoleUnit {
		p.registered(ctx, c)
	}
	return true
}

func (p *profile) notConnected(err error) {
	var down *client.UnavailableError
	switch {
	case errors.As(err, &down):
		p.fault("connection", p.profile.Server, err, unreachableFix)
	case errors.Is(err, api.IdentityRefused), certs.Failed(err) == certs.CheckRefused:
		p.fault("connection", p.profile.Server, err, "by your own anchors the certificate is good: ask the operator of the exchange, whose log has the reason")
	default:
		p.fault("connection", p.profile.Server, err, "ask the operator of the exchange")
	}
}

const unreachableFix = "check server in profile.yaml, the network and the firewall (an outgoing TCP connection to its port); if others reach it, ask the operator"

// reach says whether there is a listener at all, where the profile is not good enough to speak with it.
func (p *profile) reach(ctx context.Context) {
	if p.profile == nil {
		return
	}
	u, err := url.Parse(p.profile.Server)
	if err != nil {
		return // told by files
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		p.fault("connection", p.profile.Server, err, unreachableFix)
		return
	}
	_ = conn.Close() // nothing was sent
	p.warn("connection", p.profile.Server, "it listens; what it answers was not asked, since the profile has faults", "mend them first, then run the doctor again")
}

// clock compares the own clock with the server's, which an answer has in whole seconds.
func (p *profile) clock(d *dates) {
	if d.server.IsZero() {
		return
	}
	skew := d.here.Sub(d.server).Round(time.Second)
	text := fmt.Sprintf("the own clock and the server's differ by %s", skew.Abs())
	const fix = "set the clock of this machine by NTP; if it is right, tell the operator of the exchange"
	switch {
	case skew.Abs() >= skewFault:
		p.fault("clock", "this machine", errors.New(text+": packages are refused"), fix)
	case skew.Abs() >= skewOdd:
		p.warn("clock", "this machine", text, fix)
	default:
		p.ok("clock", "this machine", "%s", text)
	}
}

// head verifies the newest head of the ledger with the own log key, and that it extends the one that was saved.
func (p *profile) head(ctx context.Context, c *client.Client) {
	cp, err := c.Checkpoint(ctx)
	if err != nil {
		p.fault("log key", p.path(client.FileLedger), err, logKeyFix)
		return
	}
	p.ok("ledger", c.Exchange(), "head of %d entries, verified", cp.Size)
}

// registered holds the private keys against those that the exchange's directory has.
func (p *profile) registered(ctx context.Context, c *client.Client) {
	published, err := c.Keys(ctx, p.profile.Agency)
	if err != nil {
		p.fault("registered key", p.profile.Agency, err, "ask the operator of the exchange")
		return
	}
	byKid := map[string]client.Key{}
	for _, k := range published {
		byKid[k.Kid()] = k
	}
	opened := false
	for _, own := range p.keys {
		k, ok := byKid[own.key.Kid()]
		switch {
		case ok && k.Err != nil:
			p.fault("registered key", own.file, k.Err, "have the key certified again by your authority, and published")
		case ok:
			opened = opened || own.key.Use() == envelope.UseEncrypt
			p.ok("registered key", own.file, "%s for %s, until %s", own.key.Kid(), own.key.Use(), k.NotAfter.UTC().Format(time.DateOnly))
		case own.key.Use() != envelope.UseEncrypt: // old keys that decrypt are kept
			p.fault("registered key", own.file, fmt.Errorf("the exchange does not have key %s: what it signs is refused", own.key.Kid()),
				"publish it (liaison keys publish), or put the registered key there")
		}
	}
	if !opened {
		p.fault("registered key", p.path(client.FileDecrypt), errors.New("the exchange has no encryption key that this profile can open: what is sent to you stays closed"),
			"restore decrypt.jwks from a backup, or have a new key registered")
	}
}
