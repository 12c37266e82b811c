package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
)

func newCerts(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "certs",
		Short: "Certificates: look at them, renew them, and a small authority that issues them",
		Long: `certs shows what a certificate is and what is wrong with it, renews the profile's
own, and runs the built-in authority of a jurisdiction: for demonstrations, tests
and small deployments. Where there is a national PKI, use that: docs/pki.md has
the exact commands.

The built-in authority lives in a directory of its own, on a machine of its own
jurisdiction. An exchange never has its key.`,
		Example: `  liaison certs ca init --dir ca --jurisdiction ee
  liaison certs issue --dir ca --csr ee-pbgb-unit/tls.csr
  liaison certs show ee-pbgb-unit
  liaison certs renew --profile ee-pbgb-unit --ca https://ca.example:8445 --daemon`,
	}
	c.AddCommand(newCertsShow(env), newCertsRequest(env), newCertsRenew(env), newCertsP12(env),
		newCertsCA(env), newCertsIssue(env), newCertsRevoke(env), newCertsCRL(env))
	return c
}

// officeFlags name the directory of the built-in authority.
type officeFlags struct{ dir string }

func (o *officeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.dir, "dir", "", "directory of the authority")
	_ = c.MarkFlagRequired("dir") // fails only for a flag that is not declared
	_ = c.MarkFlagDirname("dir")
}

func (o *officeFlags) open(env *environment) (*certs.Office, error) {
	office, err := certs.OpenOffice(o.dir, env.Now)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError(err, "name the directory that liaison certs ca init made")
	}
	return office, err
}

// days is a flag with a number of days.
type days int

func (d days) duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

func daysOf(d time.Duration) days { return days(d / (24 * time.Hour)) }

func daysFlag(c *cobra.Command, d *days, name string, standard time.Duration, usage string) {
	c.Flags().IntVar((*int)(d), name, int(daysOf(standard)), usage)
}

// writeNew writes a public file, and never over another one.
func writeNew(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return usageError(fmt.Errorf("%s is there already", path), "choose another --output, or move the file away")
	}
	return certs.WritePublic(path, data)
}

// replaceSuffix gives tls.crt for tls.csr.
func replaceSuffix(path, old, next string) string { return strings.TrimSuffix(path, old) + next }
