package usercasttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"
)

// A leakCheck finds the goroutines that were started within it and have not ended.
// It knows them by a profiler label, which goroutines hand down to those that
// they start: so other tests that run at the same time do not disturb it.
type leakCheck struct{ id string }

// leakLabel is the label's name.
const leakLabel = "usercasttest"

func newLeakCheck() leakCheck { return leakCheck{rand.Text()} }

// within runs fn. What it starts belongs to the check.
func (c leakCheck) within(fn func()) {
	pprof.Do(context.Background(), pprof.Labels(leakLabel, c.id), func(context.Context) { fn() })
}

// wait gives the goroutines time to end, and returns the stacks of those that do not.
func (c leakCheck) wait() (left string) {
	for pause := time.Millisecond; ; pause *= 2 {
		if left = c.stacks(); left == "" || pause > time.Second {
			return left
		}
		time.Sleep(pause)
	}
}

// stacks returns the part of the goroutine profile that carries the label.
func (c leakCheck) stacks() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return fmt.Sprintf("no goroutine profile: %v", err)
	}
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, c.id) {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
