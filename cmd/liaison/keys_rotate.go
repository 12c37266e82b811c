package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// keyFiles are the files of a profile in which the keys of a use lie, and
// those of a rotation that is under way.
type keyFiles struct {
	private  string // in force
	cert     string
	next     string // the new private key, until all is done
	nextCert string
	csr      string
	retiring string // kids of the keys that it replaces, one a line
	set      bool   // private is a JWK Set that keeps old keys
}

var rotatedFiles = map[envelope.Use]keyFiles{
	envelope.UseSign: {private: client.FileSign, cert: "sign.crt", next: "sign.next.jwk", nextCert: "sign.next.crt", csr: "sign.next.csr", retiring: "sign.retiring"},
	envelope.UseEncrypt: {private: client.FileDecrypt, cert: "decrypt.crt", next: "decrypt.next.jwks", nextCert: "decrypt.next.crt", csr: "decrypt.next.csr",
		retiring: "decrypt.retiring", set: true},
}

// read reads private keys; no file means none.
func (f keyFiles) read(dir, name string) ([]envelope.PrivateKey, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := parsePrivate(name, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// rotation is what the flags of rotate say, and how far it is.
type rotation struct {
	env *environment
	profileFlags
	use, csrOut, certificate, ca, name string
	overlap, validity                  time.Duration

	dir   string
	files keyFiles
	next  envelope.PrivateKey
}

// rotated is what rotate prints with --json.
type rotated struct {
	Use     string   `json:"use"`
	Key     string   `json:"key"`
	Request string   `json:"request,omitempty"` // send this, and come back with what it brings
	Until   string   `json:"until,omitempty"`   // when the replaced keys end
	Retired []string `json:"retired,omitempty"`
	Done    bool     `json:"done"`
}

func newKeysRotate(env *environment) *cobra.Command {
	r := &rotation{env: env}
	c := &cobra.Command{
		Use:   "rotate --use sig|enc",
		Short: "Replace your agency's signing or decryption key by a new one",
		Long: `rotate replaces a key in two steps, and nothing stops meanwhile:

  1. liaison keys rotate --use sig
     makes a new private key beside the old one and a request for its certificate.
     Send the request to the certification authority of your jurisdiction.
  2. liaison keys rotate --use sig --certificate FILE
     with what came back: publishes the new key, puts it in force, and ends the old
     one after the overlap, so that what is on its way with it still arrives.

Where the authority is the built-in one and its directory at hand, --ca DIR does
both at once. If it is interrupted, the same command goes on where it was. Private
keys never leave the profile; old decryption keys stay in it, so that old packages
can be read.`,
		Example: `  liaison keys rotate --use sig --csr-out sign.csr
  liaison keys rotate --use sig --certificate sign.crt
  liaison keys rotate --use enc --ca /srv/ca/ee --overlap 24h`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &r.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error { return r.run(ctx, c) }),
	}
	r.profileFlags.add(c)
	f := c.Flags()
	f.StringVar(&r.use, "use", "", "sig for the key that signs, enc for the one that decrypts")
	f.StringVar(&r.csrOut, "csr-out", "", "where to put the request (default: in the profile)")
	f.StringVar(&r.certificate, "certificate", "", "PEM file with the certificate that came back, and its intermediates")
	f.StringVar(&r.ca, "ca", "", "directory of the built-in certification authority of your jurisdiction")
	f.DurationVar(&r.validity, "validity", 90*24*time.Hour, "how long the certificate of --ca lasts")
	f.StringVar(&r.name, "name", "", "name of the key in its certificate (default: that of the key that it replaces)")
	f.DurationVar(&r.overlap, "overlap", time.Hour, "how long the old key stays in use beside the new one")
	_ = c.MarkFlagRequired("use") // fails only for a flag that is not declared
	_ = c.MarkFlagFilename("certificate")
	_ = c.MarkFlagDirname("ca")
	c.MarkFlagsMutuallyExclusive("certificate", "ca", "csr-out")
	return c
}

// run goes as far as it can. The order is that of what may be lost least: the
// new private key is durable before anybody can seal for it, published before
// anything is signed with it, and the old one ends last.
func (r *rotation) run(ctx context.Context, c *client.Client) error {
	var known bool
	if r.files, known = rotatedFiles[envelope.Use(r.use)]; !known {
		return usageError(fmt.Errorf("--use %q", r.use), "give sig or enc; other keys belong to persons and are published one by one")
	}
	if r.overlap < 0 {
		return usageError(errors.New("--overlap is negative"), "give 0 or more, such as 1h")
	}
	var err error
	if r.dir, err = r.path(r.env); err != nil {
		return err
	}
	csr, err := r.prepare(ctx, c)
	if err != nil {
		return err
	}
	chain, err := r.certified(csr)
	if err != nil {
		return err
	}
	if chain == nil {
		return r.ask(c, csr)
	}
	return r.replace(ctx, c, chain)
}

func (r *rotation) file(name string) string { return filepath.Join(r.dir, name) }

// prepare makes the new private key, or takes the one of a rotation that was
// begun, and returns a request for its certificate.
func (r *rotation) prepare(ctx context.Context, c *client.Client) (csr []byte, err error) {
	begun, err := r.files.read(r.dir, r.files.next)
	if err != nil {
		return nil, err
	}
	if len(begun) == 0 {
		if err := r.remove(r.files.csr, r.files.nextCert, r.files.retiring); err != nil { // of the last one
			return nil, err
		}
		_, raw, err := freshKey(envelope.Use(r.use))
		if err != nil {
			return nil, err
		}
		if err := certs.WriteSecret(r.file(r.files.next), raw); err != nil {
			return nil, err
		}
		if begun, err = r.files.read(r.dir, r.files.next); err != nil {
			return nil, err
		}
	}
	r.next = begun[0]
	signer := r.next.Signer()
	if r.use == certs.UseEnc {
		if signer, err = requestSigner(r.next); err != nil {
			return nil, err
		}
	}
	id, err := r.identity(ctx, c)
	if err != nil {
		return nil, err
	}
	return certs.NewCSR(id, signer)
}

// identity is what the certificate shall name.
func (r *rotation) identity(ctx context.Context, c *client.Client) (string, error) {
	j, short, err := certs.ParseAgencyID(c.Agency())
	if err != nil {
		return "", err
	}
	name := r.name
	if name == "" {
		if name, err = r.oldName(ctx, c); err != nil {
			return "", err
		}
	}
	id := certs.KeyIdentity{Jurisdiction: j, Agency: short, Use: r.use, Name: name}
	if err := id.Validate(); err != nil {
		return "", usageError(err, "give --name, of a-z, 0-9 and -")
	}
	return id.String(), nil
}

// oldName is the name of the key that is replaced, as its certificate has it.
func (r *rotation) oldName(ctx context.Context, c *client.Client) (string, error) {
	own, err := r.files.read(r.dir, r.files.private)
	if err != nil {
		return "", err
	}
	for _, k := range own {
		found, err := c.Key(ctx, c.Agency(), k.Kid(), r.env.Now())
		if err == nil && found.Identity.Name != "" {
			return found.Identity.Name, nil
		}
	}
	return r.use, nil
}

// certified is the chain of the new key: what was given, what the built-in
// authority issues, or what an interrupted rotation had already; nil if there
// is none yet.
func (r *rotation) certified(csr []byte) ([]*x509.Certificate, error) {
	file := r.file(r.files.nextCert)
	switch {
	case r.certificate != "":
		file = r.certificate
	case r.ca != "":
		if _, err := os.Stat(file); err == nil {
			break // issued before it was interrupted
		}
		office, err := certs.OpenOffice(r.ca, r.env.Now)
		if err != nil {
			return nil, err
		}
		leaf, err := office.Issue(csr, r.validity)
		if err != nil {
			return nil, err
		}
		return []*x509.Certificate{leaf}, certs.WritePublic(file, certs.EncodeChain(leaf))
	default:
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	chain, err := certs.LoadChain(file)
	if err != nil {
		return nil, err
	}
	if k, err := envelope.NewPublicKey(chain[0].PublicKey, r.next.Use()); err != nil || !k.Equal(r.next.Public()) {
		return nil, usageError(fmt.Errorf("%s is not the certificate of the new key", file), "give the certificate that was issued for the newest request, "+r.files.csr)
	}
	return chain, certs.WritePublic(r.file(r.files.nextCert), certs.EncodeChain(chain...))
}

// ask writes the request and says what to do with it.
func (r *rotation) ask(c *client.Client, csr []byte) error {
	out := r.csrOut
	if out == "" {
		out = r.file(r.files.csr)
	}
	if err := certs.WritePublic(out, csr); err != nil {
		return err
	}
	j, _, _ := certs.ParseAgencyID(c.Agency())
	return r.env.output().value(rotated{Use: r.use, Key: r.next.Kid(), Request: out}, fmt.Sprintf(`The new key %s lies in %s, not in use yet; the old one goes on.

1. Send %s to the certification authority of %s.
2. With the certificate that comes back:
     liaison keys rotate --use %s --certificate FILE --profile %s`, r.next.Kid(), r.file(r.files.next), out, j, r.use, r.dir))
}

// replace publishes the new key, puts it in force and ends the old ones.
func (r *rotation) replace(ctx context.Context, c *client.Client, chain []*x509.Certificate) error {
	old, err := r.replaced(ctx, c)
	if err != nil {
		return err
	}
	if r.files.set {
		if err := r.keepBoth(); err != nil {
			return err
		}
	}
	published := envelope.PublishedKey{PublicKey: r.next.Public()}
	for _, cert := range chain {
		published.X5C = append(published.X5C, cert.Raw)
	}
	if _, err := c.PublishKey(ctx, published); err != nil {
		return err
	}
	if !r.files.set {
		raw, err := r.next.MarshalPrivate()
		if err != nil {
			return err
		}
		if err := certs.WriteSecret(r.file(r.files.private), raw); err != nil {
			return err
		}
	}
	if err := certs.WritePublic(r.file(r.files.cert), certs.EncodeChain(chain...)); err != nil {
		return err
	}
	until, err := r.retire(ctx, c, old)
	if err != nil {
		return err
	}
	return r.finish(old, until)
}

// replaced are the keys that the new one replaces: those of this profile that
// are in use. They are written down before they leave the profile, so that
// they end even if the rotation is interrupted.
func (r *rotation) replaced(ctx context.Context, c *client.Client) ([]string, error) {
	raw, err := os.ReadFile(r.file(r.files.retiring))
	if err == nil {
		return strings.Fields(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	own, err := r.files.read(r.dir, r.files.private)
	if err != nil {
		return nil, err
	}
	inUse, err := c.Keys(ctx, c.Agency())
	if err != nil {
		return nil, err
	}
	var old []string
	for _, k := range own {
		listed := slices.ContainsFunc(inUse, func(d client.Key) bool { return d.Kid() == k.Kid() })
		if listed && k.Kid() != r.next.Kid() {
			old = append(old, k.Kid())
		}
	}
	return old, certs.WritePublic(r.file(r.files.retiring), []byte(strings.Join(old, "\n")))
}

// keepBoth puts the new decryption key before the old ones, which stay.
func (r *rotation) keepBoth() error {
	own, err := r.files.read(r.dir, r.files.private)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(own, func(k envelope.PrivateKey) bool { return k.Kid() == r.next.Kid() }) {
		return nil
	}
	raw, err := envelope.MarshalPrivateSet(append([]envelope.PrivateKey{r.next}, own...))
	if err != nil {
		return err
	}
	return certs.WriteSecret(r.file(r.files.private), raw)
}

// retire ends the old keys after the overlap.
func (r *rotation) retire(ctx context.Context, c *client.Client, old []string) (until string, err error) {
	var end client.KeyEnd
	if r.overlap > 0 {
		end.Until = r.env.Now().Add(r.overlap)
	}
	for _, kid := range old {
		change, err := c.RetireKey(ctx, kid, end)
		if err != nil {
			return "", fmt.Errorf("the new key is in force, the old one %s is not retired yet: %w", kid, err)
		}
		until = change.Until
	}
	return until, nil
}

// remove removes files of the profile, if they are there.
func (r *rotation) remove(names ...string) error {
	for _, name := range names {
		if err := os.Remove(r.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// finish removes what the rotation left and says what was done.
func (r *rotation) finish(old []string, until string) error {
	if err := r.remove(r.files.next, r.files.csr, r.files.nextCert, r.files.retiring); err != nil {
		return err
	}
	text := fmt.Sprintf("in force: %s key %s", r.use, r.next.Kid())
	for _, kid := range old {
		text += fmt.Sprintf("\nreplaced: key %s, in use until %s", kid, until)
	}
	return r.env.output().value(rotated{Use: r.use, Key: r.next.Kid(), Until: until, Retired: old, Done: true}, text)
}
