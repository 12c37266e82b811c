package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Policy is a jurisdiction's policy as the exchange shows it to a policy author, with the receipt of the author's own entry.
type Policy struct {
	api.Policy
	Receipt *Receipt
}

// Policies reads what is in force of all jurisdictions and of common; only policy authors may.
func (c *Client) Policies(ctx context.Context) ([]api.Policy, error) {
	var all api.Policies
	if _, err := c.fetchJSON(ctx, get(api.RoutePolicies, nil), &all); err != nil {
		return nil, err
	}
	_, err := c.acceptReceipt(ctx, all.Receipt, claim{action: actPolicies, outcomes: []string{"shown"}})
	return all.Items, err
}

// Policy reads the policy of one jurisdiction, or of common: of the own one and of common with files and history.
func (c *Client) Policy(ctx context.Context, jurisdiction string) (*Policy, error) {
	p := &Policy{}
	if _, err := c.fetchJSON(ctx, get(api.PolicyPath(jurisdiction), nil), &p.Policy); err != nil {
		return nil, err
	}
	if p.Jurisdiction != jurisdiction {
		return nil, unverifiedf("policy of "+jurisdiction, "the answer is about %q", p.Jurisdiction)
	}
	var err error
	p.Receipt, err = c.acceptReceipt(ctx, p.Policy.Receipt, claim{action: actPolicy, outcomes: []string{"shown"}, details: map[string]string{"jurisdiction": jurisdiction}})
	return p, err
}

// PolicyChange is what became of a bundle or an order, with the receipt of the own agency's entry.
type PolicyChange struct {
	api.PolicyChange
	Receipt *Receipt
}

// PushPolicy brings a packed and signed bundle of the own jurisdiction, or one of common. seq and status are those of the bundle:
// the answer has to be about it. A refusal is a problem that may have Findings.
func (c *Client) PushPolicy(ctx context.Context, jurisdiction string, seq int64, bundle []byte) (*PolicyChange, error) {
	k := call{method: http.MethodPut, path: api.PolicyPath(jurisdiction), contentType: api.MediaBundle, body: bytesBody(bundle), repeat: repeatSafe, max: maxJSON}
	return c.changePolicy(ctx, k, actPush, jurisdiction, seq)
}

// RollbackPolicy brings a signed order to put an earlier policy in force again.
func (c *Client) RollbackPolicy(ctx context.Context, order *envelope.Rollback, key envelope.PrivateKey) (*PolicyChange, error) {
	jws, err := envelope.SignRollback(*order, key)
	if err != nil {
		return nil, err
	}
	k := post(api.PolicyRollbackPath(order.Jurisdiction), api.MediaJOSE, jws)
	k.repeat = repeatSafe
	return c.changePolicy(ctx, k, actRollback, order.Jurisdiction, order.Seq)
}

// changePolicy makes a call about policy and verifies its receipt.
func (c *Client) changePolicy(ctx context.Context, k call, action, jurisdiction string, seq int64) (*PolicyChange, error) {
	change := &PolicyChange{}
	if _, err := c.fetchJSON(ctx, k, &change.PolicyChange); err != nil {
		return nil, err
	}
	if change.Jurisdiction != jurisdiction || change.Activation.Seq != seq {
		return nil, unverifiedf("policy of "+jurisdiction, "the answer is about seq %d of %q", change.Activation.Seq, change.Jurisdiction)
	}
	switch change.Outcome {
	case "active", "waiting", "repeated":
	default:
		return nil, unverifiedf("policy of "+jurisdiction, "the answer has the outcome %q", change.Outcome)
	}
	var err error
	change.Receipt, err = c.acceptReceipt(ctx, change.PolicyChange.Receipt, claim{action: action, outcomes: []string{change.Outcome},
		details: map[string]string{"jurisdiction": jurisdiction, "seq": fmt.Sprint(seq)}})
	return change, err
}

// PolicyKey reads policy.jwk of the profile: the key that signs bundles and orders of policy. ErrNoKey: there is none.
func (p *Profile) PolicyKey() (envelope.PrivateKey, error) {
	data, err := readProfileFile(p.path(FilePolicy))
	if errors.Is(err, fs.ErrNotExist) {
		return envelope.PrivateKey{}, fmt.Errorf("%s: %w", FilePolicy, ErrNoKey)
	}
	var key envelope.PrivateKey
	if err == nil {
		key, err = envelope.ParsePrivateJWK(data)
	}
	if err == nil && key.Public().Use() != envelope.UsePolicy {
		err = fmt.Errorf("it is a key of use %s", key.Public().Use())
	}
	if err != nil {
		return envelope.PrivateKey{}, p.fault(FilePolicy, err, "put the private JWK of a policy key there: liaison keys rotate --use policy makes one")
	}
	return key, nil
}
