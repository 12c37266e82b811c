package policy

import (
	"sync"
	"sync/atomic"
)

// memo remembers what layers said, by what they look at. An answer is a pure function of its key: the places of the
// input that the rules can see (projection). It belongs to one Set and goes with it. An evaluation that failed or was
// cut off is not remembered.
//
// It is two maps: when the younger is full it becomes the older, and what was in the older and not asked for since is
// forgotten. So it never holds more than twice its size.
type memo struct {
	mu             sync.Mutex
	younger, older map[string]*says
	size           int
	turn           atomic.Uint32 // which slice is learned next, when many are unknown
}

// memoSize bounds the memo of a Set. An answer takes about a kilobyte with its key.
const memoSize = 8192

func newMemo(size int) *memo { return &memo{younger: map[string]*says{}, size: size} }

// get returns what was remembered, nil if nothing was.
func (m *memo) get(key []byte) *says {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.younger[string(key)]; s != nil {
		return s
	}
	s := m.older[string(key)]
	if s != nil {
		m.put(string(key), s)
	}
	return s
}

func (m *memo) add(key string, s *says) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, s)
}

func (m *memo) put(key string, s *says) {
	if len(m.younger) >= m.size {
		m.older, m.younger = m.younger, make(map[string]*says, m.size)
	}
	m.younger[key] = s
}
