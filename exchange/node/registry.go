package node

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
)

// Names of the files of an admitted agency.
const (
	AgencyFile = "agency.yaml"
	KeysFile   = "keys.jwks"
)

// Admission is what the operator says of an agency, beside what its own
// jurisdiction declares: agency.yaml.
type Admission struct {
	ID        string   `yaml:"id"`
	Roles     []string `yaml:"roles"`
	Suspended bool     `yaml:"suspended,omitempty"`

	// Bindings say who the holders of keys are whose certificates have no
	// SPIFFE ID: issuer and key as "certs show" prints them, role and name.
	Bindings []Binding `yaml:"bindings,omitempty"`

	// Supervises names the agencies whose logs this one's supervisors may read.
	Supervises []string `yaml:"supervises,omitempty"`
}

// Binding is exchange.Binding in agency.yaml.
type Binding struct {
	Issuer string `yaml:"issuer"`
	Key    string `yaml:"key"`
	Role   string `yaml:"role"`
	Name   string `yaml:"name"`
}

func (a Admission) standing() exchange.Standing {
	s := exchange.Standing{Roles: a.Roles, Suspended: a.Suspended, Supervises: a.Supervises}
	for _, b := range a.Bindings {
		s.Bindings = append(s.Bindings, exchange.Binding(b))
	}
	return s
}

// WriteAdmission writes an agency's folder of the registry directory. keys
// is a JWK Set.
func WriteAdmission(dir string, a Admission, keys []byte) error {
	j, name, err := certs.ParseAgencyID(a.ID)
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, j+"-"+name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := yaml.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, AgencyFile), raw, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, KeysFile), keys, 0o644)
}

// admitAll admits what the registry directory holds and the exchange has not
// applied yet: a file that did not change does not undo what operators did by
// the API since. What is wrong with one agency keeps no other from its due:
// all are tried, first all rows, so that a suspension waits for nothing, then
// all keys. The error joins what was refused.
func (n *Node) admitAll(ctx context.Context) error {
	found, err := filepath.Glob(filepath.Join(n.cfg.Registry, "*", AgencyFile))
	if err != nil {
		return err
	}
	var refused []error
	say := func(dir string, err error) {
		if err != nil {
			refused = append(refused, fmt.Errorf("registry %s: %w", dir, err))
		}
	}
	known := map[string]Admission{}
	var supervising []func()
	for _, path := range found {
		dir := filepath.Dir(path)
		a, digest, err := readAdmission(path)
		if err != nil {
			say(dir, err)
			continue
		}
		known[dir] = a
		apply := func() { say(dir, n.service.ApplyAdmission(ctx, a.ID, a.standing(), digest)) }
		if len(a.Supervises) > 0 {
			supervising = append(supervising, apply) // once those are admitted whom it supervises
			continue
		}
		apply()
	}
	for _, apply := range supervising {
		apply()
	}
	for _, dir := range slices.Sorted(maps.Keys(known)) {
		say(dir, n.register(ctx, known[dir].ID, filepath.Join(dir, KeysFile)))
	}
	return errors.Join(refused...)
}

// readAdmission reads agency.yaml strictly. The digest tells whether the file
// is the one that was applied before.
func readAdmission(path string) (a Admission, digest string, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return a, "", err
	}
	sum := sha256.Sum256(raw)
	err = readYAML(raw, &a)
	return a, base64.RawURLEncoding.EncodeToString(sum[:]), err
}

// register registers an agency's keys: each that can be.
func (n *Node) register(ctx context.Context, agency, path string) error {
	keys, err := readKeys(path)
	if err != nil {
		return err
	}
	var refused []error
	for _, key := range keys {
		refused = append(refused, n.service.Register(ctx, agency, key))
	}
	return errors.Join(refused...)
}

// readKeys reads the members of a JWK Set; no file means no keys.
func readKeys(path string) ([]json.RawMessage, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return set.Keys, nil
}
