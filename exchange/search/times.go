package search

import (
	"encoding/binary"
	"time"
)

// The times of a block lie in strides: so many positions, whose earliest and
// latest time stand in the directory. A stride that is wholly in or out of a
// range, or in one bar of a histogram, is counted without reading a time.

// strideSize is how many positions a stride has: a multiple of 64.
const strideSize = 1 << 10

// stride is a part of a block's times. If none of its positions has an entry,
// its times say nothing.
type stride struct {
	min, max int64
	section
}

// span is a range of times in milliseconds: from is in it, to is not.
type span struct{ from, to int64 }

// span is the range as blocks know times.
func (r Range) span() span {
	s := span{-1 << 63, 1<<63 - 1}
	if !r.From.IsZero() {
		s.from = ceilMilli(r.From)
	}
	if !r.To.IsZero() {
		s.to = ceilMilli(r.To)
	}
	return s
}

// ceilMilli is the first whole millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

func (s span) holds(ms int64) bool { return s.from <= ms && ms < s.to }

// all reports whether all times between two lie in the span, some whether any
// may.
func (s span) all(min, max int64) bool  { return s.holds(min) && s.holds(max) }
func (s span) some(min, max int64) bool { return min < s.to && s.from <= max }

// bounds are the earliest and the latest time of some positions; 0 and 0 if
// there is none.
func (b *builder) bounds(from, to int) (first, last int64) {
	none := true
	for i := from; i < to; i++ {
		if !b.present.has(i) {
			continue
		}
		if at := b.times[i]; none {
			first, last, none = at, at, false
		} else {
			first, last = min(first, at), max(last, at)
		}
	}
	return first, last
}

// writeTimes writes the strides: of each time the difference to the one before,
// of the first one to the earliest. A hole repeats the time before it.
func (b *builder) writeTimes(w *fileWriter) {
	w.number(b.stride)
	for from := 0; from < b.size; from += b.stride {
		first, last := b.bounds(from, from+b.stride)
		w.time(first)
		w.time(last - first)
		start, before := len(w.data), first
		for i := from; i < from+b.stride; i++ {
			at := b.times[i]
			if !b.present.has(i) {
				at = before
			}
			w.data = binary.AppendVarint(w.data, at-before)
			before = at
		}
		w.section(start)
	}
}

// strides reads the directory of what writeTimes wrote, for a block of a size.
func (r *directoryReader) strides(size int) (length int, all []stride) {
	length = r.number()
	if length < 64 || length%64 != 0 || size%length != 0 {
		r.fail()
		return 64, nil
	}
	for at := 0; at < size && !r.bad; at += length {
		first := r.time()
		all = append(all, stride{first, first + r.time(), r.section()})
	}
	return length, all
}

// loadTimes reads the times of a stride; that of a hole says nothing.
func (o *opened) loadTimes(s stride) ([]int64, error) {
	b, err := o.read(s.section)
	if err != nil {
		return nil, err
	}
	times, last := o.timesOf(o.dir.stride), s.min
	for i := range times {
		step, n := binary.Varint(b)
		if n <= 0 {
			return nil, &damaged{o.path, "the times cannot be read"}
		}
		last += step
		times[i], b = last, b[n:]
	}
	return times, nil
}

// copyTimes reads all times.
func (o *opened) copyTimes(into []int64) error {
	for i, s := range o.dir.strides {
		times, err := o.loadTimes(s)
		if err != nil {
			return err
		}
		copy(into[i*o.dir.stride:], times)
	}
	return nil
}

// eachStride calls f for the strides in which a set has any position, with
// that part of the set.
func (o *opened) eachStride(s set, f func(part set, s stride) error) error {
	words := o.dir.stride / 64
	for i, stride := range o.dir.strides {
		part := s[i*words : (i+1)*words]
		if part.empty() {
			continue
		}
		if err := f(part, stride); err != nil {
			return err
		}
	}
	return nil
}

// narrow leaves of a set what lies within a span.
func (o *opened) narrow(s set, within span) error {
	return o.eachStride(s, func(part set, stride stride) error {
		switch {
		case within.all(stride.min, stride.max):
			return nil
		case !within.some(stride.min, stride.max):
			part.clear()
			return nil
		}
		times, err := o.loadTimes(stride)
		if err != nil {
			return err
		}
		part.each(func(i int) bool {
			if !within.holds(times[i]) {
				part.remove(i)
			}
			return true
		})
		return nil
	})
}
