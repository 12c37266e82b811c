package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// CommonBundle is the jurisdiction of the bundle that holds common.
const CommonBundle = "common"

// MaxBundleSize is the greatest size of a packed bundle, in bytes.
const MaxBundleSize = 512 << 10

// ErrBundle is wrapped by what is wrong with a bundle's form, ErrSignature by what is wrong with its signature.
var (
	ErrBundle    = errors.New("bundle")
	ErrSignature = errors.New("signature of the bundle")
)

// Bundle is what a jurisdiction's policy author signs and brings as one whole: what the jurisdiction declares and its
// rules; or, of the jurisdiction "common", the library. It is read from an author's directory (ReadDir) or from its
// packed form (ReadBundle), and packed, signed or as a draft, by Pack.
//
// Packed it is an OPA bundle, a .tar.gz that OPA's own tools read and verify:
//
//   - the files of the directory: declared.json and *.rego, of common codes.json, facts.json and *.rego;
//   - .manifest, with rego_version 1, the one root of the jurisdiction, metadata.liaison {jurisdiction, seq, status},
//     and revision: the digest over all files, as Source.Revision makes it;
//   - .signatures.json: one signature in OPA's format (ES256 or EdDSA, kid is the key's RFC 7638 thumbprint) whose
//     scope is the jurisdiction, so that it is worth nothing for another.
type Bundle struct {
	Jurisdiction string // or CommonBundle
	Seq          int64  // positive; rises from one activation to the next
	Status       string // Sample or Authoritative
	Files        map[string][]byte

	packed *packed // what it was read from; nil: a directory
}

// ReadDir reads an author's directory. README.md and whatever begins with a dot are for people and their tools and are
// left out; any other file that is not policy is an error, so that nobody believes it to be in force. Seq is 0 and
// Status empty: they are set by whoever brings it.
func ReadDir(fsys fs.FS) (*Bundle, error) {
	b := &Bundle{Files: map[string][]byte{}}
	total := 0
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(d.Name(), ".") && p != "."
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir(), hidden, d.Name() == "README.md":
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is a link or no file", p)
		}
		if b.Files[p], err = readSmall(fsys, p); err != nil {
			return err
		}
		if total += len(b.Files[p]); len(b.Files) > maxBundleFiles || total > maxUnpacked {
			return fmt.Errorf("more than %d files or %d bytes: this is no directory of policy", maxBundleFiles, maxUnpacked)
		}
		return nil
	})
	if err == nil {
		b.Jurisdiction, err = ownerOf(b.Files)
	}
	if err == nil {
		err = b.checkFiles()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return b, nil
}

func readSmall(fsys fs.FS, p string) ([]byte, error) {
	info, err := fs.Stat(fsys, p)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", p, MaxFileSize)
	}
	return fs.ReadFile(fsys, p)
}

// ownerOf tells whose directory it is.
func ownerOf(files map[string][]byte) (string, error) {
	declared, ok := files[declaredFile]
	if !ok {
		if files[codesFile] != nil && files[factsFile] != nil {
			return CommonBundle, nil
		}
		return "", fmt.Errorf("no %s: it says whose policy this is", declaredFile)
	}
	var d struct {
		Jurisdiction string `json:"jurisdiction"`
	}
	if err := json.Unmarshal(declared, &d); err != nil {
		return "", fmt.Errorf("%s: %w", declaredFile, err)
	}
	if !jurisdictionForm.MatchString(d.Jurisdiction) || d.Jurisdiction == CommonBundle {
		return "", fmt.Errorf("%s: jurisdiction %.40q is no jurisdiction", declaredFile, d.Jurisdiction)
	}
	return d.Jurisdiction, nil
}

var (
	jurisdictionForm = regexp.MustCompile(`^[a-z0-9-]{2,32}$`)
	fileForm         = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
)

