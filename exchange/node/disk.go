package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/exchange/server"
)

// Disk are two marks of free space, in bytes, where state and ledger key lie.
type Disk struct {
	// Soft: below it the exchange takes no package but urgent ones. 0: 2 GiB.
	Soft int64 `yaml:"soft,omitempty"`

	// Hard: below it the exchange does nothing that it would have to record,
	// reading included. 0: 256 MiB.
	Hard int64 `yaml:"hard,omitempty"`
}

func (d Disk) withDefaults() Disk {
	if d.Soft == 0 {
		d.Soft = max(2<<30, d.Hard)
	}
	if d.Hard == 0 {
		d.Hard = min(256<<20, d.Soft)
	}
	return d
}

func (d Disk) check() error {
	if d.Soft < 0 || d.Hard < 0 || d.Soft > 0 && d.Hard > d.Soft {
		return errors.New("disk: soft and hard are not negative, and hard not more than soft")
	}
	return nil
}

// space is what so much free space allows. A mark that was passed holds until
// there is a tenth more, so that the exchange does not come and go.
func (d Disk) space(free int64, was server.Space) server.Space {
	under := func(mark int64, since server.Space) bool {
		if was >= since {
			mark += mark / 10
		}
		return free < mark
	}
	switch {
	case under(d.Hard, server.Spent):
		return server.Spent
	case under(d.Soft, server.Scarce):
		return server.Scarce
	}
	return server.Ample
}

// disk watches the free space. It is a prometheus.Collector.
type disk struct {
	marks Disk
	dirs  []string
	log   func() int64 // size of the write-ahead log
	out   *slog.Logger
	now   atomic.Int64 // server.Space
}

// newDisk looks for the first time.
func newDisk(marks Disk, log func() int64, out *slog.Logger, dirs ...string) *disk {
	d := &disk{marks: marks.withDefaults(), dirs: dirs, log: log, out: out}
	d.look(context.Background())
	return d
}

// free is what a process without privileges may still write to a directory.
func free(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// least is the directory that has least.
func (d *disk) least() (dir string, bytes int64, err error) {
	for _, at := range d.dirs {
		n, err := free(at)
		if err != nil {
			return at, 0, err
		}
		if dir == "" || n < bytes {
			dir, bytes = at, n
		}
	}
	return dir, bytes, nil
}

// look holds the free space against the marks, and tells of a change. What
// cannot be looked at stays as it was: writing tells soon enough.
func (d *disk) look(ctx context.Context) {
	dir, bytes, err := d.least()
	if err != nil {
		d.out.WarnContext(ctx, "the free space is not known", slog.Any("error", err))
		return
	}
	was := d.space()
	now := d.marks.space(bytes, was)
	if now == was {
		return
	}
	d.now.Store(int64(now))
	at := []any{slog.String("directory", dir), slog.Int64("free_bytes", bytes), slog.Int64("soft", d.marks.Soft), slog.Int64("hard", d.marks.Hard)}
	switch now {
	case server.Spent:
		d.out.ErrorContext(ctx, "the disk has no room: nothing is done that would have to be recorded", at...)
	case server.Scarce:
		d.out.WarnContext(ctx, "the disk is short of room: urgent packages only", at...)
	case server.Ample:
		d.out.InfoContext(ctx, "the disk has room again", at...)
	}
}

func (d *disk) space() server.Space { return server.Space(d.now.Load()) }

// spent is the check of /readyz, scarce its warning.
func (d *disk) spent(context.Context) error  { return d.tell(server.Spent) }
func (d *disk) scarce(context.Context) error { return d.tell(server.Scarce) }

func (d *disk) tell(at server.Space) error {
	if d.space() != at {
		return nil
	}
	dir, bytes, err := d.least()
	return errors.Join(fmt.Errorf("%s has %d MiB free: make room (marks: soft %d, hard %d MiB)", dir, bytes>>20, d.marks.Soft>>20, d.marks.Hard>>20), err)
}

var (
	diskFree = prometheus.NewDesc("liaison_disk_free_bytes", "Free space where state and ledger key lie, whichever has less.", nil, nil)
	diskMark = prometheus.NewDesc("liaison_disk_mark_bytes", "Marks of free space below which the exchange takes less.", []string{"mark"}, nil)
	logSize  = prometheus.NewDesc("liaison_database_log_bytes", "Size of the database's write-ahead log; it is folded at 64 MiB at the latest.", nil, nil)
)

// Describe implements prometheus.Collector.
func (d *disk) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{diskFree, diskMark, logSize} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *disk) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	if _, bytes, err := d.least(); err == nil {
		gauge(diskFree, bytes)
	}
	gauge(diskMark, d.marks.Soft, "soft")
	gauge(diskMark, d.marks.Hard, "hard")
	gauge(logSize, d.log())
}
