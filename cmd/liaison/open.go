package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// opening is what the flags of open say.
type opening struct {
	env *environment
	profileFlags
	officerFlags
	dir, caseRef string
	yes          bool
}

func newOpen(env *environment) *cobra.Command {
	o := &opening{env: env}
	c := &cobra.Command{
		Use:   "open ID --reason TEXT [-o DIR] [--yes]",
		Short: "Accept a package's obligations, decrypt and read it",
		Long: `open reads a package. If nobody of your agency has acknowledged it yet, it shows
the obligations and asks whether you accept them; that is signed, and the sender
gets to know it. Then it records who reads and why, fetches the content, verifies
and decrypts it.

Without -o the message goes to standard output and everything else to standard
error. With -o DIR the message and all attachments become files in DIR; none that
is there already is overwritten, and names that could do harm are changed.

Where nobody can be asked, in a script, --yes accepts the obligations.`,
		Example: `  liaison open 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --reason "Work on the joint investigation"
  liaison open 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --yes -o case-117 --reason "Work on the joint investigation"`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &o.profileFlags, o.run),
	}
	o.profileFlags.add(c)
	o.officerFlags.add(c)
	c.Flags().StringVarP(&o.dir, "output", "o", "", "directory for the message and the attachments")
	c.Flags().StringVar(&o.caseRef, "case", "", "your own case reference, for the record")
	c.Flags().BoolVar(&o.yes, "yes", false, "accept the obligations without being asked")
	_ = c.MarkFlagDirname("output") // fails only for a flag that is not declared
	return c
}

func (o *opening) run(ctx context.Context, c *client.Client, args []string) error {
	if err := o.needReason(); err != nil {
		return err
	}
	opened, err := c.Open(ctx, args[0], client.OpenOptions{Officer: o.officer, Reason: o.reason, CaseRef: o.caseRef, Accept: o.accept})
	if err != nil {
		return err
	}
	if ended := opened.SenderKey.Ended(); ended != "" {
		if _, err := fmt.Fprintf(o.env.Stderr, "the sender's key is %s, after this was signed\n", ended); err != nil {
			return err
		}
	}
	if o.dir == "" {
		return o.print(opened)
	}
	return o.write(ctx, opened)
}

// accept shows the obligations and asks.
func (o *opening) accept(ctx context.Context, d *api.Descriptor, obligations []api.Obligation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s from %s\n", printable(d.ID), printable(d.From))
	if len(obligations) == 0 {
		b.WriteString("no obligations come with it\n")
	} else {
		b.WriteString("by opening it your agency accepts, by signature:\n")
	}
	for i, obligation := range obligations {
		fmt.Fprintf(&b, "  %d. %s\n", i+1, printable(obligationWords(obligation)))
	}
	if _, err := io.WriteString(o.env.Stderr, b.String()); err != nil {
		return err
	}
	if o.yes {
		return nil
	}
	if !o.env.IsTerminal(o.env.Stdin) || !o.env.IsTerminal(o.env.Stderr) {
		return usageError(client.ErrNotAccepted, "nobody is there to ask: read the obligations above, and give --yes if you accept them")
	}
	return o.ask(ctx)
}

func (o *opening) ask(ctx context.Context) error {
	fmt.Fprint(o.env.Stderr, "accept and open? [y/N] ")
	answer := make(chan string, 1)
	go func() { // ends with the process if nobody answers: a terminal's read cannot be called off
		line, err := bufio.NewReader(o.env.Stdin).ReadString('\n')
		if err != nil {
			line = ""
		}
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	}
	return client.ErrNotAccepted
}

// openedJSON is what open prints with --json. The keys of the attachments
// are left out.
type openedJSON struct {
	ID           string               `json:"id"`
	From         string               `json:"from"`
	Subject      string               `json:"subject,omitempty"`
	Text         string               `json:"text,omitempty"`
	Structured   *envelope.Structured `json:"structured,omitempty"`
	Counts       map[string]int64     `json:"counts,omitempty"`
	Attachments  []attachmentJSON     `json:"attachments,omitempty"`
	MessageFile  string               `json:"message_file,omitempty"`
	Consultation string               `json:"consultation"` // id

	// Receipts: of the acknowledgement, if this opening acknowledged the
	// package, and of the consultation.
	AcknowledgementReceipt string `json:"acknowledgement_receipt,omitempty"`
	ConsultationReceipt    string `json:"consultation_receipt"`
}

