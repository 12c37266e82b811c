package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

func newKeysExport(env *environment) *cobra.Command {
	var profile profileFlags
	var files []string
	c := &cobra.Command{
		Use:   "export [--cert FILE]...",
		Short: "Print the profile's public keys with their certificates, for the directory",
		Long: `export prints a JWK Set of the profile's public keys, each with the certificate
that your authority issued for it: what the operator of an exchange needs to
register them. Nothing private is in it.

The certificates are sign.crt and decrypt.crt of the profile, or what --cert names.
They are matched with the keys by their public key.`,
		Example: `  liaison keys export --profile ee-pbgb-unit > keys.jwks
  liaison keys export --profile ee-pbgb-unit --cert sign.crt --cert decrypt.crt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := profile.path(env)
			if err != nil {
				return err
			}
			set, err := exportKeys(dir, files)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(set)
			if err != nil {
				return err
			}
			return env.output().value(set, string(raw))
		},
	}
	profile.add(c)
	c.Flags().StringArrayVar(&files, "cert", nil, "PEM file with the certificate of a key, and its intermediates; repeat for more")
	return c
}

// exportKeys reads the profile's keys and finds the certificate of each.
func exportKeys(dir string, files []string) (envelope.KeySet, error) {
	keys, err := ownKeys(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		files = []string{filepath.Join(dir, "sign.crt"), filepath.Join(dir, "decrypt.crt")}
	}
	var set envelope.KeySet
	for _, file := range files {
		chain, err := certs.LoadChain(file)
		if err != nil {
			return nil, usageError(err, "put the certificate there that your authority issued for the key, or name it with --cert")
		}
		k, ok := keyOfCertificate(keys, chain[0])
		if !ok {
			return nil, usageError(fmt.Errorf("%s is for no key of this profile", file), "give the certificates that were issued for requests of this profile")
		}
		published := envelope.PublishedKey{PublicKey: k}
		for _, cert := range chain {
			published.X5C = append(published.X5C, cert.Raw)
		}
		set = append(set, published)
	}
	return set, nil
}

// ownKeys are the public halves of the profile's keys.
func ownKeys(dir string) ([]envelope.PublicKey, error) {
	if _, err := client.LoadProfile(dir); err != nil {
		return nil, clientError(err)
	}
	var keys []envelope.PublicKey
	for _, name := range []string{client.FileSign, client.FileApprove, client.FilePolicy, client.FileDecrypt} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := parsePrivate(name, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, k := range found {
			keys = append(keys, k.Public())
		}
	}
	return keys, nil
}

func parsePrivate(name string, raw []byte) ([]envelope.PrivateKey, error) {
	if strings.HasSuffix(name, ".jwks") {
		return envelope.ParsePrivateSet(raw)
	}
	k, err := envelope.ParsePrivateJWK(raw)
	return []envelope.PrivateKey{k}, err
}

func keyOfCertificate(keys []envelope.PublicKey, cert *x509.Certificate) (envelope.PublicKey, bool) {
	for _, k := range keys {
		if same, err := envelope.NewPublicKey(cert.PublicKey, k.Use()); err == nil && same.Equal(k) {
			return k, true
		}
	}
	return envelope.PublicKey{}, false
}
