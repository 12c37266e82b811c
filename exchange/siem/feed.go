package siem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a feed is made of.
type Config struct {
	// File is where lines are appended; or Syslog says who receives them.
	File   string
	Syslog *Syslog

	// Cursor is the file that remembers how far the feed has come. Required.
	Cursor string

	// Read reads committed entries from an index on, fewer than n at the
	// ledger's end; Size is how many there are. Required.
	Read func(ctx context.Context, first int64, n int) ([]Row, error)
	Size func() int64

	Poll  time.Duration // how often it looks for new entries; 0: 1 s
	Retry time.Duration // longest pause after failures; 0: 1 min
	Batch int           // entries at a time; 0: 1000
	Log   *slog.Logger  // nil: slog.Default
}

// Feed delivers entries in the order of the ledger. It reads what is
// committed and holds nobody up: if its receiver is away it stays behind and
// comes after it. It is a prometheus.Collector.
type Feed struct {
	cfg  Config
	sink sink
	next int64 // of the goroutine of Run, and before it

	mu        sync.Mutex
	delivered int64 // up to this index, exclusive; guarded by mu
	failures  int64
	failed    error // of the last attempt
	since     time.Time
}

// sink takes lines. It returns nil only if the receiver has all of them.
type sink interface {
	deliver(ctx context.Context, lines []message) error
}

// message is a line and what it is about.
type message struct {
	line  []byte
	alert bool
	at    string
}

// Open reads how far the feed has come. A feed without a cursor begins with
// the ledger's first entry.
func Open(cfg Config) (*Feed, error) {
	if cfg.Cursor == "" || cfg.Read == nil || cfg.Size == nil || (cfg.File == "") == (cfg.Syslog == nil) {
		return nil, errors.New("siem: a part is missing: a cursor, entries, and one of file and syslog")
	}
	if cfg.Poll <= 0 {
		cfg.Poll = time.Second
	}
	if cfg.Retry <= 0 {
		cfg.Retry = time.Minute
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 1000
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	f := &Feed{cfg: cfg}
	var err error
	if f.next, err = readCursor(cfg.Cursor); err != nil {
		return nil, fmt.Errorf("siem: %w", err)
	}
	f.delivered = f.next
	if cfg.Syslog != nil {
		f.sink, err = newSyslog(*cfg.Syslog)
	} else {
		f.sink = &file{path: cfg.File}
	}
	if err != nil {
		return nil, fmt.Errorf("siem: %w", err)
	}
	return f, nil
}

// Run delivers until the context ends.
func (f *Feed) Run(ctx context.Context) {
	pause := f.cfg.Poll
	for ctx.Err() == nil {
		n, err := f.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.fail(ctx, err)
			wait(ctx, pause)
			pause = min(2*pause, f.cfg.Retry)
		case n == 0:
			wait(ctx, f.cfg.Poll)
			fallthrough
		default:
			pause = f.cfg.Poll
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// round delivers one batch, and only then moves the cursor: what a crash or a
// failure leaves open comes again.
func (f *Feed) round(ctx context.Context) (int, error) {
	rows, err := f.cfg.Read(ctx, f.next, f.cfg.Batch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	lines := make([]message, 0, len(rows))
	for i, r := range rows {
		if r.Index != f.next+int64(i) {
			return 0, fmt.Errorf("entry %d is missing", f.next+int64(i))
		}
		m, err := messageOf(r)
		if err != nil {
			return 0, err
		}
		lines = append(lines, m)
	}
	if err := f.sink.deliver(ctx, lines); err != nil {
		return 0, err
	}
	next := f.next + int64(len(rows))
	if err := writeCursor(f.cfg.Cursor, next); err != nil {
		return 0, err
	}
	f.next = next
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		f.cfg.Log.InfoContext(ctx, "the receiver of the security feed is back")
	}
	f.delivered, f.failed = next, nil
	return len(rows), nil
}

func messageOf(r Row) (message, error) {
	line, alert, err := told(r)
	return message{line: line, alert: alert, at: timeIn(line)}, err
}

// fail remembers a failure, and logs the first of several.
func (f *Feed) fail(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures++
	if f.failed == nil {
		f.since = time.Now()
		f.cfg.Log.WarnContext(ctx, "the security feed cannot be delivered: it is tried again", slog.Any("error", err))
	}
	f.failed = err
}

// Status is nil while the feed delivers.
func (f *Feed) Status() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		return nil
	}
	return fmt.Errorf("%d entries wait since %s: %w", max(f.cfg.Size()-f.delivered, 0), f.since.UTC().Format(time.RFC3339), f.failed)
}

var (
	lagging   = prometheus.NewDesc("liaison_siem_lag_entries", "Entries that the security feed has not delivered yet.", nil, nil)
	delivered = prometheus.NewDesc("liaison_siem_delivered_index", "Index of the ledger up to which the security feed has delivered.", nil, nil)
	failures  = prometheus.NewDesc("liaison_siem_failures_total", "Deliveries of the security feed that failed and are tried again.", nil, nil)
)

// Describe implements prometheus.Collector.
func (f *Feed) Describe(ch chan<- *prometheus.Desc) { ch <- lagging; ch <- delivered; ch <- failures }

// Collect implements prometheus.Collector.
func (f *Feed) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(lagging, prometheus.GaugeValue, float64(max(f.cfg.Size()-f.delivered, 0)))
	ch <- prometheus.MustNewConstMetric(delivered, prometheus.GaugeValue, float64(f.delivered))
	ch <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(f.failures))
}

func readCursor(path string) (int64, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is no cursor: remove it to send everything again", path)
	}
	return n, nil
}

// writeCursor replaces the cursor durably: the old one or the new one is there
// after a crash.
func writeCursor(path string, n int64) (err error) {
	t, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t, n)
	if err = errors.Join(err, t.Sync(), t.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
