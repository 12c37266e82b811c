package server

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

// replayed is how far back a replay goes that does not say.
const replayed = 30 * 24 * time.Hour

// replayPolicy tries a draft on what was decided. The answer is in lines; it
// ends early if the client goes away.
func replayPolicy(c *call) error {
	j, err := c.policyName()
	if err != nil {
		return err
	}
	p := c.parameters()
	since := p.moment("since")
	if p.err != nil {
		return p.err
	}
	if since.IsZero() {
		since = c.s.cfg.Clock().Add(-replayed)
	}
	if err := c.takeLarge(); err != nil {
		return err
	}
	raw, err := c.read(policy.MaxBundleSize)
	if err != nil {
		return err
	}
	lines := &lineWriter{c: c}
	return c.s.cfg.Exchange.Replay(c.r.Context(), c.caller, j, raw, since, lines.begin, func(r exchange.Replayed) error {
		return lines.write(replayLineOf(r))
	})
}

func replayLineOf(r exchange.Replayed) api.ReplayLine {
	switch {
	case r.Change != nil:
		change := changeOf(r.Change)
		return api.ReplayLine{Change: &change}
	case r.Summary != nil:
		s := api.ReplaySummary(*r.Summary)
		return api.ReplayLine{Summary: &s}
	}
	return api.ReplayLine{Progress: &api.ReplayProgress{Done: r.Done, Of: r.Of}}
}

func changeOf(x *exchange.ReplayChange) api.ReplayChange {
	return api.ReplayChange{Kind: x.Kind, Decision: x.Decision, Action: x.Action, At: timeOf(x.At), From: x.From, To: x.To,
		Was: api.ReplaySide(x.Was), Now: api.ReplaySide(x.Now)}
}

// lineWriter writes an answer line by line, each with the time that it
// deserves, and none between them.
type lineWriter struct {
	c *call
	w io.Writer
}

func (l *lineWriter) begin() (err error) {
	l.w, err = l.c.startStream(api.MediaLines)
	return err
}

func (l *lineWriter) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode line: %w", err)
	}
	_, err = l.w.Write(append(b, '\n'))
	return err
}
