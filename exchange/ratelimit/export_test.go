package ratelimit

import "time"

// patient gives a limiter the time of a slow machine: what is tested is what
// it counts.
func (r *Redis) patient() { r.timeout = 10 * time.Second }
