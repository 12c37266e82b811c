package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is all that the engine learns of a text.
type Text struct {
	Length      int  // characters, with runs of white space counted as one
	StockPhrase bool // it says nothing about the case
}

// stockPhrases say nothing about a case. They are compared after normalisation (lower case, letters and digits only).
var stockPhrases = []string{
	"for the purposes of the investigation", "for the purpose of the investigation", "for investigation purposes",
	"for police purposes", "for law enforcement purposes", "for the purpose of law enforcement",
	"in the course of an investigation", "in the course of our duties", "in the line of duty", "official use only",
	"for official use", "for official purposes", "as requested by you", "as requested", "as discussed", "as agreed",
	"see attachment", "see attached", "see above", "see below", "for your information", "for information only",
	"for information", "fyi", "for further action", "for action", "police cooperation", "international cooperation",
	"police investigation", "criminal investigation", "ongoing investigation", "investigation", "routine check",
	"police work", "not applicable", "no comment", "none", "n a", "tbd", "to be determined", "lorem ipsum", "test",
	"necessary for the case", "it is necessary", "necessary", "required", "please",
}

// minOwnWords is how many words a text must have once stock phrases are taken out of it.
const minOwnWords = 3

// NewText reduces a text to what the engine may see. It keeps nothing of it.
func NewText(s string) Text {
	collapsed := strings.Join(strings.Fields(s), " ")
	return Text{Length: utf8.RuneCountInString(collapsed), StockPhrase: isStock(collapsed)}
}

// isStock reports whether fewer than minOwnWords distinct words remain when all stock phrases are taken out.
func isStock(s string) bool {
	norm := " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ") + " "
	for _, p := range stockPhrases {
		for strings.Contains(norm, " "+p+" ") {
			norm = strings.ReplaceAll(norm, " "+p+" ", " ")
		}
	}
	own := map[string]bool{}
	for _, w := range strings.Fields(norm) {
		own[w] = true
	}
	return len(own) < minOwnWords
}
