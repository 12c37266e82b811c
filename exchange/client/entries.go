package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// Entries reads the own agency's audit log in the order of seq, from the one after `after`, under a consultation for the log.
// It ends at the first error, which it yields. What it yields is not verified: give it to audit.VerifyOwner.
func (c *Client) Entries(ctx context.Context, consultation string, after uint64) iter.Seq2[audit.Item, error] {
	return c.EntriesOf(ctx, consultation, "", after)
}

// EntriesOf is Entries of the log of any owner that the registry lets the caller read; "" is the own agency.
func (c *Client) EntriesOf(ctx context.Context, consultation, owner string, after uint64) iter.Seq2[audit.Item, error] {
	raw := pages(cursor(after), func(after string) ([]api.AuditItem, string, error) {
		page, err := c.entries(ctx, consultation, owner, after, 0)
		return page.Items, page.Next, err
	})
	return func(yield func(audit.Item, error) bool) {
		for item, err := range raw {
			if err != nil {
				yield(audit.Item{}, err)
				return
			}
			decoded, err := Item(item)
			if !yield(decoded, err) || err != nil {
				return
			}
		}
	}
}

// EntriesPage reads at most limit entries of an owner's audit log ("" is the own agency), from the one after `after`: no more is
// shown, and recorded as shown, than is asked for. It reports whether there are more. They are not verified.
func (c *Client) EntriesPage(ctx context.Context, consultation, owner string, after uint64, limit int) (items []audit.Item, more bool, err error) {
	page, err := c.entries(ctx, consultation, owner, cursor(after), limit)
	if err != nil {
		return nil, false, err
	}
	for _, wire := range page.Items {
		item, err := Item(wire)
		if err != nil {
			return nil, false, err
		}
		items = append(items, item)
	}
	return items, page.Next != "", nil
}

func cursor(after uint64) string {
	if after == 0 {
		return ""
	}
	return strconv.FormatUint(after, 10)
}

func (c *Client) entries(ctx context.Context, consultation, owner, after string, limit int) (page api.AuditPage, err error) {
	k := get(api.RouteAuditEntries, url.Values{})
	if owner != "" {
		k.query.Set("owner", owner)
	}
	if after != "" {
		k.query.Set("after", after)
	}
	if limit > 0 {
		k.query.Set("limit", strconv.Itoa(limit))
	}
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	_, err = c.fetchJSON(ctx, k, &page)
	return page, err
}

// Entry reads one entry of an owner's log, under a consultation for the log. It is not verified.
func (c *Client) Entry(ctx context.Context, consultation, owner string, seq uint64) (audit.Item, error) {
	if _, _, err := certs.ParseAgencyID(owner); err != nil {
		return audit.Item{}, err
	}
	k := get(api.AuditEntryPath(owner, seq), nil)
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	var item api.AuditItem
	if _, err := c.fetchJSON(ctx, k, &item); err != nil {
		return audit.Item{}, err
	}
	return Item(item)
}

// Item decodes an entry from its form on the wire.
func Item(w api.AuditItem) (audit.Item, error) {
	item := audit.Item{Owner: w.Owner, Seq: w.Seq, Index: w.Index, Erased: w.Erased, Erasure: erasureWords(w.Erasure)}
	var err error
	if item.Commitment, err = audit.ParseCommitment(w.Commitment); err != nil {
		return audit.Item{}, fmt.Errorf("entry %d: commitment: %w", w.Seq, err)
	}
	if item.Entry, err = decodeMember(w.Entry); err != nil {
		return audit.Item{}, fmt.Errorf("entry %d: entry: %w", w.Seq, err)
	}
	if item.Salt, err = decodeMember(w.Salt); err != nil {
		return audit.Item{}, fmt.Errorf("entry %d: salt: %w", w.Seq, err)
	}
	return item, nil
}

// erasureWords says when, why and by whom an entry was erased.
func erasureWords(e *api.Erasure) string {
	if e == nil || e.At == "" {
		return ""
	}
	why := "its time had come"
	if e.Why == "order" {
		why = "order " + e.Order
	}
	return fmt.Sprintf("%s, %s, by %s, entry %d", e.At, why, e.By, e.Seq)
}

// WireItem encodes an entry in its form on the wire.
func WireItem(i audit.Item) api.AuditItem {
	return api.AuditItem{Owner: i.Owner, Seq: i.Seq, Index: i.Index, Commitment: i.Commitment.String(), Erased: i.Erased,
		Entry: base64.RawURLEncoding.EncodeToString(i.Entry), Salt: base64.RawURLEncoding.EncodeToString(i.Salt)}
}

var errNotCanonical = errors.New("not canonical base64url")

// decodeMember decodes base64url without padding; "" is nil.
func decodeMember(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s {
		return nil, errNotCanonical
	}
	return b, nil
}
