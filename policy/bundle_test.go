package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/bundle"
)

func newSigner(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// authored is the sample of Latvia as its author would bring it.
func authored() *Bundle {
	in := Samples()
	b := &Bundle{Jurisdiction: "lv", Seq: 3, Status: Sample, Files: maps.Clone(in.Rules["lv"].Files)}
	maps.Copy(b.Files, in.Declared["lv"].Files)
	return b
}

func mustPack(t testing.TB, b *Bundle, key crypto.Signer) []byte {
	t.Helper()
	raw, err := b.Pack(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tarred is one member of a tar archive, well made or not.
type tarred struct {
	head tar.Header
	body []byte
}

func untar(t testing.TB, raw []byte) []tarred {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var all []tarred
	for tr := tar.NewReader(zr); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tarred{*head, body})
	}
}

func retar(t testing.TB, members []tarred) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	for _, m := range members {
		if m.head.Typeflag == tar.TypeReg {
			m.head.Size = int64(len(m.body))
		}
		if err := tw.WriteHeader(&m.head); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name, body string) tarred {
	return tarred{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, []byte(body)}
}

// edit changes the member of that name.
func edit(members []tarred, name string, change func([]byte) []byte) []tarred {
	for i := range members {
		if members[i].head.Name == name {
			members[i].body = change(members[i].body)
		}
	}
	return members
}

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

func without(members []tarred, name string) (kept []tarred) {
	for _, m := range members {
		if m.head.Name != name {
			kept = append(kept, m)
		}
	}
	return kept
}

// token signs a payload of .signatures.json over the bundle's files with anything changed.
func token(t testing.TB, key crypto.Signer, raw []byte, change func(h *signatureHeader, p *signedFiles)) []byte {
	t.Helper()
	kid, alg, err := keyID(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	h, p := signatureHeader{alg, kid, "JWT"}, signedFiles{Scope: "lv"}
	for _, m := range untar(t, raw) {
		if m.head.Name != signaturesFile {
			sum, err := fileDigest(m.head.Name, m.body)
			if err != nil {
				t.Fatal(err)
			}
			p.Files = append(p.Files, bundle.NewFile(m.head.Name, sum, "SHA-256"))
		}
	}
	change(&h, &p)
	signed, err := signToken(h, p, key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(signatures{[]string{signed}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestBundleGoesThere(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ES256": newSigner(t), "EdDSA": edwards} {
		t.Run(name, func(t *testing.T) {
			b := authored()
			read, err := ReadBundle(mustPack(t, b, key))
			if err != nil {
				t.Fatal(err)
			}
			if err := read.Verify(key.Public()); err != nil {
				t.Fatal(err)
			}
			if !read.Signed() || read.Jurisdiction != "lv" || read.Seq != 3 || read.Status != Sample || read.Digest() != b.Digest() {
				t.Errorf("read %s %d %s", read.Jurisdiction, read.Seq, read.Status)
			}
			want := Samples()
			in := read.Inputs()
			if in["rules/lv"].Revision() != want.Rules["lv"].Revision() || in["declared/lv"].Revision() != want.Declared["lv"].Revision() {
				t.Error("what is declared, or the rules, are not those that were packed")
			}
		})
	}
}

func TestPackIsDeterministic(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mustPack(t, authored(), key), mustPack(t, authored(), key)) || !bytes.Equal(mustPack(t, authored(), nil), mustPack(t, authored(), nil)) {
		t.Error("the same bundle packs to different bytes")
	}
}

// OPA's own reader, as any OPA would be configured, reads and verifies what is packed, and refuses what is changed.
func TestOPAReadsAndVerifies(t *testing.T) {
	key := newSigner(t)
	raw := mustPack(t, authored(), key)
	read := func(raw []byte, scope string) (bundle.Bundle, error) {
		config := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{"author": {Key: publicPEM(t, key.Public()), Algorithm: "ES256"}}, "author", scope, nil)
		return bundle.NewCustomReader(bundle.NewTarballLoader(bytes.NewReader(raw))).WithBundleVerificationConfig(config).Read()
	}
	got, err := read(raw, "lv")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Modules) != len(authored().Files)-1 || len(got.Data) != 0 || got.Manifest.Metadata["liaison"] == nil {
		t.Errorf("OPA reads %d modules and data %v", len(got.Modules), got.Data)
	}
	if _, err := read(raw, "ee"); err == nil {
		t.Error("OPA takes the scope of another")
	}
	if _, err := read(retar(t, edit(untar(t, raw), "send.rego", replace("Latvia", "Estonia"))), "lv"); err == nil {
		t.Error("OPA takes a changed file")
	}
}

// Row P11 of the attacks on policy: what was signed and then changed, or never signed by whom it should be.
func TestTamperedBundles(t *testing.T) {
	key, other := newSigner(t), newSigner(t)
	raw := mustPack(t, authored(), key)
	resigned := func(by crypto.Signer, change func(h *signatureHeader, p *signedFiles)) []byte {
		body := token(t, by, raw, change)
		return retar(t, edit(untar(t, raw), signaturesFile, func([]byte) []byte { return body }))
	}
	manifested := func(old, with string) []byte { return retar(t, edit(untar(t, raw), manifestFile, replace(old, with))) }
	as := func(body string) []byte {
		return retar(t, edit(untar(t, raw), signaturesFile, func([]byte) []byte { return []byte(body) }))
	}
	tokenOf := func() string {
		var s signatures
		for _, m := range untar(t, raw) {
			if m.head.Name == signaturesFile {
				if err := json.Unmarshal(m.body, &s); err != nil {
					t.Fatal(err)
				}
			}
		}
		return s.Signatures[0]
	}()
	parts := strings.Split(tokenOf, ".")
	cases := map[string][]byte{
		"file changed":            retar(t, edit(untar(t, raw), "send.rego", replace("Latvia", "Estonia"))),
		"declared changed":        retar(t, edit(untar(t, raw), declaredFile, replace("State Police", "Secret Police"))),
		"space added to declared": retar(t, edit(untar(t, raw), declaredFile, replace("{", "{ "))),
		"file added":              retar(t, append(untar(t, raw), file("more.rego", "package jurisdiction.lv.lib\n"))),
		"file removed":            retar(t, without(untar(t, raw), "receive.rego")),
		"rules removed":           retar(t, without(untar(t, raw), "send.rego")),
		"signature stripped":      retar(t, without(untar(t, raw), signaturesFile)),
		"never signed":            mustPack(t, authored(), nil),
		"no signatures":           as(`{"signatures":[]}`),
		"null signatures":         as(`{"signatures":null}`),
		"two signatures":          as(`{"signatures":["` + tokenOf + `","` + tokenOf + `"]}`),
		"a plugin verifies":       as(`{"signatures":["` + tokenOf + `"],"plugin":"mine"}`),
		"signature bits":          as(`{"signatures":["` + tokenOf[:len(tokenOf)-6] + `AAAAAA"]}`),
		"signature cut off":       as(`{"signatures":["` + parts[0] + "." + parts[1] + `."]}`),
		"unsecured":               as(`{"signatures":["eyJhbGciOiJub25lIn0.` + parts[1] + `."]}`),
		"alg none":                resigned(key, func(h *signatureHeader, _ *signedFiles) { h.Algorithm = "none" }),
		"alg HS256":               resigned(key, func(h *signatureHeader, _ *signedFiles) { h.Algorithm = "HS256" }),
		"alg of the other kind":   resigned(key, func(h *signatureHeader, _ *signedFiles) { h.Algorithm = "EdDSA" }),
		"no kid":                  resigned(key, func(h *signatureHeader, _ *signedFiles) { h.Kid = "" }),
		"kid of another":          resigned(key, func(h *signatureHeader, _ *signedFiles) { h.Kid = "QPx5zZm0e3D0x0w5vWc7Y9yq0X5mQfA9n2h5iJvZ1aE" }),
		"keyid of another":        resigned(key, func(_ *signatureHeader, p *signedFiles) { p.KeyID = "another" }),
		"another's key":           resigned(other, func(*signatureHeader, *signedFiles) {}),
		"another's key, our kid":  resigned(other, func(h *signatureHeader, _ *signedFiles) { h.Kid, _, _ = keyID(key.Public()) }),
		"scope of another":        resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Scope = "ee" }),
		"no scope":                resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Scope = "" }),
		"scope common":            resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Scope = "common" }),
		"weak digest":             resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Files[1].Algorithm = "MD5" }),
		"no digest":               resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Files[1].Algorithm = "" }),
		"file not signed":         resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Files = p.Files[:len(p.Files)-1] }),
		"manifest not signed":     resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Files = p.Files[1:] }),
		"more signed than is here": resigned(key, func(_ *signatureHeader, p *signedFiles) {
			p.Files = append(p.Files, bundle.NewFile("gone.rego", "00", "SHA-256"))
		}),
		"digest there twice": resigned(key, func(_ *signatureHeader, p *signedFiles) { p.Files = append(p.Files, p.Files[0]) }),
		"seq raised":         manifested(`"seq": 3`, `"seq": 4`),
		"status raised":      manifested(`"sample"`, `"authoritative"`),
		"given to another":   manifested(`"jurisdiction": "lv"`, `"jurisdiction": "ee"`),
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			b, err := ReadBundle(raw)
			if err != nil {
				if !errors.Is(err, ErrBundle) {
					t.Errorf("%v is not ErrBundle", err)
				}
				return
			}
			if err := b.Verify(key.Public()); !errors.Is(err, ErrSignature) {
				t.Errorf("verified: %v", err)
			}
		})
	}
	if b, err := ReadBundle(raw); err != nil || b.Verify(key.Public()) != nil || b.Verify(other.Public()) == nil {
		t.Error("the bundle that all cases change is not good itself, or not of one key")
	}
}

