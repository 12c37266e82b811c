package client

import (
	"context"
	"net/http"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// DrawSample draws a random sample of a log, under a consultation for the log. The exchange keeps it. Its receipt is not
// verified: audit verify finds its entry.
func (c *Client) DrawSample(ctx context.Context, consultation string, want api.SampleRequest) (*api.Sample, error) {
	body, err := jsonBody(want)
	if err != nil {
		return nil, err
	}
	k := post(api.RouteSamples, api.MediaJSON, body)
	return c.sample(ctx, consultation, k)
}

// Review records the verdict on one entry of a sample, and returns the sample with all verdicts.
func (c *Client) Review(ctx context.Context, consultation, sample string, seq uint64, want api.VerdictRequest) (*api.Sample, error) {
	body, err := jsonBody(want)
	if err != nil {
		return nil, err
	}
	k := post(api.VerdictPath(sample, seq), api.MediaJSON, body)
	k.method = http.MethodPut
	return c.sample(ctx, consultation, k)
}

func (c *Client) sample(ctx context.Context, consultation string, k call) (*api.Sample, error) {
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	s := &api.Sample{}
	if _, err := c.fetchJSON(ctx, k, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Samples reads the own agency's samples, newest first.
func (c *Client) Samples(ctx context.Context, consultation string) ([]api.Sample, error) {
	k := get(api.RouteSamples, nil)
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	var all api.Samples
	if _, err := c.fetchJSON(ctx, k, &all); err != nil {
		return nil, err
	}
	return all.Items, nil
}
