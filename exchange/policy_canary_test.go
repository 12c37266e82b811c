package exchange_test

import (
	"context"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestP16InputsHaveNothingPersonal: what people wrote is in neither the decisions nor the inputs that the exchange keeps
// for as long as they can be replayed, of a package that goes, one that is refused, and one that is only asked about. The
// log is searched at the end of every test.
func TestP16InputsHaveNothingPersonal(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLVUA)).ID()
	refusedDraft := draft(x, demo.ITtoBY)
	if _, err := x.As(refusedDraft.Iss, certs.RoleUnit).PostSealed(t.Context(), x.Seal(refusedDraft)); err == nil {
		t.Fatal("delivered")
	}
	p := x.Parts(exchangetest.PartsConfig{})
	defer p.Close()
	kept, found := 0, false
	for _, e := range ledgerEntries(t, p.Store) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, decision := range decisionIDs(string(raw)) {
			row, input := keptDecision(t, p.Store, decision)
			if row == nil {
				continue
			}
			kept++
			found = found || row.Package == id
			for name, secret := range map[string]string{"the justification": justification, "the officer": officer, "the message": plaintext} {
				for where, text := range map[string]string{"the decision": string(row.Verdict), "the shared input": string(input), "the own input": string(row.Own)} {
					if strings.Contains(text, secret) {
						t.Errorf("%s has %s: %s", where, name, text)
					}
				}
			}
			if !strings.Contains(string(input), caseRef) {
				t.Errorf("that is not the input of the package: %s", input)
			}
		}
	}
	if kept < 3 || !found {
		t.Errorf("only %d decisions were looked at", kept)
	}
}

// decisionIDs are the ids that stand in a text.
func decisionIDs(text string) []string {
	var ids []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == '"' }) {
		if len(word) == 36 && strings.Count(word, "-") == 4 {
			ids = append(ids, word)
		}
	}
	return ids
}

func keptDecision(t *testing.T, s exchange.Store, id string) (row *exchange.DecisionRow, shared []byte) {
	t.Helper()
	err := s.View(context.Background(), func(rows exchange.Reader) error {
		found, err := rows.Decision(id)
		if err != nil || found == nil {
			return err
		}
		row = found
		shared, err = rows.Input(row.Shared)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return row, shared
}
