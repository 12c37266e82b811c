package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"
)

// Every receipt of batches of all sizes verifies, survives its text, and is read in the same way by another parser.
func TestReceipts(t *testing.T) {
	l := newLedger(t)
	for n := range 20 {
		var batch []Entry
		for i := range n {
			e := l.next("ee/pbgb")
			e.Seq += uint64(i) // chains are of no interest here
			if e.Seq > 1 {
				e.Prev = Commit(Salt{}, nil).String()
			}
			batch = append(batch, e)
		}
		for i, r := range l.append(batch...) {
			v, err := r.Verify(l.keys, nil)
			must(t, err)
			if v.Size != l.tree.Size() || v.Index != r.Index || v.Entry.Seq != batch[i].Seq || v.Commitment != l.leaves[r.Index] || v.Witnessed != 0 {
				t.Errorf("verified as %+v", v)
			}
			text := r.Encode()
			got, err := ParseReceipt(text)
			must(t, err)
			if !reflect.DeepEqual(got, r) || got.Encode() != text {
				t.Errorf("receipt does not survive its text:\n%+v\n%+v", r, got)
			}
			secondParser(t, text, r)
		}
	}
}

func secondParser(t *testing.T, text string, r Receipt) {
	t.Helper()
	var p proof.TLogProof
	must(t, p.Unmarshal([]byte(text)))
	var extra struct{ Entry, Salt string }
	must(t, json.Unmarshal(p.ExtraData, &extra))
	entry, err := base64.RawURLEncoding.DecodeString(extra.Entry)
	must(t, err)
	salt, err := base64.RawURLEncoding.DecodeString(extra.Salt)
	must(t, err)
	if int64(p.Index) != r.Index || !bytes.Equal(p.Checkpoint, r.Checkpoint) || !bytes.Equal(entry, r.Entry) || !bytes.Equal(salt, r.Salt) || len(p.Hashes) != len(r.Proof) {
		t.Errorf("another parser reads %+v", p)
	}
	for i, h := range p.Hashes {
		if tlog.Hash(h) != r.Proof[i] {
			t.Errorf("another parser reads another proof")
		}
	}
	if string(p.Marshal()) != text {
		t.Error("another implementation writes the receipt in another way")
	}
}

// Whichever bit of a receipt is turned, it no longer verifies, or no longer as witnessed.
func TestEveryBitOfAReceiptCounts(t *testing.T) {
	l := newLedger(t)
	l.fill(6, "ee/pbgb", "lv/vp")
	r := l.append(l.next("ee/pbgb"))[0]
	c, w, _ := newWitness(t, "w.example")
	var err error
	r.Checkpoint, err = c.Cosign(l.checkpoint(), time.Unix(1795312345, 0))
	must(t, err)
	text := []byte(r.Encode())
	if v, err := r.Verify(l.keys, []Witness{w}); err != nil || v.Witnessed != 1 {
		t.Fatal(err)
	}
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			got, err := ParseReceipt(string(text))
			if err == nil {
				var v Verified
				if v, err = got.Verify(l.keys, []Witness{w}); err == nil && v.Witnessed == 1 {
					t.Errorf("bit %d of byte %d can be turned: %q", bit, i, text[max(0, i-20):i+1])
				}
			}
			text[i] ^= 1 << bit
		}
	}
	for i := range text { // a byte less, a byte more
		cut := string(text[:i]) + string(text[i+1:])
		more := string(text[:i]) + string(text[i]) + string(text[i:])
		for _, s := range []string{cut, more, string(text[:i])} {
			got, err := ParseReceipt(s)
			if err != nil {
				continue
			}
			if v, err := got.Verify(l.keys, []Witness{w}); err == nil && v.Witnessed == 1 && !bytes.Equal([]byte(s), text) {
				t.Errorf("a byte can be added or removed at %d", i)
			}
		}
	}
}

func TestParseReceiptIsStrict(t *testing.T) {
	l := newLedger(t)
	l.fill(4, "ee/pbgb")
	good := l.append(l.next("ee/pbgb"))[0].Encode()
	lines := strings.SplitAfter(good, "\n")
	_, encoded, _ := strings.Cut(strings.TrimSuffix(lines[1], "\n"), " ")
	extra, err := base64.StdEncoding.DecodeString(encoded)
	must(t, err)
	with := func(extra string) string {
		return strings.Replace(good, encoded, base64.StdEncoding.EncodeToString([]byte(extra)), 1)
	}
	change := func(old, new string) string {
		t.Helper()
		if !strings.Contains(string(extra), old) {
			t.Fatalf("nothing to change: %s", old)
		}
		return with(strings.Replace(string(extra), old, new, 1))
	}
	for name, text := range map[string]string{
		"empty": "", "no header": strings.Join(lines[1:], ""), "version": strings.Replace(good, "@v1", "@v2", 1), "CRLF": strings.ReplaceAll(good, "\n", "\r\n"), "space": strings.Replace(good, "extra ", "extra  ", 1),
		"no extra": lines[0] + strings.Join(lines[2:], ""), "no index": lines[0] + lines[1] + strings.Join(lines[3:], ""), "other order": lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""),
		"index 04": strings.Replace(good, "index 4", "index 04", 1), "index +4": strings.Replace(good, "index 4", "index +4", 1), "index -4": strings.Replace(good, "index 4", "index -4", 1),
		"index huge": strings.Replace(good, "index 4", "index 9223372036854775807", 1), "many hashes": strings.Replace(good, "\n\n", "\n"+strings.Repeat(lines[3], 64)+"\n", 1),
		"hash": strings.Replace(good, lines[3], "AAAA\n", 1), "no blank": strings.Replace(good, "\n\n", "\n", 1), "no checkpoint": good[:strings.Index(good, "\n\n")+2],
		"member": change(`"salt"`, `"x":1,"salt"`), "case": change(`"entry"`, `"Entry"`), "twice": change(`","salt"`, `","entry":"AA","salt"`), "spaces": change(`":"`, `": "`), "escape": change(`"salt"`, `"s\u0061lt"`),
		"trailing": with(string(extra) + "\n"), "padding": change(`"}`, `="}`), "standard alphabet": change(`"entry":"`, `"entry":"+/`), "short salt": change(string(extra[len(extra)-6:]), `"}`),
		"huge entry": with(extraStart + base64.RawURLEncoding.EncodeToString(make([]byte, MaxEntry+1)) + string(extra[bytes.Index(extra, []byte(extraMiddle)):])),
		"huge":       good + strings.Repeat("x", MaxReceipt),
	} {
		if r, err := ParseReceipt(text); !errors.Is(err, ErrReceipt) {
			t.Errorf("%s: %v: %+v", name, err, r)
		}
	}
}

