package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// reason is the justification of every package of a load test.
const reason = "Load test of the exchange with generated content only"

// plan is what to send to whom.
type plan struct {
	to   []string
	keys []envelope.RecipientKey
	meta json.RawMessage
}

// makePlan finds recipients and metadata that policy permits, by asking it:
// two recipients if it permits that, else one.
func makePlan(ctx context.Context, c *client.Client, agency string, want []string) (plan, error) {
	var refused error
	for _, p := range candidates(agency, want) {
		decided, err := c.DryRun(ctx, client.SendInput{To: p.to, Meta: p.meta, Officer: "loadtest", Reason: reason})
		if err != nil {
			refused = err
			continue
		}
		permitted := true
		for _, o := range decided.Outcomes {
			permitted = permitted && o.Outcome == "delivered"
		}
		if permitted {
			return p.withKeys(ctx, c)
		}
		refused = errors.New("policy permits none of the sample packages")
	}
	return plan{}, fmt.Errorf("nothing to send as %s: %w", agency, refused)
}

// candidates are the sample packages of an agency, those with more
// recipients first.
func candidates(agency string, want []string) []plan {
	var plans []plan
	for _, s := range demo.Samples(time.Now()) {
		if s.From != agency {
			continue
		}
		meta, err := json.Marshal(s.Meta)
		if err != nil {
			continue
		}
		to := s.To
		if len(want) > 0 {
			to = want
		}
		plans = append(plans, plan{to: to, meta: meta})
	}
	return plans
}

// withKeys fetches the recipients' keys, each checked against own anchors.
func (p plan) withKeys(ctx context.Context, c *client.Client) (plan, error) {
	for _, agency := range p.to {
		key, err := c.EncryptionKey(ctx, agency)
		if err != nil {
			return p, err
		}
		p.keys = append(p.keys, envelope.RecipientKey{Agency: agency, Key: key})
	}
	return p, nil
}

// input is package i of the plan.
func (p plan) input(cfg client.Config, size, i int) envelope.SealInput {
	text := fmt.Sprintf("Generated package %d. ", i)
	if n := size - len(text); n > 0 {
		text += strings.Repeat("x", n)
	}
	return envelope.SealInput{Exchange: cfg.Ledger.Origin(), Iss: cfg.Agency, Now: time.Now(), Meta: p.meta, Officer: "loadtest",
		Justification: reason, Recipients: p.keys, SignKey: cfg.Sign, Message: envelope.Message{Text: text}}
}
