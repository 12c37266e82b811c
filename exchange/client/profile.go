package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// The files of a profile.
const (
	FileProfile     = "profile.yaml"     // server, agency, officer
	FileTLSCert     = "tls.crt"          // own client certificate with its intermediates, PEM, leaf first
	FileTLSKey      = "tls.key"          // its private key, PKCS #8 PEM
	FileServerRoots = "server-roots.pem" // who may vouch for the server
	FileSign        = "sign.jwk"         // private JWK that signs packages and acknowledgements
	FileDecrypt     = "decrypt.jwks"     // private JWK Set that opens content, old keys kept
	FileApprove     = "approve.jwk"      // private JWK of one person who approves
	FilePolicy      = "policy.jwk"       // private JWK that signs policy
	FileLedger      = "log.vkey"         // verifier keys of the ledger, one a line, the current one first
	FileFormer      = "log.former"       // verifier keys that the ledger had under other origins, before a loss, one a line
	FileCheckpoint  = "log.checkpoint"   // newest checkpoint that was verified
	FileWitnesses   = "witnesses.yaml"   // whose cosignatures count
	DirAnchors      = "anchors"          // <j>.pem: whose keys to believe; <j>.crl: the revocation list, where there is one
)

// privateFiles are refused if others than their owner may read or write them.
var privateFiles = []string{FileTLSKey, FileSign, FileDecrypt, FileApprove, FilePolicy}

const maxProfileFile = 1 << 20

// Profile is the directory of one identity on one exchange: who it is, with which server it speaks, and whom it believes.
// The three texts stand in profile.yaml, a YAML map of exactly these scalars; the rest are the files beside it.
type Profile struct {
	Dir     string `yaml:"-"`
	Server  string `yaml:"server"`            // https URL
	Agency  string `yaml:"agency"`            // "ee/pbgb"
	Officer string `yaml:"officer,omitempty"` // pseudonym, 1 to 64 of [A-Za-z0-9._-]; may be absent
}

var officerForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// LoadProfile reads profile.yaml of a directory, strictly, and refuses private files that others may read. The other files
// are read by Config. What is wrong is a *ProfileError that names the file and how to mend it.
func LoadProfile(dir string) (*Profile, error) {
	path := filepath.Join(dir, FileProfile)
	data, err := readProfileFile(path)
	if err != nil {
		return nil, &ProfileError{File: path, Err: err, Fix: "give the directory of a profile; liaison init makes one"}
	}
	p := &Profile{}
	if err := parseYAML(data, p); err != nil {
		return nil, &ProfileError{File: path, Err: err, Fix: "write exactly the scalars server, agency and, if you like, officer"}
	}
	p.Dir = dir
	if err := p.check(); err != nil {
		return nil, &ProfileError{File: path, Err: err, Fix: "correct the file"}
	}
	for _, name := range privateFiles {
		if err := checkPrivate(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Profile) check() error {
	if _, err := parseServer(p.Server); err != nil {
		return err
	}
	if _, _, err := certs.ParseAgencyID(p.Agency); err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	if p.Officer != "" && !officerForm.MatchString(p.Officer) {
		return fmt.Errorf("officer: %q is not 1 to 64 of [A-Za-z0-9._-]", p.Officer)
	}
	return nil
}

// Config reads the files of the profile and returns the configuration of its client. sign.jwk, decrypt.jwks and
// log.checkpoint may be absent; each of the others is needed.
func (p *Profile) Config() (Config, error) {
	config := Config{
		Server: p.Server, Agency: p.Agency, Officer: p.Officer,
		Checkpoints: CheckpointFile(p.path(FileCheckpoint)),
	}
	for _, load := range []func(*Config) error{p.loadTLS, p.loadTrust, p.loadLedger, p.loadWitnesses, p.loadSign, p.loadDecrypt} {
		if err := load(&config); err != nil {
			return Config{}, err
		}
	}
	return config, nil
}

func (p *Profile) path(name string) string { return filepath.Join(p.Dir, name) }

func (p *Profile) loadTLS(config *Config) error {
	files, err := certs.WatchKeyPair(p.path(FileTLSCert), p.path(FileTLSKey))
	if err != nil {
		return p.fault(FileTLSCert, err, "put the client certificate there that your authority issued for tls.csr, with its intermediates")
	}
	roots, err := certs.LoadRoots(p.path(FileServerRoots))
	if err != nil {
		return p.fault(FileServerRoots, err, "put the certificates there that the operator of the exchange gave out for its server")
	}
	config.TLS, err = certs.ClientTLS(certs.ClientConfig{Files: files, Roots: roots})
	return err
}

func (p *Profile) loadTrust(config *Config) error {
	dir := p.path(DirAnchors)
	files := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}}
	trust, err := files.Load(nil, time.Now())
	if err != nil {
		return p.fault(DirAnchors, err, "put <jurisdiction>.pem there for each jurisdiction whose keys to believe, got from the jurisdiction itself")
	}
	config.Trust = trust
	return nil
}

