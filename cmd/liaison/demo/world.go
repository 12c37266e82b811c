// Package demo makes a throw-away exchange with sample jurisdictions and
// tells the story of a few packages on it.
package demo

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// Origin is the name of the demo's ledger.
const Origin = "demo.liaison.example/ledger"

// Operator is the demo's own agency.
const Operator = "exchange/ops"

// ConfigFile is the demo's server configuration, in its directory.
const ConfigFile = "exchange.yaml"

// validity is how long the demo's certificates last.
const validity = 30 * 24 * time.Hour

// World is the directory of a demo: an exchange's configuration, a
// certification authority for each jurisdiction, and a profile for each
// identity.
type World struct {
	Dir      string
	Agencies []string // "ee/pbgb", each with a unit and a DPO
	Author   string   // an agency without rules, with a policy author too; empty: none

	Supervisor string // a supervisory authority; empty: none

	clock func() time.Time

	cas     map[string]*certs.CA
	anchors map[string][]byte // by file name
	lists   map[string][]byte // revocation lists, by file name
	vkey    string

	witnesses string // witnesses.yaml of all profiles
}

// Config says which world to make.
type Config struct {
	Dir      string
	Agencies []string         // nil: one each of ee lv ua it by, and the author
	Listen   string           // nil: a free port of 127.0.0.1
	Clock    func() time.Time // nil: time.Now
}

// Agencies are the demo's own.
var Agencies = []string{"ee/pbgb", "lv/vp", "ua/npu", "it/dcpc", "by/mia"}

