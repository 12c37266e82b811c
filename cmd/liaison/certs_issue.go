package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
)

// issuing is what the flags of issue say.
type issuing struct {
	env      *environment
	office   officeFlags
	csr, out string
	server   bool
	validity days
}

func newCertsIssue(env *environment) *cobra.Command {
	i := &issuing{env: env}
	c := &cobra.Command{
		Use:   "issue --dir DIR --csr FILE",
		Short: "Issue the certificate that a request asks for",
		Long: `issue certifies an identity (spiffe://<j>/<agency>/<role>/<name>), a key
(spiffe://<j>/<agency>/key/<sig|enc|approve|policy>/<name>) or, with --server, the
hosts of a server. What it is for stands in the request; the private key stays with
its holder. It is for you to know that the sender of the request may have what it
asks for: look at it first, with liaison certs show.

The certificate is written beside the request, as FILE with the ending .crt.`,
		Example: `  liaison certs show ee-pbgb-unit/tls.csr
  liaison certs issue --dir ca --csr ee-pbgb-unit/tls.csr
  liaison certs issue --dir ca --csr server.csr --server --days 90 --output server.crt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return i.run() },
	}
	i.office.add(c)
	c.Flags().StringVar(&i.csr, "csr", "", "certificate request, PEM; - for standard input")
	c.Flags().StringVarP(&i.out, "output", "o", "", "where to write the certificate (default: beside the request)")
	c.Flags().BoolVar(&i.server, "server", false, "it is the request of a server, for hosts")
	daysFlag(c, &i.validity, "days", certs.LeafValidity, "how long the certificate lasts")
	_ = c.MarkFlagRequired("csr")
	_ = c.MarkFlagFilename("csr", "csr", "pem")
	return c
}

func (i *issuing) run() error {
	office, err := i.office.open(i.env)
	if err != nil {
		return err
	}
	csr, err := readInput(i.env, i.csr)
	if err != nil {
		return usageError(err, "name the file of a certificate request")
	}
	if i.out == "" {
		if i.csr == "-" {
			return usageError(errors.New("where to write the certificate?"), "give --output FILE")
		}
		i.out = replaceSuffix(i.csr, ".csr", ".crt")
	}
	if _, err := os.Lstat(i.out); err == nil {
		return usageError(fmt.Errorf("%s is there already", i.out), "choose another --output, or move the file away")
	}
	cert, err := i.issue(office, csr)
	if err != nil {
		return err
	}
	if err := writeNew(i.out, certs.EncodeChain(cert)); err != nil {
		return err
	}
	shown := certs.Inspect([]*x509.Certificate{cert}, nil, nil, i.env.Now())
	name := shown.Identity
	if name == "" {
		name = strings.Join(shown.Hosts, " ")
	}
	return i.env.output().value(map[string]any{"certificate": i.out, "serial": shown.Serial, "identity": shown.Identity, "hosts": shown.Hosts, "not_after": shown.NotAfter},
		fmt.Sprintf("issued %s: %s until %s, serial %s", i.out, printable(name), shown.NotAfter.Format(time.RFC3339), shown.Serial))
}

func (i *issuing) issue(office *certs.Office, csr []byte) (*x509.Certificate, error) {
	if !i.server {
		return office.Issue(csr, i.validity.duration())
	}
	request, err := certs.ParseServerCSR(csr)
	if err != nil {
		return nil, err
	}
	return office.IssueServer(request.Hosts, request.Key, i.validity.duration())
}

// readInput reads a file, or standard input for -.
func readInput(env *environment, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(env.Stdin, 1<<20))
	}
	return os.ReadFile(path)
}

func newCertsRevoke(env *environment) *cobra.Command {
	var office officeFlags
	c := &cobra.Command{
		Use:   "revoke --dir DIR SERIAL|FILE",
		Short: "Revoke a certificate, and sign the next revocation list",
		Long: `revoke puts a certificate on the authority's revocation list, for good, and signs
the next list. It counts for others as soon as they have that list: give it to the
operator of the exchange at once. A renewal is refused from now on.`,
		Example: `  liaison certs revoke --dir ca ee-pbgb-unit/tls.crt
  liaison certs revoke --dir ca 3f9a0c5e...`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o, err := office.open(env)
			if err != nil {
				return err
			}
			serial, err := revoke(o, args[0])
			if err != nil {
				return err
			}
			return nextCRL(env, o, certs.CRLValidity, "", "revoked "+serial)
		},
	}
	office.add(c)
	return c
}

// revoke revokes what is named: a file with a certificate, else a serial number.
func revoke(office *certs.Office, what string) (serial string, err error) {
	if _, err := os.Stat(what); err == nil {
		chain, err := certs.LoadChain(what)
		if err != nil {
			return "", err
		}
		return chain[0].SerialNumber.Text(16), office.RevokeCertificate(chain[0])
	}
	n, ok := new(big.Int).SetString(strings.ReplaceAll(what, ":", ""), 16)
	if !ok {
		return "", usageError(fmt.Errorf("%.80q is neither a file nor a serial number in hexadecimal", what), "look it up with liaison certs ca list")
	}
	return n.Text(16), office.Revoke(n)
}

func newCertsCRL(env *environment) *cobra.Command {
	var office officeFlags
	var out string
	var due days
	c := &cobra.Command{
		Use:   "crl --dir DIR",
		Short: "Sign the next revocation list",
		Long: `crl signs the next full list of all revoked certificates. Its number is above those
of all lists before. liaison certs ca serve does this by itself.`,
		Example: `  liaison certs crl --dir ca --output ee.crl`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := office.open(env)
			if err != nil {
				return err
			}
			return nextCRL(env, o, due.duration(), out, "signed")
		},
	}
	office.add(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file to copy the list to")
	daysFlag(c, &due, "days", certs.CRLValidity, "how long the list serves")
	_ = c.MarkFlagFilename("output", "crl")
	return c
}

// nextCRL signs the next list, copies it, and says where it is.
func nextCRL(env *environment, office *certs.Office, validity time.Duration, out, did string) error {
	list, err := office.NextCRL(validity)
	if err != nil {
		return err
	}
	file := office.CRLFile()
	if out != "" {
		if err := certs.WritePublic(out, certs.EncodeCRL(list)); err != nil {
			return err
		}
		file = out
	}
	return env.output().value(
		map[string]any{"crl": file, "number": list.Number.String(), "revoked": len(list.RevokedCertificateEntries), "next_update": list.NextUpdate.UTC()},
		fmt.Sprintf("%s: list %s has %d certificates and is due again by %s; give %s to all who check it", did, list.Number, len(list.RevokedCertificateEntries),
			list.NextUpdate.UTC().Format(time.RFC3339), file))
}
