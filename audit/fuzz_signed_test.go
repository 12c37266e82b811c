package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Targets that get past the signature: the ledger signs what is mutated, with a key that is the same in every run.

// fuzzLedger has the key of a fixed seed and a few entries with fixed salts.
func fuzzLedger(t testing.TB, owners ...string) *ledger {
	t.Helper()
	signer, err := NewSignerWith(testOrigin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)))
	must(t, err)
	keys, err := ParseKeys([]byte(signer.VerifierKey()))
	must(t, err)
	l := &ledger{t: t, signer: signer, keys: keys, tree: EmptyTree(), items: map[string][]Item{}}
	for i, o := range owners {
		b, err := l.next(o).Encode()
		must(t, err)
		l.commit(o, b, Salt(bytes.Repeat([]byte{byte(i)}, 32)))
	}
	return l
}

// commit appends any bytes as an entry of the owner.
func (l *ledger) commit(owner string, entry []byte, salt Salt) {
	l.t.Helper()
	c := Commit(salt, entry)
	seq := uint64(len(l.items[owner]) + 1)
	l.items[owner] = append(l.items[owner], Item{Owner: owner, Seq: seq, Index: l.tree.Size(), Commitment: c, Entry: entry, Salt: salt[:]})
	g, err := l.tree.Grow([]Commitment{c})
	must(l.t, err)
	l.tree, l.stored, l.leaves = g.Tree(), append(l.stored, g.Stored()...), append(l.leaves, c)
}

// fuzzWitness is the cosigner of a fixed seed.
func fuzzWitness() *Cosigner {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	return &Cosigner{Witness{"lv/vp/witness", key.Public().(ed25519.PublicKey)}, key}
}

// FuzzSignedCheckpoint signs any text and adds any signature lines: what opens is the one form of a head, and opens for another
// implementation with the same meaning; cosignatures that count here count there.
func FuzzSignedCheckpoint(f *testing.F) {
	l := fuzzLedger(f, "ee/pbgb", "lv/vp", "ee/pbgb")
	w := fuzzWitness()
	text, _, _ := strings.Cut(string(l.checkpoint().Note), "\n\n")
	cosigned, err := w.Cosign(l.checkpoint(), time.Unix(1795312345, 0))
	must(f, err)
	_, lines, _ := splitNote(cosigned)
	f.Add(text+"\n", "")
	f.Add(text+"\n", lines[1]+"\n")
	f.Add(text+"\n", "— stranger AAAAAAAA\n")
	f.Add(testOrigin+"\n0\n"+base64.StdEncoding.EncodeToString(emptyRoot[:])+"\n", "")
	f.Add(testOrigin+"\n03\n"+strings.Repeat("A", 43)+"=\n", "")
	f.Add(text+"\nextension\n", "")
	ours, err := note.NewVerifier(l.keys.Current())
	must(f, err)
	theirs, err := formats.NewVerifierForCosignatureV1(w.Witness().String())
	must(f, err)
	f.Fuzz(func(t *testing.T, text, more string) {
		signed, err := note.Sign(&note.Note{Text: text}, noteSigner{l.signer})
		if err != nil {
			return // no text of a note: must end in a line break
		}
		signed = append(signed, more...)
		cp, err := OpenCheckpoint(signed, l.keys)
		if err != nil {
			checkKind(t, err, ErrCheckpoint, ErrSignature)
			return
		}
		again, err := l.signer.Checkpoint(cp.Size, cp.Root)
		if err != nil || !strings.HasPrefix(string(signed), string(again)) || len(signed) > MaxCheckpoint {
			t.Fatalf("a second text of the same head: %q, %v", signed, err)
		}
		second, rest, _, err := log.ParseCheckpoint(signed, testOrigin, ours)
		if err != nil || len(rest) != 0 || int64(second.Size) != cp.Size || !bytes.Equal(second.Hash, cp.Root[:]) {
			t.Fatalf("another parser reads %+v, %v", second, err)
		}
		cs, err := cp.Cosignatures([]Witness{w.Witness()})
		_, _, n, nerr := log.ParseCheckpoint(signed, testOrigin, ours, theirs)
		if (err == nil) != (nerr == nil) {
			t.Fatalf("cosignatures: %v; another implementation: %v", err, nerr)
		}
		if err != nil {
			checkKind(t, err, ErrSignature)
			return
		}
		if len(cs) != len(n.Sigs)-1 {
			t.Fatalf("%v; another implementation finds %d signatures", cs, len(n.Sigs))
		}
		for i, c := range cs {
			if at, err := formats.CoSigV1Timestamp(n.Sigs[i+1]); err != nil || !at.Equal(c.Time) {
				t.Fatalf("cosigned at %s; another implementation: %s, %v", c.Time, at, err)
			}
		}
	})
}

