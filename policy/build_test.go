package policy

import "testing"

func TestSamplesBuild(t *testing.T) {
	if _, err := Build(Samples()); err != nil {
		t.Fatal(err)
	}
}
