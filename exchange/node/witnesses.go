package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

// Witnesses are other agencies that cosign the ledger's heads
// (c2sp.org/tlog-witness). The newest head that enough of them have cosigned
// is kept beside the ledger's key with the suffix ".witnessed".
type Witnesses struct {
	// Quorum is how many of the members a head needs; fewer than there are,
	// so that one may be out of order.
	Quorum int `yaml:"quorum"`

	// Tolerance is how long the exchange goes on while too few cosign; then
	// new packages wait, but for urgent ones. 0: 4h.
	Tolerance Duration `yaml:"tolerance,omitempty"`

	// Every is how often they are asked. 0: 2s.
	Every Duration `yaml:"every,omitempty"`

	Members []WitnessMember `yaml:"members"`
}

// WitnessMember is one witness: its verifier key, and where it is asked. To
// another machine that is by https. Roots are the certificates that may vouch
// for it, PEM; empty: those of the system. Certificate and Key are what the
// exchange shows it, if it asks for a certificate.
type WitnessMember struct {
	VKey        string `yaml:"vkey"`
	URL         string `yaml:"url"`
	Roots       string `yaml:"roots,omitempty"`
	Certificate string `yaml:"certificate,omitempty"`
	Key         string `yaml:"key,omitempty"`
}

// GoesOn is how long the exchange goes on while too few cosign.
func (w *Witnesses) GoesOn() time.Duration { return orElse(w.Tolerance, 4*time.Hour) }

// resolve makes relative paths relative to the file that named them.
func (w *Witnesses) resolve(dir string) {
	for i := range w.Members {
		m := &w.Members[i]
		for _, p := range []*string{&m.Roots, &m.Certificate, &m.Key} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(dir, *p)
			}
		}
	}
}

// check tells what cannot be. No members, no witnesses.
func (w *Witnesses) check() error {
	if w == nil {
		return nil
	}
	if w.Quorum < 1 || w.Quorum >= len(w.Members) {
		return fmt.Errorf("witnesses: quorum %d of %d (fix: at least 1, and fewer than there are members, so that one may be out of order)", w.Quorum, len(w.Members))
	}
	known := map[string]bool{}
	for _, m := range w.Members {
		one, err := audit.ParseWitness(m.VKey)
		if err != nil {
			return fmt.Errorf("witnesses: vkey %q: %w (fix: write what liaison witness init printed)", m.VKey, err)
		}
		if known[one.Name()] {
			return fmt.Errorf("witnesses: %s stands there twice: it would count twice", one.Name())
		}
		known[one.Name()] = true
		if err := witness.CheckURL(m.URL); err != nil {
			return fmt.Errorf("witnesses: %s: url: %w", one.Name(), err)
		}
		if (m.Certificate == "") != (m.Key == "") {
			return fmt.Errorf("witnesses: %s: certificate and key belong together", one.Name())
		}
	}
	return nil
}

// Peer makes a member's client.
func (m WitnessMember) Peer() (witness.Peer, error) {
	w, err := audit.ParseWitness(m.VKey)
	if err != nil {
		return witness.Peer{}, err
	}
	var roots *x509.CertPool
	if m.Roots != "" {
		if roots, err = certs.LoadRoots(m.Roots); err != nil {
			return witness.Peer{}, err
		}
	}
	var own *tls.Certificate
	if m.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(m.Certificate, m.Key)
		if err != nil {
			return witness.Peer{}, err
		}
		own = &pair
	}
	return witness.Peer{Witness: w, URL: m.URL, HTTP: witness.NewHTTP(roots, own)}, nil
}

// openWitnesses asks the witnesses before anything is built upon the store:
// one that is behind what they have cosigned is refused.
func (n *Node) openWitnesses(ctx context.Context, log exchange.HeadLog, signer *audit.Signer) error {
	w := n.cfg.Witnesses
	if w == nil {
		return nil
	}
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		return err
	}
	cfg := witness.CollectorConfig{Log: log, Keys: keys, Quorum: w.Quorum, Tolerance: w.GoesOn(), Every: time.Duration(w.Every),
		Path: n.cfg.LedgerKey + ".witnessed", Clock: n.cfg.Clock, Slog: n.log}
	for _, m := range w.Members {
		p, err := m.Peer()
		if err != nil {
			return fmt.Errorf("witnesses: %s: %w", m.URL, err)
		}
		cfg.Peers = append(cfg.Peers, p)
	}
	if n.collector, err = witness.NewCollector(ctx, cfg); err != nil {
		return fmt.Errorf("%w (fix: restore the newest copy of the store; if it is lost, liaison restore --new-epoch; a witness that errs is taken out of the configuration)", err)
	}
	return nil
}