// What a bundle was read as is what its signature is of.
func TestVerifySeesChangesAfterReading(t *testing.T) {
	key := newSigner(t)
	for name, change := range map[string]func(*Bundle){
		"seq":    func(b *Bundle) { b.Seq++ },
		"status": func(b *Bundle) { b.Status = Authoritative },
		"owner":  func(b *Bundle) { b.Jurisdiction = "ee" },
		"file":   func(b *Bundle) { b.Files["send.rego"] = []byte("package jurisdiction.lv.send\n") },
	} {
		b, err := ReadBundle(mustPack(t, authored(), key))
		if err != nil {
			t.Fatal(err)
		}
		if change(b); b.Verify(key.Public()) == nil {
			t.Errorf("%s was changed after reading, and the signature holds", name)
		}
	}
}

// What is no bundle, or more than one: refused before any signature is looked at.
func TestHostileBundles(t *testing.T) {
	good := func() []tarred { return untar(t, mustPack(t, authored(), nil)) }
	plain := retar(t, good())
	link := func(kind byte, to string) []byte {
		return retar(t, append(good(), tarred{head: tar.Header{Typeflag: kind, Name: "x.rego", Linkname: to, Mode: 0o644}}))
	}
	named := func(name string) []byte { return retar(t, append(good(), file(name, "package jurisdiction.lv.lib\n"))) }
	manifested := func(old, with string) []byte { return retar(t, edit(good(), manifestFile, replace(old, with))) }
	many := good()
	for i := range 80 {
		many = append(many, file("f"+strings.Repeat("x", i)+".rego", "package jurisdiction.lv.lib\n"))
	}
	cases := map[string][]byte{
		"empty":                {},
		"no gzip":              []byte("declared.json"),
		"gzip of nothing":      gzipped(t, nil),
		"gzip of text":         gzipped(t, []byte(strings.Repeat("not a tar archive ", 100))),
		"cut off":              plain[:len(plain)/2],
		"second stream":        append(bytes.Clone(plain), plain...),
		"trailing byte":        append(bytes.Clone(plain), 0),
		"bomb":                 gzipped(t, make([]byte, 64<<20)),
		"bomb behind the end":  gzipped(t, append(gunzipped(t, plain), make([]byte, 8<<20)...)),
		"more behind the end":  gzipped(t, append(gunzipped(t, plain), []byte("more")...)),
		"too large":            bytes.Repeat([]byte{0x1f}, MaxBundleSize+1),
		"file too large":       named("big.rego")[:0],
		"symlink":              link(tar.TypeSymlink, "/etc/passwd"),
		"hard link":            link(tar.TypeLink, "send.rego"),
		"device":               link(tar.TypeChar, ""),
		"fifo":                 link(tar.TypeFifo, ""),
		"directory":            link(tar.TypeDir, ""),
		"zip slip":             named("../evil.rego"),
		"zip slip inside":      named("a/../../evil.rego"),
		"absolute":             named("/evil.rego"),
		"not clean":            named("./evil.rego"),
		"empty segment":        named("a//evil.rego"),
		"backslash":            named(`a\evil.rego`),
		"hidden":               named(".evil.rego"),
		"control character":    named("a\x1b[2J.rego"),
		"bidi":                 named("a\u202e.rego"),
		"the same twice":       named("send.rego"),
		"manifest twice":       retar(t, append(good(), file(manifestFile, "{}"))),
		"too many":             retar(t, many),
		"data":                 retar(t, append(good(), file("data.json", "{}"))),
		"yaml data":            retar(t, append(good(), file("data.yaml", "{}"))),
		"wasm":                 retar(t, append(good(), file("policy.wasm", "\x00asm"))),
		"readme":               retar(t, append(good(), file("README.md", "# read me"))),
		"facts of common":      retar(t, append(good(), file(factsFile, "{}"))),
		"delta":                retar(t, append(good(), file("patch.json", `{"data":[]}`))),
		"only a delta":         retar(t, []tarred{file("patch.json", `{"data":[]}`), good()[0]}),
		"no manifest":          retar(t, without(good(), manifestFile)),
		"no declared":          retar(t, without(good(), declaredFile)),
		"manifest of protobuf": retar(t, append(without(good(), manifestFile), file(".manifest.pb", "\x0a\x00"))),
		"no json":              manifested("{", ""),
		"unknown member":       manifested("{", `{"wasm": [],`),
		"member twice":         manifested(`"seq": 3`, `"seq": 3, "seq": 4`),
		"other case":           manifested(`"seq"`, `"Seq"`),
		"rego v0":              manifested(`"rego_version": 1`, `"rego_version": 0`),
		"rego v0 for a file":   manifested(`"rego_version": 1`, `"rego_version": 1, "file_rego_versions": {"*": 0}`),
		"no roots":             manifested(`"jurisdiction/lv"`, ``),
		"root of all":          manifested(`"jurisdiction/lv"`, `""`),
		"root of another":      manifested(`"jurisdiction/lv"`, `"jurisdiction/ee"`),
		"two roots":            manifested(`"jurisdiction/lv"`, `"jurisdiction/lv", "liaison"`),
		"other revision":       manifested(`"revision": "`, `"revision": "x`),
		"seq zero":             manifested(`"seq": 3`, `"seq": 0`),
		"seq negative":         manifested(`"seq": 3`, `"seq": -3`),
		"seq a fraction":       manifested(`"seq": 3`, `"seq": 3.5`),
		"seq huge":             manifested(`"seq": 3`, `"seq": 9007199254740993`),
		"seq a text":           manifested(`"seq": 3`, `"seq": "3"`),
		"seq null":             manifested(`"seq": 3`, `"seq": null`),
		"status unknown":       manifested(`"sample"`, `"binding"`),
		"no jurisdiction":      manifested(`"jurisdiction": "lv"`, `"jurisdiction": ""`),
		"strange jurisdiction": manifested(`"jurisdiction": "lv"`, `"jurisdiction": "../lv"`),
		"signatures no json":   retar(t, append(good(), file(signaturesFile, "signed, honestly"))),
	}
	cases["file too large"] = retar(t, append(good(), file("big.rego", strings.Repeat("#", MaxFileSize+1))))
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			if b, err := ReadBundle(raw); !errors.Is(err, ErrBundle) {
				t.Errorf("read %v: %v", b, err)
			}
		})
	}
	if _, err := ReadBundle(plain); err != nil {
		t.Errorf("the bundle that all cases change is refused itself: %v", err)
	}
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	if _, err := zw.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gunzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadDir(t *testing.T) {
	lv := func(more map[string]string) fstest.MapFS {
		m := fstest.MapFS{}
		for p, body := range authored().Files {
			m[p] = &fstest.MapFile{Data: body}
		}
		for p, body := range more {
			m[p] = &fstest.MapFile{Data: []byte(body)}
		}
		return m
	}
	b, err := ReadDir(lv(map[string]string{"README.md": "#", ".git/config": "x", ".regal.yaml": "x", "sub/more.rego": "package jurisdiction.lv.lib\n", "sub/README.md": "#"}))
	if err != nil {
		t.Fatal(err)
	}
	if b.Jurisdiction != "lv" || len(b.Files) != len(authored().Files)+1 || b.Signed() {
		t.Errorf("read %s with %v", b.Jurisdiction, sortedKeys(b.Files))
	}
	linked := lv(nil)
	linked["more.rego"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: 0o777 | 1<<27}
	for name, fsys := range map[string]fstest.MapFS{
		"notes":          lv(map[string]string{"notes.txt": "x"}),
		"data":           lv(map[string]string{"data.json": "{}"}),
		"spaces":         lv(map[string]string{"my rules.rego": "package x"}),
		"no declared":    {"send.rego": {Data: []byte("package jurisdiction.lv.send")}},
		"declared text":  lv(map[string]string{declaredFile: "lv"}),
		"declares none":  lv(map[string]string{declaredFile: "{}"}),
		"says common":    lv(map[string]string{declaredFile: `{"jurisdiction":"common"}`}),
		"large":          lv(map[string]string{"big.rego": strings.Repeat("#", MaxFileSize+1)}),
		"a link":         linked,
		"common, though": lv(map[string]string{codesFile: "{}"}),
	} {
		if b, err := ReadDir(fsys); !errors.Is(err, ErrBundle) {
			t.Errorf("%s: read %v: %v", name, b, err)
		}
	}
}

