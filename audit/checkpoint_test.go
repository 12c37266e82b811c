package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// sign makes a note of any text with the ledger's real key, to test what is refused although the signature is good.
func sign(l *ledger, text string) []byte {
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{l.signer})
	must(l.t, err)
	return signed
}

func TestCheckpoint(t *testing.T) {
	l := newLedger(t)
	for range 3 {
		first, again := l.checkpoint(), l.checkpoint()
		if !bytes.Equal(first.Note, again.Note) || first.Size != l.tree.Size() || first.Root != l.tree.Root() || first.Origin != testOrigin {
			t.Errorf("the same head gave other bytes, or was read back as %+v", first)
		}
		// A second implementation of key, signature and body.
		v, err := note.NewVerifier(l.signer.VerifierKey())
		must(t, err)
		second, rest, _, err := log.ParseCheckpoint(first.Note, testOrigin, v)
		if err != nil || len(rest) != 0 || int64(second.Size) != first.Size || !bytes.Equal(second.Hash, first.Root[:]) {
			t.Errorf("another parser reads %+v, %v", second, err)
		}
		l.fill(1, "ee/pbgb")
	}
	for _, size := range []int64{-1, MaxSize + 1} {
		if _, err := l.signer.Checkpoint(size, tlog.Hash{}); !errors.Is(err, ErrSize) {
			t.Errorf("a checkpoint of size %d was signed: %v", size, err)
		}
	}
}

func TestOpenCheckpointIsStrict(t *testing.T) {
	l := newLedger(t)
	l.fill(3, "ee/pbgb")
	good := string(l.checkpoint().Note)
	root := base64.StdEncoding.EncodeToString(l.stored[0][:])
	body := func(lines ...string) string { return string(sign(l, strings.Join(lines, "\n")+"\n")) }
	_, sigs, _ := strings.Cut(good, "\n\n")
	other := newLedger(t)
	other.fill(3, "ee/pbgb")
	for name, text := range map[string]string{
		"empty": "", "no signature": testOrigin + "\n3\n" + root + "\n", "another key": string(other.checkpoint().Note), "cut": good[:len(good)-1],
		"origin": body("other.example/ledger", "3", root), "no origin": body("", "3", root), "two lines": body(testOrigin, "3"),
		"extension": body(testOrigin, "3", root, "extension"), "blank extension": body(testOrigin, "3", root, ""),
		"leading zero": body(testOrigin, "03", root), "plus": body(testOrigin, "+3", root), "minus": body(testOrigin, "-3", root), "hex": body(testOrigin, "0x3", root),
		"space": body(testOrigin, "3 ", root), "beyond MaxSize": body(testOrigin, fmt.Sprint(MaxSize+1), root), "2^63": body(testOrigin, "9223372036854775808", root),
		"2^64+3": body(testOrigin, "18446744073709551619", root), "short root": body(testOrigin, "3", root[:40]), "long root": body(testOrigin, "3", base64.StdEncoding.EncodeToString(make([]byte, 33))),
		"stray bits": body(testOrigin, "3", root[:42]+"B="), "base64url root": body(testOrigin, "3", strings.Repeat("_", 43)+"="), "empty tree with a root": body(testOrigin, "0", root),
		"signature twice": good + sigs, "signature twice, other bits": good + strings.TrimSuffix(sigs, "=\n") + "=\n",
		"carriage return": strings.Replace(good, "\n3\n", "\r\n3\n", 1), "carriage return behind the signature": good[:len(good)-1] + "\r\n",
		"signature of a known key is wrong": strings.Replace(good, "\n3\n", "\n4\n", 1), "not base64": good[:len(good)-2] + "*\n", "tab": strings.Replace(good, testOrigin+" ", testOrigin+"\t", 1),
		"unknown, not canonical": good + "— w.example AAAAAAB=\n", "unknown, too short": good + "— w.example AAAA\n", "no dash": good + "w.example AAAAAAAA\n",
		"invalid UTF-8": good + "— w\xff.example AAAAAAAA\n", "huge": good + strings.Repeat("— w.example AAAAAAAA\n", 10000),
	} {
		cp, err := OpenCheckpoint([]byte(text), l.keys)
		if !errors.Is(err, ErrCheckpoint) && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v: %+v", name, err, cp)
		}
	}
	if _, err := OpenCheckpoint([]byte(good), Keys{}); !errors.Is(err, ErrSignature) {
		t.Errorf("without keys: %v", err)
	}
	// C2SP: signatures of unknown keys are ignored, sixteen of them at least.
	for i := range 16 {
		good += fmt.Sprintf("— w%d.example AAAAAAAA\n", i)
	}
	if _, err := OpenCheckpoint([]byte(good), l.keys); err != nil {
		t.Errorf("unknown signatures: %v", err)
	}
}