type attachmentJSON struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	File      string `json:"file,omitempty"`
}

func describeOpened(p *client.Opened) openedJSON {
	m := p.Message
	v := openedJSON{ID: p.Manifest.JTI, From: p.Manifest.Iss, Subject: m.Subject, Text: m.Text, Structured: m.Structured,
		Counts: m.Counts, Consultation: p.Consultation.ID, ConsultationReceipt: p.Consultation.Receipt.Text}
	if p.Acknowledgement != nil {
		v.AcknowledgementReceipt = p.Acknowledgement.Text
	}
	for _, a := range m.Attachments {
		v.Attachments = append(v.Attachments, attachmentJSON{Name: a.Name, MediaType: a.MediaType, Size: a.Size, SHA256: a.SHA256})
	}
	return v
}

// print writes the message to standard output, and what is around it to
// standard error.
func (o *opening) print(p *client.Opened) error {
	if o.env.json {
		return writeJSON(o.env.Stdout, describeOpened(p))
	}
	var around strings.Builder
	if p.Message.Subject != "" {
		fmt.Fprintf(&around, "subject: %s\n", printable(p.Message.Subject))
	}
	for i, a := range p.Message.Attachments {
		fmt.Fprintf(&around, "attachment %d: %s (%s, %d bytes); -o DIR fetches it\n", i, printable(a.Name), printable(a.MediaType), a.Size)
	}
	if _, err := io.WriteString(o.env.Stderr, around.String()); err != nil {
		return err
	}
	text := messageText(p.Message)
	if o.env.IsTerminal(o.env.Stdout) {
		text = printableLines(text)
	}
	_, err := io.WriteString(o.env.Stdout, text)
	return err
}

// messageText is the text of a message, with the structured body below it.
func messageText(m *envelope.Message) string {
	text := m.Text
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if m.Structured != nil {
		text += string(m.Structured.Body) + "\n"
	}
	return text
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// write makes files of the message and the attachments.
func (o *opening) write(ctx context.Context, p *client.Opened) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	v := describeOpened(p)
	var err error
	v.MessageFile, err = newFile(o.dir, "message.txt", func(w io.Writer) error {
		_, err := io.WriteString(w, messageText(p.Message))
		return err
	})
	if err != nil {
		return err
	}
	for i := range p.Message.Attachments {
		if v.Attachments[i].File, err = o.fetch(ctx, p, i); err != nil {
			return err
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "package %s from %s, verified and decrypted\nmessage: %s\n", v.ID, v.From, v.MessageFile)
	for _, a := range v.Attachments {
		fmt.Fprintf(&text, "attachment: %s (%d bytes)\n", a.File, a.Size)
	}
	return o.env.output().value(v, text.String())
}

func (o *opening) fetch(ctx context.Context, p *client.Opened, i int) (string, error) {
	bar := o.env.progress(printable(p.Message.Attachments[i].Name), true)
	defer bar.end()
	return newFile(o.dir, safeName(p.Message.Attachments[i].Name, i), func(w io.Writer) error {
		return p.Attachment(ctx, i, w, bar.set)
	})
}

// newFile makes a file of a name that is still free in dir, for its owner
// only, and returns its path. It has its content only once that is whole.
func newFile(dir, name string, fill func(io.Writer) error) (_ string, err error) {
	f, err := os.CreateTemp(dir, ".liaison-*")
	if err != nil {
		return "", fmt.Errorf("output: %w", err)
	}
	err = errors.Join(fill(f), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	path, err := claimName(dir, name)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("output: %w", err), os.Remove(f.Name()))
	}
	return path, nil
}

// claimName makes an empty file under the name, or under the name with a
// number if that is taken.
func claimName(dir, name string) (string, error) {
	ext := filepath.Ext(name)
	for n := 1; n <= 1000; n++ {
		path := filepath.Join(dir, name)
		if n > 1 {
			path = filepath.Join(dir, fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext))
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return path, f.Close()
		}
		if !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("too many files %q in %s", name, dir)
}