// The library is a directory of policy too: that of common.
func TestCommonBundle(t *testing.T) {
	in := Samples()
	m := fstest.MapFS{}
	for p, body := range in.Common.Files {
		m[p] = &fstest.MapFile{Data: body}
	}
	b, err := ReadDir(m)
	if err != nil {
		t.Fatal(err)
	}
	b.Seq, b.Status = 2, Authoritative
	key := newSigner(t)
	read, err := ReadBundle(mustPack(t, b, key))
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Verify(key.Public()); err != nil {
		t.Fatal(err)
	}
	if read.Jurisdiction != CommonBundle || read.Inputs()["common"].Revision() != in.Common.Revision() || read.Apply(in).Common.Seq != 2 {
		t.Error("common is not what was packed")
	}
}

func TestApply(t *testing.T) {
	in := Samples()
	b := &Bundle{Jurisdiction: "lv", Seq: 9, Status: Sample, Files: in.Declared["lv"].Files}
	next := b.Apply(in)
	if _, rules := next.Rules["lv"]; rules || next.Declared["lv"].Seq != 9 || len(next.Rules) != len(in.Rules)-1 {
		t.Error("a bundle without rules leaves the old ones in force")
	}
	if in.Declared["lv"].Seq == 9 || in.Rules["lv"].Files == nil {
		t.Error("the inputs were changed")
	}
}

