package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// minPassword is how long the password of a .p12 must be: the file travels, and can be guessed at in peace.
const minPassword = 12

func newCertsP12(env *environment) *cobra.Command {
	var profile profileFlags
	var out, passwordFile string
	c := &cobra.Command{
		Use:   "p12 --output FILE",
		Short: "Put the profile's client certificate and key into a .p12 for a browser",
		Long: `p12 writes a PKCS #12 file (PBES2 with AES-256, MAC with SHA-256) that browsers and
their key stores import, so that a data-protection officer can open the console. The
password is asked for, or is the first line of --password-file; it has at least 12
characters and never stands on the command line. Remove the file when it is imported.`,
		Example: `  liaison certs p12 --profile ee-pbgb-dpo --output dpo.p12`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := profile.path(env)
			if err != nil {
				return err
			}
			if _, err := client.LoadProfile(dir); err != nil {
				return clientError(err)
			}
			if _, err := os.Lstat(out); err == nil {
				return usageError(fmt.Errorf("%s is there already", out), "choose another --output")
			}
			password, err := newPassword(env, passwordFile)
			if err != nil {
				return err
			}
			data, err := encodeP12(dir, password)
			if err != nil {
				return err
			}
			if err := certs.WriteSecret(out, data); err != nil {
				return err
			}
			return env.output().value(map[string]string{"file": out}, "wrote "+out+"; remove it when it is imported")
		},
	}
	profile.add(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file to write")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file whose first line is the password; only you may read it")
	_ = c.MarkFlagRequired("output") // fails only for a flag that is not declared
	_ = c.MarkFlagFilename("output", "p12")
	_ = c.MarkFlagFilename("password-file")
	return c
}

func encodeP12(dir, password string) ([]byte, error) {
	pair, err := certs.LoadKeyPair(filepath.Join(dir, client.FileTLSCert), filepath.Join(dir, client.FileTLSKey))
	if err != nil {
		return nil, err
	}
	var above []*x509.Certificate
	for _, der := range pair.Certificate[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		above = append(above, cert)
	}
	return pkcs12.Modern.Encode(pair.PrivateKey, pair.Leaf, above, password)
}

// newPassword reads a password from a private file, or asks a person twice.
func newPassword(env *environment, file string) (string, error) {
	password, err := readPassword(env, file)
	if err != nil {
		return "", err
	}
	if len(password) < minPassword {
		return "", usageError(fmt.Errorf("a password of fewer than %d characters", minPassword), "choose a longer one: the file can be guessed at in peace")
	}
	return password, nil
}

func readPassword(env *environment, file string) (string, error) {
	if file != "" {
		if err := certs.CheckPrivate(file); err != nil {
			return "", err
		}
		data, err := os.ReadFile(file)
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), err
	}
	in, ok := env.Stdin.(*os.File)
	if !ok || !env.IsTerminal(env.Stdin) {
		return "", usageError(errors.New("nobody to ask for a password"), "give --password-file FILE")
	}
	first, err := askHidden(env, in, "password for the .p12: ")
	if err != nil {
		return "", err
	}
	second, err := askHidden(env, in, "the same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", usageError(errors.New("two different passwords"), "try again")
	}
	return first, nil
}

func askHidden(env *environment, in *os.File, question string) (string, error) {
	fmt.Fprint(env.Stderr, question)
	answer, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(env.Stderr)
	return string(answer), err
}
