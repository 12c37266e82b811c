package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// endDir is where a profile keeps how far the logs of other agencies went when
// it verified them: a supervisor gets no receipts of them, so that otherwise a
// log that is cut off at its end looked whole each time.
const endDir = "supervised"

// end is a place that a log must have from then on.
type end struct {
	Ledger     string `json:"ledger"` // its origin: after a loss another ledger goes on, in which the end may be lost
	Seq        uint64 `json:"seq"`
	Commitment string `json:"commitment"`
	Size       int64  `json:"size"` // of the ledger then
}

// endFile is where the end of a log is kept; empty for the own log, of which
// there are receipts, and without a profile.
func endFile(profile string, r auditReport) string {
	j, agency, err := certs.ParseAgencyID(r.Owner)
	if profile == "" || r.Reader == "" || err != nil {
		return ""
	}
	return filepath.Join(profile, endDir, j, agency+".json")
}

// recall has the log held against where it ended before.
func (p *proving) recall(file string) error {
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var e end
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	c, err := audit.ParseCommitment(e.Commitment)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	switch {
	case e.Ledger != p.keys.Origin():
		p.report.EndOf = cmp.Or(e.Ledger, "a ledger without a name")
		return nil
	case e.Size > p.log.Checkpoint.Size && p.copy.more != nil:
		p.fault(audit.FaultHead, fmt.Errorf("the log was verified under a head of %d entries, and the exchange now shows one of %d", e.Size, p.log.Checkpoint.Size))
		return nil
	case e.Size > p.log.Checkpoint.Size:
		p.report.EndLater = e.Seq // a copy may be older
		return nil
	}
	p.report.Ended = e.Seq
	p.log.Known = append(p.log.Known, audit.Position{Seq: e.Seq, Commitment: c})
	return nil
}

// setAside copies an end of another ledger to a name of its own, whoever else
// verifies: nothing that was kept before is written over.
func setAside(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	to := file + ".former"
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		to = fmt.Sprintf("%s.former-%d", file, n)
		f, err = os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}

// remember keeps where the log ends, if nothing is wrong with it and it goes on
// from where it ended before. An end of another ledger is set aside.
func (p *proving) remember(file string) error {
	if file == "" || len(p.report.Faults) > 0 || p.last.Seq <= p.report.Ended || p.report.EndLater > 0 {
		return nil
	}
	raw, err := json.Marshal(end{p.keys.Origin(), p.last.Seq, p.last.Commitment.String(), p.log.Checkpoint.Size})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if p.report.EndOf != "" {
		if err := setAside(file); err != nil {
			return err
		}
	}
	return certs.WriteSecret(file, raw)
}
