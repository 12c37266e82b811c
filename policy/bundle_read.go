package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// Limits of an unpacked bundle.
const (
	maxBundleFiles = MaxFiles + 1                           // rules and declared.json
	maxUnpacked    = MaxTotalSize + 3*MaxFileSize + 128<<10 // rules, declared.json, manifest, signatures, and what tar adds
)

// packed is what a bundle was read from.
type packed struct {
	manifest  []byte
	about     manifestLiaison
	token     string // the one signature; empty: unsigned
	header    signatureHeader
	signature signedFiles
}

// ReadBundle reads a packed bundle, strictly: one gzip stream, regular files with clean plain names, each once, within
// the limits, and nothing but policy. It does not say that the signature holds: Verify does. A draft has none (Signed).
func ReadBundle(raw []byte) (*Bundle, error) {
	b, err := readBundle(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return b, nil
}

func readBundle(raw []byte) (*Bundle, error) {
	files, err := unpack(raw)
	if err != nil {
		return nil, err
	}
	p := &packed{manifest: files[manifestFile]}
	if p.manifest == nil {
		return nil, errors.New("no .manifest: pack it with liaison policy")
	}
	tokens, signed := files[signaturesFile]
	delete(files, manifestFile)
	delete(files, signaturesFile)
	b := &Bundle{Files: files, packed: p}
	if err := b.readManifest(p.manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if signed {
		if err := p.readSignature(tokens); err != nil {
			return nil, fmt.Errorf("%s: %w", signaturesFile, err)
		}
	}
	return b, nil
}

// unpack reads the files of a .tar.gz. What follows the archive is an error: nothing unseen travels with it.
func unpack(raw []byte) (map[string][]byte, error) {
	if len(raw) > MaxBundleSize {
		return nil, fmt.Errorf("larger than %d bytes", MaxBundleSize)
	}
	in := bytes.NewReader(raw)
	zr, err := gzip.NewReader(in)
	if err != nil {
		return nil, errors.New("not a gzip stream")
	}
	zr.Multistream(false)
	stream := &bounded{r: zr, left: maxUnpacked}
	files := map[string][]byte{}
	for tr := tar.NewReader(stream); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notTar(err)
		}
		if err := checkHeader(head, files); err != nil {
			return nil, err
		}
		if files[head.Name], err = io.ReadAll(io.LimitReader(tr, MaxFileSize)); err != nil {
			return nil, notTar(err)
		}
	}
	rest, err := io.ReadAll(stream)
	if err != nil {
		return nil, notTar(err)
	}
	if len(bytes.Trim(rest, "\x00")) > 0 || in.Len() > 0 {
		return nil, errors.New("something follows the archive")
	}
	return files, nil
}

func notTar(err error) error {
	if errors.Is(err, errTooMuch) {
		return err
	}
	return errors.New("not a tar archive in a gzip stream")
}

// checkHeader refuses what is not one more regular file with a plain name.
func checkHeader(head *tar.Header, files map[string][]byte) error {
	_, twice := files[head.Name]
	hidden := head.Name == manifestFile || head.Name == signaturesFile
	switch {
	case head.Typeflag != tar.TypeReg || head.Linkname != "":
		return fmt.Errorf("%.60q is no regular file", head.Name)
	case !hidden && !fileForm.MatchString(head.Name):
		return fmt.Errorf("%.60q is no plain name of a file", head.Name)
	case twice:
		return fmt.Errorf("%s is there twice", head.Name)
	case head.Size > MaxFileSize:
		return fmt.Errorf("%s is larger than %d bytes", head.Name, MaxFileSize)
	case head.Name == "patch.json":
		return errors.New("a delta bundle: bring all of it")
	case len(files) >= maxBundleFiles+2:
		return fmt.Errorf("more than %d files", maxBundleFiles)
	}
	return nil
}

// bounded is a reader that fails where a bomb would go on.
type bounded struct {
	r    io.Reader
	left int
}

