package policy

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

var update = flag.Bool("update", false, "write the grids anew")

// pair is a package of one sample jurisdiction for another, as a careful officer of the sender would describe it: own
// law, the best basis of a transfer that the two have, assurances where they are asked, and what the sender's or the
// recipient's rules want to have stated.
func pair(t testing.TB, s *Set, from, to string, changes meta) Request {
	t.Helper()
	sender, recipient := firstAgency(t, s, from), firstAgency(t, s, to)
	d, _ := s.Declared(from)
	law := d.Instruments[slices.IndexFunc(d.Instruments, func(i Instrument) bool { return i.Kind == "law" })]
	m := with(eeLV(), meta{
		"case_ref": strings.ToUpper(from) + "-2026-0117", "handling": meta{"code": "H0", "gb": "P"}, "originator": []any{sender.ID},
		"legal_basis": []any{meta{"instrument": law.ID, "article": "1", "jurisdiction": from}},
	})
	m = with(m, bestBasis(s, from, to, today.Format(time.DateOnly)))
	if to == "europol" {
		m["europol_purpose"] = "operational"
	}
	if f := s.facts; f.flag(tableDeathPenalty, to, "2026-11-22") || f.flag(tableIllTreatment, to, "2026-11-22") {
		m["assurances"] = []any{"no_death_penalty", "no_inhuman_treatment"}
	}
	m = with(m, changes)
	typ, _ := m["message_type"].(string)
	return Request{
		Action: ActionSend, Now: today, MessageType: typ, Sender: sender, Recipients: []Recipient{{recipient}},
		Claimed: mustJSON(t, m), Justification: NewText(reason), Texts: texts("strict_necessity"),
	}
}

func firstAgency(t testing.TB, s *Set, j string) Party {
	t.Helper()
	d, ok := s.Declared(j)
	if !ok {
		t.Fatalf("no sample jurisdiction %s", j)
	}
	return agency(t, s, d.Agencies[0].ID)
}

// bestBasis is the first of the bases of domain.md that the two jurisdictions declare or common knows: adequacy, a
// binding instrument of both, the sender's assessment, a derogation for the single case.
func bestBasis(s *Set, from, to, day string) meta {
	inside, europol := s.facts.flag(tableLED, to, day), from == "europol"
	bases := [4]string{"led36", "led37_1a", "led37_1b", "led38_1d"}
	if europol {
		bases = [4]string{"europol_25_1a", "europol_25_1c", "europol_25_4a", "europol_25_5"}
	}
	switch {
	case inside && (europol || !s.facts.flag(tableNotLED, from, day)):
		return meta{"transfer_basis": "internal_eu"}
	case !europol && s.facts.flag(tableNotLED, from, day):
		return meta{"transfer_basis": "non_eu_law"}
	case s.facts.flag(tableAdequate, to, day):
		return meta{"transfer_basis": bases[0]}
	}
	mine, _ := s.Declared(from)
	theirs, _ := s.Declared(to)
	for i, kind := range []string{"treaty", "assessment"} {
		for _, x := range mine.Instruments {
			_, both := theirs.instrument(x.ID)
			if x.Kind == kind && slices.Contains(x.With, to) && inForce(x.From, x.Until, day) && (both || kind == "assessment") {
				return meta{"transfer_basis": bases[i+1], "transfer_instrument": x.ID}
			}
		}
	}
	return meta{"transfer_basis": bases[3], "balancing": meta{"result": "transfer_prevails"}}
}

// grids are the typical packages of which everybody's answer to everybody is kept, to be read by people.
var grids = []struct {
	name, about string
	changes     meta
}{
	{"operational", "An ordinary package of an investigation: two suspects of drug trafficking, verified, graded, with the best lawful basis of the pair.", nil},
	{"protected", "The same with persons who need protection: two suspects, three victims, one of them under 18; strict necessity is stated and explained.", meta{
		"strict_necessity": true, "subjects": []any{group("suspect", 2), group("victim", 2), group("victim", 1, "minors", "u18")},
	}},
	{"strategic", "A strategic report without data of persons; the basis of a transfer is that of the sender's own law.", meta{
		"content_kind": "strategic", "purpose": "prevention", "subjects": []any{}, "europol_purpose": "strategic", "assurances": nil, "balancing": nil, "transfer_instrument": nil,
	}},
}

