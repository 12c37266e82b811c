package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// sending is what the flags of send say.
type sending struct {
	env *environment
	profileFlags
	officerFlags
	to, attach, text         []string
	persons                  []string
	meta, statement, subject string
	structured, format       string
	receipt, again           string
	days                     int
	dryRun, copyToSelf       bool
}

func newSend(env *environment) *cobra.Command {
	s := &sending{env: env}
	c := &cobra.Command{
		Use:   "send --to AGENCY... --meta FILE --reason TEXT [MESSAGE|-] | send --again ID",
		Short: "Sign, encrypt and send a package",
		Long: `send encrypts a message and files to each recipient, signs what all parties may
read (--meta) and what only the exchange and your own data-protection officer
may read (officer, reason, --statement), and posts it all as one package.

The exchange asks the rules of both countries before anything is released. If
they deny one recipient, nothing is sent to anybody: send prints for each
denied recipient the rule, its source and what to do (exit code 3).
--dry-run asks the rules and sends nothing.

The message is the argument, or standard input if the argument is "-".
What is sent is proven by a receipt, which anybody verifies offline with
"liaison receipt verify". It is kept in the profile, in receipts/, or in the
file that --receipt names. If the connection breaks and nobody knows whether the
package was accepted, it is kept in the profile, and "send --again ID" posts the
very same package: it is never delivered twice.

--meta is YAML or JSON: the codes of the package, as the exchange serves their
schema at /schemas/meta. --statement is YAML or JSON with any of approvals
(approver, role, at), subject_refs and texts (member of meta: what explains it).`,
		Example: `  liaison send --to lv/vp --meta meta.yaml --reason "Findings for the joint team" "Meet at 18:00."
  liaison send --to lv/vp --to it/dcpc --meta meta.yaml --attach scan.pdf --reason "Joint investigation 2026-117" - < report.txt
  liaison send --to lv/vp --meta meta.yaml --dry-run --reason "Findings for the joint team"
  liaison send --again 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d
  liaison send --to lv/vp --meta meta.json --receipt r.txt --json --reason "Findings for the joint team" "Text" | jq -r .id`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &s.profileFlags, s.run),
	}
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	f := c.Flags()
	f.StringSliceVar(&s.to, "to", nil, "recipient agency, such as lv/vp; repeat for more")
	f.StringVar(&s.meta, "meta", "", "file with the package's codes, YAML or JSON")
	f.StringArrayVar(&s.attach, "attach", nil, "file to attach, of any size; repeat for more")
	f.StringVar(&s.statement, "statement", "", "file with approvals, subject_refs and texts, YAML or JSON")
	f.StringArrayVar(&s.persons, "person", nil, `whom it is about, "NAME|BIRTHDATE" or @FILE: only a reference that your agency can read goes out; repeat for more`)
	f.StringArrayVar(&s.text, "text", nil, "explain a member of meta, as NAME=TEXT; repeat for more")
	f.StringVar(&s.subject, "subject", "", "subject line of the message, encrypted")
	f.StringVar(&s.structured, "structured", "", "JSON file with a structured body, encrypted")
	f.StringVar(&s.format, "format", "", "name of the structured body's format, such as umf:person")
	f.IntVar(&s.days, "days", 30, "the package lapses if it is not acknowledged within so many days, 1 to 90")
	f.BoolVar(&s.copyToSelf, "copy-to-self", false, "encrypt to your own agency too, so that you can open the package again")
	f.BoolVar(&s.dryRun, "dry-run", false, "ask what policy would decide, and send nothing")
	f.StringVar(&s.receipt, "receipt", "", "write the receipt to this file, or to standard output if it is - (default: in the profile)")
	f.StringVar(&s.again, "again", "", "post this package again, which was kept because its answer never came")
	c.MarkFlagsMutuallyExclusive("again", "to")
	c.MarkFlagsMutuallyExclusive("again", "meta")
	c.MarkFlagsMutuallyExclusive("again", "dry-run")
	return c
}

func (s *sending) run(ctx context.Context, c *client.Client, args []string) error {
	if s.again != "" {
		return s.repeat(ctx, c, args)
	}
	in, err := s.input(args)
	if err != nil {
		return err
	}
	if s.dryRun {
		return s.ask(ctx, c, in)
	}
	bar := s.env.progress("sending", true)
	if len(in.Attachments) > 0 {
		in.Progress = bar.set
	}
	sent, err := c.Send(ctx, in)
	bar.end()
	defer sent.Close()
	if sent != nil && sent.Receipt == nil && client.Temporary(err) {
		return s.keep(sent, err)
	}
	return s.settle(sent, err)
}

