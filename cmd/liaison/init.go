package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// beginning is what the flags of init say.
type beginning struct {
	env                                      *environment
	dir, agency, role, name, server, officer string
}

func newInit(env *environment) *cobra.Command {
	b := &beginning{env: env}
	c := &cobra.Command{
		Use:   "init --agency AGENCY --role ROLE --name NAME --server URL",
		Short: "Begin a profile: fresh private keys, and requests for their certificates",
		Long: `init makes a directory with a fresh private key for TLS, and for a unit also one
that signs and one that decrypts, and a certificate request (CSR) for each. The
private keys never leave the directory. Then it says what to send to whom, and
where to put what comes back.

The roles are unit, dpo, policy and supervisor, and operator for the exchange's
own people. NAME tells people or machines of one agency apart; use a pseudonym.`,
		Example: `  liaison init --agency ee/pbgb --role unit --name desk-1 --server https://exchange.example:8443
  liaison init --dir dpo --agency ee/pbgb --role dpo --name dpo-1 --server https://exchange.example:8443`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return b.run() },
	}
	f := c.Flags()
	f.StringVar(&b.dir, "dir", "", "directory of the profile (default: AGENCY-ROLE, such as ee-pbgb-unit)")
	f.StringVar(&b.agency, "agency", "", "your agency, such as ee/pbgb")
	f.StringVar(&b.role, "role", "", "unit, dpo, policy, supervisor or operator")
	f.StringVar(&b.name, "name", "", "name of this identity within the agency: a-z, 0-9 and -")
	f.StringVar(&b.server, "server", "", "address of the exchange, such as https://exchange.example:8443")
	f.StringVar(&b.officer, "officer", "", "pseudonym of the officer who uses this profile, if it is always the same")
	for _, name := range []string{"agency", "role", "name", "server"} {
		_ = c.MarkFlagRequired(name) // fails only for a flag that is not declared
	}
	_ = c.MarkFlagDirname("dir")
	c.AddCommand(newInitExchange(env))
	return c
}

// request is a certificate request and what comes of it.
type request struct {
	File string `json:"request"`     // send this
	ID   string `json:"id"`          // the identity that it asks for
	Cert string `json:"certificate"` // put the answer here
	pem  []byte
}

// begun is what init prints with --json.
type begun struct {
	Dir      string    `json:"dir"`
	Requests []request `json:"requests"`
	Missing  []string  `json:"missing"` // files that the profile needs yet
}

func (b *beginning) run() error {
	j, short, err := certs.ParseAgencyID(b.agency)
	if err != nil {
		return usageError(err, "give the agency as JURISDICTION/AGENCY, such as ee/pbgb")
	}
	id := certs.Identity{Jurisdiction: j, Agency: short, Role: b.role, Name: b.name}
	if err := id.Validate(); err != nil {
		return usageError(err, "give a role of unit, dpo, policy, supervisor, and a name of a-z, 0-9 and -")
	}
	if b.dir == "" {
		b.dir = strings.Replace(b.agency, "/", "-", 1) + "-" + b.role
	}
	files, requests, err := b.makeKeys(id)
	if err != nil {
		return err
	}
	profile := client.Profile{Dir: b.dir, Server: b.server, Agency: b.agency, Officer: b.officer}
	if err := client.WriteProfile(profile, files); err != nil {
		return usageError(err, "correct the flags, or choose another --dir")
	}
	for _, r := range requests {
		if err := certs.WritePublic(r.File, r.pem); err != nil {
			return err
		}
	}
	missing := []string{b.path(client.FileTLSCert), b.path(client.FileServerRoots), b.path(client.DirAnchors, "<jurisdiction>.pem"), b.path(client.FileLedger)}
	return b.env.output().value(begun{Dir: b.dir, Requests: requests, Missing: missing}, b.nextSteps(requests))
}

func (b *beginning) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

// makeKeys makes the private keys of the role and a request for each.
func (b *beginning) makeKeys(id certs.Identity) (files client.ProfileFiles, requests []request, err error) {
	key, err := certs.GenerateKey()
	if err != nil {
		return files, nil, err
	}
	if files.TLSKey, err = certs.EncodePrivateKey(key); err != nil {
		return files, nil, err
	}
	tls, err := b.request("tls", id.String(), key)
	if err != nil {
		return files, nil, err
	}
	requests = append(requests, tls)
	keyID := certs.KeyIdentity{Jurisdiction: id.Jurisdiction, Agency: id.Agency, Name: id.Name}
	add := func(name, use string, dst *[]byte) error {
		k, private, err := freshKey(envelope.Use(use))
		if err != nil {
			return err
		}
		*dst, keyID.Use = private, use
		r, err := b.request(name, keyID.String(), k)
		requests = append(requests, r)
		return err
	}
	switch id.Role {
	case certs.RoleUnit:
		if err = add("sign", certs.UseSig, &files.Sign); err == nil {
			err = add("decrypt", certs.UseEnc, &files.Decrypt)
		}
	case certs.RolePolicy:
		err = add("policy", certs.UsePolicy, &files.Policy)
	}
	return files, requests, err
}

func (b *beginning) request(name, id string, key crypto.Signer) (request, error) {
	csr, err := certs.NewCSR(id, key)
	return request{File: b.path(name + ".csr"), ID: id, Cert: b.path(name + ".crt"), pem: csr}, err
}

// freshKey makes a key: to sign its request with, and as the file of the
// profile.
func freshKey(use envelope.Use) (crypto.Signer, []byte, error) {
	k, err := envelope.Generate(use, envelope.ES256)
	if err != nil {
		return nil, nil, err
	}
	if use != envelope.UseEncrypt {
		private, err := k.MarshalPrivate()
		return k.Signer(), private, err
	}
	signer, err := requestSigner(k)
	if err != nil {
		return nil, nil, err
	}
	set, err := envelope.MarshalPrivateSet([]envelope.PrivateKey{k})
	return signer, set, err
}

// requestSigner takes the private half of an encryption key for the one
// signature that it ever makes: that of its own certificate request.
func requestSigner(k envelope.PrivateKey) (crypto.Signer, error) {
	raw, err := k.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	var jwk struct {
		D string `json:"d"`
	}
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return nil, err
	}
	d, err := base64.RawURLEncoding.DecodeString(jwk.D)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
}

// nextSteps says what to send to whom and where to put what comes back.
func (b *beginning) nextSteps(requests []request) string {
	var t strings.Builder
	fmt.Fprintf(&t, "The profile %s has its private keys. They stay there: keep the directory to yourself, and back it up.\n\n", b.dir)
	fmt.Fprintf(&t, "1. Send these requests to the certification authority of %s, and put the certificates\n   that come back, with their intermediates, beside them:\n", strings.Split(b.agency, "/")[0])
	for _, r := range requests {
		fmt.Fprintf(&t, "     %s  asks for %s  ->  %s\n", r.File, r.ID, r.Cert)
	}
	fmt.Fprintf(&t, `
2. Get from the operator of the exchange, over a way that you trust:
     %s  the certificates that vouch for its server
     %s  the verifier key of its ledger

3. Get from each jurisdiction that you exchange with, not from the exchange:
     %s  the certificates of its authority
`, b.path(client.FileServerRoots), b.path(client.FileLedger), b.path(client.DirAnchors, "<jurisdiction>.pem"))
	if len(requests) > 1 {
		fmt.Fprintf(&t, "\n4. When your agency is admitted, put your keys into the directory:\n     liaison keys publish --profile %s\n", b.dir)
	}
	fmt.Fprintf(&t, "\nThen try:\n     liaison keys list --profile %s\n", b.dir)
	return t.String()
}
