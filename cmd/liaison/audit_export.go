package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
	figures "github.com/liaison-exchange/liaison/exchange/report"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// What lies beside an export: its manifest, and while it is not whole its
// plan, by which it can go on.
const (
	manifestSuffix = ".manifest"
	partSuffix     = ".part"
	planSuffix     = ".part.json"
)

// exporting is what the flags of audit export say.
type exporting struct {
	env *environment
	profileFlags
	officerFlags
	timeFlags
	caseRef, file, format string
	resume                bool
}

func newAuditExport(env *environment) *cobra.Command {
	x := &exporting{env: env}
	c := &cobra.Command{
		Use:   "export -o FILE [QUERY] --reason TEXT",
		Short: "Export entries of your agency's log into a file that can be verified",
		Long: `export writes entries of your agency's log into a file, and a manifest beside it,
FILE.manifest: who exported what, why, when, by which query, how many entries, and
the SHA-256 of the file, proven by the ledger's key. "export verify FILE" checks
both offline, and with a copy of the log each line against the ledger's tree. That it was exported is an entry itself, with all of that.

jsonl (the default) has the entries as they were recorded, each with what proves
it; csv is a table for people, in which no cell is taken for a formula. Without a
query it is everything of the time. An export of any size is streamed; one that is
cut off goes on by itself, or later with --resume, and nothing is sent twice.

` + queryHelp,
		Example: `  liaison audit export -o october.jsonl --month 2026-10 --reason "Monthly copy for the authority"
  liaison audit export -o denied.csv --format csv 'outcome:denied -purpose:prevention' --since 30d --reason "Complaint 2026-31"
  liaison audit export verify october.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &x.profileFlags, x.run),
	}
	x.profileFlags.add(c)
	x.officerFlags.add(c)
	x.timeFlags.add(c)
	f := c.Flags()
	f.StringVarP(&x.file, "output", "o", "", "the file, which must not be there yet")
	f.StringVar(&x.format, "format", "", "jsonl or csv (default: by the file's name, else jsonl)")
	f.StringVar(&x.caseRef, "case", "", "your own case reference, for the record")
	f.BoolVar(&x.resume, "resume", false, "go on with an export that was cut off")
	_ = c.MarkFlagRequired("output")
	c.AddCommand(newAuditExportVerify(env))
	return c
}

const queryHelp = `A query has terms field:value, all of which must hold; OR, parentheses and - for
not do what they say: outcome:denied (recipient:lv/vp OR recipient:it/dcpc) -purpose:prevention`

// plan is an export that is not whole yet.
type plan struct {
	Agency string    `json:"agency"`
	Owner  string    `json:"owner,omitempty"`
	Query  string    `json:"query"`
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to"`
	Format string    `json:"format"`
	Last   uint64    `json:"last,omitempty"`
}

// exportedJSON is what audit export prints with --json.
type exportedJSON struct {
	File     string `json:"file"`
	Manifest string `json:"manifest"`
	Owner    string `json:"owner"`
	Query    string `json:"query"`
	Entries  uint64 `json:"entries"`
	First    string `json:"first"`
	Last     string `json:"last"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"ledger_size"`
}

func (x *exporting) run(ctx context.Context, c *client.Client, args []string) error {
	if err := x.needReason(); err != nil {
		return err
	}
	p, err := x.plan(c, args)
	if err != nil {
		return err
	}
	f, err := x.open(p)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // once more after the one below: harmless
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: x.officer, Reason: x.reason, CaseRef: x.caseRef})
	if err != nil {
		return x.undone(f, err)
	}
	receipt, err := x.fetch(ctx, c, consultation.ID, p, f)
	if err != nil {
		return x.undone(f, err)
	}
	return x.keep(c, receipt, f)
}

