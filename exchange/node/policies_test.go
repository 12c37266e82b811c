package node_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/policy"
)

// filed is an exchange whose policies come as files, from its first start on.
type filed struct {
	*exchangetest.Exchange
	dir  string // of policies
	keys map[string]envelope.PrivateKey
	tick func()
}

// newFiled makes one without samples, and without any state. Each agency's
// policy key lies in its registry folder.
func newFiled(t *testing.T, agencies ...string) *filed {
	t.Helper()
	f := &filed{dir: t.TempDir(), keys: map[string]envelope.PrivateKey{}}
	state, first := t.TempDir(), true
	f.Exchange, f.tick = ticking(t, func(cfg *node.Config) {
		if first {
			return
		}
		cfg.State, cfg.Policies, cfg.AllowSamplePolicies, cfg.PolicyFiles = state, nil, false, f.dir
	})
	f.Stop()
	first = false
	cfg, err := f.World.NodeConfig()
	f.must(t, err)
	f.must(t, os.Remove(cfg.LedgerKey+".anchor"))
	for _, agency := range agencies {
		key, jwk := f.NewKey(agency, envelope.UsePolicy)
		f.keys[agency] = key
		path := filepath.Join(cfg.Registry, strings.Replace(agency, "/", "-", 1), node.KeysFile)
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		raw, err := os.ReadFile(path)
		f.must(t, err)
		f.must(t, json.Unmarshal(raw, &set))
		set.Keys = append(set.Keys, jwk)
		raw, err = json.Marshal(set)
		f.must(t, err)
		f.Publish(agency, raw)
	}
	return f
}

func (f *filed) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lay lays a jurisdiction's sample down as if it were the law, signed by an
// agency's key.
func (f *filed) lay(t *testing.T, file, jurisdiction, signer string, seq int64, line string) {
	t.Helper()
	in := policy.Samples()
	b := &policy.Bundle{Jurisdiction: jurisdiction, Seq: seq, Status: policy.Authoritative, Files: map[string][]byte{}}
	for _, src := range []policy.Source{in.Declared[jurisdiction], in.Rules[jurisdiction]} {
		for p, body := range src.Files {
			b.Files[p] = body
		}
	}
	b.Files["send.rego"] = append([]byte("# "+line+"\n"), b.Files["send.rego"]...)
	raw, err := b.Pack(f.keys[signer].Signer())
	f.must(t, err)
	f.must(t, os.WriteFile(filepath.Join(f.dir, file+node.PolicySuffix), raw, 0o600))
}

// inForce is the activation in force.
func (f *filed) inForce(jurisdiction string) exchange.Activation {
	return f.Node.Service().ActivePolicies()[jurisdiction]
}