// settle keeps the receipt and tells what became of the package.
func (s *sending) settle(sent *client.Sent, err error) error {
	if sent == nil || sent.Receipt == nil {
		return err
	}
	file, saveErr := s.saveReceipt(sent)
	if sent.Outcomes == nil { // denied
		if file != "" && !s.env.json {
			fmt.Fprintf(s.env.Stderr, "receipt of the refusal: %s (verified)\n", file)
		}
		return errors.Join(err, saveErr)
	}
	return errors.Join(s.tell(sent, file), err, saveErr)
}

// unsent is where a package is kept until it is known what became of it.
func (s *sending) unsent(id string) (string, error) {
	dir, err := s.path(s.env)
	return filepath.Join(dir, "unsent", id), err
}

// keep keeps a package of which nobody knows whether it was accepted.
func (s *sending) keep(sent *client.Sent, cause error) error {
	dir, err := s.unsent(sent.ID())
	if err == nil {
		err = client.Save(sent.Sealed, dir)
	}
	fix := fmt.Sprintf("it is not known whether the package was accepted; find out, without sending it twice: liaison send --again %s", sent.ID())
	if err != nil {
		fix = fmt.Sprintf("look in the outbox (liaison inbox --box outbox) for package %s before you send it anew: it could not be kept", sent.ID())
	}
	return errors.Join(&exitError{err: cause, code: exitUnavailable, fix: fix}, err)
}

// repeat posts a package that was kept, and forgets it once it is known what
// became of it.
func (s *sending) repeat(ctx context.Context, c *client.Client, args []string) error {
	if len(args) > 0 || filepath.Base(s.again) != s.again {
		return usageError(errors.New("--again takes the id of a kept package, and nothing else"), "liaison send --again ID")
	}
	dir, err := s.unsent(s.again)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return usageError(fmt.Errorf("no package %s is kept in this profile", s.again), "look into unsent/ of the profile, and at the outbox: liaison inbox --box outbox")
	}
	bar := s.env.progress("sending", true)
	sent, err := c.PostSaved(ctx, dir, bar.set)
	bar.end()
	if errors.Is(err, api.PackageInvalid) {
		err = withFix(err, "the package was never accepted, and is refused now, as a rule for its age: send it anew; what was kept of it is removed")
	}
	var refused *api.Problem
	if sent != nil && sent.Receipt != nil || errors.As(err, &refused) && !client.Temporary(err) {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return s.settle(sent, err)
}