// plan is what is to be exported: of the flags, or of the export that goes on.
func (x *exporting) plan(c *client.Client, args []string) (*plan, error) {
	for _, name := range []string{x.file, x.file + manifestSuffix} {
		if _, err := os.Lstat(name); err == nil {
			return nil, usageError(fmt.Errorf("%s is there already", name), "give a file that is not there yet")
		}
	}
	if x.resume {
		return x.planned(c, args)
	}
	p := &plan{Agency: c.Agency(), Owner: x.owner, Format: x.format}
	if p.Format == "" {
		if p.Format = figures.Lines; strings.EqualFold(filepath.Ext(x.file), ".csv") {
			p.Format = figures.Table
		}
	}
	if p.Format != figures.Lines && p.Format != figures.Table {
		return nil, usageError(fmt.Errorf("--format %q", x.format), "give jsonl or csv")
	}
	if len(args) == 1 {
		q, err := search.Parse(args[0])
		if err != nil {
			return nil, usageError(err, "see liaison audit export --help for what a query is")
		}
		p.Query = q.String()
	}
	now := x.env.Now()
	var err error
	if p.From, p.To, err = x.times(now); err != nil {
		return nil, err
	}
	if p.To.IsZero() || p.To.After(now) {
		p.To = now // fixed, so that it ends with the same entry when it goes on
	}
	p.From, p.To = p.From.UTC().Truncate(time.Millisecond), p.To.UTC().Truncate(time.Millisecond)
	return p, nil
}

// planned reads the plan of an export that was cut off.
func (x *exporting) planned(c *client.Client, args []string) (*plan, error) {
	const fix = "give the file of an export that was cut off, and leave out query, times and format; or export anew without --resume"
	if len(args) > 0 || x.timeFlags != (timeFlags{}) || x.format != "" {
		return nil, usageError(errors.New("an export that goes on has its query, times and format already"), fix)
	}
	raw, err := os.ReadFile(x.file + planSuffix)
	if err != nil {
		return nil, usageError(err, fix)
	}
	p := &plan{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", x.file+planSuffix, err), fix)
	}
	if p.Agency != c.Agency() {
		return nil, usageError(fmt.Errorf("it is an export of %s", p.Agency), "use the profile that began it")
	}
	return p, nil
}

func (p *plan) write(path string) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// open opens the part of the file that there is, whole lines only.
func (x *exporting) open(p *plan) (*os.File, error) {
	if x.resume {
		return os.OpenFile(x.file+partSuffix, os.O_RDWR, 0)
	}
	if err := os.MkdirAll(filepath.Dir(x.file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(x.file+partSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, usageError(err, "go on with it by --resume, or remove it and "+x.file+planSuffix)
	}
	return f, p.write(x.file + planSuffix)
}

// exportTries is how often an export that is cut off goes on by itself, as
// long as it gets further.
const exportTries = 5

// fetch writes the file, going on where it was cut off.
func (x *exporting) fetch(ctx context.Context, c *client.Client, consultation string, p *plan, f *os.File) (*client.Receipt, error) {
	bar := x.env.progress("export", true)
	defer bar.end()
	for tries, before := 0, int64(-1); ; tries++ {
		sum := sha256.New()
		after, size, err := wholeLines(f, p.Format, sum)
		if err != nil {
			return nil, err
		}
		q := client.ExportQuery{Owner: p.Owner, Query: p.Query, From: p.From, To: p.To, Format: p.Format, After: after, Last: p.Last}
		if after == 0 { // nothing but a heading, which comes again
			q.Last, size = 0, 0
			sum.Reset()
		}
		if err := cutTo(f, size); err != nil {
			return nil, err
		}
		receipt, last, err := c.Export(ctx, consultation, q, &counted{w: f, n: size, bar: bar}, sum)
		if last > 0 && p.Last == 0 && q.After == 0 {
			p.Last = last
			if err := p.write(x.file + planSuffix); err != nil {
				return nil, err
			}
		}
		var down *client.UnavailableError
		if err == nil || !errors.As(err, &down) || tries >= exportTries || size == before || ctx.Err() != nil {
			return receipt, err
		}
		before = size
		fmt.Fprintf(x.env.Stderr, "liaison: %s; it goes on behind entry %d\n", printable(err.Error()), after)
	}
}

// counted shows how much was written.
type counted struct {
	w   io.Writer
	n   int64
	bar *progress
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.bar.set(c.n, -1)
	return n, err
}

func cutTo(f *os.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err := f.Seek(size, io.SeekStart)
	return err
}

// wholeLines reads what there is of an export into its digest: up to where
// whole lines end, and which entry is the last of them.
func wholeLines(f *os.File, format string, sum hash.Hash) (last uint64, size int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return last, size, nil
		}
		if err != nil {
			return 0, 0, err
		}
		sum.Write(line)
		size += int64(len(line))
		if n, ok := lineNumber(line, format); ok {
			last = n
		}
	}
}

