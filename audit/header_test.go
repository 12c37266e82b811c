package audit

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func quickReader(b []byte) headerReader {
	return headerReader{b: b, plain: plainText(b), before: &header{}}
}

// agree: what the quick reader takes, ParseEntry takes too, and both read the same.
func agree(t *testing.T, b []byte) {
	t.Helper()
	h := quickReader(b)
	quick := len(b) <= MaxEntry && h.value(entryShape, 0) && h.at == len(b) && h.header.check() == nil
	e, err := ParseEntry(b)
	if quick && err != nil && strings.ToValidUTF8(string(b), "") == string(b) {
		t.Fatalf("only the quick reader takes %q: %v", b, err)
	}
	got, gotErr := readHeader(b, &header{Owner: "ee/pbgb", Prev: FirstPrev})
	if (err == nil) != (gotErr == nil) {
		t.Fatalf("%q: %v, the quick reader: %v", b, err, gotErr)
	}
	if err == nil && got != e.header() {
		t.Fatalf("%q: read as %+v, the quick reader: %+v", b, e, got)
	}
}

// TestHeader: the verifier's reader refuses what ParseEntry refuses, and is not slow for what Encode writes.
func TestHeader(t *testing.T) {
	full := typical()
	full.Relations, full.Details = []Relation{{Package: "x", Relation: "answers"}}, map[string]string{"a": "line\nbreak", "b": "\u202e"}
	full.Truncated = map[string]int{"details": 3}
	for name, e := range map[string]Entry{"minimal": minimal(), "typical": typical(), "full": full} {
		b, err := e.Encode()
		must(t, err)
		h := quickReader(b)
		if !h.value(entryShape, 0) || h.at < len(b) {
			t.Errorf("%s: not read by the quick way, which stops before %q", name, b[h.at:])
		}
		for i := 0; i < len(b); i += 1 + len(b)/400 { // bytes gone, changed, doubled
			for _, c := range [][]byte{b[:i], append(bytes.Clone(b[:i]), b[i+1:]...), append(append(bytes.Clone(b[:i]), b[i]^1), b[i+1:]...),
				append(append(bytes.Clone(b[:i]), b[i]^0x80), b[i+1:]...), append(append(bytes.Clone(b[:i]), b[i], b[i]), b[i+1:]...)} {
				agree(t, c)
			}
		}
	}
	b, err := typical().Encode()
	must(t, err)
	with := func(old, to string) []byte { return bytes.Replace(b, []byte(old), []byte(to), 1) }
	for _, c := range [][]byte{with(`"engine":`, `"owner":"x","engine":`), with(`"engine":`, `"enginé":"x","engine":`), with(`"engine":`, `"Engine":"x","engine":`),
		with(`"opa 1.22.2"`, `null`), with(`"opa 1.22.2"`, `7`), with(`"opa 1.22.2"`, `["x"]`), with(`"opa 1.22.2"`, `"\ud800"`), with(`"opa 1.22.2"`, `"\ud83d\ude00"`),
		with(`opa 1`, "opa\x1f1"), with(`"jti":"`, "\"jti\":\"\n"), with(`"recipients":[`, `"recipients":[7,`), with(`"revisions":{`, `"revisions":{"common":"x",`), with(`"statement":{`, `"statement":{"iss":"x",`),
		with(`"statement":{`, `"statement":[{`), with(`"seq":`, `"seq":-`), with(`"seq":`, `"seq":0`), with(`"seq":`, `"seq":1e0`), with(`"operation":"`, `"operation":"x`),
		[]byte("{}"), []byte("[]"), []byte("null"), nil, append(b, ' '), append(b, b...), []byte(" " + string(b))} {
		agree(t, c)
	}
}