// reload has the node read its files. Agencies of others, which nobody declares
// here, are refused each time; the error is what was refused of policies.
func (f *filed) reload(t *testing.T) string {
	t.Helper()
	err := f.Node.Reload(t.Context())
	if err == nil {
		t.Fatal("agencies that nobody declares are admitted")
	}
	var found []string
	for line := range strings.Lines(err.Error()) {
		if strings.Contains(line, f.dir) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// TestPolicyFiles: an exchange without samples runs on the bundles that its
// jurisdictions signed: they come with the first start, before any agency is
// admitted, and change under way; what is refused leaves what is in force.
func TestPolicyFiles(t *testing.T) {
	f := newFiled(t, "ee/pbgb", "lv/vp")
	f.lay(t, "ee", "ee", "ee/pbgb", 1, "first")
	f.lay(t, "lv", "lv", "lv/vp", 1, "first")
	f.Start()
	for _, j := range []string{"ee", "lv"} {
		if a := f.inForce(j); a.Status != policy.Authoritative || a.How != exchange.HowFile || len(a.Signed) != 1 {
			t.Fatalf("%s: %+v", j, a)
		}
	}
	sample, ok := demo.Find(demo.EEtoLV, f.Clock.Now())
	if !ok {
		t.Fatal("no sample package")
	}
	meta, err := json.Marshal(sample.Meta)
	f.must(t, err)
	sent, err := f.As("ee/pbgb", certs.RoleUnit).Send(t.Context(), client.SendInput{To: sample.To, Meta: meta, Reason: "A test of policies that came as files",
		Message: envelope.Message{Text: "Trucks on Friday"}})
	f.must(t, err)
	defer sent.Close()
	if o := sent.Outcomes[0]; o.Outcome != "delivered" || o.Note != "" {
		t.Errorf("%+v", o)
	}
	if status, body := admin(t, f.Exchange, "/readyz?verbose"); status != 200 || strings.Contains(body, "policies") {
		t.Errorf("%d %s", status, body)
	}

	before := f.inForce("lv")
	for _, c := range []struct{ name, file, signer, reason string }{
		{"signed by another", "lv", "ee/pbgb", "key-of-another"},
		{"under another's name", "ee", "lv/vp", "bundle-of-another"},
	} {
		f.lay(t, c.file, "lv", c.signer, 2, c.name)
		if refused := f.reload(t); !strings.Contains(refused, c.reason) {
			t.Errorf("%s: %s", c.name, refused)
		}
		if now := f.inForce("lv"); now.Seq != before.Seq || now.Inputs["rules"] != before.Inputs["rules"] {
			t.Errorf("%s: in force is %+v", c.name, now)
		}
		if status, body := admin(t, f.Exchange, "/readyz?verbose"); status != 200 || !strings.Contains(body, c.reason) {
			t.Errorf("%s: ready %d %s", c.name, status, body)
		}
		if _, body := admin(t, f.Exchange, "/metrics"); !strings.Contains(body, `liaison_policy_refusals_total{reason="`+c.reason+`"} 1`) {
			t.Errorf("%s: not counted", c.name)
		}
	}
	f.lay(t, "ee", "ee", "ee/pbgb", 1, "first")
	f.lay(t, "lv", "lv", "lv/vp", 2, "second")
	if refused := f.reload(t); refused != "" {
		t.Error(refused)
	}
	if now := f.inForce("lv"); now.Seq != 2 {
		t.Errorf("in force is %+v", now)
	}

	// An older file is no way back, and no reason for an alarm.
	f.lay(t, "lv", "lv", "lv/vp", 1, "first")
	if refused := f.reload(t); refused != "" {
		t.Error(refused)
	}
	f.Restart()
	if now := f.inForce("lv"); now.Seq != 2 || f.inForce("ee").Seq != 1 {
		t.Errorf("after a start in force is %+v", now)
	}
	if status, body := admin(t, f.Exchange, "/readyz?verbose"); status != 200 || strings.Contains(body, "policies") {
		t.Errorf("%d %s", status, body)
	}
	if _, body := admin(t, f.Exchange, "/metrics"); !strings.Contains(body, `liaison_policy_active_seq{jurisdiction="lv"} 2`) || !strings.Contains(body, `how="file",jurisdiction="lv"`) {
		t.Error("the metrics do not show what is in force")
	}
}

// TestPolicyFilesOfStrangers: before a jurisdiction has an agency here, only a
// key of its registry folder whose certificate chains to its own anchors
// vouches for its first declaration.
func TestPolicyFilesOfStrangers(t *testing.T) {
	f := newFiled(t, "ee/pbgb", "lv/vp")
	f.lay(t, "ee", "ee", "ee/pbgb", 1, "first")
	f.lay(t, "lv", "lv", "ee/pbgb", 1, "by another")
	f.Start()
	if a := f.inForce("lv"); a.Seq != 0 {
		t.Errorf("in force is %+v", a)
	}
	if !strings.Contains(f.Log.String(), "key-unknown") || f.inForce("ee").Seq != 1 {
		t.Error("the others are not served, or it is not told")
	}
	stolen := f.Certified("ee/pbgb", f.keys["lv/vp"].Public()) // Latvia's key, with Estonia's certificate
	f.Publish("lv/vp", []byte(`{"keys":[`+string(stolen)+`]}`))
	f.lay(t, "lv", "lv", "lv/vp", 1, "certified by another")
	if refused := f.reload(t); !strings.Contains(refused, "key-certificate") {
		t.Error(refused)
	}
	if a := f.inForce("lv"); a.Seq != 0 {
		t.Errorf("in force is %+v", a)
	}
}
