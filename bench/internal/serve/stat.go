package serve

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"

	"github.com/usercast-go/usercast/bench/internal/control"
)

// processStat reads the process's counters without stopping the world, so that asking does not disturb a measurement.
func processStat() control.Stat {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return control.Stat{
		CPUNanos:   cpuNanos(),
		RSSBytes:   rssBytes(),
		Allocs:     int64(samples[0].Value.Uint64()),
		HeapBytes:  int64(samples[1].Value.Uint64()),
		StackBytes: int64(samples[2].Value.Uint64()),
		Goroutines: int64(runtime.NumGoroutine()),
	}
}

// settle leaves in memory only what is in use: the second collection frees what finalizers and pools held in the first.
func settle() {
	runtime.GC()
	debug.FreeOSMemory()
}

func cpuNanos() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func rssBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
