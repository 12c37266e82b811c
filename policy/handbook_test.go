package policy

import (
	"bytes"
	"strings"
	"testing"
)

// TestHandbook: the chapter of a jurisdiction, to the letter; the same inputs give the same bytes.
func TestHandbook(t *testing.T) {
	d := draftOf(t, map[string]string{"send.rego": finnishSend + `
# METADATA
# title: No minors
# custom:
#   rule: fi-1
#   code: minors_not_accepted
#   text:
#     en: Data of minors <b>stay</b> at [home](http://example.org).
#     fi: Ei alaikäisiä.
#   fix:
#     en: Leave them out.
#   source: Police Act (sample)
#   evidence: K
deny contains "minors_not_accepted" if input.derived.minors == true

# METADATA
# title: Report
# custom:
#   rule: fi-2
#   code: report_use
#   text:
#     en: Report what came of it.
#   source: Police Act (sample)
oblige contains {"code": "report_use", "params": {"days": 30}} if input.derived.personal == true
`})
	text, err := Handbook(d.Inputs(), []string{"fi"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Handbook(d.Inputs(), []string{"fi"})
	if err != nil || !bytes.Equal(text, again) {
		t.Error("another handbook of the same inputs")
	}
	_, chapter, _ := strings.Cut(string(text), "#### fi-1")
	chapter, rest, _ := strings.Cut(chapter, "## Facts")
	const want = ` denied minors\_not\_accepted

*No minors*

- **Refused:** Data of minors \<b\>stay\</b\> at \[home\](http://example.org).
- **Refused (fi):** Ei alaikäisiä.
- **What to do:** Leave them out.
- **Source:** Police Act (sample) **\[K\]**
- **Rule:** in ` + "`send.rego`" + `

#### fi-2 obliged report\_use

*Report*

- **Obligation:** Report what came of it.
- **On:** recipient
- **Parameters:** ` + "`days`" + ` (days, the fewest)
- **Source:** Police Act (sample)
- **Rule:** in ` + "`send.rego`" + `

### What Finland receives

There are no rules: whenever they are asked, the answer is no.

### What Finland lets others pass on

There are no rules: whenever they are asked, the answer is no.

`
	if chapter != want {
		t.Errorf("got\n%s\nwant\n%s", chapter, want)
	}
	for _, part := range []string{
		"> **Sample, written by this project, not the law of Finland.**", "## Contents\n", "  - [What Finland sends](#what-finland-sends)",
		"| report\\_use | obliged | recipient | all | `days` (days, the fewest) |  | ",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q", part)
		}
	}
	for _, id := range []string{"R0", "R24", "R36"} { // every rule that must be met
		if !strings.Contains(string(text), "\n#### "+id+" denied ") {
			t.Errorf("rule %s is not in it", id)
		}
	}
	if !strings.Contains(rest, "[fi-2](#fi-2-obliged-report_use)") {
		t.Error("codes do not lead to their rules")
	}
	if _, err := Handbook(d.Inputs(), []string{"xx"}); err == nil {
		t.Error("a handbook of nobody")
	}
}
