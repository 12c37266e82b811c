package main

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// explainRefusal adds to the refusal of an identity what its holder can see
// without the server, which says to nobody why: the own certificate, held
// against the own anchors.
func explainRefusal(err error, p *client.Profile, now time.Time) error {
	if certs.Failed(err) != certs.CheckRefused && !errors.Is(err, api.IdentityRefused) {
		return err
	}
	file := filepath.Join(p.Dir, client.FileTLSCert)
	chain, bad := certs.LoadChain(file)
	if bad != nil {
		return withFix(err, "the own certificate cannot be read: "+bad.Error())
	}
	trust, bad := profileTrust(filepath.Join(p.Dir, client.DirAnchors), now)
	if bad != nil {
		return withFix(err, "the own anchors cannot be read: "+bad.Error())
	}
	own := certs.Inspect(chain, trust, nil, now)
	agency := strings.HasPrefix(own.Identity, "spiffe://"+p.Agency+"/")
	switch {
	case !own.Verified:
		return withFix(err, file+" is at fault: "+strings.Join(nonEmpty(own.Wrong, expected(own)), " ")+". "+own.Fix)
	case own.Kind != certs.KindClient || !agency:
		return withFix(err, file+" is for "+own.Identity+", not for a client of "+p.Agency+": put the certificate there that was issued for this profile")
	}
	return withFix(err, "by your own anchors "+file+" is good until "+own.NotAfter.Format(time.RFC3339)+". Ask the operator of the exchange, whose log has the reason:"+
		" perhaps it has other anchors for "+own.Identity+", a newer revocation list, or your agency is not admitted or suspended")
}

func expected(own certs.Inspection) string {
	if own.Expected == "" {
		return ""
	}
	return "(expected " + own.Expected + ")"
}
