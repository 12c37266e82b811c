package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Step is one step of the story, as it went.
type Step struct {
	Step    int      `json:"step"`
	Title   string   `json:"title"`
	Lines   []string `json:"lines"` // what happened, in words
	OK      bool     `json:"ok"`    // it went as told
	Error   string   `json:"error,omitempty"`
	Package string   `json:"package,omitempty"` // id of the package that it is about
}

// message is what the story's packages say. Nothing of it may ever be found
// in what the server keeps.
const message = "Two trucks, plates known, leave on Friday night. The driver who was stopped in May is with them."

// story is the demo's actors and what they did so far.
type story struct {
	world   *World
	clients map[string]*client.Client
	tell    func(Step)
	steps   int

	sealed   *envelope.Sealed // of the first package
	receipt  *client.Receipt  // its receipt
	packages []string
}

// Tell runs the story on a running exchange, step by step. It returns the
// ids of the packages that were accepted, and an error if any step did not
// go as told.
func (w *World) Tell(ctx context.Context, tell func(Step)) ([]string, error) {
	s := &story{world: w, clients: map[string]*client.Client{}, tell: tell}
	defer s.close()
	var failed []error
	for _, step := range []struct {
		title string
		run   func(context.Context, *Step) error
	}{
		{"Estonia (ee/pbgb) sends a package to Latvia (lv/vp) and Ukraine (ua/npu)", s.send},
		{"Latvia acknowledges the obligations, says who reads and why, and opens", s.openAs("lv/vp")},
		{"Ukraine does the same", s.openAs("ua/npu")},
		{"Italy (it/dcpc) sends to Belarus (by/mia): policy says no, and why", s.denied},
		{"Somebody changes one byte on the way: the package is refused", s.tampered},
		{"Estonia is unsure whether its package arrived and sends it again: the first receipt comes back", s.repeat},
		{"What the server keeps is searched for the message: it cannot read what it carries", s.unreadable},
		{"Estonia's data-protection officer verifies the log, without trusting the server", s.verify},
	} {
		if err := s.step(ctx, step.title, step.run); err != nil {
			failed = append(failed, err)
		}
	}
	return s.packages, errors.Join(failed...)
}

// step runs one step and tells it.
func (s *story) step(ctx context.Context, title string, run func(context.Context, *Step) error) error {
	s.steps++
	step := Step{Step: s.steps, Title: title, Lines: []string{}}
	err := run(ctx, &step)
	if step.OK = err == nil; err != nil {
		step.Error = err.Error()
		err = fmt.Errorf("step %d: %w", step.Step, err)
	}
	s.tell(step)
	return err
}

func (step *Step) say(format string, args ...any) {
	step.Lines = append(step.Lines, fmt.Sprintf(format, args...))
}

// as returns the client of an agency's identity.
func (s *story) as(agency, role string) (*client.Client, error) {
	dir := s.world.Profile(agency, role)
	if c := s.clients[dir]; c != nil {
		return c, nil
	}
	c, err := client.FromProfile(dir)
	if err == nil {
		s.clients[dir] = c
	}
	return c, err
}

func (s *story) close() {
	for _, c := range s.clients {
		c.Close()
	}
	if s.sealed != nil {
		_ = s.sealed.Close()
	}
}

// input is a package of the story.
func (s *story) input(name, reason string) (client.SendInput, error) {
	sample, ok := Find(name, s.world.clock())
	if !ok {
		return client.SendInput{}, fmt.Errorf("no sample %q", name)
	}
	raw, err := json.Marshal(sample.Meta)
	return client.SendInput{To: sample.To, Meta: raw, Reason: reason,
		Message: envelope.Message{Subject: "Trucks on Friday", Text: message}}, err
}

func (s *story) send(ctx context.Context, step *Step) error {
	ee, err := s.as("ee/pbgb", certs.RoleUnit)
	if err != nil {
		return err
	}
	in, err := s.input(EEtoLVUA, "Joint operation against a smuggling group; both units act on Friday")
	if err != nil {
		return err
	}
	if s.sealed, err = ee.Seal(ctx, in); err != nil {
		return err
	}
	step.say("sealed for lv/vp and ua/npu with keys that Estonia checked against its own anchors, and signed")
	sent, err := ee.PostSealed(ctx, s.sealed)
	if err != nil {
		return err
	}
	step.Package = sent.ID()
	s.packages, s.receipt = append(s.packages, sent.ID()), sent.Receipt
	for _, o := range sent.Outcomes {
		step.sayOutcome(o)
		if o.Outcome != "delivered" {
			return fmt.Errorf("%s: %s instead of delivered", o.Recipient, o.Outcome)
		}
	}
	step.say("receipt: entry %d of the ledger, proven against the head over %d entries", sent.Receipt.Index, sent.Receipt.Size)
	return certs.WritePublic(s.world.path("receipt.txt"), []byte(sent.Receipt.Text))
}

