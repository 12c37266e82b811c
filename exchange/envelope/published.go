package envelope

import (
	_ "embed"
	"strings"
)

//go:embed published.txt
var publishedText string

var publishedKids = func() map[string]struct{} {
	kids := map[string]struct{}{}
	for kid := range strings.FieldsSeq(publishedText) {
		kids[kid] = struct{}{}
	}
	return kids
}()

// IsPublished says whether the private half of the key is known to everybody: it
// stands in an RFC on JOSE, in the vectors or in the worked example. Such a key is
// never registered.
func (k PublicKey) IsPublished() bool {
	_, known := publishedKids[k.kid]
	return known
}
