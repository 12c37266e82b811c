package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/policy"
)

// PolicySuffix is how the name of a bundle in the directory of policies ends:
// <jurisdiction>.tar.gz, and common.tar.gz. Each jurisdiction that signs common
// has a file of its own: common-<jurisdiction>.tar.gz.
const PolicySuffix = ".tar.gz"

// policyFiles is what is known of the directory of policies.
type policyFiles struct {
	bringing sync.Mutex // guards what is below; held while sets are built, which takes seconds
	stamps   map[string]stamp
	faults   map[string]string // by path, as they were last told

	told atomic.Pointer[map[string]string] // faults, for those who do not wait
}

// openPolicy puts in force what the state has, over the inputs of this
// program, and then what the files bring.
func (n *Node) openPolicy(ctx context.Context) error {
	own, built := n.ownPolicies()
	if err := n.service.OpenPolicies(ctx, own, built); err != nil {
		return err
	}
	n.policies.bringing.Lock()
	defer n.policies.bringing.Unlock()
	n.loadPolicies(ctx)
	if len(n.policy.Set().Jurisdictions()) == 0 && n.cfg.PolicyFiles == "" {
		return errors.New("no policies: this version has sample policies only, which are the law of nobody " +
			"(fix: name the directory of the jurisdictions' signed bundles, policies: DIR, or set allow_sample_policies: true to try the exchange with samples)")
	}
	return nil
}

// ownPolicies are the inputs of this program: common, and the samples where
// they are allowed.
func (n *Node) ownPolicies() (policy.Inputs, *policy.Set) {
	if n.cfg.Policies != nil {
		return n.cfg.Policies.Inputs(), n.cfg.Policies
	}
	in := policy.Samples()
	if !n.cfg.AllowSamplePolicies {
		in.Declared, in.Rules, in.AllowSamples = nil, nil, false
	}
	return in, nil
}

// glancePolicies has files that are new or have changed brought, beside what
// must not wait for that.
func (n *Node) glancePolicies(ctx context.Context) {
	if !n.policies.bringing.TryLock() {
		return // they are being brought
	}
	n.running.Go(func() {
		defer n.policies.bringing.Unlock()
		n.lookPolicies(ctx)
	})
}

// lookPolicies brings files that are new or have changed.
func (n *Node) lookPolicies(ctx context.Context) {
	if !maps.Equal(n.policies.stamps, stampsOf(n.policyPaths())) {
		n.loadPolicies(ctx)
		n.server.CutOff(ctx) // a declaration may have taken roles away
	}
}

// reloadPolicies is lookPolicies for an operator who asks; the error says what
// is not in force, whether it is new or not.
func (n *Node) reloadPolicies(ctx context.Context) error {
	n.policies.bringing.Lock()
	defer n.policies.bringing.Unlock()
	n.lookPolicies(ctx)
	var all []error
	for _, path := range slices.Sorted(maps.Keys(n.policies.faults)) {
		all = append(all, fmt.Errorf("policy %s: %s", path, n.policies.faults[path]))
	}
	return errors.Join(all...)
}

func (n *Node) policyPaths() []string {
	if n.cfg.PolicyFiles == "" {
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(n.cfg.PolicyFiles, "*"+PolicySuffix)) // the pattern is good
	slices.Sort(paths)
	return paths
}

// loadPolicies brings each bundle of the directory. One that is refused leaves
// what is in force as it is, and keeps no other from its due.
func (n *Node) loadPolicies(ctx context.Context) {
	before := n.policies.stamps
	paths := n.policyPaths()
	n.policies.stamps = stampsOf(paths)
	faults := map[string]string{}
	var failed error
	for _, path := range paths {
		at, known := before[path]
		if fault := n.policies.faults[path]; known && at == n.policies.stamps[path] {
			if fault != "" {
				faults[path] = fault // it is what it was, and was told
			}
			continue
		}
		err := n.bring(ctx, path)
		if errors.Is(err, exchange.ErrOlder) {
			n.log.WarnContext(ctx, "a bundle of policy is older than what is in force", slog.String("file", path), slog.Any("error", err))
			continue // another way has brought a newer one: nothing to see to
		}
		if err != nil {
			faults[path] = err.Error()
			failed = errors.Join(failed, err)
			n.log.ErrorContext(ctx, "a bundle of policy is not in force", slog.String("file", path), slog.Any("error", err), slog.Any("findings", findings(err)))
		}
	}
	n.policies.faults = faults
	n.policies.told.Store(&faults)
	n.metrics.reloaded("policies", failed)
}

