package server

import (
	"context"
	"log/slog"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
)

// CutOff asks of every live connection what each request is asked: is its
// certificate still good, is its agency admitted? Where one is not, the
// connection is closed, with whatever is under way on it: a long download, an
// upload, any stream. Who was never admitted is left to the refusal of its
// requests, which says more.
func (s *Server) CutOff(ctx context.Context) {
	for _, g := range s.guests() {
		reason, err := s.unwelcome(ctx, g)
		if reason == "" {
			continue
		}
		s.cfg.Metrics.refused.WithLabelValues(refusedCutOff).Inc()
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "connection cut off", slog.String("identity", g.peer.Identity.String()),
			slog.String("certificate", g.peer.Fingerprint), slog.String("reason", reason), slog.Any("error", err))
		g.cut.Store(&reason)
		_ = g.Close()
	}
}

// guests are the connections of all doors whose caller is known.
func (s *Server) guests() (all []*guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		all = append(all, d.known.guests()...)
	}
	return all
}

// unwelcome says why a connection may not stay; "" if it may.
func (s *Server) unwelcome(ctx context.Context, g *guest) (reason string, err error) {
	if _, err := s.cfg.Gatekeeper.Peer(g.tls); err != nil {
		return certificateReason(err), err
	}
	if !g.admitted {
		return "", nil
	}
	if admitted, err := s.admitted(ctx, g.peer.Identity); !admitted {
		return "agency", err
	}
	return "", nil
}

// admitted reports whether the registry lets an identity in.
func (s *Server) admitted(ctx context.Context, id certs.Identity) (bool, error) {
	reg, err := s.cfg.Exchange.Registry(ctx)
	if err != nil {
		return false, err
	}
	a, ok := reg.Agency(id.AgencyID())
	return ok && a.Takes() && a.Allows(id.Role), nil
}

// certificateReason is the reason of a refused certificate, for log and entry.
func certificateReason(err error) string {
	if check := certs.Failed(err); check != "" {
		return "certificate-" + string(check)
	}
	return "certificate"
}

// cutOff is the refusal of a request whose connection was cut off; nil if it
// was not.
func (g *guest) cutOff() *exchange.Refusal {
	if g == nil {
		return nil
	}
	reason := g.cut.Load()
	if reason == nil {
		return nil
	}
	return &exchange.Refusal{Kind: exchange.IdentityRefused, Reason: *reason, Detail: notAcceptedAnyMore}
}

// notAcceptedAnyMore is all that a caller learns of why.
const notAcceptedAnyMore = "the client certificate is not accepted any more"
