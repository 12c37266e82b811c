package envelope

// Mismatch is one way in which content is not what its manifest says. The
// exchange sees the manifest alone, and decides by it: who opens the content
// is the first who can tell.
type Mismatch struct {
	Code string
	Text string // in the words of who reports it
}

// mismatches is the closed list: a code for each thing that a manifest says of
// its content, one for content that says nothing, one for what has no code.
var mismatches = []Mismatch{
	{"subjects", "it is about other persons than the manifest counts, or of another category (LED art 6)"},
	{"minors", "it is about persons under 18 or under 15, and the manifest does not say so"},
	{"special_categories", "it has special categories of data that the manifest does not name (LED art 10)"},
	{"content_kind", "it is operational where the manifest says strategic or statistical, or the other way round"},
	{"purpose", "it does not serve the purpose of the manifest, or not the crime areas that it names"},
	{"handling", "it is marked with other handling codes, conditions or a classification than the manifest has"},
	{"evaluation", "source or information are graded otherwise than the manifest says"},
	{"originator", "it has data of an originator that the manifest does not name"},
	{"retention", "it says other dates to review or to erase than the manifest"},
	{"unreadable", "it cannot be read, although signature and digests are right"},
	{"other", "something else: say what in a message to the sender"},
}

// Mismatches lists all codes, in the order in which they are shown.
func Mismatches() []Mismatch { return append([]Mismatch(nil), mismatches...) }

// MismatchCodes are the codes alone.
func MismatchCodes() []string {
	codes := make([]string, len(mismatches))
	for i, m := range mismatches {
		codes[i] = m.Code
	}
	return codes
}