func (p *Profile) loadLedger(config *Config) error {
	keys, err := p.LedgerKeys()
	if config.Ledger = keys; err != nil {
		return err
	}
	config.Former, err = p.FormerOrigins()
	return err
}

// FormerOrigins reads log.former: the origins that the ledger had before it was restored after a loss. There may be none.
func (p *Profile) FormerOrigins() (origins []string, err error) {
	data, err := readProfileFile(p.path(FileFormer))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(data)) {
		keys, e := audit.ParseKeys([]byte(line))
		if err = e; err != nil {
			break
		}
		origins = append(origins, keys.Origin())
	}
	if err != nil {
		return nil, p.fault(FileFormer, err, "put the verifier keys there that the ledger had before, one a line")
	}
	return origins, nil
}

// LedgerKeys reads log.vkey.
func (p *Profile) LedgerKeys() (audit.Keys, error) {
	const fix = "put the verifier key of the exchange's ledger there, as the operator published it, one a line"
	data, err := readProfileFile(p.path(FileLedger))
	if err != nil {
		return audit.Keys{}, p.fault(FileLedger, err, fix)
	}
	keys, err := audit.ParseKeys(data)
	if err != nil {
		return audit.Keys{}, p.fault(FileLedger, err, fix)
	}
	return keys, nil
}

func (p *Profile) loadWitnesses(config *Config) error {
	witnesses, err := p.Witnesses()
	config.Witnesses = witnesses
	return err
}

// Witnesses reads witnesses.yaml: a map with one member, witnesses, a list of verifier keys (c2sp.org/tlog-cosignature). No
// file, no witnesses.
func (p *Profile) Witnesses() ([]audit.Witness, error) {
	const fix = "write witnesses: and below it the verifier keys of witnesses, as a list, or remove the file"
	data, err := readProfileFile(p.path(FileWitnesses))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var file struct {
		Witnesses []string `yaml:"witnesses"`
	}
	if err == nil {
		err = parseYAML(data, &file)
	}
	if err != nil {
		return nil, p.fault(FileWitnesses, err, fix)
	}
	var list []audit.Witness
	for _, vkey := range file.Witnesses {
		w, err := audit.ParseWitness(vkey)
		if err != nil {
			return nil, p.fault(FileWitnesses, err, fix)
		}
		list = append(list, w)
	}
	return list, nil
}

func (p *Profile) loadSign(config *Config) error {
	data, err := readProfileFile(p.path(FileSign))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		config.Sign, err = envelope.ParsePrivateJWK(data)
	}
	if err != nil {
		return p.fault(FileSign, err, "put the private JWK of the signing key there, or remove the file")
	}
	return nil
}

func (p *Profile) loadDecrypt(config *Config) error {
	data, err := readProfileFile(p.path(FileDecrypt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		config.Decrypt, err = envelope.ParsePrivateSet(data)
	}
	if err != nil {
		return p.fault(FileDecrypt, err, "put a JWK Set of private encryption keys there, or remove the file")
	}
	return nil
}

// fault names the file and the fix, unless the error, being of certs, knows the file better.
func (p *Profile) fault(name string, err error, fix string) error {
	file := p.path(name)
	var known *certs.Error
	if errors.As(err, &known) {
		if filepath.Dir(known.Subject) == p.Dir || filepath.Dir(known.Subject) == p.path(DirAnchors) {
			file = known.Subject
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fs.ErrNotExist
		} else if known.Fix != "" {
			fix = known.Fix
		}
	}
	return &ProfileError{File: file, Err: err, Fix: fix}
}

// readProfileFile reads a file of a profile, which is never long.
func readProfileFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, maxProfileFile)
}

// parseYAML refuses unknown and repeated members, and a second document, which nobody would read. Its errors are one line.
func parseYAML(data []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(yaml.FormatError(err, false, false))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document")
	}
	return nil
}

// checkPrivate refuses a private file that others may read or write.
func checkPrivate(path string) error {
	err := certs.CheckPrivate(path)
	var known *certs.Error
	if errors.Is(err, fs.ErrNotExist) || !errors.As(err, &known) {
		return nil
	}
	return &ProfileError{File: path, Err: known.Err, Fix: known.Fix}
}