const gridLegend = `# %s
#
# Rows send, columns receive; today is 2026-11-22. Each cell is what the engine decides with the sample rules:
#
#   D  delivered
#   P  pending: a person or an authority has to agree first
#   .  not asked: nobody sends to itself
#   c s r o  denied by common, by the sender's, by the recipient's, by an originator's rules; all that deny are named
#
# Written by go test ./policy -run TestGrids -update. A change here is a change of who gets what: read it as such.

`

// TestGrids: who gets what, for everybody with everybody, as people have read it.
func TestGrids(t *testing.T) {
	s := sampleSet(t)
	all := s.Jurisdictions()
	if len(all) != 16 {
		t.Fatalf("%d jurisdictions: %v", len(all), all)
	}
	for _, g := range grids {
		t.Run(g.name, func(t *testing.T) {
			cells, why := map[string]string{}, map[string]string{}
			for _, from := range all {
				for _, to := range all {
					if from == to {
						continue
					}
					changes := g.changes
					if g.name == "strategic" {
						changes = with(changes, strategicBasis(s, from))
					}
					d := decideWith(t, s, pair(t, s, from, to, changes))
					cells[from+" "+to], why[from+" "+to] = cell(d), decidedBy(d)
					checkComplete(t, d)
				}
			}
			compareGrid(t, filepath.Join("testdata", "grids", g.name+".txt"), drawGrid(g.about, all, cells), cells, why)
		})
	}
}

// strategicBasis: no data of persons leave, so no chapter of any law on transfers has a say; the sender states its own.
func strategicBasis(s *Set, from string) meta {
	if from != "europol" && s.facts.flag(tableNotLED, from, "2026-11-22") {
		return meta{"transfer_basis": "non_eu_law"}
	}
	return meta{"transfer_basis": "internal_eu"}
}

func decideWith(t testing.TB, s *Set, r Request) Decision {
	t.Helper()
	ds, err := s.decide(context.Background(), time.Minute, r)
	if err != nil {
		t.Fatal(err)
	}
	return ds[0]
}

// cell is a decision in letters.
func cell(d Decision) string {
	switch d.Verdict {
	case Delivered:
		return "D"
	case Pending:
		return "P"
	}
	said := map[string]bool{}
	for _, r := range d.Reasons {
		_, kind, _ := strings.Cut(r.Layer, "/")
		said[kind] = true
	}
	letters := ""
	for _, l := range [][2]string{{"", "c"}, {"send", "s"}, {"receive", "r"}, {"onward", "o"}} {
		if said[l[0]] {
			letters += l[1]
		}
	}
	return letters
}

// decidedBy names the rules behind a cell.
func decidedBy(d Decision) string {
	var list []string
	for _, r := range d.Reasons {
		list = append(list, r.Layer+" "+r.Rule+" "+r.Code)
	}
	if len(list) == 0 {
		return "nothing stands against it"
	}
	return strings.Join(list, ", ")
}

const gridWidth = 9

func drawGrid(about string, all []string, cells map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, gridLegend, about)
	line := func(head string, of func(string) string) {
		text := fmt.Sprintf("%-*s", gridWidth, head)
		for _, to := range all {
			text += fmt.Sprintf("%-*s", gridWidth, of(to))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("", func(to string) string { return to })
	for _, from := range all {
		line(from, func(to string) string {
			if from == to {
				return "."
			}
			return cells[from+" "+to]
		})
	}
	return b.String()
}

// readGrid reads the cells of a grid that was kept.
func readGrid(text string) map[string]string {
	cells := map[string]string{}
	var columns []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case columns == nil:
			columns = fields
		default:
			for i, c := range fields[1:] {
				if i < len(columns) && c != "." {
					cells[fields[0]+" "+columns[i]] = c
				}
			}
		}
	}
	return cells
}