// Build makes a world in an empty or absent directory: authorities, ledger
// key, registry and configuration. Profiles follow with WriteProfiles, when
// the server's address is known.
func Build(cfg Config) (*World, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	author, supervisor := "", ""
	if cfg.Agencies == nil {
		cfg.Agencies, author, supervisor = Agencies, Author, Supervisor
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	w := &World{Dir: cfg.Dir, Agencies: cfg.Agencies, Author: author, Supervisor: supervisor, clock: cfg.Clock, cas: map[string]*certs.CA{}, anchors: map[string][]byte{}, lists: map[string][]byte{}}
	for _, dir := range []string{"", "anchors", "crl", "registry", "profiles", "meta"} {
		if err := os.MkdirAll(w.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{w.makeAuthorities, w.makeLists, w.makeLedger, w.makeWitnesses, w.makeServer, w.admitAgencies, w.admitAuthor, w.admitSupervisor, w.writeMeta,
		func() error { return w.writeConfig(cfg.Listen) }} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Existing opens the world of an earlier demo; the error is fs.ErrNotExist
// if the directory holds none.
func Existing(dir string, clock func() time.Time) (*World, error) {
	if clock == nil {
		clock = time.Now
	}
	w := &World{Dir: dir, clock: clock, anchors: map[string][]byte{}}
	if _, err := os.Stat(w.path(ConfigFile)); err != nil {
		return nil, err
	}
	found, err := filepath.Glob(w.path("registry", "*", node.AgencyFile))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		if id := strings.Replace(name, "-", "/", 1); id != Operator && id != Author && id != Supervisor {
			w.Agencies = append(w.Agencies, id)
		}
	}
	if w.hasAuthor() {
		w.Author = Author
	}
	if w.hasSupervisor() {
		w.Supervisor = Supervisor
	}
	if len(w.Agencies) == 0 {
		return nil, fmt.Errorf("%s: %w", w.path("registry"), fs.ErrNotExist)
	}
	slices.SortFunc(w.Agencies, func(a, b string) int { return slices.Index(Agencies, a) - slices.Index(Agencies, b) })
	return w, nil
}

func (w *World) path(elem ...string) string {
	return filepath.Join(append([]string{w.Dir}, elem...)...)
}

// Profile is the directory of an identity's profile.
func (w *World) Profile(agency, role string) string {
	return w.path("profiles", strings.Replace(agency, "/", "-", 1)+"-"+role)
}

// NodeConfig reads the configuration of the world's exchange.
func (w *World) NodeConfig() (node.Config, error) { return node.LoadConfig(w.path(ConfigFile)) }

// authority returns the certification authority of a jurisdiction, made when
// it is first asked for.
func (w *World) authority(jurisdiction string) (*certs.CA, error) {
	if ca := w.cas[jurisdiction]; ca != nil {
		return ca, nil
	}
	ca, err := certs.NewCA(jurisdiction, w.clock, 365*24*time.Hour)
	if err != nil {
		return nil, err
	}
	w.cas[jurisdiction] = ca
	w.anchors[jurisdiction+".pem"] = certs.EncodeChain(ca.Certificate())
	if err := os.MkdirAll(w.path("ca", jurisdiction), 0o700); err != nil {
		return nil, err
	}
	return ca, ca.Save(w.path("ca", jurisdiction))
}

// makeAuthorities makes one authority for each jurisdiction and the
// operator's trust domain.
func (w *World) makeAuthorities() error {
	for _, agency := range append([]string{Operator, w.Author}, w.Agencies...) {
		if agency == "" {
			continue
		}
		j, _, err := certs.ParseAgencyID(agency)
		if err != nil {
			return err
		}
		if _, err := w.authority(j); err != nil {
			return err
		}
	}
	for name, pem := range w.anchors {
		if err := certs.WritePublic(w.path("anchors", name), pem); err != nil {
			return err
		}
	}
	return nil
}

// makeLists writes each authority's first revocation list, on which nobody
// stands. It lasts as long as the certificates.
func (w *World) makeLists() error {
	for jurisdiction, ca := range w.cas {
		list, err := ca.CRL(big.NewInt(1), w.clock().Add(validity))
		if err != nil {
			return err
		}
		w.lists[jurisdiction+".crl"] = list
		if err := certs.WritePublic(w.path("crl", jurisdiction+".crl"), list); err != nil {
			return err
		}
	}
	return nil
}

// makeLedger makes the key that signs the ledger's heads.
func (w *World) makeLedger() error {
	skey, vkey, err := audit.GenerateKey(Origin)
	if err != nil {
		return err
	}
	w.vkey = vkey
	if err := os.MkdirAll(w.path("ledger"), 0o700); err != nil {
		return err
	}
	return errors.Join(certs.WriteSecret(w.path("ledger", "ledger.key"), []byte(skey+"\n")),
		certs.WritePublic(w.path("ledger", "log.vkey"), []byte(vkey+"\n")))
}

// makeServer issues the server's certificate.
func (w *World) makeServer() error {
	ca, err := w.authority("exchange")
	if err != nil {
		return err
	}
	key, err := certs.GenerateKey()
	if err != nil {
		return err
	}
	cert, err := ca.IssueServer([]string{"localhost", "127.0.0.1", "::1"}, key.Public(), validity)
	if err != nil {
		return err
	}
	return w.writePair(w.path(), "server", key, cert, ca.Certificate())
}

// writePair writes a private key and its chain as <name>.key and <name>.crt.
func (w *World) writePair(dir, name string, key crypto.Signer, chain ...*x509.Certificate) error {
	pem, err := certs.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(certs.WriteSecret(filepath.Join(dir, name+".key"), pem),
		certs.WritePublic(filepath.Join(dir, name+".crt"), certs.EncodeChain(chain[0])))
}

// writeConfig writes the exchange's configuration.
func (w *World) writeConfig(listen string) error {
	policies := ""
	if w.Author != "" {
		policies = "policies"
	}
	return node.WriteConfig(w.path(ConfigFile), node.Config{PolicyFiles: policies, Listen: listen, Admin: "127.0.0.1:0", State: "state",
		LedgerKey: "ledger/ledger.key", Certificate: "server.crt", Key: "server.key", Anchors: "anchors", Revocations: "crl",
		Limits: node.Limits{Rates: rates()}, Operator: Operator, Registry: "registry", AllowSamplePolicies: true, TwoPersons: new(bool), // a demo has one operator
		// A laptop that does something else at the same time is no reason to refuse.
		PolicyTimeout: node.Duration(2 * time.Second)})
}

// rates leave room to try things, a load test among them, which is one unit
// that does what a country does not do: a hundred times the defaults.
func rates() map[string]node.Rate {
	out := map[string]node.Rate{}
	for _, k := range exchange.LimitKinds() {
		out[k.Name] = node.Rate{Quota: 100 * k.Rate.Quota, Window: node.Duration(k.Rate.Window)}
	}
	return out
}

// admitAgencies makes each agency's keys and the profiles of its unit and
// its data-protection officer, and admits it to the registry; and the profile
// of an operator.
func (w *World) admitAgencies() error {
	if err := node.WriteAdmission(w.path("registry"), node.Admission{ID: Operator, Roles: []string{certs.RoleOperator}}, []byte(`{"keys":[]}`)); err != nil {
		return err
	}
	if err := w.makeIdentity(Operator, certs.RoleOperator); err != nil {
		return err
	}
	for _, agency := range w.Agencies {
		if err := w.admitAgency(agency, []string{certs.RoleUnit, certs.RoleDPO}); err != nil {
			return fmt.Errorf("%s: %w", agency, err)
		}
	}
	return nil
}

// admitAgency admits an agency with roles, a profile for each, and keys: those
// of its unit, and others.
func (w *World) admitAgency(agency string, roles []string, others ...envelope.PrivateKey) error {
	sign, err := envelope.GenerateSigning(envelope.ES256)
	if err != nil {
		return err
	}
	decrypt, err := envelope.GenerateEncryption()
	if err != nil {
		return err
	}
	approve, err := envelope.Generate(envelope.UseApprove, envelope.ES256)
	if err != nil {
		return err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, k := range append([]envelope.PrivateKey{sign, decrypt, approve}, others...) {
		jwk, err := w.publish(agency, k.Public())
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, jwk)
	}
	raw, err := json.MarshalIndent(set, "", " ")
	if err != nil {
		return err
	}
	if err := node.WriteAdmission(w.path("registry"), node.Admission{ID: agency, Roles: roles}, raw); err != nil {
		return err
	}
	for _, role := range roles {
		if err := w.makeIdentity(agency, role); err != nil {
			return err
		}
	}
	return w.writeKeys(agency, sign, decrypt, approve)
}

// keyName is the name in a key's certificate. Approvals are one person's: of
// another than the unit's and the data-protection officer.
func keyName(use envelope.Use) string {
	if use == envelope.UseApprove {
		return "chief"
	}
	return "demo"
}

// publish has a key certified by its jurisdiction and returns it as the
// directory serves it.
func (w *World) publish(agency string, k envelope.PublicKey) ([]byte, error) {
	j, name, err := certs.ParseAgencyID(agency)
	if err != nil {
		return nil, err
	}
	ca, err := w.authority(j)
	if err != nil {
		return nil, err
	}
	cert, err := ca.IssueKey(certs.KeyIdentity{Jurisdiction: j, Agency: name, Use: string(k.Use()), Name: keyName(k.Use())}, k.CryptoKey(), validity)
	if err != nil {
		return nil, err
	}
	return k.MarshalJWK([][]byte{cert.Raw})
}

// makeIdentity makes the TLS half of a profile.
func (w *World) makeIdentity(agency, role string) error {
	j, name, err := certs.ParseAgencyID(agency)
	if err != nil {
		return err
	}
	ca, err := w.authority(j)
	if err != nil {
		return err
	}
	key, err := certs.GenerateKey()
	if err != nil {
		return err
	}
	cert, err := ca.IssueClient(certs.Identity{Jurisdiction: j, Agency: name, Role: role, Name: "demo"}, key.Public(), validity)
	if err != nil {
		return err
	}
	dir := w.Profile(agency, role)
	if err := os.MkdirAll(filepath.Join(dir, client.DirAnchors), 0o700); err != nil {
		return err
	}
	for _, files := range []map[string][]byte{w.anchors, w.lists} {
		for name, data := range files {
			if err := certs.WritePublic(filepath.Join(dir, client.DirAnchors, name), data); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.writePair(dir, "tls", key, cert), w.writeWitnesses(dir),
		certs.WritePublic(filepath.Join(dir, client.FileServerRoots), w.anchors["exchange.pem"]),
		certs.WritePublic(filepath.Join(dir, client.FileLedger), []byte(w.vkey+"\n")))
}

// writeKeys puts the agency's private keys into its unit's profile.
func (w *World) writeKeys(agency string, sign, decrypt, approve envelope.PrivateKey) error {
	dir := w.Profile(agency, certs.RoleUnit)
	for name, key := range map[string]envelope.PrivateKey{client.FileSign: sign, client.FileApprove: approve} {
		raw, err := key.MarshalPrivate()
		if err != nil {
			return err
		}
		if err := certs.WriteSecret(filepath.Join(dir, name), raw); err != nil {
			return err
		}
	}
	raw, err := decrypt.MarshalPrivate()
	if err != nil {
		return err
	}
	set, err := json.Marshal(map[string][]json.RawMessage{"keys": {raw}})
	if err != nil {
		return err
	}
	return certs.WriteSecret(filepath.Join(dir, client.FileDecrypt), set)
}

// WriteProfiles names the running server in all profiles.
func (w *World) WriteProfiles(server string) error {
	write := func(agency, role string) error {
		text := fmt.Sprintf("server: %s\nagency: %s\nofficer: %s\n", server, agency, officer(agency, role))
		return certs.WritePublic(filepath.Join(w.Profile(agency, role), client.FileProfile), []byte(text))
	}
	for _, agency := range w.Agencies {
		for _, role := range []string{certs.RoleUnit, certs.RoleDPO} {
			if err := write(agency, role); err != nil {
				return err
			}
		}
	}
	for _, role := range authorRoles {
		if w.Author == "" {
			break
		}
		if err := write(w.Author, role); err != nil {
			return err
		}
	}
	if w.Supervisor != "" {
		if err := write(w.Supervisor, certs.RoleSupervisor); err != nil {
			return err
		}
	}
	if _, err := os.Stat(w.Profile(Operator, certs.RoleOperator)); errors.Is(err, fs.ErrNotExist) {
		return nil // a world of before there were operators' profiles
	}
	return write(Operator, certs.RoleOperator)
}

// officer is a pseudonym: the demo's agencies number theirs.
func officer(agency, role string) string {
	return strings.ToUpper(strings.Split(agency, "/")[0]) + "-" + role + "-0417"
}