// isPolicy tells whether a file of that path belongs into the bundle.
func (b *Bundle) isPolicy(p string) bool {
	if !fileForm.MatchString(p) || len(p) > 120 || path.Clean(p) != p {
		return false
	}
	if b.Jurisdiction == CommonBundle {
		return strings.HasSuffix(p, ".rego") || p == codesFile || p == factsFile
	}
	return strings.HasSuffix(p, ".rego") || p == declaredFile
}

// checkFiles refuses what is no policy, or not all of it.
func (b *Bundle) checkFiles() error {
	needed := []string{declaredFile}
	if b.Jurisdiction == CommonBundle {
		needed = []string{codesFile, factsFile}
	}
	for _, p := range sortedKeys(b.Files) {
		if !b.isPolicy(p) {
			return fmt.Errorf("%.60q is no policy: a bundle has %s and .rego files, with plain names, and nothing else", p, strings.Join(needed, ", "))
		}
		if len(b.Files[p]) > MaxFileSize {
			return fmt.Errorf("%s is larger than %d bytes", p, MaxFileSize)
		}
	}
	for _, p := range needed {
		if _, ok := b.Files[p]; !ok {
			return fmt.Errorf("no %s", p)
		}
	}
	if len(b.Files) > maxBundleFiles {
		return fmt.Errorf("more than %d files", maxBundleFiles)
	}
	return nil
}

// check refuses what cannot be packed and what no packed bundle may be.
func (b *Bundle) check() error {
	switch {
	case !jurisdictionForm.MatchString(b.Jurisdiction):
		return fmt.Errorf("%.40q is no jurisdiction", b.Jurisdiction)
	case b.Seq < 1 || b.Seq > MaxSeq:
		return fmt.Errorf("seq %d is not between 1 and %d", b.Seq, int64(MaxSeq))
	case b.Status != Sample && b.Status != Authoritative:
		return fmt.Errorf("status %.40q is neither %s nor %s", b.Status, Sample, Authoritative)
	}
	return b.checkFiles()
}

// MaxSeq is the greatest seq, which is exact in every JSON reader.
const MaxSeq = 1 << 53

// Inputs are the inputs of policy that the bundle holds, by name: "declared/<j>" and, if it has rules, "rules/<j>"; or
// "common". The contents of files are shared and must not be changed.
func (b *Bundle) Inputs() map[string]Source {
	all := Source{Files: b.Files, Status: b.Status, Seq: b.Seq}
	if b.Jurisdiction == CommonBundle {
		return map[string]Source{CommonBundle: all}
	}
	declared, rules := split(all)
	in := map[string]Source{"declared/" + b.Jurisdiction: declared}
	if len(rules.Files) > 0 {
		in["rules/"+b.Jurisdiction] = rules
	}
	return in
}

// Apply gives the inputs with the bundle's in the place of its jurisdiction's. A bundle without rules takes away those
// that were there. in is not changed.
func (b *Bundle) Apply(in Inputs) Inputs {
	own := b.Inputs()
	if b.Jurisdiction == CommonBundle {
		in.Common = own[CommonBundle]
		return in
	}
	in.Declared = put(in.Declared, b.Jurisdiction, own["declared/"+b.Jurisdiction], true)
	rules, some := own["rules/"+b.Jurisdiction]
	in.Rules = put(in.Rules, b.Jurisdiction, rules, some)
	return in
}

// put is a copy of m in which key has the value, or is not.
func put(m map[string]Source, key string, value Source, is bool) map[string]Source {
	c := make(map[string]Source, len(m)+1)
	for k, v := range m {
		if k != key {
			c[k] = v
		}
	}
	if is {
		c[key] = value
	}
	return c
}

// Digest tells bundles apart by what they would put in force: jurisdiction, seq, status and files, whoever signed.
func (b *Bundle) Digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", b.Jurisdiction, b.Seq, b.Status, b.revision()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// revision is the digest over all files.
func (b *Bundle) revision() string { return Source{Files: b.Files}.Revision() }
