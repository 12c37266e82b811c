package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// find looks for every accepted package: its receipt verifies, it is in the
// outbox, and with a DPO's profile its entry is in a log without gaps.
func (r *run) find(ctx context.Context) error {
	missing := map[string]bool{}
	known, before := r.verifyReceipts(missing)
	r.result.Checked = "receipts, outbox"
	if err := r.findInOutbox(ctx, before, missing); err != nil {
		return err
	}
	if dir := r.dpoProfile(); dir != "" {
		r.result.Checked = "receipts, outbox, log"
		if err := r.findInLog(ctx, dir, before, known, missing); err != nil {
			return err
		}
	}
	r.result.Found = r.result.Accepted - len(missing)
	for id := range missing {
		r.lost(id)
	}
	return nil
}

// verifyReceipts holds each receipt against the ledger's key. It returns the
// places in the log that they prove, and the place before the first of them:
// what lies there is not of this run.
func (r *run) verifyReceipts(missing map[string]bool) (known []audit.Position, before audit.Position) {
	for id, text := range r.receipts {
		receipt, err := audit.ParseReceipt(text)
		if err != nil {
			missing[id] = true
			continue
		}
		v, err := receipt.Verify(r.profile.Ledger, nil)
		if err != nil || v.Entry.Package != id {
			missing[id] = true
			continue
		}
		known = append(known, audit.Position{Seq: v.Entry.Seq, Commitment: audit.Commit(audit.Salt(receipt.Salt), receipt.Entry)})
		if prev, err := audit.ParseCommitment(v.Entry.Prev); err == nil && (len(known) == 1 || v.Entry.Seq <= before.Seq) {
			before = audit.Position{Seq: v.Entry.Seq - 1, Commitment: prev}
		}
	}
	return known, before
}

// findInOutbox reads the outbox from this run on: its cursor is the own seq.
func (r *run) findInOutbox(ctx context.Context, before audit.Position, missing map[string]bool) error {
	seen := map[string]bool{}
	for d, err := range r.clients[0].Packages(ctx, client.Query{Box: client.Outbox, After: strconv.FormatUint(before.Seq, 10), PageSize: 200}) {
		if err != nil {
			return err
		}
		seen[d.ID] = true
	}
	for id := range r.receipts {
		if !seen[id] {
			missing[id] = true
		}
	}
	return nil
}

// dpoProfile is the profile of the same agency's DPO, empty if there is none.
func (r *run) dpoProfile() string {
	if r.DPO != "" {
		return r.DPO
	}
	dir, isUnit := strings.CutSuffix(filepath.Clean(r.Profile), "-unit")
	if _, err := os.Stat(filepath.Join(dir+"-dpo", client.FileProfile)); !isUnit || errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return dir + "-dpo"
}

// findInLog verifies the own log from this run on, with the receipts as
// places that it must contain.
func (r *run) findInLog(ctx context.Context, profile string, before audit.Position, known []audit.Position, missing map[string]bool) error {
	dpo, err := client.FromProfile(profile)
	if err != nil {
		return err
	}
	defer dpo.Close()
	consultation, err := dpo.Consult(ctx, client.ConsultInput{Reason: "Check of the log after a load test"})
	if err != nil {
		return err
	}
	items, err := collect(dpo.Entries(ctx, consultation.ID, before.Seq))
	if err != nil {
		return err
	}
	head, err := dpo.Checkpoint(ctx)
	if err != nil {
		return err
	}
	report, err := audit.VerifyOwner(replay(items), audit.OwnerLog{Owner: dpo.Agency(), Checkpoint: head,
		Hashes: dpo.Hashes(ctx, head), After: before, Known: known})
	if err != nil {
		return err
	}
	r.result.Gaps = len(report.Faults) + report.More
	logged := map[string]bool{}
	for _, i := range items {
		if e, err := audit.ParseEntry(i.Entry); err == nil && e.Outcome == "delivered" {
			logged[e.Package] = true
		}
	}
	for id := range r.receipts {
		if !logged[id] {
			missing[id] = true
		}
	}
	return nil
}

func collect(entries iter.Seq2[audit.Item, error]) ([]audit.Item, error) {
	var items []audit.Item
	for i, err := range entries {
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

func replay(items []audit.Item) iter.Seq2[audit.Item, error] {
	return func(yield func(audit.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// cpu reads the server's CPU seconds from its admin listener, if it is known.
func (r *run) cpu(ctx context.Context) (float64, bool) {
	admin := r.Admin
	if admin == "" {
		admin = demoAdmin(r.Profile)
	}
	if admin == "" {
		return 0, false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(admin, "/")+"/metrics", nil)
	if err != nil {
		return 0, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	return cpuOf(resp.Body)
}

// cpuOf finds process_cpu_seconds_total in a Prometheus text.
func cpuOf(text io.Reader) (float64, bool) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "process_cpu_seconds_total "); ok {
			f, err := strconv.ParseFloat(v, 64)
			return f, err == nil
		}
	}
	return 0, false
}

// demoAdmin is the admin listener of the demo whose profile it is.
func demoAdmin(profile string) string {
	raw, err := os.ReadFile(filepath.Join(profile, "..", "..", demo.ReadyFile))
	if err != nil {
		return ""
	}
	var ready demo.Ready
	if json.Unmarshal(raw, &ready) != nil {
		return ""
	}
	return ready.Admin
}
