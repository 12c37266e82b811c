package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// founding is what the flags of init exchange say.
type founding struct {
	env              *environment
	dir, origin      string
	operator, listen string
	hosts            []string
	alone            bool
}

func newInitExchange(env *environment) *cobra.Command {
	f := &founding{env: env}
	c := &cobra.Command{
		Use:   "exchange --origin NAME --host HOST",
		Short: "Begin an exchange: ledger key, server key, configuration",
		Long: `init exchange makes a directory for an exchange's operator: the ledger's key, the
server's key with a request for its certificate, and a configuration to be
completed. The origin names the ledger for good: every manifest and every
receipt bears it. Then it says what is missing.`,
		Example: `  liaison init exchange --origin exchange.example/ledger --host exchange.example --dir /etc/liaison`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return f.run() },
	}
	c.Flags().StringVar(&f.dir, "dir", "exchange", "directory to make")
	c.Flags().StringVar(&f.origin, "origin", "", "name of the ledger, a host and a path without a scheme, such as exchange.example/ledger")
	c.Flags().StringVar(&f.operator, "operator", "exchange/ops", "the exchange's own agency: TRUSTDOMAIN/AGENCY")
	c.Flags().StringVar(&f.listen, "listen", ":8443", "address of the API")
	c.Flags().StringSliceVar(&f.hosts, "host", nil, "DNS name or IP address by which clients reach the server; repeat for more")
	c.Flags().BoolVar(&f.alone, "single-operator", false, "one person is enough to admit agencies and give roles (two_persons: false)")
	for _, name := range []string{"origin", "host"} {
		_ = c.MarkFlagRequired(name) // fails only for a flag that is not declared
	}
	_ = c.MarkFlagDirname("dir")
	return c
}

// Names of the files that init exchange makes.
const (
	fileConfig     = "exchange.yaml"
	fileLedgerKey  = "ledger.key"
	fileServerKey  = "server.key"
	fileServerCSR  = "server.csr"
	fileServerCert = "server.crt"
)

func (f *founding) path(name string) string { return filepath.Join(f.dir, name) }

func (f *founding) run() error {
	if _, _, err := certs.ParseAgencyID(f.operator); err != nil {
		return usageError(err, "give the operator as TRUSTDOMAIN/AGENCY, such as exchange/ops")
	}
	if entries, err := os.ReadDir(f.dir); err == nil && len(entries) > 0 {
		return usageError(fmt.Errorf("%s is not empty", f.dir), "choose another --dir: keys are never overwritten")
	}
	skey, vkey, err := audit.GenerateKey(f.origin)
	if err != nil {
		return usageError(err, "give an origin such as exchange.example/ledger")
	}
	for _, dir := range []string{"anchors", "crl", "registry", "ledger"} {
		if err := os.MkdirAll(f.path(dir), 0o700); err != nil {
			return err
		}
	}
	err = errors.Join(certs.WriteSecret(filepath.Join(f.dir, "ledger", fileLedgerKey), []byte(skey+"\n")),
		certs.WritePublic(f.path("log.vkey"), []byte(vkey+"\n")), f.makeServerKey(), f.writeConfig(),
		node.WriteAdmission(f.path("registry"), node.Admission{ID: f.operator, Roles: []string{certs.RoleOperator}}, []byte(`{"keys":[]}`)))
	if err != nil {
		return err
	}
	return f.env.output().value(map[string]any{"dir": f.dir, "origin": f.origin, "log_key": vkey}, f.nextSteps())
}

// makeServerKey makes the server's key and the request for its certificate.
func (f *founding) makeServerKey() error {
	key, err := certs.GenerateKey()
	if err != nil {
		return err
	}
	private, err := certs.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: f.hosts[0]}}
	for _, host := range f.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return err
	}
	return errors.Join(certs.WriteSecret(f.path(fileServerKey), private),
		certs.WritePublic(f.path(fileServerCSR), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})))
}

// writeConfig writes a configuration with the paths of this directory.
func (f *founding) writeConfig() error {
	twoPersons := !f.alone
	return node.WriteConfig(f.path(fileConfig), node.Config{Listen: f.listen, Admin: "127.0.0.1:8444", State: "state",
		LedgerKey: filepath.Join("ledger", fileLedgerKey), Certificate: fileServerCert, Key: fileServerKey,
		Anchors: "anchors", Revocations: "crl", Operator: f.operator, Registry: "registry",
		TwoPersons: &twoPersons})
}

func (f *founding) nextSteps() string {
	return fmt.Sprintf(`%[1]s has the keys of an exchange. Back up ledger/%[2]s: whoever has it can sign for the ledger.

1. Send %[3]s to the authority that vouches for your server, and put the certificate that comes back into %[4]s.
2. Put the certificates of each jurisdiction's authority into anchors/<jurisdiction>.pem, and those of your own
   trust domain beside them; and the newest revocation list of each into crl/<jurisdiction>.crl. Without its list a
   jurisdiction is refused, unless crl_optional in %[7]s names it.
3. Admit agencies: registry/<jurisdiction>-<agency>/%[5]s (id, roles) and %[6]s (public keys with certificates).
4. Give log.vkey and the certificates that vouch for your server to every agency, over a way that it trusts.
5. This version has sample policies only, which are the law of nobody. To try the exchange with them, add the line
   allow_sample_policies: true to %[7]s; without it nothing starts.
6. liaison serve --config %[7]s
7. Each operator makes a profile, and your own authority certifies it; with it they admit, suspend and readmit:
     liaison init --agency %[8]s --role operator --name NAME --server https://%[9]s
     liaison agencies suspend AGENCY --reason TEXT`,
		f.dir, fileLedgerKey, f.path(fileServerCSR), f.path(fileServerCert), node.AgencyFile, node.KeysFile, f.path(fileConfig),
		f.operator, net.JoinHostPort(f.hosts[0], portOf(f.listen)))
}

// portOf is the port of an address to listen on.
func portOf(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "8443"
	}
	return port
}