func publicPEM(t testing.TB, pub crypto.PublicKey) string {
	t.Helper()
	text, err := pemOf(pub)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzReadBundle: whatever comes in, reading ends with a bundle that packs again to what it is, or with ErrBundle, and
// no signature of a key that signed nothing holds.
func FuzzReadBundle(f *testing.F) {
	key := newSigner(f)
	f.Add(mustPack(f, authored(), key))
	f.Add(mustPack(f, authored(), nil))
	f.Add(retar(f, []tarred{file(manifestFile, "{}"), file(declaredFile, "{}")}))
	f.Add(retar(f, []tarred{file("patch.json", "{}"), {head: tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "y"}}}))
	stranger := newSigner(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, raw := range [][]byte{raw, gzipped(t, raw)} {
			b, err := ReadBundle(raw)
			if err != nil {
				if !errors.Is(err, ErrBundle) {
					t.Fatalf("%v is not ErrBundle", err)
				}
				continue
			}
			if b.Verify(stranger.Public()) == nil {
				t.Fatal("signed by a key that signed nothing")
			}
			again, err := b.Pack(nil)
			if err != nil {
				t.Fatalf("read and not packed: %v", err)
			}
			if second, err := ReadBundle(again); err != nil || second.Digest() != b.Digest() {
				t.Fatalf("packed again it is another: %v", err)
			}
		}
	})
}