// findings are the lines of what the checks found.
func findings(err error) (lines []string) {
	if r := exchange.AsRefusal(err); r != nil {
		for _, f := range r.Findings {
			lines = append(lines, f.String())
		}
	}
	return lines
}

// bring brings one file.
func (n *Node) bring(ctx context.Context, path string) error {
	raw, err := readBounded(path)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), PolicySuffix)
	if strings.HasPrefix(name, policy.CommonBundle+"-") {
		name = policy.CommonBundle
	}
	folders, err := n.folderKeys()
	if err != nil {
		return err
	}
	change, err := n.service.ActivateFile(ctx, name, raw, folders)
	if err != nil {
		return err
	}
	n.log.InfoContext(ctx, "bundle of policy", slog.String("file", path), slog.String("jurisdiction", change.Jurisdiction), slog.Int64("seq", change.Seq),
		slog.String("status", change.Status), slog.String("outcome", change.Outcome))
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, policy.MaxBundleSize+1)) // one byte more is refused as too large
}

// folderKeys are the keys of the registry's folders: those of a jurisdiction
// that has no agency here yet are registered nowhere else.
func (n *Node) folderKeys() (all []exchange.FolderKey, err error) {
	found, err := filepath.Glob(filepath.Join(n.cfg.Registry, "*", AgencyFile))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		a, _, err := readAdmission(path)
		if err != nil {
			continue // admitAll tells
		}
		keys, err := readKeys(filepath.Join(filepath.Dir(path), KeysFile))
		if err != nil {
			continue
		}
		for _, key := range keys {
			all = append(all, exchange.FolderKey{Agency: a.ID, JWK: key})
		}
	}
	return all, nil
}

// policyWarnings is what an operator should see to, although the exchange
// serves: what is wrong with a policy affects its own jurisdiction only.
func (n *Node) policyWarnings(context.Context) error {
	all := []error{n.service.PolicyHealth()}
	if faults := n.policies.told.Load(); faults != nil {
		for _, path := range slices.Sorted(maps.Keys(*faults)) {
			all = append(all, fmt.Errorf("%s: %s", filepath.Base(path), (*faults)[path]))
		}
	}
	err := errors.Join(all...)
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}

var (
	policyInfo = prometheus.NewDesc("liaison_policy_active_info",
		"1 for the policy in force of a jurisdiction: status, how it came and revisions.", []string{"jurisdiction", "status", "how", "common", "declared", "rules"}, nil)
	policySeq = prometheus.NewDesc("liaison_policy_active_seq",
		"Seq of the policy in force of a jurisdiction.", []string{"jurisdiction"}, nil)
	policyAge = prometheus.NewDesc("liaison_policy_active_seconds",
		"Time since the policy in force of a jurisdiction was activated.", []string{"jurisdiction"}, nil)
	policyRefusals = prometheus.NewDesc("liaison_policy_refusals_total",
		"Bundles and orders of policy refused, by reason.", []string{"reason"}, nil)
)

// policies shows what is in force.
func (m *metrics) policies(ch chan<- prometheus.Metric, set gauge, now time.Time) {
	for j, a := range m.node.service.ActivePolicies() {
		set(policyInfo, 1, j, a.Status, a.How, a.Inputs[policy.CommonBundle], a.Inputs["declared"], a.Inputs["rules"])
		set(policySeq, float64(a.Seq), j)
		set(policyAge, now.Sub(a.At).Seconds(), j)
	}
	for reason, count := range m.node.service.PolicyRefusals() {
		ch <- prometheus.MustNewConstMetric(policyRefusals, prometheus.CounterValue, float64(count), reason)
	}
}

// stampsOf are size and time of files.
func stampsOf(paths []string) map[string]stamp {
	found := map[string]stamp{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			found[path] = stamp{info.Size(), info.ModTime()}
		}
	}
	return found
}