// witnesses is the collector as the domain asks it; nil if there is none.
func (n *Node) witnesses() exchange.Witnesses {
	if n.collector == nil {
		return nil
	}
	return cosigners{n.collector}
}

// cosigners speak of a collector in the words of the domain.
type cosigners struct{ *witness.Collector }

// Status implements exchange.Witnesses.
func (c cosigners) Status() exchange.WitnessStatus {
	s := c.Collector.Status()
	out := exchange.WitnessStatus{Quorum: s.Quorum, Tolerance: s.Tolerance, Witnessed: s.Witnessed, Since: s.Since, Wanting: s.Wanting, Missing: s.Missing}
	for _, p := range s.Peers {
		out.Witnesses = append(out.Witnesses, exchange.WitnessState{Name: p.Name, VKey: p.VKey, Size: p.Size, At: p.At, Fault: p.Fault})
	}
	return out
}

// collect asks the witnesses until the node stops.
func (n *Node) collect() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.running.Go(func() {
		<-n.stopped
		cancel()
	})
	n.recordWitnesses(ctx)
	n.collector.Run(ctx, func() { n.recordWitnesses(ctx) })
}

// recordWitnesses records when the quorum is missing for too long, and when it
// is back. What cannot be recorded now is tried again after the next round.
func (n *Node) recordWitnesses(ctx context.Context) {
	s := cosigners{n.collector}.Status()
	n.recording.Lock()
	defer n.recording.Unlock()
	if s.Missing == n.unwitnessed || ctx.Err() != nil {
		return
	}
	if err := n.service.RecordWitnesses(ctx, s); err != nil {
		n.log.ErrorContext(ctx, "state of the witnesses not recorded", slog.Any("error", err))
		return
	}
	n.unwitnessed = s.Missing
	if s.Missing {
		n.log.ErrorContext(ctx, "the ledger is not witnessed for longer than the tolerance: new packages wait, but for urgent ones", slog.Time("since", s.Since))
	} else {
		n.log.InfoContext(ctx, "the ledger is witnessed again: packages are taken")
	}
}

// AskWitnesses asks the witnesses now, instead of at the next time.
func (n *Node) AskWitnesses(ctx context.Context) error {
	if n.collector == nil {
		return errors.New("this exchange has no witnesses")
	}
	err := n.collector.Round(ctx)
	n.recordWitnesses(ctx)
	return err
}

// witnessWarnings is what an operator should see to.
func (n *Node) witnessWarnings(context.Context) error {
	if n.collector == nil {
		return nil
	}
	s := n.collector.Status()
	var errs []error
	if s.Wanting || s.Missing {
		state := "the exchange goes on"
		if s.Missing {
			state = "new packages wait, but for urgent ones"
		}
		errs = append(errs, fmt.Errorf("fewer than %d of %d cosign, the newest head with its quorum is of %s: %s", s.Quorum, len(s.Peers), audit.FormatTime(s.Since), state))
	}
	for _, p := range s.Peers {
		if p.Fault != "" {
			errs = append(errs, fmt.Errorf("%s: %s", p.Name, p.Fault))
		}
	}
	return errors.Join(errs...)
}

var (
	witnessUp = prometheus.NewDesc("liaison_witness_cosigns",
		"1 if a witness cosigned when it was last asked.", []string{"witness"}, nil)
	witnessAge = prometheus.NewDesc("liaison_witness_age_seconds",
		"Time since a witness last cosigned a head; absent before its first.", []string{"witness"}, nil)
	witnessedAge = prometheus.NewDesc("liaison_witnessed_age_seconds",
		"Time since a head last had its quorum of cosignatures.", nil, nil)
	witnessedBehind = prometheus.NewDesc("liaison_witnessed_size",
		"Entries that are covered by the newest head with its quorum.", nil, nil)
	witnessesMissing = prometheus.NewDesc("liaison_witnesses_missing",
		"1 while the quorum is missing for longer than the tolerance: new packages wait, but for urgent ones.", nil, nil)
)

// witnesses shows how old cosignatures are.
func (m *metrics) witnesses(set gauge, now time.Time) {
	if m.node.collector == nil {
		return
	}
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	s := m.node.collector.Status()
	for _, p := range s.Peers {
		set(witnessUp, yes(p.Fault == ""), p.Name)
		if !p.At.IsZero() {
			set(witnessAge, now.Sub(p.At).Seconds(), p.Name)
		}
	}
	set(witnessedAge, now.Sub(s.Since).Seconds())
	set(witnessedBehind, float64(s.Witnessed))
	set(witnessesMissing, yes(s.Missing))
}
