package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// revocations keeps the lists in force up to date: files that change, lists
// that callers bring, time that passes.
type revocations struct {
	files  map[string]stamp          // as they were last loaded
	states map[string]certs.CRLState // by list, as they were last told
	faults map[string]string         // by jurisdiction: what is wrong with its file, as it was last told
	unkept bool                      // the state does not have all that is in force
}

// stamp tells whether a file has changed.
type stamp struct {
	size int64
	time time.Time
}

// watch looks at files and connections at each tick.
func (n *Node) watch() {
	ticks := n.cfg.Ticks
	if ticks == nil {
		ticker := time.NewTicker(orElse(n.cfg.CRLPoll, 2*time.Second))
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-n.stopped:
			return
		case <-ticks:
			n.look(context.Background())
		}
	}
}

// look loads lists that have changed, tells what time did to the others, and
// cuts off whoever may not be here any more.
func (n *Node) look(ctx context.Context) {
	n.loading.Lock()
	defer n.loading.Unlock()
	if n.revocations.unkept || !maps.Equal(n.revocations.files, n.stamps()) {
		n.load(ctx)
	}
	n.glancePolicies(ctx)
	n.rebind(ctx)
	n.tell(ctx)
	n.server.CutOff(ctx)
	n.keepLimits(ctx)
	n.service.Tidy(ctx)
	n.disk.look(ctx)
}

// renew puts in force what is kept: lists and bindings may have changed.
func (n *Node) renew(ctx context.Context) {
	n.loading.Lock()
	defer n.loading.Unlock()
	n.load(ctx)
	n.rebind(ctx)
	n.tell(ctx)
	if n.server != nil {
		n.server.CutOff(ctx)
	}
}

// load puts in force what is kept and what the files have, and keeps what is
// new. What cannot be read leaves the earlier lists in force.
func (n *Node) load(ctx context.Context) {
	n.revocations.files = n.stamps()
	trust := n.gate.Trust()
	kept, err := n.service.KeptRevocations(ctx)
	config := n.cfg.trust().Revocations
	config.Kept = kept
	next, unread := config.Load(trust.Revocations, trust.Anchors, n.cfg.Clock())
	if unread != nil {
		config.Dir = ""
		next, _ = config.Load(trust.Revocations, trust.Anchors, n.cfg.Clock()) // without files nothing can fail
	}
	n.gate.Renew(next)
	err = errors.Join(err, unread, n.keep(ctx, next))
	n.revocations.unkept = err != nil
	n.metrics.reloaded("revocations", err)
	if err != nil {
		n.log.ErrorContext(ctx, "not all revocation lists could be read and kept; it is tried again", slog.Any("error", err))
	}
}

// keep has the state remember the lists in force.
func (n *Node) keep(ctx context.Context, in *certs.Revocations) error {
	var errs []error
	for _, j := range n.gate.Trust().Anchors.Jurisdictions() {
		if lists := in.Lists(j); len(lists) > 0 {
			errs = append(errs, n.service.KeepRevocations(ctx, j, lists))
		}
	}
	return errors.Join(errs...)
}

// stamps are size and time of the files of lists.
func (n *Node) stamps() map[string]stamp {
	paths, _ := filepath.Glob(filepath.Join(n.cfg.Revocations, "*.crl")) // the pattern is good
	return stampsOf(paths)
}

// tell says once what has become of each list.
func (n *Node) tell(ctx context.Context) {
	states, faults := map[string]certs.CRLState{}, map[string]string{}
	for _, s := range n.gate.Trust().Revocations.Status() {
		name := s.Jurisdiction + " " + s.IssuerKey
		states[name] = s.State(n.cfg.Clock())
		if s.Err != nil {
			faults[s.Jurisdiction] = s.Err.Error()
		}
		before, known := n.revocations.states[name]
		if states[name] == before || !known && states[name] == certs.CRLFresh {
			continue
		}
		level := slog.LevelWarn
		if states[name] == certs.CRLFresh {
			level = slog.LevelInfo
		}
		n.log.LogAttrs(ctx, level, "revocation list", slog.String("jurisdiction", s.Jurisdiction), slog.String("issuer", s.Issuer),
			slog.String("state", string(states[name])), slog.String("number", s.Number), slog.Time("due", s.NextUpdate), slog.Time("serves_until", s.Until))
	}
	for j, fault := range faults {
		if n.revocations.faults[j] != fault {
			n.log.LogAttrs(ctx, slog.LevelWarn, "revocation file refused", slog.String("jurisdiction", j), slog.String("error", fault))
		}
	}
	n.revocations.states, n.revocations.faults = states, faults
}

// warnings is what an operator should see to, although the exchange serves:
// what is wrong with a list affects its own jurisdiction only.
func (n *Node) warnings(context.Context) error {
	var all []string
	for _, s := range n.gate.Trust().Revocations.Status() {
		state := s.State(n.cfg.Clock())
		if state != certs.CRLFresh {
			all = append(all, fmt.Sprintf("%s: %s", s.Jurisdiction, state))
		}
		if s.Err != nil && s.IssuerKey != "" {
			all = append(all, s.Jurisdiction+": its file is refused")
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}
