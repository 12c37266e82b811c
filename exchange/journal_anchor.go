package exchange

import (
	"log/slog"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// anchorEvery is how far the anchor may be behind the newest signed head.
const anchorEvery = time.Second

// wakeAnchor says that there is a newer head than the anchor's.
func (j *Journal) wakeAnchor() {
	select {
	case j.moved <- struct{}{}:
	default:
	}
}

// keepAnchor writes the anchor soon after a head was signed, at most once in
// anchorEvery, and a last time after the last batch. While it cannot be
// written no change is taken: a store that is rolled back further than the
// anchor tells would go unseen.
func (j *Journal) keepAnchor() {
	defer close(j.anchored)
	for {
		select {
		case <-j.moved:
		case <-j.ended:
			j.writeAnchor()
			return
		}
		j.writeAnchor()
		select {
		case <-time.After(anchorEvery):
		case <-j.ended:
		}
	}
}

func (j *Journal) writeAnchor() {
	if err := audit.WriteAnchor(j.cfg.AnchorPath, j.Checkpoint()); err != nil {
		j.cfg.Log.Error("anchor not written, no change is taken", slog.Any("error", err))
		j.unanchor.Store(&err)
		j.wakeAnchor() // to try again
		return
	}
	j.unanchor.Store(nil)
	j.at(stepAnchored)
}
