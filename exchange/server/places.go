package server

import "sync"

// Share bounds a number in all, and of one holder, so that nobody can take
// what is there for all. Each is a quarter of All, unless it says otherwise.
type Share struct {
	All  int `yaml:"all,omitempty"`
	Each int `yaml:"each,omitempty"`
}

func (s *Share) withDefault(all int) {
	set(&s.All, all)
	set(&s.Each, max(1, s.All/4))
}

// places bounds how many do something at a time.
type places struct {
	share Share

	mu   sync.Mutex
	all  int
	held map[string]int // by holder
}

func newPlaces(s Share) *places { return &places{share: s, held: map[string]int{}} }

// take reports whether there was a place for the holder.
func (p *places) take(holder string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= p.share.All || p.held[holder] >= p.share.Each {
		return false
	}
	p.all++
	p.held[holder]++
	return true
}

// give gives a place back.
func (p *places) give(holder string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.held[holder]--; p.held[holder] == 0 {
		delete(p.held, holder)
	}
}
