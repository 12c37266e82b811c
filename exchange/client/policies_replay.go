package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// maxLine is the longest line of an answer in lines.
const maxLine = 1 << 20

// ReplayPolicy has the exchange decide what was decided since a time once
// more, with a draft bundle in the place of a jurisdiction's policy, and calls
// f for each line of the answer until it returns an error. An answer without
// its summary was cut off: UnavailableError.
func (c *Client) ReplayPolicy(ctx context.Context, jurisdiction string, bundle []byte, since time.Time, f func(api.ReplayLine) error) error {
	k := post(api.PolicyReplayPath(jurisdiction), api.MediaBundle, bundle)
	if !since.IsZero() {
		k.query = url.Values{"since": {since.UTC().Format(time.RFC3339)}}
	}
	return c.lines(ctx, k, func(raw []byte) (whole bool, err error) {
		var line api.ReplayLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return false, fmt.Errorf("%s %s: decode line: %w", k.method, k.path, err)
		}
		return line.Summary != nil, f(line)
	})
}
