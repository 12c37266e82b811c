package exchange

import (
	"context"
	"runtime"
	"time"

	"github.com/liaison-exchange/liaison/policy"
)

// ShadowQueue is how many posts wait for a shadow.
const ShadowQueue = shadowQueue

// ShadowLasts is after how long a shadow ends by itself.
const ShadowLasts = shadowLasts

// DrainShadow returns when the shadow of a jurisdiction has dealt with all that
// was handed to it, or has ended.
func (s *Service) DrainShadow(jurisdiction string) {
	done := make(chan struct{})
	s.doInShadow(jurisdiction, func(context.Context) { close(done) }, done)
}

// HoldShadow has the worker of a shadow wait until it is released.
func (s *Service) HoldShadow(jurisdiction string) (release func()) {
	held, released := make(chan struct{}), make(chan struct{})
	s.doInShadow(jurisdiction, func(context.Context) { close(held); <-released }, held)
	return func() { close(released) }
}

// HurryShadow gives the draft little time.
func (s *Service) HurryShadow(jurisdiction string) {
	x, done := s.shadows.all()[jurisdiction], make(chan struct{})
	s.doInShadow(jurisdiction, func(context.Context) {
		hurried := policy.NewEngine(policy.Config{Timeout: 20 * time.Millisecond, AllowSamples: true})
		if err := hurried.Activate(x.engine.Set()); err != nil {
			panic(err)
		}
		x.engine = hurried
		close(done)
	}, done)
}

func (s *Service) doInShadow(jurisdiction string, do func(context.Context), done <-chan struct{}) {
	x := s.shadows.all()[jurisdiction]
	for asked := false; x.ended.Load() == nil; runtime.Gosched() { // the worker may end it before it comes to this
		select {
		case <-done:
			return
		default:
		}
		if !asked {
			select {
			case x.queue <- do:
				asked = true
			default:
			}
		}
	}
}