func TestKeys(t *testing.T) {
	skey, vkey, err := GenerateKey(testOrigin)
	must(t, err)
	_, older, err := GenerateKey(testOrigin)
	must(t, err)
	_, foreign, err := GenerateKey("other.example/ledger")
	must(t, err)
	_, witness, err := GenerateWitnessKey(testOrigin)
	must(t, err)
	file := vkey + "\n" + older + "\n"
	k, err := ParseKeys([]byte(file))
	must(t, err)
	if k.Origin() != testOrigin || k.Current() != vkey || k.String() != file {
		t.Errorf("read as %s %s %s", k.Origin(), k.Current(), k)
	}
	if _, err := ParseKeys([]byte(vkey)); err != nil {
		t.Errorf("without the last line break: %v", err)
	}
	signer, err := NewSigner(skey)
	if err != nil || signer.VerifierKey() != vkey || signer.Origin() != testOrigin {
		t.Errorf("signer: %v", err)
	}
	if _, err := note.NewSigner(skey); err != nil {
		t.Errorf("another implementation refuses the private key: %v", err)
	}
	for name, text := range map[string]string{
		"empty": "", "blank line": vkey + "\n\n" + older + "\n", "blank end": file + "\n", "comment": "# key\n" + vkey, "carriage return": vkey + "\r\n", "space": " " + vkey,
		"twice": vkey + "\n" + vkey, "other origin": vkey + "\n" + foreign, "witness": witness, "private": skey, "cut": vkey[:len(vkey)-4], "padding": vkey + "=",
		"key id": strings.Replace(vkey, "+", "+0", 1), "upper case": strings.ToUpper(vkey), "other name": "x" + vkey, "many": strings.Repeat(vkey+"\n", maxKeys+1),
	} {
		if _, err := ParseKeys([]byte(text)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "ä", "a\u202eb", strings.Repeat("x", maxName+1)} {
		if _, _, err := GenerateKey(name); !errors.Is(err, ErrKey) {
			t.Errorf("origin %q: %v", name, err)
		}
	}
	for _, text := range []string{"", vkey, skey + "=", skey[:len(skey)-4], "X" + skey, strings.Replace(skey, testOrigin, "other", 1)} {
		_, err := NewSigner(text)
		if !errors.Is(err, ErrKey) || strings.Contains(err.Error(), skey[len(skey)-20:]) {
			t.Errorf("private key: %v", err)
		}
	}
}

// After a rotation, what the older key signed still verifies, and a key that lies elsewhere signs through crypto.Signer.
func TestKeyRotation(t *testing.T) {
	l := newLedger(t)
	old := l.append(l.next("ee/pbgb"))[0]
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	before := l.signer.VerifierKey()
	l.signer, err = NewSignerWith(testOrigin, private)
	must(t, err)
	if !strings.Contains(l.signer.VerifierKey(), base64.StdEncoding.EncodeToString(append([]byte{algLedger}, public...))) {
		t.Error("verifier key is not the public key")
	}
	l.keys, err = ParseKeys([]byte(l.signer.VerifierKey() + "\n" + before))
	must(t, err)
	for _, r := range append(l.append(l.next("ee/pbgb")), old) {
		if _, err := r.Verify(l.keys, nil); err != nil {
			t.Error(err)
		}
	}
	wrong, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	if _, err := NewSignerWith(testOrigin, wrong); !errors.Is(err, ErrKey) {
		t.Errorf("an ECDSA key: %v", err)
	}
}

func newWitness(t testing.TB, name string) (*Cosigner, Witness, string) {
	t.Helper()
	skey, vkey, err := GenerateWitnessKey(name)
	must(t, err)
	c, err := NewCosigner(skey)
	must(t, err)
	w, err := ParseWitness(vkey)
	must(t, err)
	if w.Name() != name || w.String() != vkey || c.Witness().String() != vkey {
		t.Errorf("witness key was read back as %s", w)
	}
	return c, w, skey
}

func TestWitness(t *testing.T) {
	l := newLedger(t)
	receipt := l.append(l.next("ee/pbgb"))[0]
	cp := l.checkpoint()
	at := time.Unix(1795312345, 0)
	c1, w1, skey := newWitness(t, "lv/vp/witness")
	c2, w2, _ := newWitness(t, "it.example/w")
	signed, err := c1.Cosign(cp, at.Add(-time.Hour))
	must(t, err)
	cp, err = OpenCheckpoint(signed, l.keys)
	must(t, err)
	signed, err = c1.Cosign(cp, at) // replaces its own
	must(t, err)
	cp.Note = signed
	signed, err = c2.Cosign(cp, at)
	must(t, err)
	receipt.Checkpoint = signed

	count := func(ws ...Witness) int {
		t.Helper()
		v, err := receipt.Verify(l.keys, ws)
		must(t, err)
		for _, c := range v.Cosignatures {
			if !c.Time.Equal(at) {
				t.Errorf("cosigned at %s", c.Time)
			}
		}
		return v.Witnessed
	}
	renamed := Witness{"another.name", w1.key}
	_, stranger, _ := newWitness(t, "stranger")
	for want, ws := range map[int][]Witness{0: {stranger}, 1: {w1, w1, renamed}, 2: {w1, stranger, w2}} {
		if got := count(ws...); got != want {
			t.Errorf("%d witnesses counted instead of %d", got, want)
		}
	}
	if count() != 0 || count(Witness{}) != 0 {
		t.Error("witnesses counted without keys")
	}

	// A second implementation verifies ours, and we verify it.
	v, err := formats.NewVerifierForCosignatureV1(w1.String())
	must(t, err)
	if n, err := note.Open(signed, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 {
		t.Errorf("another implementation refuses our cosignature: %v", err)
	}
	theirs, err := formats.NewSignerForCosignatureV1(skey)
	must(t, err)
	n, err := note.Open(l.checkpoint().Note, l.keys.verifiers())
	must(t, err)
	receipt.Checkpoint, err = note.Sign(n, theirs)
	must(t, err)
	if got, err := receipt.Verify(l.keys, []Witness{w1}); err != nil || got.Witnessed != 1 {
		t.Errorf("their cosignature: %d, %v", got.Witnessed, err)
	}

	// A cosignature of another head is an error, not a smaller count.
	l.fill(1, "ee/pbgb")
	forged := append(bytes.Clone(l.checkpoint().Note), signed[bytes.Index(signed, []byte("— lv/vp")):]...)
	other, err := OpenCheckpoint(forged, l.keys)
	must(t, err)
	if _, err := other.Cosignatures([]Witness{w1}); !errors.Is(err, ErrSignature) {
		t.Errorf("a cosignature of another head: %v", err)
	}
	// Cosignatures alone do not make a checkpoint: the ledger's signature must be there.
	alone := append(bytes.Clone(cp.Note[:bytes.Index(cp.Note, []byte("— "))]), signed[bytes.Index(signed, []byte("— lv/vp")):]...)
	if _, err := OpenCheckpoint(alone, l.keys); !errors.Is(err, ErrSignature) {
		t.Errorf("without the ledger's signature: %v", err)
	}
	if _, err := c1.Cosign(cp, time.Unix(0, 0)); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("cosigned at the epoch: %v", err)
	}
	if _, err := ParseWitness(l.signer.VerifierKey()); !errors.Is(err, ErrKey) {
		t.Errorf("a ledger's key as witness: %v", err)
	}
}
