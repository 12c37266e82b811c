package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/policy"
)

// Config is what a Service is made of. All fields but
// OnePerson and what stands below it are required.
type Config struct {
	// Operator is the exchange's own agency, "<trust domain>/<agency>". It
	// owns the entries of the exchange's own acts.
	Operator string
	Store    Store
	Blobs    Blobs
	Journal  *Journal
	Policy   *policy.Engine
	// Trust returns the anchors and revocation lists in force: keys are
	// checked against them when they are registered and while they are used.
	Trust func() *certs.Trust

	// OnePerson lets one operator admit, readmit and add roles alone, and one
	// policy author change the policy of a jurisdiction.
	OnePerson bool

	// CommonQuorum is how many jurisdictions have to sign a change of common.
	// 0: more than half of those that have a policy key in use, at least two.
	CommonQuorum int

	// Renew puts what KeptRevocations gives in force. nil: the lists of Trust
	// stay as they are.
	Renew func(context.Context)

	// ErasureList is the file, beside the ledger's key, that says what was
	// erased: who restores an older state erases it again. Empty: none is kept.
	ErasureList string

	// Retention says how long records are kept.
	Retention Retention
	// Witnesses cosign the ledger's heads. nil: nobody does.
	Witnesses Witnesses

	// Index is the search index of all logs; nil: each search reads the whole log.
	Index *search.Index

	// Rates are the limits as the configuration has them.
	Rates RateTable

	// SearchTime is how long one search may take; zero means two seconds.
	SearchTime time.Duration

	// AttachmentLimit is the greatest size of one attachment in bytes; zero
	// means 2 GiB.
	AttachmentLimit int64
	Clock           func() time.Time // nil: time.Now
	Log             *slog.Logger     // nil: slog.Default
}

// Service is the exchange: every method is an action of a caller. It is safe
// for concurrent use. The errors of its methods are refusals.
type Service struct {
	Config
	origin   string
	registry atomic.Pointer[Registry] // newest seen that is committed; changes read it again

	rates atomic.Pointer[rateBook]

	vouching   vouching
	activation sync.Mutex   // one change of policy at a time: sets come into force in the order of their entries
	turning    sync.RWMutex // held from the commit of a change of policy until it is in force
	inForce    inForce
	replays    replaying
	scans      scanning // of the log
	shadows    shadows
	earlier    earlierSets // of policy, to explain and to replay
	erasing    erasing
}

// NewService returns a service over its parts.
func NewService(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Blobs == nil || cfg.Journal == nil || cfg.Policy == nil || cfg.Trust == nil {
		return nil, errors.New("exchange: a part is missing")
	}
	if _, _, err := certs.ParseAgencyID(cfg.Operator); err != nil {
		return nil, fmt.Errorf("exchange: operator: %w", err)
	}
	if cfg.AttachmentLimit == 0 {
		cfg.AttachmentLimit = 2 << 30
	}
	if cfg.SearchTime == 0 {
		cfg.SearchTime = 2 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := cfg.Retention.Check(); err != nil {
		return nil, fmt.Errorf("exchange: retention: %w", err)
	}
	if err := cfg.Rates.Check(); err != nil {
		return nil, fmt.Errorf("exchange: rates: %w", err)
	}
	s := &Service{Config: cfg, origin: cfg.Journal.Origin()}
	err := cfg.Store.View(ctx, func(rows Reader) error {
		r, err := rows.Registry()
		s.registry.Store(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, s.RefreshRates(ctx)
}

// Close ends what runs beside the requests, and waits for it.
func (s *Service) Close() error {
	s.shadows.close()
	return nil
}

// Origin is the ledger's origin, which manifests and acknowledgements name.
func (s *Service) Origin() string { return s.origin }

// LedgerSize is how many entries the ledger has, by its newest signed head.
func (s *Service) LedgerSize() int64 { return s.Journal.current.Load().Size }

// Registry returns the directory: what every party may read. No entry.
func (s *Service) Registry(context.Context) (*Registry, error) { return s.registry.Load(), nil }

// TimeZone is the IANA time zone that a jurisdiction declares; empty if it
// declares none. No entry.
func (s *Service) TimeZone(jurisdiction string) string {
	set := s.Policy.Set()
	if set == nil {
		return ""
	}
	declared, _ := set.Declared(jurisdiction)
	return declared.TimeZone
}

// Health tells whether the exchange can take work.
func (s *Service) Health(context.Context) error { return s.Journal.Health() }

// see remembers a registry that is committed.
func (s *Service) see(r *Registry) {
	for {
		old := s.registry.Load()
		if old != nil && old.Version() >= r.Version() || s.registry.CompareAndSwap(old, r) {
			return
		}
	}
}

// newID returns a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// unavailable turns a failure of our own into the refusal that promises:
// nothing of it happened, or all of it.
func unavailable(err error) *Refusal {
	return &Refusal{Kind: Unavailable, Reason: "storage", RetryAfter: time.Second, Err: err,
		Detail: "the exchange cannot record this now", Fix: "repeat the same request after the time in Retry-After"}
}

// view runs f on what is committed; an error is a refusal.
func (s *Service) view(ctx context.Context, f func(rows Reader) error) error {
	if err := s.Store.View(ctx, f); err != nil {
		if r := AsRefusal(err); r != nil {
			return r
		}
		return unavailable(err)
	}
	return nil
}

// entryTime is how a time stands in an answer or an entry.
func entryTime(t time.Time) string { return audit.FormatTime(t) }
