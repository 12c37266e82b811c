package main

import (
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
)

// certsView is what the flags of certs show say.
type certsView struct {
	env            *environment
	anchors, roots string
}

func newCertsShow(env *environment) *cobra.Command {
	s := &certsView{env: env}
	c := &cobra.Command{
		Use:   "show FILE|PROFILE...",
		Short: "Say what a certificate is, whether it is believed, and what to do if not",
		Long: `show reads certificates and requests, or all those of a profile. It says who or
what each is for, its dates, to which anchor it chains; and if it would be refused,
why, what was expected, and what to do now.

A file is held against the anchors of its profile (the directory that it lies in),
or --anchors, and --roots for servers. One that would be refused has the exit code 5.`,
		Example: `  liaison certs show ee-pbgb-unit
  liaison certs show ee-pbgb-unit/tls.csr
  liaison certs show other.crt --anchors ee-pbgb-unit/anchors --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return s.run(args) },
	}
	c.Flags().StringVar(&s.anchors, "anchors", "", "directory with <jurisdiction>.pem")
	c.Flags().StringVar(&s.roots, "roots", "", "certificates that vouch for servers, such as server-roots.pem")
	_ = c.MarkFlagDirname("anchors")
	return c
}

// shownCertificate is what show prints with --json.
type shownCertificate struct {
	File string `json:"file"`
	certs.Inspection
	Unchecked bool `json:"unchecked,omitempty"` // there was nothing to hold it against
}

func (s *certsView) run(args []string) error {
	bad := 0
	for _, path := range args {
		files, err := certificateFiles(path)
		if err != nil {
			return usageError(err, "name a certificate, a request, or the directory of a profile")
		}
		for _, file := range files {
			refused, err := s.show(file)
			if err != nil {
				return err
			}
			bad += refused
		}
	}
	if bad > 0 {
		return verificationError(fmt.Errorf("refused: %d", bad), "what to do is said with each")
	}
	return nil
}

// certificateFiles are the certificates of a directory: those of its holder, then those that it believes.
func certificateFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	for _, pattern := range []string{"*.crt", client.FileServerRoots, filepath.Join(client.DirAnchors, "*.pem"), "*.pem"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no certificates", path)
	}
	return files, nil
}

// show prints one file, and gives how many of its certificates would be refused.
func (s *certsView) show(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, usageError(err, "name a certificate, a request, or the directory of a profile")
	}
	if strings.Contains(string(data), "-----BEGIN CERTIFICATE REQUEST-----") {
		return 0, s.showRequest(file, data)
	}
	chain, err := certs.LoadChain(file)
	if err != nil {
		return 0, err
	}
	believed, err := s.believed(filepath.Dir(file))
	if err != nil {
		return 0, err
	}
	if filepath.Ext(file) != ".pem" { // a chain, leaf first; a .pem is a list of authorities
		return believed.show(file, chain)
	}
	bad := 0
	for _, cert := range chain {
		refused, err := believed.show(file, []*x509.Certificate{cert})
		if err != nil {
			return 0, err
		}
		bad += refused
	}
	return bad, nil
}

func (s *certsView) showRequest(file string, data []byte) error {
	if request, err := certs.ParseCSR(data); err == nil {
		return s.env.output().value(map[string]string{"file": file, "request": request.ID}, file+": a request for "+request.ID)
	}
	request, err := certs.ParseServerCSR(data)
	if err != nil {
		return err
	}
	return s.env.output().value(map[string]any{"file": file, "hosts": request.Hosts}, file+": a request for a server, "+printable(strings.Join(request.Hosts, " ")))
}

// believed is what certificates are held against.
type believed struct {
	*certsView
	trust *certs.Trust
	roots []*x509.Certificate
}

// believed reads the anchors and roots of the flags, or those of a profile.
func (s *certsView) believed(dir string) (*believed, error) {
	b := &believed{certsView: s}
	anchors, roots := s.anchors, s.roots
	if filepath.Base(dir) == client.DirAnchors {
		dir = filepath.Dir(dir)
	}
	if anchors == "" {
		anchors = filepath.Join(dir, client.DirAnchors)
	}
	if roots == "" {
		roots = filepath.Join(dir, client.FileServerRoots)
	}
	var err error
	if found, _ := filepath.Glob(filepath.Join(anchors, "*.pem")); s.anchors != "" || len(found) > 0 {
		if b.trust, err = profileTrust(anchors, s.env.Now()); err != nil {
			return nil, err
		}
	}
	b.roots, err = certs.LoadChain(roots)
	if err != nil && (s.roots != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	return b, nil
}

// profileTrust reads the anchors and revocation lists of a directory.
func profileTrust(dir string, now time.Time) (*certs.Trust, error) {
	return certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir, Optional: []string{certs.EveryJurisdiction}}}.Load(nil, now)
}

func (b *believed) show(file string, chain []*x509.Certificate) (int, error) {
	shown := shownCertificate{File: file, Inspection: certs.Inspect(chain, b.trust, b.roots, b.env.Now())}
	if shown.Verified {
		if err := matches(file); err != nil {
			shown.Verified = false
			shown.Check, shown.Wrong, shown.Fix = certs.Failed(err), err.Error(), fixOf(err)
		}
	}
	shown.Unchecked = shown.Check == certs.CheckAnchor && (shown.Kind == certs.KindServer || shown.Kind == certs.KindAuthority || b.trust == nil) &&
		!(shown.Kind == certs.KindServer && b.roots != nil)
	if err := b.env.output().value(shown, shown.text(b.env.Now())); err != nil {
		return 0, err
	}
	if shown.Verified || shown.Unchecked {
		return 0, nil
	}
	return 1, nil
}

// matches holds the certificate of a profile against its private key.
func matches(file string) error {
	if filepath.Base(file) != client.FileTLSCert {
		return nil
	}
	_, err := certs.LoadKeyPair(file, replaceSuffix(file, ".crt", ".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s shownCertificate) text(now time.Time) string {
	var t strings.Builder
	verdict := "good"
	switch {
	case s.Unchecked:
		verdict = "not checked: " + s.Wrong
	case !s.Verified:
		verdict = "REFUSED: " + s.Wrong
	}
	fmt.Fprintf(&t, "%s: %s\n", s.File, printable(verdict))
	say := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&t, "  %-12s %s\n", label, printable(text))
		}
	}
	say("expected", s.Expected)
	say("fix", s.Fix)
	say("for", strings.Join(nonEmpty(string(s.Kind), s.Identity, strings.Join(s.Hosts, " ")), ", "))
	say("subject", s.Subject)
	say("issuer", s.Issuer)
	say("valid", s.NotBefore.Format(time.RFC3339)+" to "+s.NotAfter.Format(time.RFC3339)+", "+daysWords(s.Inspection, now))
	say("usage", strings.Join(s.Usage, ", "))
	for _, above := range s.Chain {
		say("chains to", above)
	}
	say("serial", s.Serial)
	say("fingerprint", s.Fingerprint)
	say("key", s.SPKISHA256)
	return t.String()
}

func daysWords(i certs.Inspection, now time.Time) string {
	switch {
	case i.DaysLeft < 0:
		return fmt.Sprintf("expired %d days ago", -i.DaysLeft-1)
	case now.After(i.RenewAt):
		return fmt.Sprintf("%d days left: renew it now", i.DaysLeft)
	}
	return fmt.Sprintf("%d days left, renew from %s", i.DaysLeft, i.RenewAt.Format(time.DateOnly))
}