// changedCells lists what differs, one line a cell, with the rules behind the new value.
func changedCells(kept, now, why map[string]string) []string {
	var list []string
	for _, key := range sortedKeys(now) {
		if kept[key] != now[key] {
			from, to, _ := strings.Cut(key, " ")
			was := kept[key]
			if was == "" {
				was = "(nothing)"
			}
			list = append(list, fmt.Sprintf("%s to %s: %s → %s (%s)", from, to, was, now[key], why[key]))
		}
	}
	for _, key := range sortedKeys(kept) {
		if now[key] == "" {
			list = append(list, key+": "+kept[key]+" → (nothing)")
		}
	}
	return list
}

func compareGrid(t *testing.T, file, text string, cells, why map[string]string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	list := changedCells(readGrid(string(kept)), cells, why)
	if len(list) > 0 {
		t.Errorf("%s: %d cells changed; if that is what was meant, run with -update:\n%s", file, len(list), strings.Join(list, "\n"))
	} else if string(kept) != text {
		t.Errorf("%s: the words around the cells changed; run with -update", file)
	}
}

// TestChangedCells: a grid is read back as it was written, and what changed is told cell by cell.
func TestChangedCells(t *testing.T) {
	all := []string{"ee", "lv", "ua"}
	cells := map[string]string{"ee lv": "D", "ee ua": "P", "lv ee": "D", "lv ua": "csr", "ua ee": "D", "ua lv": "s"}
	kept := readGrid(drawGrid("A grid.", all, cells))
	if list := changedCells(kept, cells, nil); len(list) != 0 || len(kept) != 6 {
		t.Errorf("read back: %v %v", kept, list)
	}
	now := maps.Clone(cells)
	now["lv ua"] = "D"
	list := changedCells(kept, now, map[string]string{"lv ua": "common R24 x"})
	if len(list) != 1 || list[0] != "lv to ua: csr → D (common R24 x)" {
		t.Errorf("%v", list)
	}
}

// leverSet has rules of all sixteen that say what the letters of the case reference tell them to.
var leverSet = sync.OnceValues(func() (*Set, error) {
	in := Samples()
	for _, j := range sortedKeys(in.Declared) {
		in.Rules[j] = Source{Status: Sample, Files: map[string][]byte{
			"send.rego": []byte(tableRules(j, "send", 0)), "receive.rego": []byte(tableRules(j, "receive", 1)), "onward.rego": []byte(tableRules(j, "onward", 2)),
		}}
	}
	return onSamples(in)
})

// strictest is the strictest of what common says and of what the letters of two layers stand for.
func strictest(verdict, letters string) string {
	for _, l := range letters {
		says := map[rune]string{'a': Delivered, 'p': Pending}[l]
		if says == "" {
			says = Denied
		}
		if strictness[says] > strictness[verdict] {
			verdict = says
		}
	}
	return verdict
}

// TestWhoeverDenies: between any two of the sixteen, whatever common says of their package, the strictest of common, the
// sender's and the recipient's rules decides. Of what two can say, each pair says a third; in the long form, all.
func TestWhoeverDenies(t *testing.T) {
	s, err := leverSet()
	if err != nil {
		t.Fatal(err)
	}
	seen, part := map[string]int{}, torture.Size(3, 1)
	for i, from := range s.Jurisdictions() {
		for k, to := range s.Jurisdictions() {
			if from == to {
				continue
			}
			for _, g := range grids[:2] {
				base := baselineVerdict(t, s, pair(t, s, from, to, g.changes))
				for n, row := range []string{"aa", "ap", "ad", "pa", "pp", "pd", "da", "dp", "dd", "sa", "as", "ua", "au"} {
					if (i+k+n)%part > 0 {
						continue
					}
					d := decideWith(t, s, pair(t, s, from, to, and(g.changes, meta{"case_ref": row + "a"})))
					if want := strictest(base, row); d.Verdict != want {
						t.Errorf("%s to %s: common says %s, the two %s: %s, want %s", from, to, base, row, d.Verdict, want)
					}
					seen[base+d.Verdict]++
				}
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("too little was tried: %v", seen)
	}
}
