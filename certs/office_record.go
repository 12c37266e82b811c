package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Issue is the record of one certificate that an Office issued.
type Issue struct {
	Serial     string    `json:"serial"`           // hexadecimal
	Identity   string    `json:"identity"`         // the SPIFFE ID, or DNS:host and IP:address of a server
	SPKISHA256 string    `json:"spki_sha256"`      // see SPKISHA256
	At         time.Time `json:"at"`               // when it was issued
	NotAfter   time.Time `json:"not_after"`        // when it ends
	Renews     string    `json:"renews,omitempty"` // serial number of the certificate with which its holder asked for it
	Revoked    time.Time `json:"revoked,omitzero"` // only Issued fills it
}

// maxIssued bounds what is read of the record: room for some hundred thousand certificates.
const maxIssued = 128 << 20

// maxIssueLine bounds one line of the record, so that its end can be found from the end of the file.
const maxIssueLine = 4096

func issueOf(cert *x509.Certificate, renews string, at time.Time) Issue {
	identity := describe(cert)
	if hosts := hostsOf(cert); len(hosts) > 0 {
		identity = strings.Join(hosts, " ")
	}
	return Issue{
		Serial: fmt.Sprintf("%x", cert.SerialNumber), Identity: identity, SPKISHA256: SPKISHA256(cert),
		At: at.UTC().Truncate(time.Second), NotAfter: cert.NotAfter.UTC(), Renews: renews,
	}
}

// hostsOf names the DNS and IP SANs.
func hostsOf(cert *x509.Certificate) []string {
	var hosts []string
	for _, name := range cert.DNSNames {
		hosts = append(hosts, "DNS:"+name)
	}
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, "IP:"+ip.String())
	}
	return hosts
}

// record appends a line, durably, within the lock. A line that a crash cut short belongs to a certificate that never left, and
// is removed.
func (o *Office) record(issue Issue) (err error) {
	path := filepath.Join(o.dir, caIssuedFile)
	line, err := json.Marshal(issue)
	if err != nil {
		return fileError(path, err)
	}
	if len(line) >= maxIssueLine {
		return setupError(issue.Identity[:100], errors.New("too many names for one certificate"), "ask for fewer hosts")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileError(path, err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fileError(path, err)
		}
	}()
	end, err := wholeLines(f)
	if err != nil {
		return err
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	if _, err := f.WriteAt(append(line, '\n'), end); err != nil {
		return err
	}
	return errors.Join(f.Sync(), syncDir(path, o.dir))
}

// wholeLines is how much of a file ends with a line feed.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	from := max(0, info.Size()-maxIssueLine)
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return 0, err
	}
	return from + int64(bytes.LastIndexByte(tail, '\n')) + 1, nil
}

// Issued gives the record of all certificates, oldest first.
func (o *Office) Issued() ([]Issue, error) {
	path := filepath.Join(o.dir, caIssuedFile)
	data, err := readFile(path, maxIssued)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	revoked, err := loadRevoked(filepath.Join(o.dir, caRevokedFile))
	if err != nil {
		return nil, err
	}
	when := map[string]time.Time{}
	for _, entry := range revoked {
		when[fmt.Sprintf("%x", entry.SerialNumber)] = entry.RevocationTime
	}
	var all []Issue
	for line := range bytes.Lines(data) {
		var issue Issue
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // cut short by a crash: see record
		}
		if err := json.Unmarshal(line, &issue); err != nil {
			return nil, setupError(path, fmt.Errorf("line %d: %w", len(all)+1, err), "restore the file from a backup")
		}
		issue.Revoked = when[issue.Serial]
		all = append(all, issue)
	}
	return all, nil
}

func bySerial(issued []Issue, serial *big.Int) (Issue, bool) {
	i := slices.IndexFunc(issued, func(issue Issue) bool { return issue.Serial == fmt.Sprintf("%x", serial) })
	if i < 0 {
		return Issue{}, false
	}
	return issued[i], true
}
