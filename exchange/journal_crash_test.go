package exchange_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// A crash is a child process, this test binary itself, that commits until it
// is killed. What it says on standard output are the receipts it was given.
const (
	crashDir     = "LIAISON_TEST_CRASH_DIR"     // of the ledger
	crashStep    = "LIAISON_TEST_CRASH_STEP"    // where it kills itself; empty: nowhere
	crashNth     = "LIAISON_TEST_CRASH_NTH"     // at which coming there
	crashCallers = "LIAISON_TEST_CRASH_CALLERS" // how many commit at once
)

func init() {
	if dir := os.Getenv(crashDir); dir != "" {
		err := crash(dir)
		fmt.Fprintln(os.Stderr, "the child was not killed:", err)
		os.Exit(1)
	}
}

// crash commits without end. It returns only if something goes wrong.
func crash(dir string) error {
	nth, err := strconv.ParseInt(os.Getenv(crashNth), 10, 64)
	if err != nil {
		return err
	}
	callers, err := strconv.Atoi(os.Getenv(crashCallers))
	if err != nil {
		return err
	}
	ctx, l := context.Background(), ledgerIn(dir)
	s, err := l.open(ctx)
	if err != nil {
		return err
	}
	cfg, err := l.config(s)
	if err != nil {
		return err
	}
	var comes atomic.Int64
	j, err := exchange.OpenJournalHooked(ctx, cfg, func(step string) {
		if step == os.Getenv(crashStep) && comes.Add(1) == nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for range callers {
		go func() { failed <- commitForever(ctx, j, &mu) }()
	}
	return <-failed
}

func commitForever(ctx context.Context, j *exchange.Journal, mu *sync.Mutex) error {
	agencies := []string{"ee/pbgb", "lv/vp", "it/dcpc", "ua/npu"}
	for {
		who, id := rand.Perm(len(agencies)), newID()
		r, err := j.Commit(ctx, send(id, agencies[who[0]], agencies[who[1]], agencies[who[2]]), exchange.Need{Package: id})
		if err != nil {
			return err
		}
		line := base64.StdEncoding.EncodeToString([]byte(r.Encode())) + "\n"
		mu.Lock()
		_, err = os.Stdout.WriteString(line)
		mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// runToDeath runs a child on the ledger in dir and returns the receipts that
// it was given before it was killed: by itself at the nth coming to a step,
// or, if step is empty, from here after that many receipts.
func runToDeath(t *testing.T, dir, step string, nth, callers int) []audit.Receipt {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), crashDir+"="+dir, crashStep+"="+step, fmt.Sprint(crashNth, "=", nth), fmt.Sprint(crashCallers, "=", callers))
	var complaint strings.Builder
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	receipts := readReceipts(t, out, func(n int) {
		if step == "" && n == nth {
			_ = child.Process.Kill()
		}
	})
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("child: %v: %s", err, complaint.String())
	}
	return receipts
}

// readReceipts reads whole lines until the child is gone.
func readReceipts(t *testing.T, from io.Reader, each func(n int)) (all []audit.Receipt) {
	t.Helper()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return all
		}
		text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.ParseReceipt(string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		each(len(all))
	}
}

// TestJournalKilledAtEachStep: nothing or all, wherever the process ends.
func TestJournalKilledAtEachStep(t *testing.T) {
	const nth = 3 // each commit has three entries
	for step, want := range map[string]int64{
		exchange.StepBegin: 3 * (nth - 1), exchange.StepChanged: 3 * (nth - 1), exchange.StepAppended: 3 * (nth - 1), exchange.StepCommit: 3 * (nth - 1),
		exchange.StepCommitted: 3 * nth, exchange.StepSigned: 3 * nth, exchange.StepAnswered: 3 * nth,
	} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			l := newLedger(t, dir)
			receipts := runToDeath(t, dir, step, nth, 1)
			if size := l.verify(t, receipts...); size != want {
				t.Errorf("%d entries are there, not %d", size, want)
			}
			if least := nth - 1; len(receipts) < least || len(receipts) > nth {
				t.Errorf("%d receipts", len(receipts))
			}
			goesOn(t, l, receipts)
		})
	}
	t.Run(exchange.StepAnchored, func(t *testing.T) {
		dir := t.TempDir()
		l := newLedger(t, dir)
		receipts := runToDeath(t, dir, exchange.StepAnchored, 1, 4)
		if l.verify(t, receipts...) == 0 {
			t.Error("the anchor was written before anything was committed")
		}
		goesOn(t, l, receipts)
	})
}

// goesOn says that the ledger takes the next commit, and makes every receipt
// that ever left again, byte for byte.
func goesOn(t *testing.T, l ledger, receipts []audit.Receipt) {
	t.Helper()
	j := l.start(t)
	receipts = append(receipts, j.commit(t, send(newID(), "ee/pbgb", "lv/vp", "it/dcpc")))
	again(t, j, receipts)
	j.stop(t)
	l.verify(t, receipts...)
}

// TestJournalKilledUnderLoad kills a ledger five times at random moments.
// LIAISON_TORTURE=1 does it to forty ledgers: 200 kills.
func TestJournalKilledUnderLoad(t *testing.T) {
	for i := range torture.Size(1, 40) {
		t.Run(fmt.Sprint(i), killFiveTimes)
	}
}

func killFiveTimes(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t, dir)
	var all []audit.Receipt
	var size int64
	for range 5 {
		all = append(all, runToDeath(t, dir, "", 1+rand.IntN(60), 16)...)
		now := l.verify(t, all...)
		if now < size+1 || now%3 != 0 {
			t.Fatalf("%d entries after %d", now, size)
		}
		size = now
	}
	t.Attr("kills", "5")
	goesOn(t, l, all)
}
