// Package mono reads the system's monotonic clock, the one clock that the Go servers, the Node servers
// (process.hrtime) and the load generator share. A latency is then a plain subtraction across processes, and no
// step of the wall clock can bend it.
package mono

import (
	"time"

	"golang.org/x/sys/unix"
)

// The runtime's own monotonic reading is cheap (vDSO) but starts at process start; one real system call at start-up
// tells how far that is from the system's zero.
var (
	started = time.Now()
	offset  = systemNow()
)

// Now returns nanoseconds of CLOCK_MONOTONIC.
func Now() int64 {
	return offset + int64(time.Since(started))
}

func systemNow() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("mono: no monotonic clock: " + err.Error())
	}
	return ts.Nano()
}
