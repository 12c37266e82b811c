package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// A pair is two files, and no file system replaces two files at once. So while a pair is replaced, the file of the private key
// holds the old key and the new one, and the certificate says which of the two counts: wherever the machine stops, the files
// are a working pair.
const maxKeys = 2

// LoadKeyPair reads certificate chain and private key for crypto/tls. The file of the key holds one key, or two while a pair
// is being replaced (see ReplaceKeyPair), and is refused if others may read it.
func LoadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	pair, err := loadKeyPair(certFile, keyFile)
	if Failed(err) == CheckKey { // the pair may have been replaced between the reading of one file and of the other
		return loadKeyPair(certFile, keyFile)
	}
	return pair, err
}

func loadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	chain, err := LoadChain(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	data, err := readSecret(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	keys, err := parsePrivateKeys(data, maxKeys)
	if err != nil {
		return tls.Certificate{}, inFile(keyFile, err)
	}
	pair, err := KeyPair(chain, keyFor(chain[0], keys))
	return pair, inFile(certFile, err)
}

// keyFor gives the key of the certificate, or the first if it is for none of them.
func keyFor(leaf *x509.Certificate, keys []crypto.Signer) crypto.Signer {
	i := slices.IndexFunc(keys, func(key crypto.Signer) bool { return sameKey(leaf.PublicKey, key.Public()) })
	return keys[max(i, 0)]
}

// ReplaceKeyPair puts another pair into the two files, so that after a crash at any moment, and for a reader at any moment,
// they are the old pair or the new one. Callers on the same directory take turns.
func ReplaceKeyPair(certFile, keyFile string, chain []*x509.Certificate, key crypto.Signer) error {
	unlock, err := lockDir(filepath.Dir(keyFile))
	if err != nil {
		return err
	}
	defer unlock()
	steps, err := replacement(certFile, keyFile, chain, key)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// replacement gives the steps of ReplaceKeyPair, each of which happens whole or not at all and is durable when it returns.
func replacement(certFile, keyFile string, chain []*x509.Certificate, key crypto.Signer) ([]func() error, error) {
	if _, err := KeyPair(chain, key); err != nil {
		return nil, err
	}
	next, err := EncodePrivateKey(key)
	if err != nil {
		return nil, err
	}
	both := next
	old, err := loadKeyPair(certFile, keyFile)
	switch {
	case err == nil:
		signer, ok := old.PrivateKey.(crypto.Signer)
		if !ok {
			return nil, formError(errors.New("the old private key cannot sign"))
		}
		before, err := EncodePrivateKey(signer)
		if err != nil {
			return nil, err
		}
		both = append(before, next...)
	case !errors.Is(err, fs.ErrNotExist) && Failed(err) != CheckKey: // a pair that does not fit is no loss
		return nil, err
	}
	return []func() error{
		func() error { return WriteSecret(keyFile, both) },
		func() error { return WritePublic(certFile, EncodeChain(chain...)) },
		func() error { return WriteSecret(keyFile, next) },
	}, nil
}

// lockDir takes a directory for this process until unlock is called. The kernel lets go of it when the process ends, however
// that ends.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fileError(dir, err)
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, fileError(dir, errors.Join(err, d.Close()))
	}
	return func() { _ = d.Close() }, nil
}

// KeyPairFiles are the two files of a pair, read again when they change: a client that runs for months follows each renewal.
// It is safe for concurrent use.
type KeyPairFiles struct {
	certFile, keyFile string

	mu   sync.Mutex
	pair *tls.Certificate
	seen [2]fs.FileInfo // of the files when they were read
}

// WatchKeyPair reads the files a first time.
func WatchKeyPair(certFile, keyFile string) (*KeyPairFiles, error) {
	f := &KeyPairFiles{certFile: certFile, keyFile: keyFile}
	seen, err := f.stat()
	if err != nil {
		return nil, err
	}
	return f, f.load(seen)
}

// Pair gives the pair as it now is. Files that cannot be used now leave the pair that was read before.
func (f *KeyPairFiles) Pair() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, err := f.stat()
	if err != nil || sameFile(seen[0], f.seen[0]) && sameFile(seen[1], f.seen[1]) {
		return f.pair
	}
	_ = f.load(seen) // next time again
	return f.pair
}

func (f *KeyPairFiles) load(seen [2]fs.FileInfo) error {
	pair, err := LoadKeyPair(f.certFile, f.keyFile)
	if err != nil {
		return err
	}
	f.pair, f.seen = &pair, seen
	return nil
}

func (f *KeyPairFiles) stat() (seen [2]fs.FileInfo, err error) {
	for i, path := range []string{f.certFile, f.keyFile} {
		if seen[i], err = os.Stat(path); err != nil {
			return seen, fileError(path, err)
		}
	}
	return seen, nil
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
