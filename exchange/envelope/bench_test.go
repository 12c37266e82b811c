package envelope

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

// BenchmarkES256Verify is the floor: one bare ECDSA verification.
func BenchmarkES256Verify(b *testing.B) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("message"))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.Verify(&k.PublicKey, sum[:], r, s) {
			b.Fatal("not verified")
		}
	}
}

// benchPackage is 4 KiB of text for two recipients.
func benchPackage(b *testing.B) (*cast, *Sealed) {
	b.Helper()
	c := newCast(b, ES256, "lv/vp", "ua/npu")
	in := c.input("lv/vp", "ua/npu")
	in.Message.Text = strings.Repeat("0123456789abcdef", 256)
	return c, mustSeal(b, in)
}

// BenchmarkVerify is what the exchange does with the three parts of a package.
func BenchmarkVerify(b *testing.B) {
	c, s := benchPackage(b)
	key := c.sign.Public()
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(s, key, c.owner); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifySignatures is the cryptography in BenchmarkVerify.
func BenchmarkVerifySignatures(b *testing.B) {
	c, s := benchPackage(b)
	m, err1 := ParseManifest(s.Manifest)
	st, err2 := ParseStatement(s.Statement)
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	key := c.sign.Public()
	b.ReportAllocs()
	for b.Loop() {
		if m.VerifySignature(key) != nil || st.VerifySignature(key) != nil {
			b.Fatal("not verified")
		}
	}
}

func BenchmarkParseManifest(b *testing.B) {
	_, s := benchPackage(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseManifest(s.Manifest); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseStatement(b *testing.B) {
	_, s := benchPackage(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseStatement(s.Statement); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseContent(b *testing.B) {
	_, s := benchPackage(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseContent(s.Content); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMeta(b *testing.B) {
	raw := []byte(testMeta)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMeta(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	c := newCast(b, ES256, "lv/vp", "ua/npu")
	in := c.input("lv/vp", "ua/npu")
	in.Message.Text = strings.Repeat("0123456789abcdef", 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	c, s := benchPackage(b)
	in := c.open(s, "lv/vp")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Open(in); err != nil {
			b.Fatal(err)
		}
	}
}