// TestPlainText: every byte at every place of a word and behind it, alone and behind bytes that could lend to it or borrow from it.
func TestPlainText(t *testing.T) {
	for c := range 256 {
		for at := range 11 {
			for _, beside := range []byte{' ', '!', '[', ']', 0x80, 0xff} {
				b := bytes.Repeat([]byte{beside}, 11)
				b[at] = byte(c)
				if want := c >= ' ' && c != '\\'; plainText(b) != want {
					t.Fatalf("%q: %v", b, !want)
				}
			}
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, e := range []Entry{minimal(), typical()} {
		b, err := e.Encode()
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}

// TestItems: a log that is exported reads back as it was, and nothing else reads as an entry.
func TestItems(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := newLedger(t)
	l.fill(300, "ee/pbgb", "lv/vp")
	items := l.items["ee/pbgb"]
	items[7].Entry, items[7].Salt, items[7].Erased, items[7].Erasure = nil, nil, true, "on 27 November, by order"
	var file []byte
	for _, i := range items {
		var err error
		file, err = AppendItem(file, i)
		must(t, err)
	}
	for name, r := range map[string]func() ([]Item, error){
		"whole":        func() ([]Item, error) { return all(ReadItems(bytes.NewReader(file))) },
		"byte by byte": func() ([]Item, error) { return all(ReadItems(iotest.OneByteReader(bytes.NewReader(file)))) },
	} {
		got, err := r()
		must(t, err)
		if len(got) != len(items) {
			t.Fatalf("%s: %d of %d entries", name, len(got), len(items))
		}
		for n, i := range got {
			if !sameItem(i, items[n]) {
				t.Fatalf("%s: entry %d: %+v", name, n+1, i)
			}
		}
	}
	r := verify(t, items, l.log("ee/pbgb"))
	if r.Err() != nil || r.Erased != 1 || r.Disclosed != 299 {
		t.Errorf("%+v", r)
	}
	line := bytes.SplitAfter(file, []byte("\n"))[0]
	for name, c := range map[string]struct {
		file []byte
		at   string
	}{
		"end cut off":      {file[:len(file)-1], "line 300"},
		"in the middle":    {bytes.Replace(file, []byte(`"seq":9,`), []byte(`"seq":x,`), 1), "line 9"},
		"unknown member":   {bytes.Replace(line, []byte(`{`), []byte(`{"x":1,`), 1), "line 1"},
		"spelt otherwise":  {bytes.Replace(line, []byte(`"owner"`), []byte(`"Owner"`), 1), "line 1"},
		"two objects":      {append(bytes.TrimSpace(bytes.Clone(line)), line...), "line 1"},
		"empty line":       {append([]byte("\n"), line...), "line 1"},
		"a line too long":  {append(bytes.Repeat([]byte(" "), 300<<10), line...), ""},
		"loose base64":     {bytes.Replace(line, []byte(`"entry":"e`), []byte(`"entry":"e\n`), 1), "line 1"},
		"base64, a break":  {[]byte(`{"owner":"a","seq":1,"index":0,"commitment":"` + FirstPrev + `","entry":"AAAA` + "\r" + `","salt":"` + FirstPrev + `"}` + "\n"), "line 1"},
		"an escaped break": {[]byte(`{"owner":"a","seq":1,"index":0,"commitment":"` + FirstPrev + `","entry":"AAAA\n","salt":"` + FirstPrev + `"}` + "\n"), "line 1"},
		"only line breaks": {bytes.Repeat([]byte("\n"), 300<<10), "line 1"},
		"a member twice":   {bytes.Replace(line, []byte(`{`), []byte(`{"seq":9,`), 1), "line 1"},
		"seq 0":            {bytes.Replace(line, []byte(`"seq":1,`), []byte(`"seq":0,`), 1), "line 1"},
		"seq 2^64-1":       {bytes.Replace(line, []byte(`"seq":1,`), []byte(`"seq":18446744073709551615,`), 1), "line 1"},
		"index -1":         {regexp.MustCompile(`"index":\d+`).ReplaceAll(line, []byte(`"index":-1`)), "line 1"},
		"index 2^60":       {regexp.MustCompile(`"index":\d+`).ReplaceAll(line, []byte(`"index":1152921504606846976`)), "line 1"},
		"short commitment": {bytes.Replace(line, []byte(`"commitment":"`), []byte(`"commitment":"A`), 1), "line 1"},
	} {
		if _, err := all(ReadItems(bytes.NewReader(c.file))); !errors.Is(err, ErrItem) || !strings.Contains(err.Error(), c.at) {
			t.Errorf("%s: %v", name, err)
		}
	}
	lost := errors.New("disk gone")
	if _, err := all(ReadItems(iotest.ErrReader(lost))); !errors.Is(err, lost) {
		t.Errorf("reading fails: %v", err)
	}
	for _, whole := range [][]byte{line, bytes.Repeat(file, 1+chunkSize/len(file))} {
		if _, err := all(ReadItems(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(io.ErrUnexpectedEOF)))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a text that breaks off after %d bytes: %v", len(whole), err)
		}
	}
	for range ReadItems(bytes.NewReader(file)) { // whoever stops early leaves nothing running
		break
	}
}

func all(items func(func(Item, error) bool)) (list []Item, err error) {
	for i, err := range items {
		if err != nil {
			return list, err
		}
		list = append(list, i)
	}
	return list, nil
}

func sameItem(a, b Item) bool {
	return a.Owner == b.Owner && a.Seq == b.Seq && a.Index == b.Index && a.Commitment == b.Commitment && a.Erased == b.Erased && a.Erasure == b.Erasure &&
		bytes.Equal(a.Entry, b.Entry) && bytes.Equal(a.Salt, b.Salt) && (a.Entry == nil) == (b.Entry == nil) && (a.Salt == nil) == (b.Salt == nil)
}

// A line in the plain form reads the same by the quick way and by the slow one.
func FuzzParseItem(f *testing.F) {
	l := newLedger(f)
	l.fill(2, "ee/pbgb")
	erased := l.items["ee/pbgb"][0]
	erased.Entry, erased.Salt, erased.Erased = nil, nil, true
	for _, i := range append(l.items["ee/pbgb"], erased) {
		line, err := AppendItem(nil, i)
		must(f, err)
		f.Add(bytes.TrimSpace(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		i, err := ParseItem(line)
		if err != nil {
			checkKind(t, err, ErrItem)
			return
		}
		slow, err := ParseItem(append([]byte(" "), line...)) // white space: not the plain form
		if err != nil || !sameItem(i, slow) {
			t.Fatalf("%q: %+v and %+v, %v", line, i, slow, err)
		}
		again, err := AppendItem(nil, i)
		must(t, err)
		if back, err := ParseItem(bytes.TrimSpace(again)); err != nil || !sameItem(i, back) {
			t.Fatalf("%q: %+v, %v", again, back, err)
		}
	})
}
