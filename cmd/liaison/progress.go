package main

import (
	"github.com/schollz/progressbar/v3"
)

// progress is a bar on standard error, where that is a terminal and the
// command does not speak JSON; else nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

// progress begins a bar. bytes says that it counts bytes.
func (e *environment) progress(title string, bytes bool) *progress {
	if e.json || !e.IsTerminal(e.Stderr) {
		return &progress{}
	}
	return &progress{bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(e.Stderr), progressbar.OptionSetDescription(title), progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(), progressbar.OptionEnableColorCodes(false))}
}

// set moves the bar. What a bar cannot show is no reason to fail.
func (p *progress) set(done, total int64) {
	if p.bar == nil {
		return
	}
	if p.bar.GetMax64() != total {
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done)
}

// end removes the bar.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
