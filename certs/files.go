package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteSecret writes a private file, mode 0600, so that after a crash it is the old one or the new one, whole.
func WriteSecret(path string, data []byte) error { return writeFile(path, data, 0o600) }

// WritePublic writes a file that all may read, mode 0644, as safely as WriteSecret.
func WritePublic(path string, data []byte) error { return writeFile(path, data, 0o644) }

// writeFile writes beside the file and renames. The temporary file is made with mode 0600: a secret is never readable by
// others, not even for a moment.
func writeFile(path string, data []byte, mode os.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fileError(path, err)
	}
	defer func() {
		if err != nil {
			err = fileError(path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(path, dir)
}

func syncDir(path, dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fileError(path, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fileError(path, err)
	}
	return nil
}

// LoadChain reads a PEM file of certificates, leaf first.
func LoadChain(path string) ([]*x509.Certificate, error) {
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	chain, err := ParseChain(data)
	return chain, inFile(path, err)
}

// LoadKeyPair reads certificate chain and private key for crypto/tls.
func LoadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	chain, err := LoadChain(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	data, err := readFile(keyFile, maxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ParsePrivateKey(data)
	if err != nil {
		return tls.Certificate{}, inFile(keyFile, err)
	}
	pair, err := KeyPair(chain, key)
	return pair, inFile(certFile, err)
}

// LoadRoots reads the certificates that may vouch for a server, as server-roots.pem of a profile has them.
func LoadRoots(path string) (*x509.CertPool, error) {
	roots, err := LoadChain(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	return pool, nil
}

// readFile reads at most limit bytes and refuses longer files.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if int64(len(data)) > limit {
		return nil, fileError(path, fmt.Errorf("longer than %d bytes", limit))
	}
	return data, nil
}

// inFile names the file in an error of a parser.
func inFile(path string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Subject = path
	return &named
}

func fileError(path string, err error) *Error {
	return setupError(path, err, "check that the file is there, and that the process may read and write it")
}
