package server

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

// Pages of boxes and logs, in items.
const (
	defaultPage = 50
	maxPage     = 200
)

func postPackage(c *call) error {
	holder := c.holder()
	if !c.s.uploads.take(holder) {
		return overloaded("packages being posted")
	}
	defer c.s.uploads.give(holder)
	form, err := c.form()
	if err != nil {
		return err
	}
	accepted, err := c.s.cfg.Exchange.Post(c.r.Context(), c.caller, arriving{form, c})
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", api.PackagePath(accepted.ID, ""))
	return c.answer(created(accepted.Repeat), api.Accepted{
		ID: accepted.ID, Outcomes: outcomesOf(accepted.Outcomes), Receipt: accepted.Receipt.Encode(),
	})
}

// arriving asks at the end of a package once more who sends it: a long upload
// outlives a certificate.
type arriving struct {
	*form
	c *call
}

// Attachment is the form's, until there is none left.
func (a arriving) Attachment() (io.Reader, error) {
	r, err := a.form.Attachment()
	if errors.Is(err, io.EOF) {
		if lapsed := a.c.identify(); lapsed != nil {
			return nil, lapsed
		}
	}
	return r, err
}

// Afford is the second stage of the limits.
func (a arriving) Afford(_ context.Context, cost exchange.Cost) error { return a.c.afford(cost) }

// created is the status of what was made now, or was made before.
func created(repeat bool) int {
	if repeat {
		return http.StatusOK
	}
	return http.StatusCreated
}

func askDecision(c *call) error {
	dry, err := readJSON[api.DryRun](c)
	if err != nil {
		return err
	}
	decided, err := c.s.cfg.Exchange.Decide(c.r.Context(), c.caller, exchange.DryRun{Manifest: dry.Manifest, Statement: dry.Statement})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, api.Decided{Outcomes: outcomesOf(decided.Outcomes), Receipt: decided.Receipt.Encode()})
}

// outcomes are the words of `state`.
var outcomes = []string{"", policy.Delivered, policy.Pending, policy.Denied, exchange.StateAcknowledged,
	exchange.StateBlocked, exchange.StateExpired, "withdrawn", exchange.StateErased, exchange.StateMixed}

func listPackages(c *call) error {
	p := c.parameters()
	listing := exchange.Listing{
		Outbox:    p.word("box", "inbox", "outbox") == "outbox",
		State:     p.word("state", outcomes...),
		DueBefore: p.moment("due_before"),
		After:     p.number("after", 0, 0, maxSeq),
		Limit:     int(p.number("limit", defaultPage, 1, maxPage)),
	}
	if p.err != nil {
		return p.err
	}
	page, err := c.s.cfg.Exchange.List(c.r.Context(), c.caller, listing)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, pageOf(*page))
}

func getPackage(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	view, err := c.s.cfg.Exchange.Show(c.r.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, descriptorOf(*view))
}

func getManifest(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	manifest, err := c.s.cfg.Exchange.Manifest(c.r.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return c.bytes(http.StatusOK, api.MediaJOSE, manifest)
}

func acknowledge(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	jws, err := c.read(maxJWS)
	if err != nil {
		return err
	}
	done, err := c.s.cfg.Exchange.Acknowledge(c.r.Context(), c.caller, id, jws)
	if err != nil {
		return err
	}
	return c.answer(created(done.Repeat), api.Acknowledged{ID: done.ID, Receipt: done.Receipt.Encode()})
}

func reportMismatch(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	asked, err := readJSON[api.MismatchRequest](c)
	if err != nil {
		return err
	}
	done, err := c.s.cfg.Exchange.ReportMismatch(c.r.Context(), c.caller, id, asked.Code)
	if err != nil {
		return err
	}
	return c.answer(created(done.Repeat), api.MismatchReported{ID: done.ID, Code: done.Code, Receipt: done.Receipt.Encode()})
}

// packageID is the {id} of the path. What is no id names nothing.
func (c *call) packageID() (string, error) {
	id := c.param("id")
	if !canonicalUUID(id) {
		return "", refuse(exchange.NotFound, "id-form", "", "")
	}
	return id, nil
}

// canonicalUUID reports whether s is a UUID in its one spelling.
func canonicalUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}
