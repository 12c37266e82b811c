package bounds

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// TestChains: certificate chains that are longer or larger than any real one
// end the handshake (row M13 of the attack catalogue).
func TestChains(t *testing.T) {
	s := besiege(t, nil, nil)
	dir := s.world.Profile("by/mia", certs.RoleUnit)
	pair, err := tls.LoadX509KeyPair(dir+"/"+client.FileTLSCert, dir+"/"+client.FileTLSKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pair.Certificate[0]
	for name, chain := range map[string][][]byte{
		"100 certificates": append([][]byte{leaf}, repeat(leaf, 99)...), "8 MB in one": {leaf, make([]byte, 8*mib)}, "8 MB in many": append([][]byte{leaf}, repeat(leaf, 8*mib/len(leaf))...),
		"a large one": {leaf, append(bytes.Clone(leaf), make([]byte, 100<<10)...)}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			cfg := s.tls.Clone()
			cfg.ServerName, cfg.NextProtos = "127.0.0.1", []string{"h2"}
			long := pair
			long.Certificate = chain
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &long, nil }
			conns := s.crowd(max(12, many()/10), func(i int) (net.Conn, error) {
				raw, err := s.tcp(i)
				if err != nil {
					return nil, err
				}
				c := tls.Client(raw, cfg)
				_ = c.SetDeadline(time.Now().Add(patience))
				go func() { // the server may not take all of it
					_ = c.HandshakeContext(s.Context())
				}()
				return raw, nil
			})
			s.holds(most().Handshakes.All, int64(most().Handshakes.Each)*512<<10)
			s.ended(conns)
			s.settles()
		})
	}
	s.Attr("cases", "5")
	s.work()
	s.account()
}

func repeat(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// TestKeyUpdates: a client that changes keys and says nothing is cut off (row
// M14 of the attack catalogue). crypto/tls cannot do that, so records are
// made here, of the traffic secret that its key log tells.
func TestKeyUpdates(t *testing.T) {
	s := besiege(t, nil, nil)
	for name, message := range map[string]string{
		"key updates": "\x18\x00\x00\x01\x00", "key updates with answers": "\x18\x00\x00\x01\x01", "several in a record": strings.Repeat("\x18\x00\x00\x01\x00", 8),
		"client hellos": "\x01\x00\x00\x04aaaa", "session tickets": "\x04\x00\x00\x00", "an endless message": "\x18\xff\xff\xff" + strings.Repeat("x", 1000), "nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			conns := s.crowd(max(4, many()/100), func(i int) (net.Conn, error) { return s.renew(i, message) })
			s.ended(conns)
			s.holds(most().Connections.Each*2, int64(len(conns))*mib)
			s.settles()
		})
	}
	s.Attr("cases", strconv.Itoa(7))
	s.work()
	s.account()
}

// renew sends a post-handshake message again and again.
func (s *siege) renew(i int, message string) (net.Conn, error) {
	raw, err := s.tcp(i)
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	cfg := s.tls.Clone()
	cfg.ServerName, cfg.NextProtos, cfg.KeyLogWriter, cfg.CurvePreferences = "127.0.0.1", []string{"http/1.1"}, &log, nil
	c := tls.Client(raw, cfg)
	_ = c.SetDeadline(time.Now().Add(patience))
	if err := c.HandshakeContext(s.Context()); err != nil {
		return nil, err
	}
	keys, err := newRecords(log.String(), c.ConnectionState().CipherSuite)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			if _, err := raw.Write(keys.seal(message)); err != nil {
				return
			}
			if strings.HasPrefix(message, "\x18\x00") {
				keys.next()
			}
		}
	}()
	return raw, nil
}

// records writes the records of a client after its handshake (RFC 8446 §5).
type records struct {
	hash   func() hash.Hash
	size   int // of a key
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	number uint64
}

func newRecords(log string, suite uint16) (*records, error) {
	r := &records{hash: sha256.New, size: 16}
	if suite != tls.TLS_AES_128_GCM_SHA256 {
		return nil, fmt.Errorf("another cipher: %s", tls.CipherSuiteName(suite))
	}
	_, rest, ok := strings.Cut(log, "CLIENT_TRAFFIC_SECRET_0 ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 {
		return nil, errors.New("no traffic secret")
	}
	var err error
	r.secret, err = hex.DecodeString(fields[1])
	r.keys()
	return r, err
}

// expand is HKDF-Expand-Label (RFC 8446 §7.1) without a context.
func (r *records) expand(label string, n int) []byte {
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(n)), byte(len(label)))
	out, err := hkdf.Expand(r.hash, r.secret, string(info)+label+"\x00", n)
	if err != nil {
		panic(err) // lengths are constants
	}
	return out
}

func (r *records) keys() {
	block, err := aes.NewCipher(r.expand("key", r.size))
	if err == nil {
		r.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		panic(err)
	}
	r.iv, r.number = r.expand("iv", 12), 0
}

// next are the keys after a key update.
func (r *records) next() {
	r.secret = r.expand("traffic upd", sha256.Size)
	r.keys()
}

// seal makes a record of a handshake message.
func (r *records) seal(message string) []byte {
	inner := append([]byte(message), 22)
	nonce := bytes.Clone(r.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, r.number) {
		nonce[4+i] ^= b
	}
	r.number++
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+r.aead.Overhead()))
	return r.aead.Seal(header, nonce, inner, header)
}