// input makes a package of flags, files and message.
func (s *sending) input(args []string) (in client.SendInput, err error) {
	if len(s.to) == 0 || s.meta == "" {
		return in, usageError(errors.New("no recipient, or no meta"), "give --to AGENCY and --meta FILE, such as: liaison send --to lv/vp --meta meta.yaml …")
	}
	if err := s.needReason(); err != nil {
		return in, err
	}
	if s.days < 1 || s.days > 90 {
		return in, usageError(fmt.Errorf("--days %d", s.days), "give 1 to 90 days")
	}
	in = client.SendInput{To: s.to, Lifetime: time.Duration(s.days) * 24 * time.Hour, CopyToSelf: s.copyToSelf, Officer: s.officer, Reason: s.reason}
	for _, step := range []func(*client.SendInput) error{
		s.readMeta, s.readStatement, s.readTexts, s.readStructured, s.readAttachments,
		func(in *client.SendInput) error { return s.readMessage(in, args) },
	} {
		if err := step(&in); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (s *sending) readMeta(in *client.SendInput) error {
	raw, err := readDocument(s.meta)
	if err != nil {
		return err
	}
	if _, err := envelope.ParseMeta(raw); err != nil {
		return usageError(fmt.Errorf("%s: %w", s.meta, err), "correct the file; the exchange serves the schema of meta at /schemas/meta")
	}
	in.Meta = raw
	return nil
}

func (s *sending) readStatement(in *client.SendInput) error {
	refs, err := s.subjectRefs()
	if in.SubjectRefs = refs; err != nil || s.statement == "" {
		return err
	}
	raw, err := readDocument(s.statement)
	if err != nil {
		return err
	}
	var file struct {
		Approvals   []envelope.Approved `json:"approvals"`
		SubjectRefs []string            `json:"subject_refs"`
		Texts       map[string]string   `json:"texts"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return usageError(fmt.Errorf("%s: %w", s.statement, err), "give an object with any of approvals, subject_refs and texts")
	}
	in.Approvals, in.SubjectRefs, in.Texts = file.Approvals, append(in.SubjectRefs, file.SubjectRefs...), file.Texts
	return nil
}

func (s *sending) readTexts(in *client.SendInput) error {
	for _, t := range s.text {
		name, text, ok := strings.Cut(t, "=")
		if !ok {
			return usageError(fmt.Errorf("--text %q", t), "write it as NAME=TEXT, such as urgency=\"The suspect leaves tomorrow\"")
		}
		if in.Texts == nil {
			in.Texts = map[string]string{}
		}
		in.Texts[name] = text
	}
	return nil
}

func (s *sending) readStructured(in *client.SendInput) error {
	if s.structured == "" {
		return nil
	}
	raw, err := os.ReadFile(s.structured)
	if err != nil {
		return usageError(err, "give the file of the structured body")
	}
	if s.format == "" || !json.Valid(raw) {
		return usageError(fmt.Errorf("%s: a structured body is JSON and has a format", s.structured), "name the format, such as --format umf:person")
	}
	in.Message.Structured = &envelope.Structured{Format: s.format, Body: raw}
	return nil
}

func (s *sending) readAttachments(in *client.SendInput) error {
	for _, path := range s.attach {
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a file", path)
		}
		if err != nil {
			return usageError(err, "attach files that you can read")
		}
		media, _, err := mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(path)))
		if err != nil {
			media = api.MediaBinary
		}
		in.Attachments = append(in.Attachments, envelope.AttachmentSource{Name: filepath.Base(path), MediaType: media,
			Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}
	return nil
}

func (s *sending) readMessage(in *client.SendInput, args []string) error {
	in.Message.Subject = s.subject
	switch {
	case len(args) == 1 && args[0] == "-":
		text, err := io.ReadAll(io.LimitReader(s.env.Stdin, envelope.MaxContent+1))
		if err != nil {
			return fmt.Errorf("read the message: %w", err)
		}
		in.Message.Text = string(text)
	case len(args) == 1:
		in.Message.Text = args[0]
	case len(in.Attachments) == 0 && in.Message.Structured == nil && !s.dryRun:
		return usageError(errors.New("nothing to send: no message, no attachment"), `give the message as the last argument, or - to read it from standard input`)
	}
	return nil
}

// readDocument reads a file of YAML or JSON and returns JSON.
func readDocument(path string) (json.RawMessage, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError(err, "give a file that you can read")
	}
	if json.Valid(raw) {
		return raw, nil
	}
	converted, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, false)), "write YAML or JSON")
	}
	if !json.Valid(converted) { // names and texts that are not UTF-8, or hold control characters
		return nil, usageError(fmt.Errorf("%s: it has no form in JSON", path), "write YAML or JSON in UTF-8, without control characters")
	}
	return converted, nil
}

func (s *sending) ask(ctx context.Context, c *client.Client, in client.SendInput) error {
	got, err := c.DryRun(ctx, in)
	if got == nil {
		return err
	}
	denied := false
	var text strings.Builder
	fmt.Fprintln(&text, "nothing was sent; policy would decide:")
	for _, o := range got.Outcomes {
		writeDecided(&text, o)
		denied = denied || o.Outcome == "denied"
	}
	if printErr := s.env.output().value(api.Decided{Outcomes: got.Outcomes, Receipt: got.Receipt.Text}, text.String()); printErr != nil {
		return printErr
	}
	if denied {
		return &exitError{err: errors.New("policy would deny this package"), code: exitRefused, fix: "see above what each denied recipient's rule asks for"}
	}
	return err
}

// saveReceipt writes the receipt where the flags say, and returns where.
func (s *sending) saveReceipt(sent *client.Sent) (string, error) {
	text := []byte(sent.Receipt.Text)
	switch s.receipt {
	case "-":
		if s.env.json {
			return "", nil // the JSON has it
		}
		_, err := s.env.Stdout.Write(text)
		return "", err
	case "":
		dir, err := s.path(s.env)
		if err != nil {
			return "", err
		}
		dir = filepath.Join(dir, "receipts")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("keep the receipt: %w", err)
		}
		file := filepath.Join(dir, sent.ID()+".txt")
		return file, certs.WriteSecret(file, text)
	}
	return s.receipt, certs.WriteSecret(s.receipt, text)
}

// sentJSON is what send prints with --json.
type sentJSON struct {
	api.Accepted
	Repeat      bool   `json:"repeat,omitempty"`
	ReceiptFile string `json:"receipt_file,omitempty"`
}

func (s *sending) tell(sent *client.Sent, file string) error {
	var text strings.Builder
	verdict := "sent"
	if sent.Outcomes[0].Outcome == "pending" {
		verdict = "accepted, not yet released"
	}
	fmt.Fprintf(&text, "%s: package %s\n", verdict, sent.ID())
	for _, o := range sent.Outcomes {
		writeDecided(&text, o)
	}
	if file != "" {
		fmt.Fprintf(&text, "receipt: %s (verified; entry %d of %s)\n", file, sent.Receipt.Entry.Seq, sent.Receipt.Entry.Owner)
	}
	if s.receipt == "-" && !s.env.json {
		_, err := io.WriteString(s.env.Stderr, text.String())
		return err
	}
	return s.env.output().value(sentJSON{Accepted: api.Accepted{ID: sent.ID(), Outcomes: sent.Outcomes, Receipt: sent.Receipt.Text},
		Repeat: sent.Repeat, ReceiptFile: file}, text.String())
}
