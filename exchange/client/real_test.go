package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestRealExchange: the same client on a real exchange, over a restart.
func TestRealExchange(t *testing.T) {
	const reason = "Findings of the joint investigation"
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	x := exchangetest.New(t)
	meta, err := os.ReadFile(filepath.Join(x.World.Dir, "meta", "ee-lv.json"))
	must(err)
	plain := bytes.Repeat([]byte("attachment "), 300_000)
	sent, err := x.As("ee/pbgb", certs.RoleUnit).Send(ctx, client.SendInput{
		To: []string{"lv/vp"}, Meta: json.RawMessage(meta), Message: envelope.Message{Text: "Hello Riga"}, Reason: reason,
		Attachments: []envelope.AttachmentSource{{Name: "a.txt", MediaType: "text/plain",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil }}},
	})
	must(err)
	defer sent.Close()

	x.Restart()
	ee, lv := x.As("ee/pbgb", certs.RoleUnit), x.As("lv/vp", certs.RoleUnit)
	again, err := ee.PostSealed(ctx, sent.Sealed)
	must(err)
	if !again.Repeat || again.Receipt.Text != sent.Receipt.Text {
		t.Errorf("after a restart: repeat %v, the same receipt %v", again.Repeat, again.Receipt.Text == sent.Receipt.Text)
	}
	_, err = lv.Open(ctx, sent.ID(), client.OpenOptions{Reason: reason})
	if !errors.Is(err, client.ErrNotAccepted) {
		t.Errorf("opened without consent: %v", err)
	}
	d, err := lv.Package(ctx, sent.ID())
	must(err)
	receipt, err := lv.Acknowledge(ctx, d)
	must(err)
	if receipt.Entry.Outcome != "acknowledged" || receipt.Entry.Owner != "lv/vp" {
		t.Errorf("receipt %+v", receipt.Entry)
	}
	opened, err := lv.Open(ctx, sent.ID(), client.OpenOptions{Reason: reason})
	must(err)
	var got bytes.Buffer
	must(opened.Attachment(ctx, 0, &got, nil))
	if opened.Message.Text != "Hello Riga" || !bytes.Equal(got.Bytes(), plain) {
		t.Errorf("opened %+v, %d bytes", opened.Message, got.Len())
	}
	rest, err := lv.Attachment(ctx, opened.Consultation.ID, sent.ID(), 0, 1000)
	must(err)
	tail, err := io.ReadAll(rest)
	must(errors.Join(err, rest.Close()))
	if int64(len(tail)) != opened.Manifest.Attachments[0].Size-1000 {
		t.Errorf("from byte 1000 on came %d bytes", len(tail))
	}
	if _, err := x.As("ua/npu", certs.RoleUnit).Package(ctx, sent.ID()); !errors.Is(err, api.NotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := lv.Content(ctx, "", sent.ID()); !errors.Is(err, api.ConsultationRequired) {
		t.Errorf("content without consultation: %v", err)
	}
}
