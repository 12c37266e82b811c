// Package torture says how much a test tries: as much as shows a mistake on
// most days, or, in `make torture`, as much as there is time for.
package torture

import "os"

// On says that there is time for the long forms.
func On() bool { return os.Getenv("LIAISON_TORTURE") == "1" }

// Size is how many there are of something: so many in every `make test`, which
// runs under the race detector, and so many in the long form.
func Size(ordinary, long int) int {
	if On() {
		return long
	}
	return ordinary
}