// FuzzCosignature makes a cosignature of any time and spoils it with a mask: it counts for us if and only if it counts for another
// implementation, and a spoiled one counts for nobody.
func FuzzCosignature(f *testing.F) {
	l := fuzzLedger(f, "ee/pbgb")
	w, cp := fuzzWitness(), l.checkpoint()
	f.Add(int64(1795312345), []byte{})
	f.Add(int64(1), []byte{0, 1})
	f.Add(int64(-1), []byte{0x80})
	f.Add(int64(-1), []byte{})
	f.Add(int64(0), []byte{})
	theirs, err := formats.NewVerifierForCosignatureV1(w.Witness().String())
	must(f, err)
	text, _, _ := splitNote(cp.Note)
	f.Fuzz(func(t *testing.T, at int64, mask []byte) {
		sig, err := cosigner{w, uint64(at)}.Sign([]byte(text))
		must(t, err)
		spoiled := false
		for i := range sig[:min(len(mask), len(sig))] {
			sig[i] ^= mask[i]
			spoiled = spoiled || mask[i] != 0
		}
		ours := w.Witness().verify([]byte(text), sig)
		if ours && (spoiled || at <= 0) {
			t.Fatalf("counts: time %d, mask %x", at, mask)
		}
		if second := theirs.Verify([]byte(text), sig); ours && !second || !ours && !spoiled && at > 0 {
			t.Fatalf("counts here: %v; there: %v", ours, second)
		}
	})
}

// FuzzVerifyReceipt makes an honest receipt of any bytes as an entry, spoils its parts, and verifies it: what verifies is the entry,
// salt and place that are in the ledger, in an entry's form, and reads the same in another implementation.
func FuzzVerifyReceipt(f *testing.F) {
	honest, err := fuzzLedger(f).next("ee/pbgb").Encode()
	must(f, err)
	foreign := bytes.Replace(honest, []byte(testOrigin), []byte("other.example"), 1)
	for _, entry := range [][]byte{honest, foreign, []byte("{}")} {
		f.Add(entry, uint8(0), int64(0), []byte{})
		f.Add(entry, uint8(3), int64(1), []byte{})
		f.Add(entry, uint8(6), int64(0), []byte{0, 1})
	}
	f.Fuzz(func(t *testing.T, entry []byte, before uint8, shift int64, mask []byte) {
		l := fuzzLedger(t, slices.Repeat([]string{"lv/vp"}, int(before%9))...)
		salt := Salt(bytes.Repeat([]byte{7}, 32))
		index := l.tree.Size()
		l.commit("ee/pbgb", entry, salt)
		l.commit("it/dcpc", []byte("x"), salt)
		hashes, err := ProveRecord(l.tree.Size(), index, l)
		must(t, err)
		r := Receipt{Entry: entry, Salt: salt[:], Index: index + shift, Proof: hashes, Checkpoint: l.checkpoint().Note}
		for i, b := range mask[:min(len(mask), 32*len(r.Proof))] {
			r.Proof[i/32][i%32] ^= b
		}
		spoiled := shift != 0 || len(bytes.Trim(mask[:min(len(mask), 32*len(r.Proof))], "\x00")) > 0
		_, err = r.Verify(l.keys, nil)
		parsed, perr := ParseEntry(entry)
		if want := !spoiled && perr == nil && parsed.Exchange == testOrigin; want != (err == nil) {
			t.Fatalf("%v, want it to verify: %v", err, want)
		}
		if err != nil {
			checkKind(t, err, ErrNotIncluded, ErrEntry, ErrOtherLedger)
			return
		}
		sameReceipt(t, r)
	})
}