var errTooMuch = fmt.Errorf("unpacked it is larger than %d bytes", maxUnpacked)

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readManifest takes jurisdiction, seq and status, and holds all else against what they and the files make of it.
func (b *Bundle) readManifest(raw []byte) error {
	var m manifest
	if err := decodeStrict(raw, &m); err != nil {
		return err
	}
	about := m.Metadata.Liaison
	b.packed.about = about
	b.Jurisdiction, b.Seq, b.Status = about.Jurisdiction, about.Seq, about.Status
	if err := b.check(); err != nil {
		return err
	}
	want := b.manifest()
	switch {
	case len(m.Roots) != 1 || m.Roots[0] != want.Roots[0]:
		return fmt.Errorf("roots are not %q alone", want.Roots[0])
	case m.RegoVersion != 1:
		return errors.New("rego_version is not 1")
	case m.Revision != want.Revision:
		return errors.New("revision is not the digest of the files")
	}
	return nil
}

// readSignature reads .signatures.json: one compact JWS with nothing in its header that could lead a verifier astray.
func (p *packed) readSignature(raw []byte) error {
	var all signatures
	if err := decodeStrict(raw, &all); err != nil {
		return err
	}
	if len(all.Signatures) != 1 {
		return fmt.Errorf("%d signatures, expected one", len(all.Signatures))
	}
	p.token = all.Signatures[0]
	parts := strings.Split(p.token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return errors.New("the signature is no compact JWS")
	}
	if err := decodePart(parts[0], &p.header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := decodePart(parts[1], &p.signature); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return errors.New("the signature is not base64url")
	}
	return p.check()
}

func decodePart(part string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return errors.New("not base64url")
	}
	return decodeStrict(raw, v)
}

func (p *packed) check() error {
	h, s := p.header, p.signature
	switch {
	case h.Algorithm != algES256 && h.Algorithm != algEdDSA:
		return fmt.Errorf("algorithm %.20q is neither %s nor %s", h.Algorithm, algES256, algEdDSA)
	case h.Kid == "":
		return errors.New("no kid: it says which key signed")
	case h.Type != "" && h.Type != "JWT":
		return fmt.Errorf("typ %.20q is not JWT", h.Type)
	case s.KeyID != "" && s.KeyID != h.Kid:
		return errors.New("keyid is another key than kid")
	}
	seen := map[string]bool{}
	for _, f := range s.Files {
		if f.Algorithm != string(bundle.SHA256) || seen[f.Name] {
			return fmt.Errorf("the digest of %.60q is not SHA-256, or is there twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Signed tells whether the bundle was read with a signature, whether that holds or not.
func (b *Bundle) Signed() bool { return b.packed != nil && b.packed.token != "" }

// Kid is the thumbprint of the key that the bundle says it was signed with; empty of a draft.
func (b *Bundle) Kid() string {
	if b.packed == nil {
		return ""
	}
	return b.packed.header.Kid
}

// Verify tells whether the bundle, as it was read, bears the signature of the key for its own jurisdiction, over all of
// its files and no others. An error wraps ErrSignature. The signature is verified by OPA; what may lie around it was
// checked when the bundle was read.
func (b *Bundle) Verify(pub crypto.PublicKey) error {
	if err := b.verify(pub); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

func (b *Bundle) verify(pub crypto.PublicKey) error {
	if !b.Signed() {
		return errors.New("there is none")
	}
	kid, alg, err := keyID(pub)
	switch {
	case err != nil:
		return err
	case b.packed.header.Kid != kid || b.packed.header.Algorithm != alg:
		return errors.New("it is of another key")
	case b.packed.about != b.manifest().Metadata.Liaison:
		return errors.New("the bundle is not as it was read")
	}
	text, err := pemOf(pub)
	if err != nil {
		return err
	}
	key := &bundle.KeyConfig{Key: text, Algorithm: alg, Scope: b.Jurisdiction}
	config := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{kid: key}, kid, b.Jurisdiction, nil)
	signed, err := bundle.VerifyBundleSignature(bundle.SignaturesConfig{Signatures: []string{b.packed.token}}, config)
	if err != nil {
		return err
	}
	files := map[string][]byte{manifestFile: b.packed.manifest}
	for p, body := range b.Files {
		files[p] = body
	}
	for _, p := range sortedKeys(files) {
		if err := bundle.VerifyBundleFile(p, *bytes.NewBuffer(files[p]), signed); err != nil {
			return err
		}
	}
	if missing := sortedKeys(signed); len(missing) > 0 {
		return fmt.Errorf("%.60q is signed and not in the bundle", missing[0])
	}
	return nil
}

// pemOf is the key as OPA takes it.
func pemOf(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}
