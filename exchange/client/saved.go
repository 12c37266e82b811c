package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// The files of a saved package. They are as they are sent: signed or encrypted, nothing in plain text but what the exchange
// reads.
const (
	savedManifest   = "manifest"
	savedStatement  = "statement"
	savedContent    = "content"
	savedAttachment = "attachment-" // and the index
)

// Save keeps a sealed package in a new directory, so that PostSaved can post it again, byte for byte, when this process is
// gone: for a package of which nobody knows whether it was accepted.
func Save(sealed *envelope.Sealed, dir string) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("save the package: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("save the package: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save the package: %w", err), os.RemoveAll(dir))
		}
	}()
	for i, a := range sealed.Attachments {
		if err := saveAttachment(filepath.Join(dir, savedAttachment+strconv.Itoa(i)), a); err != nil {
			return err
		}
	}
	return errors.Join(
		certs.WriteSecret(filepath.Join(dir, savedStatement), sealed.Statement),
		certs.WriteSecret(filepath.Join(dir, savedContent), sealed.Content),
		certs.WriteSecret(filepath.Join(dir, savedManifest), sealed.Manifest)) // last: with it the package is whole
}

func saveAttachment(path string, a envelope.SealedAttachment) error {
	r, err := a.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Sync(), w.Close())
}

// PostSaved posts a package that Save kept. If the exchange accepted it before, it answers with the first outcomes and the
// first receipt. If not, it takes it now, or, when the package is older than five minutes, refuses it as invalid
// (api.PackageInvalid): then it is certain that it was never accepted.
func (c *Client) PostSaved(ctx context.Context, dir string, progress func(sent, total int64)) (*Sent, error) {
	files := map[string][]byte{savedManifest: nil, savedStatement: nil, savedContent: nil}
	for name := range files {
		data, err := readSaved(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("saved package: %w", err)
		}
		files[name] = data
	}
	parts := sealedParts(&envelope.Sealed{Manifest: files[savedManifest], Statement: files[savedStatement], Content: files[savedContent]})
	for i := 0; ; i++ {
		path := filepath.Join(dir, savedAttachment+strconv.Itoa(i))
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("saved package: %w", err)
		}
		parts = append(parts, part{name: api.PartAttachment, mediaType: api.MediaBinary, size: info.Size(),
			open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}
	return c.post(ctx, files[savedManifest], parts, progress)
}

func readSaved(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, envelope.MaxContent)
}