// A receipt that is well formed but does not prove what it says names its fault.
func TestReceiptVerifyNamesTheFault(t *testing.T) {
	l, other := newLedger(t), newLedger(t)
	l.fill(5, "ee/pbgb")
	good := l.append(l.next("ee/pbgb"), l.next("lv/vp"))
	foreign := l.next("it/dcpc")
	foreign.Exchange = "other.example/ledger"
	for name, c := range map[string]struct {
		change func(r *Receipt)
		keys   Keys
		want   error
	}{
		"as it is":       {func(*Receipt) {}, l.keys, nil},
		"other key":      {func(*Receipt) {}, other.keys, ErrSignature},
		"changed entry":  {func(r *Receipt) { r.Entry = bytes.Replace(r.Entry, []byte("delivered"), []byte("withdrawn"), 1) }, l.keys, ErrNotIncluded},
		"changed salt":   {func(r *Receipt) { r.Salt = make([]byte, 32) }, l.keys, ErrNotIncluded},
		"no salt":        {func(r *Receipt) { r.Salt = nil }, l.keys, ErrReceipt},
		"other entry":    {func(r *Receipt) { r.Entry, r.Salt = good[1].Entry, good[1].Salt }, l.keys, ErrNotIncluded},
		"other index":    {func(r *Receipt) { r.Index-- }, l.keys, ErrNotIncluded},
		"index beyond":   {func(r *Receipt) { r.Index = 7 }, l.keys, ErrNotIncluded},
		"index negative": {func(r *Receipt) { r.Index = -1 }, l.keys, ErrNotIncluded},
		"no proof":       {func(r *Receipt) { r.Proof = nil }, l.keys, ErrNotIncluded},
		"longer proof":   {func(r *Receipt) { r.Proof = append(r.Proof, tlog.Hash{}) }, l.keys, ErrNotIncluded},
		"no checkpoint":  {func(r *Receipt) { r.Checkpoint = nil }, l.keys, ErrCheckpoint},
		"other ledger":   {func(r *Receipt) { *r = l.append(foreign)[0] }, l.keys, ErrOtherLedger},
		"no entry": {func(r *Receipt) {
			e := []byte(`{"owner":"ee/pbgb","owner":"lv/vp"}`)
			g, err := l.tree.Grow([]Commitment{Commit(Salt{}, e)})
			must(t, err)
			p, err := g.Proof(l.tree.Size())
			must(t, err)
			cp, err := l.signer.Checkpoint(g.Tree().Size(), g.Tree().Root())
			must(t, err)
			*r = Receipt{e, make([]byte, 32), l.tree.Size(), p, cp}
		}, l.keys, ErrEntry},
	} {
		r := good[0]
		c.change(&r)
		if v, err := r.Verify(c.keys, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v: %+v", name, err, v)
		}
	}
}

// A receipt can be carried over to a newer checkpoint, and only to one that has its entry.
func TestReceiptUpgrade(t *testing.T) {
	l, other := newLedger(t), newLedger(t)
	r := l.append(l.next("ee/pbgb"))[0]
	for _, x := range []*ledger{l, other} {
		x.fill(300, "lv/vp")
	}
	cp := l.checkpoint()
	got, err := r.Upgrade(cp, VerifyTiles(context.Background(), cp, l.fetch))
	must(t, err)
	if v, err := got.Verify(l.keys, nil); err != nil || v.Size != 301 || v.Index != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	cp = other.checkpoint()
	if _, err := r.Upgrade(cp, VerifyTiles(context.Background(), cp, other.fetch)); !errors.Is(err, ErrNotIncluded) {
		t.Errorf("upgrade to another ledger: %v", err)
	}
	if _, err := l.append(l.next("it/dcpc"))[0].Upgrade(cp, other); !errors.Is(err, ErrSize) {
		t.Errorf("upgrade to an older checkpoint: %v", err)
	}
}
