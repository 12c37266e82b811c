package report

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFormulas: whatever a person wrote, no cell begins a formula, however a
// spreadsheet separates cells.
func TestFormulas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "3-5": "3-5", "ee/pbgb": "ee/pbgb", "it's": "it's", "a; b": "a; b",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "' =1", "\r=1": "' =1", "\n=1": "' =1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", ";=1": "';'=1", " =1": "' =1", "\u00a0=1": "'\u00a0=1", "\ufeff=1": "'\ufffd=1", "\u3000=1": "'\u3000=1",
		"a;=1": "a;'=1", "a; =1": "a; '=1", `a,"=1`: `a,"'=1`, "a；＝1": "a；'＝1", "a;;=1": "a;';'=1", "|calc": "'|calc", "%0A=1": "'%0A=1",
		"a\u202eb": "a\ufffdb", "a\x00b": "a\ufffdb", "a\u0085b": "a\ufffdb", "\x1b[31m": "\ufffd[31m", "'=1": "''=1",
	} {
		if got := Harmless(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"=cmd|' /C calc'!A0", "a\"b", "x;=1", "\r\n=1", "＝1", "a,b", "\xff=1", "'"} {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var out bytes.Buffer
		w := NewCSV(&out)
		if err := w.Row(a, b); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(out.Bytes()))
		rows, err := r.ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != 2 || rows[0][0] != Harmless(a) || rows[0][1] != Harmless(b) {
			t.Fatalf("%q is read as %q, %v", out.String(), rows, err)
		}
		// With other separators, and with no regard for quotes: no cell begins a formula.
		for _, cell := range strings.FieldsFunc(out.String(), func(r rune) bool { return strings.ContainsRune(";,|；，\r\n", r) }) {
			cell = strings.TrimLeft(cell, "\" \u00a0\u3000")
			if r, _ := utf8.DecodeRuneInString(cell); strings.ContainsRune("=+-@＝＋－＠\t", r) && cell != "" {
				t.Fatalf("%q has a cell %q", out.String(), cell)
			}
		}
	})
}
