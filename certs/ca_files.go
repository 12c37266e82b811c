package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"time"
)

// The files of an authority in its directory.
const (
	caCertFile    = "ca.crt"
	caKeyFile     = "ca.key"
	caRevokedFile = "ca.revoked"
)

// Save writes the authority into dir: ca.crt, ca.key (mode 0600) and ca.revoked, a line for each revoked certificate with
// serial number in hexadecimal and time. An authority whose key lies elsewhere cannot be saved.
func (ca *CA) Save(dir string) error {
	key, err := EncodePrivateKey(ca.key)
	if err != nil {
		return err
	}
	if err := ca.SaveRevoked(dir); err != nil {
		return err
	}
	if err := WriteSecret(filepath.Join(dir, caKeyFile), key); err != nil {
		return err
	}
	return WritePublic(filepath.Join(dir, caCertFile), EncodeChain(ca.cert))
}

// SaveRevoked writes ca.revoked alone.
func (ca *CA) SaveRevoked(dir string) error {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	var b bytes.Buffer
	for _, entry := range ca.revoked {
		fmt.Fprintf(&b, "%x %s\n", entry.SerialNumber, entry.RevocationTime.UTC().Format(time.RFC3339Nano))
	}
	return WritePublic(filepath.Join(dir, caRevokedFile), b.Bytes())
}

// LoadCA reads what Save wrote. It refuses a private key that others may read.
func LoadCA(dir string, clock func() time.Time) (*CA, error) {
	keyFile := filepath.Join(dir, caKeyFile)
	pair, err := LoadKeyPair(filepath.Join(dir, caCertFile), keyFile)
	if err != nil {
		return nil, err
	}
	cert := pair.Leaf
	if !cert.IsCA || len(cert.PermittedURIDomains) != 1 || !validSegment(cert.PermittedURIDomains[0]) {
		return nil, setupError(dir, errors.New("not an authority of this program"), "make one with NewCA, or bring your own authority's tools")
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, setupError(keyFile, errors.New("a key that cannot sign"), "restore the file from a backup")
	}
	revoked, err := loadRevoked(filepath.Join(dir, caRevokedFile))
	if err != nil {
		return nil, err
	}
	return &CA{jurisdiction: cert.PermittedURIDomains[0], cert: cert, key: signer, clock: clock, revoked: revoked}, nil
}

// loadRevoked: a missing file is an error. An authority that forgot whom it revoked must not sign lists.
func loadRevoked(path string) ([]x509.RevocationListEntry, error) {
	data, err := readFile(path, maxCRL)
	if err != nil {
		return nil, err
	}
	var revoked []x509.RevocationListEntry
	for line := range strings.Lines(string(data)) {
		hex, when, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		serial, ok := new(big.Int).SetString(hex, 16)
		at, err := time.Parse(time.RFC3339Nano, when)
		if !ok || err != nil {
			return nil, setupError(path, fmt.Errorf("line %d is not a serial number and a time", len(revoked)+1), "restore the file from a backup")
		}
		revoked = append(revoked, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: at})
	}
	return revoked, nil
}
