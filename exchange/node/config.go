package node

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/policy"
)

// Config says how an exchange runs. It is read from YAML (LoadConfig); a key
// that is not listed here is an error. Paths are relative to the file. The
// zero value of a field without "required" is usable.
type Config struct {
	// Listen is the address of the API, "host:port"; required. The API is
	// served over mutual TLS 1.3 only.
	Listen string `yaml:"listen"`

	// Admin is the address of health and metrics, "127.0.0.1:8444". It must
	// be a loopback address, since it has no authentication. Empty: none.
	Admin string `yaml:"admin,omitempty"`

	// State is the directory of database and blobs; required. One process
	// at a time.
	State string `yaml:"state"`

	// LedgerKey is the file of the ledger's private key in signed-note form;
	// required. The anchor, the last head that was signed, lies beside it
	// with the suffix ".anchor": keep both off the disk of State.
	LedgerKey string `yaml:"ledger_key"`

	// Certificate and Key are the server's own, PEM; required. Reloaded on SIGHUP.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`

	// Anchors is the directory with <jurisdiction>.pem for each jurisdiction,
	// the operator's trust domain included; required. Reloaded on SIGHUP.
	Anchors string `yaml:"anchors"`

	// Revocations is the directory with <jurisdiction>.crl: the full list of
	// each authority (RFC 5280), DER or PEM. Required, unless CRLOptional has
	// "*". Reloaded on SIGHUP, and by itself within CRLPoll of a change.
	Revocations string `yaml:"revocations,omitempty"`

	// CRLOptional are the jurisdictions whose certificates are taken while
	// none of their lists was ever seen: ["by"], or ["*"] for all. The others
	// are refused without a list.
	CRLOptional []string `yaml:"crl_optional,omitempty"`

	// CRLGrace is how long a list still serves after its nextUpdate; then the
	// certificates of its jurisdiction are refused. The alarm is raised long
	// before, at half of the list's time. 0: 24h, a night and a working day in
	// which somebody can bring the next one.
	CRLGrace Duration `yaml:"crl_grace,omitempty"`

	// CRLPoll is how often the lists' files and the live connections are
	// looked at: whoever was revoked, suspended or has expired is cut off by
	// then. At most 4s. 0: 2s.
	CRLPoll Duration `yaml:"crl_poll,omitempty"`

	// Operator is the exchange's own agency, "<trust domain>/<agency>"; required.
	Operator string `yaml:"operator"`

	// Registry is the directory with one folder for each admitted agency:
	// agency.yaml (id, roles, suspended) and keys.jwks (its public keys with
	// their certificates); required. A file that is new or has changed is
	// applied at start and on SIGHUP, with an entry and by one person: whoever
	// writes here owns the machine. One that has not changed does not undo what
	// operators did by the API since. Nothing is removed by removing a file.
	Registry string `yaml:"registry"`

	// TwoPersons asks for a second operator where one admits an agency,
	// readmits it or gives it a role by the API, and for a second policy
	// author where one changes the policy of a jurisdiction. Absent: true. To
	// suspend and to take a role away one is always enough.
	TwoPersons *bool `yaml:"two_persons,omitempty"`

	// AllowSamplePolicies lets the embedded sample policies decide. They
	// imitate law and are the law of nobody.
	AllowSamplePolicies bool `yaml:"allow_sample_policies,omitempty"`

	// PolicyFiles is the directory with <jurisdiction>.tar.gz for each
	// jurisdiction whose policy comes by files: bundles that liaison policy
	// build makes, signed with a policy key of the jurisdiction; and
	// common-<jurisdiction>.tar.gz for each that signs common. What is new is
	// brought at start, on SIGHUP and within CRLPoll of a change. What is in
	// force stays so when its file goes, or is refused.
	PolicyFiles string `yaml:"policies,omitempty"`

	// CommonQuorum is how many jurisdictions have to sign a change of the
	// common rules, at least 2. 0: more than half of those that have a policy
	// key in use, and at least 2.
	CommonQuorum int `yaml:"common_quorum,omitempty"`

	// Retention is how long records are kept, in days: by default, in a
	// jurisdiction ("de"), in an agency ("ee/pbgb"); the narrower one holds.
	// Log is entries, 1096; Package what has no erase_by of its own, 1096;
	// Content what nobody acknowledged, after it lapsed, 30; Inputs what policy
	// was asked in dry runs and denials, by default only, 366; Consultation who
	// and why beside the entries, 30.
	Retention Retention `yaml:"retention,omitempty"`

	// AttachmentLimit is the greatest size of one attachment, in bytes. 0: 2 GiB.
	AttachmentLimit int64 `yaml:"attachment_limit,omitempty"`

	// Limits bound what clients can make the exchange hold.
	Limits Limits `yaml:"limits,omitempty"`

	// Disk are the marks below which the exchange takes less.
	Disk Disk `yaml:"disk,omitempty"`

	// Redis is where several nodes count their limits together. Absent: this
	// node counts for itself.
	Redis *Redis `yaml:"redis,omitempty"`

	// SIEM is who is told of every entry, for security monitoring. Absent: nobody.
	SIEM *SIEM `yaml:"siem,omitempty"`

	// Witnesses are other agencies that cosign the ledger's heads. Absent: none;
	// then nobody but its clients could tell a second history.
	Witnesses *Witnesses `yaml:"witnesses,omitempty"`

	// PolicyTimeout is how long policy may take for one package, "50ms". 0: 50ms.
	PolicyTimeout Duration `yaml:"policy_timeout,omitempty"`

	// Clock, Log, Ticks and Policies are for programs; a file cannot set them.
	Clock    func() time.Time `yaml:"-"`
	Log      *slog.Logger     `yaml:"-"`
	Ticks    <-chan time.Time `yaml:"-"` // instead of CRLPoll
	Policies *policy.Set      `yaml:"-"` // the set to activate; nil: the embedded ones, built at start
}

