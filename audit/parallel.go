package audit

import (
	"iter"
	"runtime"
	"sync"
)

// ordered gives batches of what comes in to as many workers as there are processors, and yields their results in the order of the
// batches. It reads ahead a few batches, in a goroutine of its own; all have ended when it returns. It ends at the first error.
func ordered[T, R any](in iter.Seq2[T, error], size int, work func([]T) R) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		workers := runtime.GOMAXPROCS(0)
		line := make(chan *batchJob[T, R], 2*workers) // in order
		jobs := make(chan *batchJob[T, R])
		stop := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() { feed(in, size, line, jobs, stop) })
		for range workers {
			running.Go(func() {
				for j := range jobs {
					j.result = work(j.batch)
					close(j.done)
				}
			})
		}
		defer running.Wait()
		defer close(stop)
		for j := range line {
			<-j.done
			if !yield(j.result, j.err) || j.err != nil {
				return
			}
		}
	}
}

// batchJob is a batch on its way.
type batchJob[T, R any] struct {
	batch  []T
	result R
	err    error
	done   chan struct{}
}

// feed makes the batches. The last one may hold an error instead.
func feed[T, R any](in iter.Seq2[T, error], size int, line, jobs chan *batchJob[T, R], stop chan struct{}) {
	defer close(line)
	defer close(jobs)
	var batch []T
	send := func() bool {
		j := &batchJob[T, R]{batch: batch, done: make(chan struct{})}
		batch = make([]T, 0, size)
		select {
		case line <- j:
		case <-stop:
			return false
		}
		select {
		case jobs <- j:
			return true
		case <-stop:
			close(j.done)
			return false
		}
	}
	for item, err := range in {
		if err != nil {
			if len(batch) > 0 && !send() {
				return
			}
			j := &batchJob[T, R]{err: err, done: make(chan struct{})}
			close(j.done)
			select {
			case line <- j:
			case <-stop:
			}
			return
		}
		if batch = append(batch, item); len(batch) >= size && !send() {
			return
		}
	}
	if len(batch) > 0 {
		send()
	}
}
