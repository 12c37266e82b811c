package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// ProfileConfig is what to look at.
type ProfileConfig struct {
	Dir     string
	MinFree uint64 // bytes that should be free on its disk
	Now     func() time.Time
}

// profile is the examination of one profile.
type profile struct {
	examination
	dir     string
	profile *client.Profile // nil if it cannot be read
	trust   *certs.Trust    // nil if there is none
	role    string          // of the client certificate; "" if it cannot be read
	usable  bool            // it can speak with the exchange
	keys    []ownKey
}

// ownKey is a private key of the profile.
type ownKey struct {
	file string
	key  envelope.PublicKey
}

// Profile examines a profile, and its connection to the exchange from end to end.
func Profile(ctx context.Context, cfg ProfileConfig) []Finding {
	p := &profile{examination: examination{now: cfg.Now()}, dir: cfg.Dir}
	p.files()
	p.believed()
	p.identity()
	p.ownKeys()
	p.keyCertificates()
	p.ledger()
	p.disk(cfg.Dir, cfg.MinFree)
	if !p.usable || !p.connection(ctx, cfg.Now) {
		p.reach(ctx)
	}
	return p.found
}

func (p *profile) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *profile) files() {
	p.directory(p.dir)
	files := []string{p.path(client.FileTLSKey), p.path(client.FileSign), p.path(client.FileDecrypt), p.path(client.FileApprove), p.path(client.FilePolicy)}
	good := p.private(files...)
	loaded, err := client.LoadProfile(p.dir)
	switch {
	case err == nil:
		p.profile = loaded
		p.ok("profile", p.path(client.FileProfile), "%s at %s", loaded.Agency, loaded.Server)
	case good: // else it was told already
		p.fault("profile", p.path(client.FileProfile), err, "correct the file")
	}
}

// believed looks at whom the profile believes: authorities of jurisdictions, their revocation lists, and those of the server.
func (p *profile) believed() {
	dir := p.path(client.DirAnchors)
	trust, err := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}}.Load(nil, p.now)
	if err != nil {
		p.fault("anchor", dir, err, "put <jurisdiction>.pem there for each jurisdiction, got from the jurisdiction itself")
	} else {
		p.trust = trust
		p.anchors(dir, trust.Anchors)
		p.lists(dir, trust.Revocations)
	}
	const fix = "get the certificates that vouch for the server from the operator of the exchange"
	roots, err := certs.LoadChain(p.path(client.FileServerRoots))
	if err != nil {
		p.fault("server roots", p.path(client.FileServerRoots), err, fix)
		return
	}
	for _, root := range roots {
		p.end("server roots", p.path(client.FileServerRoots), "", root, fix)
	}
}

// identity looks at the client certificate.
func (p *profile) identity() {
	file := p.path(client.FileTLSCert)
	const renew = "liaison certs renew, or send a new request to your authority (liaison certs request)"
	chain, err := certs.LoadChain(file)
	if err != nil {
		p.fault("certificate", file, err, "put the certificate there that your authority issued for tls.csr, with its intermediates")
		return
	}
	_, unfit := certs.LoadKeyPair(file, p.path(client.FileTLSKey))
	if unfit != nil && certs.Failed(unfit) != certs.CheckFile { // which was told already
		p.fault("certificate", file, unfit, "put the certificate and the private key of the same request side by side")
	}
	if p.trust == nil {
		return // there is nothing to hold it against, as was told
	}
	i, good := p.inspect("certificate", file, chain, p.trust, nil, renew)
	p.usable = p.profile != nil && unfit == nil && good
	id, err := certs.ParseIdentity(i.Identity)
	if err != nil {
		if good {
			p.fault("certificate", file, err, renew)
		}
		return
	}
	p.role = id.Role
	if p.profile != nil && id.AgencyID() != p.profile.Agency {
		p.fault("profile", p.path(client.FileProfile), fmt.Errorf("the profile is for %s, its certificate for %s", p.profile.Agency, id.AgencyID()),
			"correct agency in profile.yaml, or put the certificate of this profile there")
	}
}

// ownKeys reads the private keys that sign and decrypt, and misses those that the role needs.
func (p *profile) ownKeys() {
	needed := map[string]bool{client.FileSign: p.role == certs.RoleUnit, client.FileDecrypt: p.role == certs.RoleUnit, client.FilePolicy: p.role == certs.RolePolicy}
	for _, name := range []string{client.FileSign, client.FileDecrypt, client.FileApprove, client.FilePolicy} {
		keys, err := readKeys(p.path(name))
		switch {
		case err == nil:
			p.keys = append(p.keys, keys...)
			p.ok("private key", p.path(name), "readable, keys in it: %d", len(keys))
		case !errors.Is(err, fs.ErrNotExist):
			p.fault("private key", p.path(name), err, "restore the file from a backup")
		case needed[name]:
			p.fault("private key", p.path(name), fmt.Errorf("missing: a %s needs it", p.role),
				"restore it from a backup; if there is none, make a new one with liaison certs request and have it registered")
		}
	}
}

// readKeys reads a private JWK, or a set of them.
func readKeys(path string) ([]ownKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var private []envelope.PrivateKey
	if filepath.Ext(path) == ".jwks" {
		private, err = envelope.ParsePrivateSet(raw)
	} else {
		private = make([]envelope.PrivateKey, 1)
		private[0], err = envelope.ParsePrivateJWK(raw)
	}
	if err != nil {
		return nil, err
	}
	var keys []ownKey
	for _, k := range private {
		keys = append(keys, ownKey{path, k.Public()})
	}
	return keys, nil
}

// keyCertificates looks at the certificates of keys that lie in the profile, as liaison init asks for them.
func (p *profile) keyCertificates() {
	for _, name := range []string{"sign.crt", "decrypt.crt", "approve.crt", "policy.crt"} {
		chain, err := certs.LoadChain(p.path(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			p.fault("key certificate", p.path(name), err, "put the certificate there that your authority issued")
		default:
			p.inspect("key certificate", p.path(name), chain, p.trust, nil, "have the key certified again by your authority, and published")
		}
	}
}

// ledger looks at the keys of the exchange's ledger and of its witnesses.
func (p *profile) ledger() {
	if p.profile == nil {
		return
	}
	keys, err := p.profile.LedgerKeys()
	if err != nil {
		p.fault("log key", p.path(client.FileLedger), err, logKeyFix)
		return
	}
	p.ok("log key", p.path(client.FileLedger), "of %s", keys.Origin())
	if _, err := p.profile.Witnesses(); err != nil {
		p.fault("witnesses", p.path(client.FileWitnesses), err, "correct the file, or remove it")
	}
}

const logKeyFix = "compare log.vkey with the verifier key that the operator of the exchange published, over another way; if it is right, do not use the exchange and tell your data-protection officer"
