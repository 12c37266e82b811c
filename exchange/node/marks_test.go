package node

import (
	"testing"

	"github.com/liaison-exchange/liaison/exchange/server"
)

// A mark holds until there is a tenth more room than it asks for.
func TestMarks(t *testing.T) {
	d := Disk{Soft: 1000, Hard: 100}
	was := server.Ample
	for _, step := range []struct {
		free int64
		want server.Space
	}{
		{1000, server.Ample}, {999, server.Scarce}, {1099, server.Scarce}, {1100, server.Ample}, {99, server.Spent}, {109, server.Spent},
		{110, server.Scarce}, {1099, server.Scarce}, {0, server.Spent}, {5000, server.Ample},
	} {
		if was = d.space(step.free, was); was != step.want {
			t.Errorf("%d free: %d, want %d", step.free, was, step.want)
		}
	}
	for _, bad := range []Disk{{Soft: -1}, {Hard: -1}, {Soft: 1, Hard: 2}} {
		if bad.check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	for _, d := range []Disk{{}, {Soft: 1}, {Hard: 4 << 30}, {Soft: 5, Hard: 5}} {
		if w := d.withDefaults(); d.check() != nil || w.check() != nil || w.Soft == 0 || w.Hard == 0 {
			t.Errorf("%+v with defaults: %+v", d, w)
		}
	}
}
