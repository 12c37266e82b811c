package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// StatisticsQuery says what is to be computed of the own agency's log. Zero
// times are no bounds.
type StatisticsQuery struct {
	Owner     string // whose log; empty: the own agency's
	Report    string
	From, To  time.Time
	Key, Host string // of the report breach
}

// Statistics has the exchange compute a report under a consultation of the
// log, and calls f for each line of the answer until it returns an error. An
// answer without its summary was cut off: UnavailableError.
func (c *Client) Statistics(ctx context.Context, consultation string, q StatisticsQuery, f func(api.StatisticsLine) error) error {
	k := get(api.RouteAuditStatistics, url.Values{"report": {q.Report}})
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			k.query.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	for name, v := range map[string]string{"key": q.Key, "host": q.Host, "owner": q.Owner} {
		if v != "" {
			k.query.Set(name, v)
		}
	}
	return c.lines(ctx, k, func(raw []byte) (whole bool, err error) {
		var line api.StatisticsLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return false, fmt.Errorf("%s %s: decode line: %w", k.method, k.path, err)
		}
		return line.Summary != nil, f(line)
	})
}

// lines reads an answer in lines. f says of each whether the answer is whole
// with it; one that ends otherwise was cut off.
func (c *Client) lines(ctx context.Context, k call, f func(raw []byte) (whole bool, err error)) error {
	resp, err := c.stream(ctx, k)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !isMedia(resp.Header, api.MediaLines) {
		return fmt.Errorf("%s %s: the answer is %q: is this the server of an exchange?", k.method, k.path, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	whole := false
	for lines.Scan() {
		if whole, err = f(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return &UnavailableError{Method: k.method, Path: k.path, Err: fmt.Errorf("the answer was cut off: %w", err)}
	}
	if !whole {
		return &UnavailableError{Method: k.method, Path: k.path, Err: errors.New("the answer was cut off: it has no summary")}
	}
	return nil
}
