package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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
	return readChecked(path, limit, func(fs.FileInfo) error { return nil })
}

// readSecret reads a private file, and refuses one that others may read: the key in it is not private.
func readSecret(path string) ([]byte, error) {
	return readChecked(path, maxFile, func(info fs.FileInfo) error { return checkMode(path, info) })
}

// readChecked asks check about the file that it has open, so that no other file can take its place in between.
func readChecked(path string, limit int64, check func(fs.FileInfo) error) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(path, err)
	}
	if err := check(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if int64(len(data)) > limit {
		return nil, fileError(path, fmt.Errorf("longer than %d bytes", limit))
	}
	return data, nil
}

// CheckPrivate refuses a file that others than its owner may read or write. Every private file is held against it before it
// is used: keys of TLS, of packages, of an authority and of the ledger.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fileError(path, err)
	}
	return checkMode(path, info)
}

// checkMode passes where files have no such modes.
func checkMode(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if runtime.GOOS == "windows" || mode&0o077 == 0 {
		return nil
	}
	return &Error{
		Check: CheckFile, Subject: path, Want: "mode 0600", Err: fmt.Errorf("%w: others may read or write this private file (mode %04o)", fs.ErrPermission, mode),
		Fix: "chmod 600 " + path + "; if strangers could read it, have a new key made and the old certificate revoked",
	}
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
