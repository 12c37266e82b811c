package doctor

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"
)

// TestEnd: 60, 14 and 3 days before the end of a certificate that people renew; a certificate that a program renews is odd
// only when that did not happen.
func TestEnd(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		life, left int // days
		want       State
		says       string
	}{
		{365, 200, OK, "200 days"}, {365, 61, OK, ""}, {365, 59, Warning, "plan"}, {365, 15, Warning, "plan"},
		{365, 13, Warning, "13 days"}, {365, 4, Warning, ""}, {365, 2, Fault, "2 days"}, {365, 0, Fault, ""},
		{30, 29, OK, ""}, {30, 11, OK, ""}, {30, 9, OK, ""}, {30, 8, Warning, "was due"}, {30, 4, Warning, ""}, {30, 2, Fault, ""},
		{90, 31, OK, ""}, {90, 20, Warning, "was due"}, {91, 31, Warning, "plan"},
	} {
		e := &examination{now: now}
		until := now.Add(time.Duration(c.left)*day + time.Hour)
		e.end("certificate", "tls.crt", "", &x509.Certificate{Subject: pkix.Name{CommonName: "x"}, NotBefore: until.Add(-time.Duration(c.life) * day), NotAfter: until}, "renew it")
		f := e.found[0]
		if f.State != c.want || !strings.Contains(f.Text, c.says) || (f.State != OK) != (f.Fix == "renew it") {
			t.Errorf("%d of %d days left: %+v, want %s", c.left, c.life, f, c.want)
		}
	}
}
