package exchangetest

import (
	"net/http"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/exchange/node"
)

// Cosigners are the witnesses of a test's exchange: real ones, with real
// listeners. They are asked when the test says so (Ask), not by time. Safe for
// concurrent use.
type Cosigners struct {
	Config *node.Witnesses
	edit   func(*node.Witnesses)

	mu     sync.Mutex
	down   map[string]bool
	answer map[string]http.HandlerFunc
}

// Witnessed gives the exchange the witnesses of the demo. edit changes their
// configuration; it may be nil.
func Witnessed(edit func(*node.Witnesses)) Option {
	return func(x *Exchange) {
		x.Witnesses = &Cosigners{edit: edit, down: map[string]bool{}, answer: map[string]http.HandlerFunc{}}
	}
}

// start runs the witnesses until the test ends.
func (c *Cosigners) start(x *Exchange) {
	x.TB.Helper()
	all, stop, err := x.World.StartWitnesses(x.TB.Context(), x.logger(), c.around)
	x.must(err)
	x.TB.Cleanup(func() {
		if err := stop(); err != nil {
			x.TB.Errorf("stop the witnesses: %v", err)
		}
	})
	all.Every = node.Duration(time.Hour)
	if c.edit != nil {
		c.edit(all)
	}
	c.Config = all
}

// around makes a witness one that can be down, or answer otherwise.
func (c *Cosigners) around(agency string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		down, answer := c.down[agency], c.answer[agency]
		c.mu.Unlock()
		switch {
		case down:
			panic(http.ErrAbortHandler)
		case answer != nil:
			answer(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// Down makes witnesses hang up on whoever asks.
func (c *Cosigners) Down(down bool, agencies ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range agencies {
		c.down[a] = down
	}
}

// Answer makes a witness answer by other code; nil: by its own again.
func (c *Cosigners) Answer(agency string, h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer[agency] = h
}

// Ask has the exchange ask its witnesses now.
func (x *Exchange) Ask() {
	x.TB.Helper()
	x.must(x.Node.AskWitnesses(x.TB.Context()))
}