// sameReceipt reads the text of a receipt with another implementation, which drops carriage returns.
func sameReceipt(t *testing.T, r Receipt) {
	t.Helper()
	text := r.Encode()
	again, err := ParseReceipt(text)
	if err != nil || again.Encode() != text || len(text) > MaxReceipt {
		t.Fatalf("a receipt is not read back: %v", err)
	}
	var p proof.TLogProof
	if err := p.Unmarshal([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var extra struct{ Entry, Salt string }
	must(t, json.Unmarshal(p.ExtraData, &extra))
	entry, err1 := base64.RawURLEncoding.DecodeString(extra.Entry)
	salt, err2 := base64.RawURLEncoding.DecodeString(extra.Salt)
	if err1 != nil || err2 != nil || !bytes.Equal(entry, r.Entry) || !bytes.Equal(salt, r.Salt) || int64(p.Index) != r.Index ||
		!bytes.Equal(p.Checkpoint, bytes.ReplaceAll(r.Checkpoint, []byte("\r\n"), []byte("\n"))) {
		t.Fatalf("another parser reads %+v", p)
	}
	if !slices.EqualFunc(p.Hashes, r.Proof, func(a [32]byte, b tlog.Hash) bool { return a == b }) {
		t.Fatalf("another parser reads the hashes %x", p.Hashes)
	}
}

// FuzzOwnerLog changes one item of a whole log: the verifier finds something, unless nothing was changed.
func FuzzOwnerLog(f *testing.F) {
	l := fuzzLedger(f, "ee/pbgb", "lv/vp", "ee/pbgb", "ee/pbgb", "ee/pbgb")
	honest := l.items["ee/pbgb"]
	for what := range uint8(9) {
		f.Add(uint8(1), what, uint64(1), []byte{1})
	}
	last := honest[len(honest)-1]
	f.Fuzz(func(t *testing.T, which, what uint8, n uint64, patch []byte) {
		items := slices.Clone(honest)
		at := int(which) % len(items)
		items = tamper(items, at, what%9, n, patch)
		here := *l
		here.t = t
		v := here.log("ee/pbgb")
		v.Known = []Position{{last.Seq, last.Commitment}}
		r, err := VerifyOwner(each(items), v)
		must(t, err)
		same := slices.EqualFunc(items, honest, func(a, b Item) bool {
			return a.Owner == b.Owner && a.Seq == b.Seq && a.Index == b.Index && a.Commitment == b.Commitment && a.Erased == b.Erased &&
				bytes.Equal(a.Entry, b.Entry) && bytes.Equal(a.Salt, b.Salt)
		})
		if same != (len(r.Faults) == 0) || len(r.Faults) > maxFaults {
			t.Fatalf("item %d, change %d: the same: %v; %v", at, what%9, same, r.Faults)
		}
		for _, fault := range r.Faults {
			if strings.ContainsFunc(fault.Error(), func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Fatalf("fault %q", fault.Error())
			}
		}
	})
}

// tamper changes one thing of the item at a place.
func tamper(items []Item, at int, what uint8, n uint64, patch []byte) []Item {
	i := &items[at]
	switch what {
	case 0:
		i.Owner += string(patch)
	case 1:
		i.Seq += n
	case 2:
		i.Index += int64(n)
	case 3:
		copy(i.Commitment[:], patch)
	case 4:
		i.Entry = append(bytes.Clone(i.Entry[:n%uint64(len(i.Entry)+1)]), patch...)
	case 5:
		i.Salt = append(bytes.Clone(i.Salt[:n%uint64(len(i.Salt)+1)]), patch...)
	case 6:
		i.Erased = true
	case 7:
		return slices.Delete(items, at, at+1)
	case 8:
		j := int(n % uint64(len(items)))
		items[at], items[j] = items[j], items[at]
	}
	return items
}

// FuzzTiles serves tiles that are spoiled with a mask: no hash that is not the tree's is ever given out.
func FuzzTiles(f *testing.F) {
	l := fuzzLedger(f, slices.Repeat([]string{"ee/pbgb"}, 300)...)
	cp := l.checkpoint()
	f.Add(uint64(0), uint16(0), []byte{})
	f.Add(uint64(300), uint16(31), []byte{1})
	f.Add(uint64(590), uint16(8191), bytes.Repeat([]byte{1}, 64))
	f.Fuzz(func(t *testing.T, index uint64, at uint16, patch []byte) {
		x := int64(index % uint64(len(l.stored)))
		r := VerifyTiles(context.Background(), cp, func(ctx context.Context, p TilePath) ([]byte, error) {
			data, err := l.fetch(ctx, p)
			if err != nil {
				return nil, err
			}
			from := int(at) % (len(data) + 1)
			return append(data[:from:from], slices.Concat(patch, data[min(from+len(patch), len(data)):])...), nil
		})
		hashes, err := r.ReadHashes([]int64{x})
		if err != nil {
			checkKind(t, err, ErrTiles)
			return
		}
		if len(hashes) != 1 || hashes[0] != l.stored[x] {
			t.Fatalf("hash %d: %v", x, hashes)
		}
	})
}

// FuzzParseWitness: a witness's key has one text, and another implementation takes it.
func FuzzParseWitness(f *testing.F) {
	w := fuzzWitness().Witness()
	f.Add(w.String())
	f.Add(fuzzLedger(f).signer.VerifierKey())
	f.Add("w+00000000+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, vkey string) {
		w, err := ParseWitness(vkey)
		if err != nil {
			checkKind(t, err, ErrKey)
			return
		}
		v, err := formats.NewVerifierForCosignatureV1(vkey)
		if err != nil || w.String() != vkey || v.Name() != w.Name() {
			t.Fatalf("%q is read as %s; another implementation: %v", vkey, w, err)
		}
	})
}

// FuzzPrivateKey: the private key of a ledger or a witness is refused without a word of it, or is the key of one signer, for another
// implementation too.
func FuzzPrivateKey(f *testing.F) {
	ledgerKey := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	f.Add(formatSKey(testOrigin, algLedger, ledgerKey))
	f.Add(formatSKey("lv/vp/witness", algWitness, ledgerKey))
	f.Add("PRIVATE+KEY+x+00000000+AQ==")
	f.Fuzz(func(t *testing.T, skey string) {
		s, err := NewSigner(skey)
		c, cerr := NewCosigner(skey)
		for _, err := range []error{err, cerr} {
			if err != nil && (!errors.Is(err, ErrKey) || len(skey) > 20 && strings.Contains(err.Error(), skey[len(skey)-20:])) {
				t.Fatalf("error out of place: %v", err)
			}
		}
		if err == nil {
			second, err1 := note.NewSigner(skey)
			verifier, err2 := note.NewVerifier(s.VerifierKey())
			if err1 != nil || err2 != nil || second.Name() != s.Origin() || second.KeyHash() != verifier.KeyHash() {
				t.Fatalf("another implementation: %v, %v", err1, err2)
			}
		}
		if cerr == nil {
			if _, err := formats.NewSignerForCosignatureV1(skey); err != nil || c.Witness().Name() == "" {
				t.Fatalf("another implementation: %v", err)
			}
		}
	})
}
