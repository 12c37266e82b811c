package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	resp, err := c.stream(ctx, k)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !isMedia(resp.Header, api.MediaLines) {
		return fmt.Errorf("%s %s: the answer is %q: is this the server of an exchange?", http.MethodPost, k.path, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	whole := false
	for lines.Scan() {
		var line api.ReplayLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("%s %s: decode line: %w", http.MethodPost, k.path, err)
		}
		whole = line.Summary != nil
		if err := f(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("the answer was cut off: %w", err)}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !whole {
		return &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("the answer was cut off: it has no summary")}
	}
	return nil
}
