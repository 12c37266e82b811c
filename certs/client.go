package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// ClientConfig is what a client needs to speak to a server.
type ClientConfig struct {
	Certificate tls.Certificate  // own client certificate with its intermediates
	Files       *KeyPairFiles    // instead of Certificate: the files that have it, which are followed when they change
	Roots       *x509.CertPool   // who may vouch for the server: server-roots.pem; never the roots of the machine
	ServerName  string           // host to expect; "" if the caller sets it, as net/http does
	Clock       func() time.Time // nil: time.Now
}

// ClientTLS gives the configuration of a client: TLS 1.3 only, no session cache. The server must have a certificate for the
// host that chains to Roots and lists serverAuth. What goes wrong in a handshake is made readable by Explain.
func ClientTLS(config ClientConfig) (*tls.Config, error) {
	if config.Roots == nil {
		return nil, setupError("server roots", errors.New("no roots for the server"), "give server-roots.pem")
	}
	own := func() *tls.Certificate { return &config.Certificate }
	if config.Files != nil {
		own = config.Files.Pair
	}
	if pair := own(); len(pair.Certificate) == 0 || pair.PrivateKey == nil {
		return nil, setupError("client certificate", errors.New("no client certificate"), "give tls.crt and tls.key")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    config.Roots,
		ServerName: config.ServerName,
		Time:       config.Clock,
		// Always the one certificate, whatever authorities the server hints at.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own(), nil },
		VerifyConnection:     verifyServer,
	}, nil
}

// verifyServer adds to what crypto/tls has verified by then: chain, dates and host.
func verifyServer(state tls.ConnectionState) error {
	leaf := state.PeerCertificates[0]
	if err := checkServerUsage(leaf); err != nil {
		return err
	}
	for _, chain := range state.VerifiedChains {
		if strongChain(chain) {
			return nil
		}
	}
	return &Error{Check: CheckKey, Subject: describe(leaf), Err: errors.New("a weak key in the server's chain"), Fix: strongFix}
}

func strongChain(chain path) bool {
	for _, cert := range chain {
		if strongKey(cert.PublicKey) != nil {
			return false
		}
	}
	return true
}