// sayOutcome tells one recipient's outcome with what goes with it.
func (step *Step) sayOutcome(o api.Outcome) {
	step.say("%s: %s", o.Recipient, o.Outcome)
	for _, b := range o.Obligations {
		step.say("  obligation %s%s: %s%s", b.Code, params(b.Params), b.Text, source(b.Source))
	}
	for _, r := range o.Reasons {
		step.say("  rule %s: %s%s", r.Rule, r.Text, source(r.Source))
		if r.Fix != "" {
			step.say("  fix: %s", r.Fix)
		}
	}
	if o.Note != "" {
		step.say("  (%s)", o.Note)
	}
}

// params are the parameters of an obligation, for a person to read.
func params(raw json.RawMessage) string {
	var p map[string]any
	if json.Unmarshal(raw, &p) != nil || len(p) == 0 {
		return ""
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		words = append(words, fmt.Sprintf("%s %v", name, p[name]))
	}
	return " (" + strings.Join(words, ", ") + ")"
}

func source(s string) string {
	if s == "" {
		return ""
	}
	return " [" + s + "]"
}

// openAs is a recipient's side: inbox, obligations, acknowledgement, content.
func (s *story) openAs(agency string) func(context.Context, *Step) error {
	return func(ctx context.Context, step *Step) error {
		if s.receipt == nil {
			return errors.New("there is no package to open")
		}
		c, err := s.as(agency, certs.RoleUnit)
		if err != nil {
			return err
		}
		id := s.packages[0]
		step.Package = id
		if err := findIn(ctx, c, id); err != nil {
			return err
		}
		opened, err := c.Open(ctx, id, client.OpenOptions{Reason: "Preparing the joint operation of Friday night", CaseRef: "OP-2026-77",
			Accept: func(_ context.Context, _ *api.Descriptor, obligations []api.Obligation) error {
				step.say("the inbox shows it; %d obligations are read, accepted and signed; policy is asked again, as of now", len(obligations))
				return nil
			}})
		if err != nil {
			return err
		}
		if opened.Message.Text != message {
			return errors.New("the message that was opened is not the one that was sealed")
		}
		step.say("signature, digests and recipients are checked again; the content opens: %q", opened.Message.Subject)
		return nil
	}
}

// findIn looks for a package in the client's inbox.
func findIn(ctx context.Context, c *client.Client, id string) error {
	for d, err := range c.Packages(ctx, client.Query{Box: client.Inbox}) {
		if err != nil {
			return err
		}
		if d.ID == id {
			return nil
		}
	}
	return fmt.Errorf("package %s is not in the inbox of %s", id, c.Agency())
}

func (s *story) denied(ctx context.Context, step *Step) error {
	it, err := s.as("it/dcpc", certs.RoleUnit)
	if err != nil {
		return err
	}
	in, err := s.input(ITtoBY, "Request of the anti-drug directorate in a running investigation")
	if err != nil {
		return err
	}
	sent, err := it.Send(ctx, in)
	defer sent.Close()
	var p *api.Problem
	if !errors.As(err, &p) || !errors.Is(err, api.PolicyDenied) {
		return fmt.Errorf("expected a denial by policy, got: %w", cmpErr(err))
	}
	step.Package = p.ID
	for _, o := range p.Outcomes {
		step.sayOutcome(o)
	}
	if sent.Receipt == nil {
		return errors.New("the denial has no receipt")
	}
	step.say("nothing was released, Belarus learns nothing; Italy's own entry %d proves what was asked and answered", sent.Receipt.Index)
	by, err := s.as("by/mia", certs.RoleUnit)
	if err != nil {
		return err
	}
	if findIn(ctx, by, p.ID) == nil {
		return errors.New("the denied package is in the inbox of by/mia")
	}
	return nil
}

