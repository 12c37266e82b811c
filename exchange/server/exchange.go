package server

import (
	"context"
	"io"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// Exchange is the domain as the server calls it. Its errors are refusals
// (exchange.Refusal); any other error is a fault of ours.
type Exchange interface {
	Post(ctx context.Context, c exchange.Caller, parts exchange.Parts) (*exchange.Accepted, error)
	Decide(ctx context.Context, c exchange.Caller, dry exchange.DryRun) (*exchange.Decided, error)
	Explain(ctx context.Context, c exchange.Caller, id string) (*exchange.Explained, error)
	Replay(ctx context.Context, c exchange.Caller, jurisdiction string, bundle []byte, since time.Time, begun func() error, tell func(exchange.Replayed) error) error
	StartShadow(ctx context.Context, c exchange.Caller, jurisdiction string, bundle []byte) (*exchange.ShadowState, error)
	ShowShadow(ctx context.Context, c exchange.Caller, jurisdiction string, limit int) (*exchange.ShadowState, error)
	StopShadow(ctx context.Context, c exchange.Caller, jurisdiction string, limit int) (*exchange.ShadowState, error)
	DecisionInput(ctx context.Context, c exchange.Caller, jurisdiction, id string) (*exchange.RecordedInput, error)
	List(ctx context.Context, c exchange.Caller, l exchange.Listing) (*exchange.Page, error)
	Show(ctx context.Context, c exchange.Caller, id string) (*exchange.View, error)
	Manifest(ctx context.Context, c exchange.Caller, id string) ([]byte, error)
	Acknowledge(ctx context.Context, c exchange.Caller, id string, jws []byte) (*exchange.Acknowledged, error)
	ReportMismatch(ctx context.Context, c exchange.Caller, id, code string) (*exchange.MismatchReported, error)
	Consult(ctx context.Context, c exchange.Caller, r exchange.ConsultationRequest) (*exchange.Consultation, error)
	Content(ctx context.Context, c exchange.Caller, id, consultation string) (exchange.Blob, error)
	Attachment(ctx context.Context, c exchange.Caller, id string, n int, consultation string) (exchange.Blob, error)
	Entries(ctx context.Context, c exchange.Caller, consultation, owner string, after uint64, limit int) (*exchange.EntriesPage, error)
	Search(ctx context.Context, c exchange.Caller, consultation string, r exchange.SearchRequest) (*exchange.SearchPage, error)
	DrawSample(ctx context.Context, c exchange.Caller, consultation string, r exchange.SampleRequest) (*exchange.SampleView, error)
	Samples(ctx context.Context, c exchange.Caller, consultation string) ([]exchange.SampleView, error)
	Review(ctx context.Context, c exchange.Caller, consultation, sample string, want exchange.Verdict) (*exchange.SampleView, error)
	Entry(ctx context.Context, c exchange.Caller, consultation, owner string, seq uint64) (*exchange.EntryRow, error)

	Statistics(ctx context.Context, c exchange.Caller, consultation string, q exchange.StatisticsQuery, tell exchange.StatisticsTeller) error
	Erase(ctx context.Context, c exchange.Caller, order []byte) (*exchange.ErasureDone, error)
	PreviewErasures(ctx context.Context, c exchange.Caller, consultation string, on time.Time, limit int) (*exchange.Preview, error)
	AddHold(ctx context.Context, c exchange.Caller, want exchange.HoldRequest) (*exchange.HoldSet, error)
	ListHolds(ctx context.Context, c exchange.Caller, consultation string) ([]exchange.Hold, error)
	ReleaseHold(ctx context.Context, c exchange.Caller, id, reason string) (*exchange.HoldSet, error)

	Export(ctx context.Context, c exchange.Caller, consultation string, q exchange.ExportQuery, begin func(exchange.ExportHead) (io.Writer, error)) (audit.Receipt, error)

	PublishKey(ctx context.Context, c exchange.Caller, agency, kid string, jwk []byte) (*exchange.KeyChange, error)
	RetireKey(ctx context.Context, c exchange.Caller, agency, kid string, end exchange.Retirement) (*exchange.KeyChange, error)
	Admission(ctx context.Context, c exchange.Caller, agency string) (*exchange.Admission, error)
	SetAdmission(ctx context.Context, c exchange.Caller, agency string, want exchange.Standing, reason string) (*exchange.Admission, error)

	BringRevocations(ctx context.Context, c exchange.Caller, jurisdiction string, data []byte) (*exchange.RevocationsTaken, error)
	SetGrace(ctx context.Context, c exchange.Caller, jurisdiction string, until time.Time, reason string) (*exchange.Grace, error)

	ListPolicies(ctx context.Context, c exchange.Caller) ([]exchange.PolicyState, audit.Receipt, error)
	ShowPolicy(ctx context.Context, c exchange.Caller, jurisdiction string) (*exchange.PolicyState, audit.Receipt, error)
	PushPolicy(ctx context.Context, c exchange.Caller, jurisdiction string, bundle []byte) (*exchange.PolicyChange, error)
	RollbackPolicy(ctx context.Context, c exchange.Caller, jurisdiction string, order []byte) (*exchange.PolicyChange, error)
	Limits(ctx context.Context, c exchange.Caller) ([]exchange.RateShown, error)
	SetRate(ctx context.Context, c exchange.Caller, want exchange.RateChange) (*exchange.RateSet, error)

	// Without entry: what every party may read.
	Revocations(ctx context.Context, jurisdiction string) ([]byte, error)
	Registry(ctx context.Context) (*exchange.Registry, error)
	TimeZone(jurisdiction string) string
	Checkpoint(ctx context.Context) ([]byte, error)
	Witnessed(ctx context.Context) ([]byte, error)
	WitnessStatus(ctx context.Context) (exchange.WitnessStatus, error)
	Tile(ctx context.Context, t audit.TilePath) ([]byte, error)

	// Refuse records a request that was refused before any of the above and
	// returns the refusal that the caller is to see.
	Refuse(ctx context.Context, c exchange.Caller, what string, r *exchange.Refusal) error

	// Rate is the rate of a limit that is in force for an agency, "" for those
	// that have none of their own. RecordLimited writes what limits refused.
	Rate(agency, limit string) exchange.Rate
	RecordLimited(ctx context.Context, all []exchange.Limited) error

	Health(ctx context.Context) error
}

var _ Exchange = (*exchange.Service)(nil)
