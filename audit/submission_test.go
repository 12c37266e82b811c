package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// submission is that of the ledger as it is to a witness at an older size.
func (l *ledger) submission(old int64) Submission {
	proof, err := ProveExtends(old, l.tree.Size(), l)
	must(l.t, err)
	return Submission{Old: old, Proof: proof, Note: l.checkpoint().Note}
}

func newCosigner(t testing.TB, name string) *Cosigner {
	t.Helper()
	skey, _, err := GenerateWitnessKey(name)
	must(t, err)
	c, err := NewCosigner(skey)
	must(t, err)
	return c
}

// TestSubmission: at every pair of sizes, what is sent is read back and passes; with any bit changed it does not.
func TestSubmission(t *testing.T) {
	l := newLedger(t)
	heads := []Checkpoint{l.checkpoint()}
	for range 20 {
		l.fill(1, "ee/pbgb")
		heads = append(heads, l.checkpoint())
		for old := range l.tree.Size() + 1 {
			s := l.submission(old)
			got, err := ParseSubmission(s.Encode())
			must(t, err)
			if !bytes.Equal(got.Encode(), s.Encode()) || got.Origin() != testOrigin {
				t.Fatalf("%q read as %+v", s.Encode(), got)
			}
			last := heads[old]
			if old == 0 {
				last = Checkpoint{} // never cosigned
			}
			must(t, got.Check(last, l.checkpoint()))
			for i := range got.Proof {
				got.Proof[i][7] ^= 1
				if err := got.Check(last, l.checkpoint()); !errors.Is(err, ErrProof) {
					t.Fatalf("%d to %d, hash %d changed: %v", old, l.tree.Size(), i, err)
				}
				got.Proof[i][7] ^= 1
			}
		}
	}
	for name, c := range map[string]struct {
		s    Submission
		last Checkpoint
		cp   Checkpoint
		want error
	}{
		"behind":             {l.submission(3), heads[20], heads[20], ErrConflict},
		"ahead":              {Submission{Old: 21}, heads[3], heads[20], ErrOldSize},
		"never seen":         {l.submission(3), Checkpoint{}, heads[20], ErrConflict},
		"another root":       {l.submission(20), Checkpoint{Size: 20, Note: []byte("x")}, heads[20], ErrRoots},
		"proof for nothing":  {Submission{Old: 20, Proof: tlog.TreeProof{{}}}, heads[20], heads[20], ErrProof},
		"proof from nothing": {Submission{Proof: tlog.TreeProof{{}}}, Checkpoint{}, heads[20], ErrProof},
		"no proof":           {Submission{Old: 3}, heads[3], heads[20], ErrProof},
		"of another history": {l.submission(3), Checkpoint{Size: 3, Root: heads[4].Root, Note: []byte("x")}, heads[20], ErrProof},
	} {
		if err := c.s.Check(c.last, c.cp); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSubmissionIsStrict(t *testing.T) {
	l := newLedger(t)
	l.fill(5, "ee/pbgb")
	good := string(l.submission(3).Encode())
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, bad := range map[string]string{
		"empty": "", "no old": strings.TrimPrefix(good, "old "), "upper case": "Old" + good[3:], "two spaces": "old  3" + good[5:], "leading zero": "old 03" + good[5:],
		"sign": "old +3" + good[5:], "negative": "old -3" + good[5:], "huge": "old 9223372036854775808" + good[5:], "2^63-1": "old 9223372036854775807" + good[5:],
		"carriage return": strings.Replace(good, "\n", "\r\n", 1), "short hash": strings.Replace(good, "old 3\n", "old 3\nAAAA\n", 1),
		"no empty line": strings.Replace(good, "\n\n", "\n", 1), "64 hashes": strings.Replace(good, "old 3\n", "old 3\n"+strings.Repeat(hash+"\n", 64), 1),
		"too long": good + strings.Repeat("x", MaxSubmission),
	} {
		if s, err := ParseSubmission([]byte(bad)); !errors.Is(err, ErrSubmission) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func FuzzParseSubmission(f *testing.F) {
	l := newLedger(f)
	l.fill(9, "ee/pbgb")
	f.Add(l.submission(3).Encode())
	f.Add([]byte("old 0\n\nx\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSubmission(b)
		if err != nil {
			checkKind(t, err, ErrSubmission)
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("a second text of the same submission")
		}
	})
}

// TestMerge: a cosignature counts if it is the witness's own, on this head, and once.
func TestMerge(t *testing.T) {
	l := newLedger(t)
	l.fill(3, "ee/pbgb")
	cp := l.checkpoint()
	one, two := newCosigner(t, "w.example/one"), newCosigner(t, "w.example/two")
	line := func(c *Cosigner, cp Checkpoint, at int64) string {
		b, err := c.Cosignature(cp, at)
		must(t, err)
		return string(b)
	}
	a, b := line(one, cp, 1795312345), line(two, cp, 1795312346)
	merged, cs, err := cp.Merge([]byte(a), one.Witness())
	must(t, err)
	if cs.Witness != "w.example/one" || !cs.Time.Equal(time.Unix(1795312345, 0)) {
		t.Errorf("%+v", cs)
	}
	merged, _, err = merged.Merge([]byte("rubbish\n"+a+b), two.Witness()) // unknown lines are passed over
	must(t, err)
	merged, _, err = merged.Merge([]byte(line(one, cp, 1795312399)), one.Witness())
	must(t, err)
	reopened, err := OpenCheckpoint(merged.Note, l.keys)
	must(t, err)
	all, err := reopened.Cosignatures([]Witness{one.Witness(), two.Witness()})
	if err != nil || len(all) != 2 || strings.Count(string(merged.Note), "\n— ") != 3 {
		t.Errorf("%v, %v in\n%s", all, err, merged.Note)
	}
	for _, c := range all {
		if c.Witness == "w.example/one" && !c.Time.Equal(time.Unix(1795312399, 0)) {
			t.Errorf("the older cosignature stayed: %v", c)
		}
	}
	l.fill(1, "ee/pbgb")
	for name, answer := range map[string]string{
		"nothing": "", "another's": b, "of another head": line(one, l.checkpoint(), 1795312345), "no end": strings.TrimSuffix(a, "\n"),
		"changed": strings.Replace(a, "AAAA", "AAAB", 1), "not base64": "— w.example/one %%%\n", "a note": string(merged.Note[:40]),
	} {
		if m, _, err := cp.Merge([]byte(answer), one.Witness()); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v\n%s", name, err, m.Note)
		}
	}
	if _, err := one.Cosignature(cp, 0); err == nil {
		t.Error("cosigned at no time")
	}
	// Of a witness whose key is not known nothing can be verified, whatever bears its name.
	unknown := Witness{name: "w.example/one"}
	answer := unknown.linePrefix()[0] + base64.StdEncoding.EncodeToString(append([]byte(unknown.linePrefix()[1]), make([]byte, 8+64)...)) + "\n"
	if m, _, err := cp.Merge([]byte(answer), unknown); !errors.Is(err, ErrSignature) {
		t.Errorf("without a key: %v\n%s", err, m.Note)
	}
}

func TestWitnessSize(t *testing.T) {
	if n, err := ParseWitnessSize([]byte("42\n")); err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
	for _, bad := range []string{"", "42", "042\n", "-1\n", "4 2\n", "42\n\n", fmt.Sprint(int64(MaxSize)+1, "\n")} {
		if n, err := ParseWitnessSize([]byte(bad)); err == nil {
			t.Errorf("%q is %d", bad, n)
		}
	}
}