// cmpErr gives a missing error a text.
func cmpErr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func (s *story) tampered(ctx context.Context, step *Step) error {
	ee, err := s.as("ee/pbgb", certs.RoleUnit)
	if err != nil {
		return err
	}
	in, err := s.input(EEtoLV, "Second package of the same operation, with a mishap on its way")
	if err != nil {
		return err
	}
	good, err := ee.Seal(ctx, in)
	if err != nil {
		return err
	}
	step.Package = good.JTI
	content := *good
	content.Content = flip(good.Content, bytes.LastIndexByte(good.Content, '"')-5)
	_, err = ee.PostSealed(ctx, &content)
	if err := step.refused("content", err, api.PackageInvalid); err != nil {
		return err
	}
	manifest := *good
	manifest.Manifest = flip(good.Manifest, len(good.Manifest)-30)
	_, err = ee.PostSealed(ctx, &manifest)
	if err := step.refused("the signed manifest", err, api.EnvelopeRejected); err != nil {
		return err
	}
	lv, err := s.as("lv/vp", certs.RoleUnit)
	if err != nil {
		return err
	}
	if findIn(ctx, lv, good.JTI) == nil {
		return errors.New("the tampered package is in the inbox of lv/vp")
	}
	step.say("nothing of it reached Latvia")
	return nil
}

// flip returns b with another character at i, of the same alphabet.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return b
}

// refused expects a refusal of a type and tells it.
func (step *Step) refused(what string, err error, want api.ProblemType) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("one byte of %s changed: expected %q, got: %w", what, want.Title, cmpErr(err))
	}
	step.say("one byte of %s changed: %v", what, err)
	return nil
}

func (s *story) repeat(ctx context.Context, step *Step) error {
	if s.receipt == nil {
		return errors.New("there is no package to repeat")
	}
	ee, err := s.as("ee/pbgb", certs.RoleUnit)
	if err != nil {
		return err
	}
	again, err := ee.PostSealed(ctx, s.sealed)
	if err != nil {
		return err
	}
	step.Package = again.ID()
	if !again.Repeat || again.Receipt.Text != s.receipt.Text {
		return errors.New("the repeat did not get the first receipt")
	}
	step.say("the same receipt, byte for byte; nothing was delivered twice")
	return nil
}

// unreadable searches every file of the server's state for the message.
func (s *story) unreadable(_ context.Context, step *Step) error {
	files, found := 0, ""
	err := filepath.WalkDir(s.world.path("state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		if bytes.Contains(raw, []byte(message[:24])) {
			found = path
		}
		return err
	})
	if err != nil {
		return err
	}
	if found != "" {
		return fmt.Errorf("the message stands in %s", found)
	}
	step.say("%d files of the server's state searched: the message is in none of them", files)
	return nil
}

// verify is the DPO's work: read the own log under a consultation and hold
// every entry against the tree.
func (s *story) verify(ctx context.Context, step *Step) error {
	dpo, err := s.as("ee/pbgb", certs.RoleDPO)
	if err != nil {
		return err
	}
	consultation, err := dpo.Consult(ctx, client.ConsultInput{Reason: "Monthly check that the log is whole and unchanged"})
	if err != nil {
		return err
	}
	var items []audit.Item
	for item, err := range dpo.Entries(ctx, consultation.ID, 0) {
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	head, err := dpo.Checkpoint(ctx)
	if err != nil {
		return err
	}
	report, err := audit.VerifyOwner(func(yield func(audit.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}, audit.OwnerLog{Owner: "ee/pbgb", Checkpoint: head, Hashes: dpo.Hashes(ctx, head)})
	if err = errors.Join(err, report.Err()); err != nil {
		return err
	}
	step.say("%d entries of ee/pbgb: numbered without a gap, chained, each in the tree of %d entries whose head the ledger signed",
		report.Disclosed, head.Size)
	return s.verifyOffline(step)
}

// verifyOffline holds the first receipt against the ledger's public key
// alone, as anybody can.
func (s *story) verifyOffline(step *Step) error {
	if s.receipt == nil {
		return errors.New("there is no receipt to verify")
	}
	raw, err := os.ReadFile(s.world.path("ledger", "log.vkey"))
	if err != nil {
		return err
	}
	keys, err := audit.ParseKeys(raw)
	if err != nil {
		return err
	}
	receipt, err := audit.ParseReceipt(s.receipt.Text)
	if err != nil {
		return err
	}
	verified, err := receipt.Verify(keys, nil)
	if err != nil {
		return err
	}
	step.say("receipt.txt verifies offline with the ledger's public key alone: %s of %s by %s, %s",
		verified.Entry.Action, strings.Join(verified.Entry.Recipients, ", "), verified.Entry.Owner, verified.Entry.Time)
	return nil
}
