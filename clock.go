package usercast

import "time"

// A clock reads two times: the wall clock, which stamps events and ends tokens,
// and the monotonic clock, which measures every duration (TTL, heartbeat,
// timeouts). A wall clock that jumps therefore neither expires nor prolongs
// anything that is kept.
type clock struct {
	now   func() time.Time // Config.Now; nil: time.Now
	start time.Time        // where mono counts from
}

func newClock(now func() time.Time) *clock {
	return &clock{now: now, start: time.Now()}
}

// latestWall leaves room above it: 2⁵³-1 µs is the year 2255, the last that a
// JavaScript number holds exactly, and stamps still have 7,700 years to go on
// increasing by one when a broken clock has taken them there.
const latestWall Timestamp = 1<<53 - 1

// wall returns the wall clock, clamped to what a stamp can carry.
func (c *clock) wall() Timestamp {
	now := c.now
	if now == nil {
		now = time.Now
	}
	return clampWall(now())
}

// mono returns nanoseconds since the clock was made. It never goes back.
func (c *clock) mono() int64 { return int64(time.Since(c.start)) }

// read returns both, by one system call where it can.
func (c *clock) read() (Timestamp, int64) {
	if c.now != nil {
		return clampWall(c.now()), c.mono()
	}
	now := time.Now()
	return clampWall(now), int64(now.Sub(c.start))
}

func clampWall(t time.Time) Timestamp {
	// Compared as seconds first: UnixMicro overflows for absurd years.
	switch s := t.Unix(); {
	case s < 1:
		return 1 // 0 means that there is no timestamp
	case s > int64(latestWall)/1e6:
		return latestWall
	default:
		return min(Timestamp(t.UnixMicro()), latestWall)
	}
}
