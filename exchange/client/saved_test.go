package client

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestSaved: a package whose answer never came is posted again by another process.
func TestSaved(t *testing.T) {
	x := newTestExchange(t)
	in := x.input("lv/vp")
	in.Attachments = []envelope.AttachmentSource{x.attach("a.pdf", []byte("one")), x.attach("b.pdf", []byte("two"))}
	x.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			x.postPackage(r, "ee/pbgb")
			panic(http.ErrAbortHandler)
		}
		return false
	}
	sent, err := x.client("ee/pbgb").Send(t.Context(), in)
	if !Temporary(err) || sent == nil || sent.Receipt != nil {
		t.Fatalf("sent %+v, %v", sent, err)
	}
	dir := filepath.Join(t.TempDir(), "unsent", sent.ID())
	must(t, Save(sent.Sealed, dir))
	must(t, sent.Close())
	x.intercept = nil
	again, err := x.client("ee/pbgb").PostSaved(t.Context(), dir, nil)
	must(t, err)
	defer again.Close()
	if !again.Repeat || again.ID() != sent.ID() || len(x.held) != 1 {
		t.Errorf("again %+v", again)
	}
	for id := range x.held {
		delete(x.held, id) // an exchange that never saw it gets the same bytes
	}
	_, err = x.client("ee/pbgb").PostSaved(t.Context(), dir, nil)
	must(t, err)
	held := x.held[sent.ID()]
	if len(held.attachments) != 2 || digest(held.attachments[1]) != held.signed.Attachments[1].SHA256 || !bytes.Equal(held.content, sent.Sealed.Content) {
		t.Error("other bytes were posted")
	}
	if err := Save(sent.Sealed, dir); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwritten: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, savedManifest)))
	if _, err := x.client("ee/pbgb").PostSaved(t.Context(), dir, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a package was posted: %v", err)
	}
}
