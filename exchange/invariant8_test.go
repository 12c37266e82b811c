package exchange_test

import (
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// TestInvariant8ReadingIsAnAction follows one package through the hands of
// both sides and compares the entries with what LED art 25 asks: which
// operation, when, who, why, to whom. Each side's log has its own people only.
func TestInvariant8ReadingIsAnAction(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	sent := post(t, x, draft(x, demo.EEtoLVUA))
	lv := x.As("lv/vp", certs.RoleUnit)
	if _, err := lv.Open(t.Context(), sent.ID(), client.OpenOptions{Officer: reader, Reason: why, CaseRef: caseRef, Accept: acceptAll}); err != nil {
		t.Fatal(err)
	}
	entries := o.next(t)
	find := func(owner, action string) audit.Entry {
		t.Helper()
		i := slices.IndexFunc(entries, func(e audit.Entry) bool { return e.Owner == owner && e.Action == action })
		if i < 0 {
			t.Fatalf("%s has no entry of %s", owner, action)
		}
		e := entries[i]
		if _, err := audit.ParseTime(e.Time); err != nil || e.Package != sent.ID() || e.Exchange != demo.Origin {
			t.Errorf("%s %s: when or what is missing: %+v", owner, action, e)
		}
		return e
	}
	both := []string{"lv/vp", "ua/npu"}

	own := find("ee/pbgb", "package.send")
	if own.Operation != audit.Disclosure || own.Officer != officer || own.Justification != justification || own.CaseRef != caseRef ||
		own.Purpose != "investigation" || !slices.Equal(own.Recipients, both) || len(own.LegalBasis) != 1 || own.TransferBasis == "" ||
		own.TransferInstrument == "" || !slices.Equal(own.SubjectCategories, []string{"suspect"}) || own.EraseBy == "" || own.ReviewBy == "" ||
		!slices.Equal(own.Originators, []string{"ee/pbgb"}) || own.Handling != "H1" || len(own.Statement) == 0 {
		t.Errorf("the sender's entry: %+v", own)
	}
	if own.ManifestSHA256 != sent.Sealed.ManifestSHA256 || own.ContentSHA256 != sha(sent.Sealed.Content) || own.SigningKey != x.SignKey("ee/pbgb").Kid() ||
		own.Actor.Certificate != x.Peer("ee/pbgb", certs.RoleUnit).Fingerprint || own.Actor.Identity != "spiffe://ee/pbgb/unit/demo" || own.Request == "" {
		t.Errorf("what proves it: %+v", own)
	}
	if len(own.Decisions) != 2 || own.Engine == "" || len(own.Revisions) != 7 || !slices.Contains(own.Samples, "ee") {
		t.Errorf("what decided it: %+v, %v, %v", own.Decisions, own.Revisions, own.Samples)
	}

	got := find("lv/vp", "package.deliver")
	if got.Operation != audit.Collection || got.From != "ee/pbgb" || !slices.Equal(got.Recipients, both) || got.ManifestSHA256 != own.ManifestSHA256 ||
		len(got.Decisions) != 1 || got.Decisions[0].Recipient != "lv/vp" || got.CaseRef != caseRef {
		t.Errorf("the recipient's entry: %+v", got)
	}
	if got.Officer != "" || got.Justification != "" || got.Statement != nil || got.Actor.Identity != "" || got.Actor.Certificate != "" || got.Request != "" {
		t.Errorf("the recipient's entry has what is the sender's: %+v", got)
	}

	for _, action := range []string{"package.show", "manifest.read", "package.acknowledge", "consultation.open", "content.read"} {
		e := find("lv/vp", action)
		if e.From != "ee/pbgb" || e.ManifestSHA256 != own.ManifestSHA256 || e.Actor.Identity != "spiffe://lv/vp/unit/demo" || e.Request == "" || e.Operation == "" {
			t.Errorf("%s: %+v", action, e)
		}
	}
	opened, read := find("lv/vp", "consultation.open"), find("lv/vp", "content.read")
	for _, e := range []audit.Entry{opened, read} {
		if e.Operation != audit.Consultation || e.Officer != reader || e.Justification != why || e.CaseRef != caseRef || e.Consultation == "" || e.Consultation != opened.Consultation {
			t.Errorf("who reads and why: %+v", e)
		}
	}
	told := find("ee/pbgb", "package.acknowledged")
	if told.Operation != audit.Disclosure || !slices.Equal(told.Recipients, []string{"lv/vp"}) || told.Actor.Agency != "lv/vp" ||
		told.Actor.Identity != "" || told.Officer != "" || told.Consultation != "" {
		t.Errorf("the sender is told: %+v", told)
	}
	// What Latvia's people read is Latvia's own affair.
	for _, e := range entries {
		if e.Owner == "ee/pbgb" && e.Action != "package.send" && e.Action != "package.acknowledged" || e.Owner == "ua/npu" && e.Action != "package.deliver" {
			t.Errorf("%s learns of %s", e.Owner, e.Action)
		}
	}
	o.verify(t)
}
