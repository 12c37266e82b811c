package exchange

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/liaison-exchange/liaison/policy"
)

// maxEarlier bounds the sets that are kept built.
const maxEarlier = 16

// earlierSets are policy sets that are not active (any more) and were needed
// last. They are built one at a time: it takes a processor.
type earlierSets struct {
	building sync.Mutex
	mu       sync.Mutex
	of       map[string]*policy.Set
	order    []string // oldest use first
}

// get returns the set of these revisions, and builds it if it is not here.
func (c *earlierSets) get(revisions map[string]string, build func() (*policy.Set, error)) (*policy.Set, error) {
	key := keyOf(revisions)
	if set := c.find(key); set != nil {
		return set, nil
	}
	c.building.Lock()
	defer c.building.Unlock()
	if set := c.find(key); set != nil {
		return set, nil
	}
	set, err := build()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]*policy.Set{}
	}
	c.of[key] = set
	c.order = append(c.order, key)
	if len(c.order) > maxEarlier {
		delete(c.of, c.order[0])
		c.order = c.order[1:]
	}
	return set, nil
}

func (c *earlierSets) find(key string) *policy.Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := c.of[key]
	if i := slices.Index(c.order, key); i >= 0 {
		c.order = append(slices.Delete(c.order, i, i+1), key)
	}
	return set
}

// keyOf writes revisions as one text.
func keyOf(revisions map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(revisions)) {
		b.WriteString(name + " " + revisions[name] + "\n")
	}
	return b.String()
}
