package client

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// FuzzProfile: whatever profile.yaml says, it is either refused or good to use.
func FuzzProfile(f *testing.F) {
	f.Add([]byte("server: https://127.0.0.1:1\nagency: ee/pbgb\nofficer: o-17\n"))
	f.Add([]byte("server: https://u:p@x\nagency: ee/pbgb\n"))
	f.Add([]byte("{server: https://x, agency: ee/pbgb, officer: 17}"))
	f.Add([]byte("a: &a [*a]\nserver: !!binary x"))
	f.Add([]byte("server: https://x\nagency: ee/pbgb\n---\nserver: https://y\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, os.WriteFile(filepath.Join(dir, FileProfile), data, 0o600))
		p, err := LoadProfile(dir)
		documents := 0
		for d := yaml.NewDecoder(bytes.NewReader(data)); d.Decode(new(any)) == nil; {
			documents++
		}
		if err == nil && (p.check() != nil || p.Dir != dir || documents > 1) {
			t.Errorf("accepted %+v", p)
		}
	})
}

// FuzzItem: an entry on the wire is refused, or comes back as it was.
func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"owner":"ee/pbgb","seq":1,"index":0,"commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","entry":"e30","salt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Add([]byte(`{"owner":"ee/pbgb","seq":2,"index":7,"commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","erased":true}`))
	f.Add([]byte(`{"seq":3,"commitment":"","entry":"e31"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var wire api.AuditItem
		if json.Unmarshal(data, &wire) != nil {
			return
		}
		item, err := Item(wire)
		if err != nil {
			return
		}
		if again := WireItem(item); again != wire {
			t.Errorf("%+v came back as %+v", wire, again)
		}
		if back, err := Item(WireItem(item)); err != nil || !bytes.Equal(back.Entry, item.Entry) || back.Commitment != item.Commitment {
			t.Errorf("%+v is not read back: %v", item, err)
		}
	})
}
