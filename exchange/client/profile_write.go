package client

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/liaison-exchange/liaison/certs"
)

// ProfileFiles are the contents of a profile's files. Those that are nil are not written: a profile may be begun with fresh
// private keys and completed when the certificates come back.
type ProfileFiles struct {
	TLSCert, TLSKey, ServerRoots []byte            // PEM
	Anchors                      map[string][]byte // PEM by jurisdiction
	Sign, Approve, Policy        []byte            // private JWK each
	Decrypt                      []byte            // private JWK Set
	Ledger, Checkpoint           []byte            // log.vkey, log.checkpoint
	Witnesses                    []byte            // YAML
}

// WriteProfile makes a profile in p.Dir, which it creates (mode 0700). Private files have mode 0600. profile.yaml is written
// last: a directory that has one is whole. A directory that has one already is left as it is, with an error that is
// fs.ErrExist.
func WriteProfile(p Profile, files ProfileFiles) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	path := p.path(FileProfile)
	if _, err := os.Lstat(path); err == nil {
		return &ProfileError{File: path, Err: fs.ErrExist, Fix: "choose another directory: a profile is never overwritten, its keys might be lost"}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("profile: %w", err)
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := p.writeFiles(files); err != nil {
		return err
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return certs.WritePublic(path, text)
}

func (p *Profile) writeFiles(files ProfileFiles) error {
	for _, f := range []struct {
		name  string
		data  []byte
		write func(string, []byte) error
	}{
		{FileTLSKey, files.TLSKey, certs.WriteSecret},
		{FileSign, files.Sign, certs.WriteSecret},
		{FileDecrypt, files.Decrypt, certs.WriteSecret},
		{FileApprove, files.Approve, certs.WriteSecret},
		{FilePolicy, files.Policy, certs.WriteSecret},
		{FileTLSCert, files.TLSCert, certs.WritePublic},
		{FileServerRoots, files.ServerRoots, certs.WritePublic},
		{FileLedger, files.Ledger, certs.WritePublic},
		{FileCheckpoint, files.Checkpoint, certs.WritePublic},
		{FileWitnesses, files.Witnesses, certs.WritePublic},
	} {
		if f.data == nil {
			continue
		}
		if err := f.write(p.path(f.name), f.data); err != nil {
			return err
		}
	}
	return p.writeAnchors(files.Anchors)
}

func (p *Profile) writeAnchors(anchors map[string][]byte) error {
	if anchors == nil {
		return nil
	}
	if err := os.MkdirAll(p.path(DirAnchors), 0o755); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	for _, j := range slices.Sorted(maps.Keys(anchors)) {
		if _, _, err := certs.ParseAgencyID(j + "/x"); err != nil {
			return fmt.Errorf("profile: anchors of %q: not the id of a jurisdiction", j)
		}
		if err := certs.WritePublic(filepath.Join(p.path(DirAnchors), j+".pem"), anchors[j]); err != nil {
			return err
		}
	}
	return nil
}
