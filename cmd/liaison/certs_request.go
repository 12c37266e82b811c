package main

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

func newCertsRequest(env *environment) *cobra.Command {
	var id, out string
	c := &cobra.Command{
		Use:   "request --id SPIFFE-ID --output FILE",
		Short: "Make a new private key and the request for its certificate",
		Long: `request makes a private key, which stays here, and a request (FILE.csr) for the
authority. The key of an identity is FILE.key in PEM; that of a key is FILE.jwk, as a
profile wants it (sig: sign.jwk, approve: approve.jwk, policy: policy.jwk), or
FILE.jwks for enc. No file is overwritten.

liaison init makes all that a new profile needs; this is for one more.`,
		Example: `  liaison certs request --id spiffe://ee/pbgb/unit/desk-2 --output desk-2/tls
  liaison certs request --id spiffe://ee/pbgb/key/approve/head-1 --output approve`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			key, name, private, err := requestKey(id)
			if err != nil {
				return err
			}
			csr, err := certs.NewCSR(id, key)
			if err != nil {
				return err
			}
			for _, path := range []string{out + name, out + ".csr"} {
				if _, err := os.Lstat(path); err == nil {
					return usageError(fmt.Errorf("%s is there already", path), "choose another --output: a private key is never overwritten")
				}
			}
			if err := errors.Join(certs.WriteSecret(out+name, private), certs.WritePublic(out+".csr", csr)); err != nil {
				return err
			}
			return env.output().value(map[string]string{"key": out + name, "request": out + ".csr", "id": id},
				fmt.Sprintf("%s is the private key: it stays here.\nSend %s to the authority of %s; it asks for %s", out+name, out+".csr", strings.Split(id, "/")[2], id))
		},
	}
	c.Flags().StringVar(&id, "id", "", "identity, spiffe://<j>/<agency>/<role>/<name>, or that of a key, spiffe://<j>/<agency>/key/<use>/<name>")
	c.Flags().StringVarP(&out, "output", "o", "", "path of the files, without ending")
	for _, name := range []string{"id", "output"} {
		_ = c.MarkFlagRequired(name) // fails only for a flag that is not declared
	}
	return c
}

// requestKey makes the private key for an id, as the file that a profile has.
func requestKey(id string) (key crypto.Signer, ending string, private []byte, err error) {
	if k, err := certs.ParseKeyIdentity(id); err == nil {
		signer, private, err := freshKey(envelope.Use(k.Use))
		if k.Use == certs.UseEnc {
			return signer, ".jwks", private, err
		}
		return signer, ".jwk", private, err
	}
	if _, err := certs.ParseIdentity(id); err != nil {
		return nil, "", nil, usageError(err, "give the id of an identity or of a key, in lower case; see --help")
	}
	if key, err = certs.GenerateKey(); err != nil {
		return nil, "", nil, err
	}
	private, err = certs.EncodePrivateKey(key)
	return key, ".key", private, err
}
