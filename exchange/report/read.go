package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/liaison-exchange/liaison/audit"
)

// errUnread says that bytes are no entry.
var errUnread = errors.New("not an entry")

// read reads of an entry what reports count: without the statement, the
// revisions and the rules of its decisions. audit.ParseEntry, which verifiers
// use, takes some 50 µs for an entry, this a few: a log has millions. What the
// journal wrote is well formed; whether it was changed the verifier says.
func read(raw []byte) (*audit.Entry, error) {
	w := &walker{rest: raw}
	e := &audit.Entry{}
	err := w.object(func(name []byte) error { return readMember(w, e, name) })
	if err == nil && len(w.rest) > 0 {
		err = errUnread
	}
	if err == nil {
		_, err = audit.ParseTime(e.Time)
	}
	if err != nil {
		return nil, fmt.Errorf("read entry: %w", err)
	}
	return e, nil
}

// readMember takes one member of an entry, or passes over it.
func readMember(w *walker, e *audit.Entry, name []byte) error {
	if text := textOf(e, name); text != nil {
		return w.text(text)
	}
	if items := listOf(e, name); items != nil {
		return w.list(items)
	}
	switch string(name) {
	case "seq":
		return w.number(&e.Seq)
	case "count":
		return w.number(&e.Count)
	case "relations":
		value, err := w.value()
		if err != nil {
			return err
		}
		return json.Unmarshal(value, &e.Relations)
	case "decisions":
		value, err := w.value()
		if err != nil || e.Outcome != denied { // what let a package go says nothing that its outcome does not
			return err
		}
		return json.Unmarshal(value, &e.Decisions)
	case "actor":
		return w.object(func(name []byte) error {
			switch string(name) {
			case "agency":
				return w.text(&e.Actor.Agency)
			case "role":
				return w.text(&e.Actor.Role)
			case "identity":
				return w.text(&e.Actor.Identity)
			case "certificate":
				return w.text(&e.Actor.Certificate)
			}
			_, err := w.value()
			return err
		})
	case "details":
		e.Details = map[string]string{}
		return w.object(func(name []byte) error {
			key, value := string(name), ""
			if bytes.IndexByte(name, '\\') >= 0 {
				if err := json.Unmarshal([]byte(`"`+key+`"`), &key); err != nil {
					return err
				}
			}
			err := w.text(&value)
			e.Details[key] = value
			return err
		})
	case "truncated":
		value, err := w.value()
		if err != nil {
			return err
		}
		return json.Unmarshal(value, &e.Truncated)
	}
	_, err := w.value()
	return err
}

// textOf is where a text of an entry goes; nil: it is none that is counted.
func textOf(e *audit.Entry, name []byte) *string {
	switch string(name) {
	case "owner":
		return &e.Owner
	case "time":
		return &e.Time
	case "operation":
		return &e.Operation
	case "action":
		return &e.Action
	case "outcome":
		return &e.Outcome
	case "officer":
		return &e.Officer
	case "justification":
		return &e.Justification
	case "package":
		return &e.Package
	case "message_type":
		return &e.MessageType
	case "purpose":
		return &e.Purpose
	case "urgency":
		return &e.Urgency
	case "due_at":
		return &e.DueAt
	case "minors":
		return &e.Minors
	case "handling":
		return &e.Handling
	case "classification":
		return &e.Classification
	case "transfer_basis":
		return &e.TransferBasis
	case "transfer_instrument":
		return &e.TransferInstrument
	case "review_by":
		return &e.ReviewBy
	case "erase_by":
		return &e.EraseBy
	case "from":
		return &e.From
	case "manifest_sha256":
		return &e.ManifestSHA256
	case "content_sha256":
		return &e.ContentSHA256
	case "signing_key":
		return &e.SigningKey
	case "problem":
		return &e.Problem
	case "reason":
		return &e.Reason
	}
	return nil
}

// listOf is where a list of an entry goes; nil: it is none that is counted.
func listOf(e *audit.Entry, name []byte) *[]string {
	switch string(name) {
	case "recipients":
		return &e.Recipients
	case "subject_categories":
		return &e.SubjectCategories
	case "special_categories":
		return &e.SpecialCategories
	case "legal_basis":
		return &e.LegalBasis
	case "assurances":
		return &e.Assurances
	case "originators":
		return &e.Originators
	case "authorisations":
		return &e.Authorisations
	case "samples":
		return &e.Samples
	}
	return nil
}

// walker walks through JSON as the journal writes it, without white space. It
// fails on what it does not understand and never reads beyond the end.
type walker struct{ rest []byte }

// take takes one byte, which must be c.
func (w *walker) take(c byte) error {
	if len(w.rest) == 0 || w.rest[0] != c {
		return errUnread
	}
	w.rest = w.rest[1:]
	return nil
}

func (w *walker) next() byte {
	if len(w.rest) == 0 {
		return 0
	}
	return w.rest[0]
}

// object calls f at the value of each member, which f takes.
func (w *walker) object(f func(name []byte) error) error {
	if err := w.take('{'); err != nil {
		return err
	}
	for first := true; w.next() != '}'; first = false {
		if !first {
			if err := w.take(','); err != nil {
				return err
			}
		}
		name, err := w.quoted()
		if err == nil {
			err = w.take(':')
		}
		if err == nil {
			err = f(name[1 : len(name)-1])
		}
		if err != nil {
			return err
		}
	}
	return w.take('}')
}

func (w *walker) list(items *[]string) error {
	if err := w.take('['); err != nil {
		return err
	}
	for w.next() != ']' {
		if len(*items) > 0 {
			if err := w.take(','); err != nil {
				return err
			}
		}
		var item string
		if err := w.text(&item); err != nil {
			return err
		}
		*items = append(*items, item)
	}
	return w.take(']')
}

func (w *walker) number(n *uint64) error {
	value, err := w.value()
	if err == nil {
		*n, err = strconv.ParseUint(string(value), 10, 64)
	}
	return err
}

// text takes a text.
func (w *walker) text(s *string) error {
	q, err := w.quoted()
	if err != nil {
		return err
	}
	if bytes.IndexByte(q, '\\') < 0 {
		*s = string(q[1 : len(q)-1])
		return nil
	}
	return json.Unmarshal(q, s)
}

// quoted takes a text with its quotation marks, as it stands.
func (w *walker) quoted() ([]byte, error) {
	if w.next() != '"' {
		return nil, errUnread
	}
	for i := 1; i < len(w.rest); i++ {
		switch w.rest[i] {
		case '\\':
			i++
		case '"':
			q := w.rest[:i+1]
			w.rest = w.rest[i+1:]
			return q, nil
		}
	}
	return nil, errUnread
}

// value takes a value of any kind, as it stands.
func (w *walker) value() ([]byte, error) {
	all, depth := w.rest, 0
	for {
		switch w.next() {
		case 0:
			return nil, errUnread
		case '"':
			if _, err := w.quoted(); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
			w.rest = w.rest[1:]
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return nil, errUnread
			}
			w.rest = w.rest[1:]
		case ',', ':':
			if depth == 0 {
				return nil, errUnread
			}
			w.rest = w.rest[1:]
			continue
		default: // a number, true, false
			n := bytes.IndexAny(w.rest, `,:{}[]"`)
			if n < 0 {
				n = len(w.rest)
			}
			w.rest = w.rest[n:]
		}
		if depth == 0 {
			return all[:len(all)-len(w.rest)], nil
		}
	}
}
