package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/usercast-go/usercast/bench/internal/result"
)

// machine describes where the figures come from.
func machine() *result.Run {
	return &result.Run{
		Date:     time.Now().UTC().Truncate(time.Second),
		CPU:      procField("/proc/cpuinfo", "model name"),
		Cores:    runtime.NumCPU(),
		MemoryGB: memoryGB(),
		Kernel:   strings.TrimSpace(readFile("/proc/sys/kernel/osrelease")),
		Go:       strings.TrimPrefix(runtime.Version(), "go"),
		Node:     nodeVersion(),
	}
}

// raiseFileLimit makes room for the connections in this process and in the servers, which inherit the limit. It
// returns how many descriptors there may be.
func raiseFileLimit(want uint64) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, want), Max: max(limit.Max, want)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return int(raised.Cur)
	}
	// Beyond the hard limit only a privileged process gets.
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	fmt.Fprintf(os.Stderr, "open files: %d allowed, %d wanted; the largest scenarios shrink\n", limit.Cur, want)
	return int(limit.Cur)
}

func procField(path, name string) string {
	for line := range strings.Lines(readFile(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func memoryGB() float64 {
	var kB float64
	if _, err := fmt.Sscan(procField("/proc/meminfo", "MemTotal"), &kB); err != nil {
		return 0
	}
	return kB / (1 << 20)
}

func nodeVersion() string {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}
