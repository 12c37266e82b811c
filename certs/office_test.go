package certs_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// office is an authority at work on a clock that the test sets.
type office struct {
	*certs.Office
	t   *testing.T
	dir string
	now time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: filepath.Join(t.TempDir(), "ca"), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	if o.Office, err = certs.FoundOffice(o.dir, "ee", o.clock, certs.CALifetime); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) clock() time.Time { return o.now }

func (o *office) csr(id string, key crypto.Signer) []byte {
	o.t.Helper()
	csr, err := certs.NewCSR(id, key)
	if err != nil {
		o.t.Fatal(err)
	}
	return csr
}

// client issues for alice and verifies her.
func (o *office) client(key crypto.Signer) certs.Peer {
	o.t.Helper()
	leaf, err := o.Issue(o.csr(alice, key), certs.LeafValidity)
	if err != nil {
		o.t.Fatal(err)
	}
	peer, err := o.Client([]*x509.Certificate{leaf})
	if err != nil {
		o.t.Fatal(err)
	}
	return peer
}

func (o *office) issued() []certs.Issue {
	o.t.Helper()
	all, err := o.Issued()
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func TestOfficeRecordsAllItIssues(t *testing.T) {
	o := newOffice(t)
	peer := o.client(newKey(t))
	if _, err := o.Issue(o.csr("spiffe://ee/pbgb/key/sig/desk", newKey(t)), certs.LeafValidity); err != nil {
		t.Fatal(err)
	}
	if _, err := o.IssueServer([]string{"ca.example", "127.0.0.1"}, newKey(t).Public(), time.Hour); err != nil {
		t.Fatal(err)
	}
	renewed, err := o.Renew(peer, o.csr(alice, newKey(t)), certs.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	again, err := certs.OpenOffice(o.dir, o.clock)
	if err != nil {
		t.Fatal(err)
	}
	all, err := again.Issued()
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, issue := range all {
		who = append(who, issue.Identity)
	}
	if got, want := strings.Join(who, ", "), alice+", spiffe://ee/pbgb/key/sig/desk, DNS:ca.example IP:127.0.0.1, "+alice; got != want {
		t.Errorf("recorded %s\nwant %s", got, want)
	}
	last := all[len(all)-1]
	if last.Renews != all[0].Serial || last.SPKISHA256 != certs.SPKISHA256(renewed) || !last.At.Equal(o.now) || !last.NotAfter.Equal(renewed.NotAfter) {
		t.Errorf("the renewal: %+v", last)
	}
}

// What a crash cut short belongs to a certificate that never left.
func TestOfficeRecordAfterACrash(t *testing.T) {
	o := newOffice(t)
	o.client(newKey(t))
	record := filepath.Join(o.dir, "ca.issued")
	whole, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{1, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(record, append([]byte(strings.Clone(string(whole))), whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := len(o.issued()); n != 1 {
			t.Errorf("cut at %d: %d certificates on record", cut, n)
		}
		o.client(newKey(t))
		if n := len(o.issued()); n != 2 {
			t.Errorf("cut at %d: %d certificates on record after the next", cut, n)
		}
	}
	if err := os.WriteFile(record, append([]byte("{damaged}\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Issued(); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("a damaged line: %v", err)
	}
}

// A record that cannot be written keeps the certificate from leaving.
func TestOfficeIssuesNothingWithoutRecord(t *testing.T) {
	o := newOffice(t)
	if err := os.Mkdir(filepath.Join(o.dir, "ca.issued"), 0o700); err != nil {
		t.Fatal(err)
	}
	if cert, err := o.Issue(o.csr(alice, newKey(t)), certs.LeafValidity); err == nil || cert != nil {
		t.Errorf("issued %v, %v", cert, err)
	}
}

func TestOfficeRenewRefuses(t *testing.T) {
	o := newOffice(t)
	key := newKey(t)
	peer := o.client(key)
	for name, c := range map[string]struct {
		csr  []byte
		want certs.Check
	}{
		"another name":         {o.csr("spiffe://ee/pbgb/unit/bob", newKey(t)), certs.CheckIdentity},
		"another role":         {o.csr("spiffe://ee/pbgb/dpo/alice", newKey(t)), certs.CheckIdentity},
		"another agency":       {o.csr("spiffe://ee/ppa/unit/alice", newKey(t)), certs.CheckIdentity},
		"another jurisdiction": {o.csr("spiffe://lv/pbgb/unit/alice", newKey(t)), certs.CheckIdentity},
		"a key":                {o.csr("spiffe://ee/pbgb/key/sig/alice", newKey(t)), certs.CheckIdentity},
		"the operator":         {o.csr("spiffe://ee/pbgb/operator/alice", newKey(t)), certs.CheckIdentity},
		"the old key":          {o.csr(alice, key), certs.CheckKey},
		"no request":           {[]byte("hello"), certs.CheckForm},
		"a certificate":        {certs.EncodeChain(peer.Certificate), certs.CheckForm},
		"a damaged signature":  {damaged(o.csr(alice, newKey(t))), certs.CheckForm},
	} {
		if cert, err := o.Renew(peer, c.csr, certs.LeafValidity); certs.Failed(err) != c.want || cert != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(o.issued()); n != 1 {
		t.Errorf("%d certificates on record", n)
	}
}

// damaged flips a bit of the signature, which stands at the end.
func damaged(csr []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(csr)), "\n")
	last := []byte(lines[len(lines)-2])
	last[0] ^= 'A' ^ 'B' // another letter of base64: some that are not letters of it are refused as well
	lines[len(lines)-2] = string(last)
	return []byte(strings.Join(lines, "\n") + "\n")
}

func TestOfficeRenewPace(t *testing.T) {
	o := newOffice(t)
	peer := o.client(newKey(t))
	renew := func() error { _, err := o.Renew(peer, o.csr(alice, newKey(t)), certs.LeafValidity); return err }
	for range 10 {
		if err := renew(); err != nil {
			t.Fatal(err)
		}
	}
	if err := renew(); !errors.Is(err, certs.ErrTooOften) {
		t.Errorf("the eleventh: %v", err)
	}
	other, err := o.Issue(o.csr("spiffe://ee/pbgb/unit/bob", newKey(t)), certs.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := o.Client([]*x509.Certificate{other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Renew(bob, o.csr("spiffe://ee/pbgb/unit/bob", newKey(t)), certs.LeafValidity); err != nil {
		t.Errorf("another's: %v", err)
	}
	o.now = o.now.Add(25 * time.Hour)
	if err := renew(); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

// Who may renew: holders of certificates of this authority, within their dates and not revoked.
func TestOfficeClient(t *testing.T) {
	o := newOffice(t)
	p := NewAt(t, o.clock)
	peer := o.client(newKey(t))
	key, err := o.Issue(o.csr("spiffe://ee/pbgb/key/sig/alice", newKey(t)), certs.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		want  certs.Check
	}{
		"key certificate":             {[]*x509.Certificate{key}, certs.CheckIdentity},
		"the authority":               {[]*x509.Certificate{o.Certificate()}, certs.CheckIdentity},
		"of an authority of its name": {parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice")), certs.CheckChain},
		"rogue":                       {parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice", Rogue())), certs.CheckChain},
		"self-signed":                 {parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice", SelfSigned())), certs.CheckChain},
		"of another jurisdiction":     {parse(t, p.Client("lv/vp", certs.RoleUnit, "alice")), certs.CheckAnchor},
		"nothing":                     {nil, certs.CheckForm},
	} {
		if got, err := o.Client(c.chain); certs.Failed(err) != c.want || (got != certs.Peer{}) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	second := o.client(newKey(t))
	if err := o.RevokeCertificate(peer.Certificate); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Client([]*x509.Certificate{peer.Certificate}); certs.Failed(err) != certs.CheckRevoked {
		t.Errorf("revoked: %v", err)
	}
	if _, err := o.Client([]*x509.Certificate{second.Certificate}); err != nil {
		t.Errorf("another: %v", err)
	}
	o.now = second.Certificate.NotAfter.Add(time.Second)
	if _, err := o.Client([]*x509.Certificate{second.Certificate}); certs.Failed(err) != certs.CheckDates {
		t.Errorf("expired: %v", err)
	}
}

func TestOfficeRevoke(t *testing.T) {
	o := newOffice(t)
	peer := o.client(newKey(t))
	if err := o.Revoke(big.NewInt(4711)); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("a serial number that it never gave: %v", err)
	}
	other := New(t).Client("ee/pbgb", certs.RoleUnit, "alice")
	if err := o.RevokeCertificate(other.Leaf); certs.Failed(err) != certs.CheckChain {
		t.Errorf("a certificate of another authority: %v", err)
	}
	if err := o.Revoke(peer.Certificate.SerialNumber); err != nil {
		t.Fatal(err)
	}
	if all := o.issued(); !all[0].Revoked.Equal(o.now) {
		t.Errorf("on record: %+v", all)
	}
	list, err := o.NextCRL(certs.CRLValidity)
	if err != nil || len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(peer.Certificate.SerialNumber) != 0 {
		t.Errorf("on the list: %+v, %v", list, err)
	}
}

// The number of a list rises, whatever happens to clock and files, and is on disk before the list is.
func TestOfficeCRLNumberRises(t *testing.T) {
	o := newOffice(t)
	next := func() *big.Int {
		t.Helper()
		list, err := o.NextCRL(certs.CRLValidity)
		if err != nil {
			t.Fatal(err)
		}
		return list.Number
	}
	last := next()
	for what, change := range map[string]func(){
		"at once": func() {}, "later": func() { o.now = o.now.Add(time.Hour) }, "a clock that goes back": func() { o.now = o.now.Add(-48 * time.Hour) },
		"the list is lost": func() { _ = os.Remove(o.CRLFile()) },
		"a restored backup, a day later": func() {
			o.now = o.now.Add(96 * time.Hour)
			if err := os.Remove(filepath.Join(o.dir, "ca.number")); err != nil {
				t.Error(err)
			}
		},
	} {
		change()
		number := next()
		if number.Cmp(last) <= 0 {
			t.Errorf("%s: number %s after %s", what, number, last)
		}
		last = number
	}
	if err := errors.Join(os.Remove(o.CRLFile()), os.Mkdir(o.CRLFile(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.NextCRL(certs.CRLValidity); err == nil {
		t.Error("a list that could not be written was handed out")
	}
	data, err := os.ReadFile(filepath.Join(o.dir, "ca.number"))
	if used, ok := new(big.Int).SetString(strings.TrimSpace(string(data)), 10); err != nil || !ok || used.Cmp(last) <= 0 {
		t.Errorf("the number of a list that may have left is not used up: %q, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(o.dir, "ca.number"), []byte("many"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.NextCRL(certs.CRLValidity); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("a damaged number: %v", err)
	}
}

func TestOfficeCRLDue(t *testing.T) {
	o := newOffice(t)
	due := func() bool {
		t.Helper()
		d, err := o.CRLDue()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	sign := func() {
		t.Helper()
		if _, err := o.NextCRL(certs.CRLValidity); err != nil {
			t.Fatal(err)
		}
	}
	if !due() {
		t.Error("without a list")
	}
	if sign(); due() {
		t.Error("with a fresh list")
	}
	o.now = o.now.Add(certs.CRLValidity/2 + time.Minute)
	if !due() {
		t.Error("past its half")
	}
	sign()
	peer := o.client(newKey(t))
	if err := o.RevokeCertificate(peer.Certificate); err != nil {
		t.Fatal(err)
	}
	if !due() {
		t.Error("after a revocation")
	}
	if sign(); due() {
		t.Error("with the revocation on it")
	}
}

// Many at once, in several processes as far as the files can tell: nothing is lost, no number twice.
func TestOfficeConcurrently(t *testing.T) {
	o := newOffice(t)
	numbers := make(chan string, 8)
	var all sync.WaitGroup
	for range 4 {
		other, err := certs.OpenOffice(o.dir, o.clock)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 2 {
				leaf, err := other.Issue(o.csr(alice, newKey(t)), time.Hour)
				if err == nil {
					err = other.RevokeCertificate(leaf)
				}
				if err != nil {
					t.Error(err)
					return
				}
				list, err := other.NextCRL(time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				numbers <- list.Number.String()
			}
		})
	}
	all.Wait()
	close(numbers)
	seen := map[string]bool{}
	for number := range numbers {
		if seen[number] {
			t.Errorf("number %s twice", number)
		}
		seen[number] = true
	}
	issued := o.issued()
	for _, issue := range issued {
		if issue.Revoked.IsZero() {
			t.Errorf("the revocation of %s is lost", issue.Serial)
		}
	}
	if len(issued) != 8 || len(seen) != 8 {
		t.Errorf("%d certificates, %d lists", len(issued), len(seen))
	}
}

func TestOfficeRefusesToOpen(t *testing.T) {
	o := newOffice(t)
	if _, err := certs.FoundOffice(o.dir, "lv", o.clock, time.Hour); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("over another authority: %v", err)
	}
	if _, err := certs.FoundOffice(t.TempDir(), "E E", o.clock, time.Hour); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("no jurisdiction: %v", err)
	}
	if err := os.Chmod(filepath.Join(o.dir, "ca.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.OpenOffice(o.dir, o.clock); certs.Failed(err) != certs.CheckFile {
		t.Errorf("a key that others may read: %v", err)
	}
	if err := errors.Join(os.Chmod(filepath.Join(o.dir, "ca.key"), 0o600), os.Remove(filepath.Join(o.dir, "ca.revoked"))); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.OpenOffice(o.dir, o.clock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an authority that forgot whom it revoked: %v", err)
	}
}

// What the office makes is believed by the verifiers, and its lists are.
func TestOfficeIsBelieved(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	peer := o.client(newKey(t))
	if err := o.RevokeCertificate(peer.Certificate); err != nil {
		t.Fatal(err)
	}
	if _, err := o.NextCRL(certs.CRLValidity); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(o.CRLFile())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "ee.crl", string(list))
	write(t, dir, "ee.pem", string(certs.EncodeChain(o.Certificate())))
	trust, err := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir}}.Load(nil, o.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.VerifyClient([]*x509.Certificate{peer.Certificate}, o.now); certs.Failed(err) != certs.CheckRevoked {
		t.Errorf("revoked: %v", err)
	}
	other := o.client(newKey(t))
	if got, err := trust.VerifyClient([]*x509.Certificate{other.Certificate}, o.now); err != nil || got.Identity.String() != alice {
		t.Errorf("not revoked: %v", err)
	}
}

func TestParseServerCSR(t *testing.T) {
	o := newOffice(t)
	if _, err := certs.ParseServerCSR(o.csr(alice, newKey(t))); certs.Failed(err) != certs.CheckNames {
		t.Errorf("the request of an identity: %v", err)
	}
	if _, err := certs.ParseServerCSR([]byte("-----BEGIN X-----")); certs.Failed(err) != certs.CheckForm {
		t.Errorf("no request: %v", err)
	}
}