// Retention is how long records are kept.
type Retention struct {
	Default       exchange.Terms            `yaml:"default,omitempty"`
	Jurisdictions map[string]exchange.Terms `yaml:"jurisdictions,omitempty"`
	Agencies      map[string]exchange.Terms `yaml:"agencies,omitempty"`
}

// Duration is a time.Duration that is written with a unit.
type Duration time.Duration

// UnmarshalYAML reads "50ms"; a bare number has no unit and is refused.
func (d *Duration) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration with a unit, like 50ms", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the duration with its unit.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// LoadConfig reads a configuration file strictly. Errors show the line.
func LoadConfig(path string) (Config, error) {
	var cfg Config
	raw, err := os.ReadFile(path)
	if err != nil {
		return cfg, err
	}
	if err := readYAML(raw, &cfg); err != nil && !errors.Is(err, io.EOF) {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	cfg.resolve(filepath.Dir(path))
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// WriteConfig writes a configuration file.
func WriteConfig(path string, cfg Config) error {
	raw, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// resolve makes relative paths relative to the file that named them, and all of
// them short: what is put beside one must not come to lie within.
func (c *Config) resolve(dir string) {
	if r := c.Redis; r != nil {
		r.resolve(dir)
	}
	if s := c.SIEM; s != nil {
		s.resolve(dir)
	}
	if w := c.Witnesses; w != nil {
		w.resolve(dir)
	}
	for _, p := range []*string{&c.State, &c.LedgerKey, &c.Certificate, &c.Key, &c.Anchors, &c.Revocations, &c.Registry, &c.PolicyFiles} {
		switch {
		case *p == "":
		case filepath.IsAbs(*p):
			*p = filepath.Clean(*p)
		default:
			*p = filepath.Join(dir, *p)
		}
	}
}

// Check tells what is missing or cannot be.
func (c Config) Check() error {
	required := map[string]string{"listen": c.Listen, "state": c.State, "ledger_key": c.LedgerKey, "certificate": c.Certificate,
		"key": c.Key, "anchors": c.Anchors, "operator": c.Operator, "registry": c.Registry}
	for _, name := range []string{"listen", "state", "ledger_key", "certificate", "key", "anchors", "operator", "registry"} {
		if required[name] == "" {
			return fmt.Errorf("%s: required", name)
		}
	}
	if _, _, err := certs.ParseAgencyID(c.Operator); err != nil {
		return fmt.Errorf("operator: %w", err)
	}
	if c.AttachmentLimit < 0 {
		return errors.New("attachment_limit: not negative")
	}
	if c.CommonQuorum < 0 || c.CommonQuorum == 1 {
		return errors.New("common_quorum: at least 2, since nobody changes the common rules alone; or 0")
	}
	if err := exchange.Retention(c.Retention).Check(); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return errors.Join(c.Limits.check(), c.Disk.check(), c.Redis.check(), c.SIEM.check(), c.Witnesses.check(), c.checkRevocations(), c.checkAdmin())
}

// longestPoll leaves time to close connections within five seconds.
const longestPoll = Duration(4 * time.Second)

// checkRevocations: to check nothing for revocation is a decision that
// somebody wrote down.
func (c Config) checkRevocations() error {
	if c.Revocations == "" && !slices.Contains(c.CRLOptional, certs.EveryJurisdiction) {
		return errors.New(`revocations: required (fix: name the directory of the revocation lists, or write crl_optional: ["*"] to check nothing)`)
	}
	if c.CRLPoll > longestPoll {
		return fmt.Errorf("crl_poll: at most %s", time.Duration(longestPoll))
	}
	return nil
}

// checkAdmin keeps health and metrics off the network.
func (c Config) checkAdmin() error {
	if c.Admin == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Admin)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("admin: must be a loopback address, since it has no authentication")
	}
	return nil
}

// trustDomain is the operator's jurisdiction.
func (c Config) trustDomain() string {
	j, _, _ := certs.ParseAgencyID(c.Operator)
	return j
}

// trust names the files of who is believed.
func (c Config) trust() certs.TrustFiles {
	return certs.TrustFiles{Anchors: c.Anchors, Operator: c.trustDomain(), Certificate: c.Certificate, Key: c.Key,
		Revocations: certs.RevocationConfig{Dir: c.Revocations, Optional: c.CRLOptional, Grace: orElse(c.CRLGrace, 24*time.Hour)}}
}

// orElse is the duration, or the default where the file has none.
func orElse(d Duration, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}