// lineNumber is the number of the entry that a line has; its heading has none.
func lineNumber(line []byte, format string) (uint64, bool) {
	if format == figures.Table {
		cell, _, _ := strings.Cut(strings.TrimPrefix(string(line), `"`), `"`)
		n, err := strconv.ParseUint(cell, 10, 64)
		return n, err == nil
	}
	var item struct{ Seq uint64 }
	err := json.Unmarshal(line, &item)
	return item.Seq, err == nil && item.Seq > 0
}

// undone leaves what there is if it can go on, and nothing else.
func (x *exporting) undone(f *os.File, err error) error {
	info, statErr := f.Stat()
	if statErr == nil && info.Size() > 0 {
		return withFix(clientError(err), "go on later with: liaison audit export --resume -o "+x.file)
	}
	return errors.Join(err, f.Close(), os.Remove(x.file+partSuffix), os.Remove(x.file+planSuffix))
}

// keep puts file and manifest in their places, and says what there is now.
func (x *exporting) keep(c *client.Client, receipt *client.Receipt, f *os.File) error {
	r, err := audit.ParseReceipt(receipt.Text)
	if err != nil {
		return err
	}
	raw, m, err := figures.MakeManifest(r, c.LogKeys(), nil)
	if err != nil {
		return verificationError(err, "export it anew")
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.WriteFile(x.file+manifestSuffix, raw, 0o600); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(x.file+partSuffix, x.file), os.Remove(x.file+planSuffix)); err != nil {
		return err
	}
	return tellExport(x.env, x.file, m, x.dir)
}

// describeExport says what an export is, by its manifest.
func describeExport(file string, m figures.Manifest) exportedJSON {
	e := &m.Entry
	return exportedJSON{File: file, Manifest: file + manifestSuffix, Owner: m.Of, Query: m.Query, Entries: e.Count, First: e.Details["first"], Last: e.Details["last"],
		Bytes: m.Bytes, SHA256: fmt.Sprintf("%x", m.SHA256), Size: m.Checkpoint.Size}
}

// tellExport says what an export is, and how to verify it, with the profile
// that was given.
func tellExport(env *environment, file string, m figures.Manifest, profile string) error {
	if profile != "" {
		profile = " --profile " + profile
	}
	return env.output().value(describeExport(file, m), exportWords(file, m, "exported")+fmt.Sprintf("  verify it: liaison audit export verify %s%s\n", file, profile))
}

func exportWords(file string, m figures.Manifest, word string) string {
	e := &m.Entry
	v := describeExport(file, m)
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s: %d entries of %s", word, file, e.Count, printable(m.Of))
	if e.Count > 0 {
		fmt.Fprintf(&b, ", %s to %s", v.First, v.Last)
	}
	if m.Query != "" {
		fmt.Fprintf(&b, ", of %s", printable(m.Query))
	}
	fmt.Fprintf(&b, "\n  by %s (%s), %s: %s\n", printable(e.Officer), printable(e.Actor.Identity), e.Time, printable(e.Justification))
	fmt.Fprintf(&b, "  sha256 %s, proven at %d entries of %s\n", v.SHA256, v.Size, printable(m.Checkpoint.Origin))
	return b.String()
}
