package erp

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	slowFor = 15 * time.Second
	// maxFlaky is how many jobs are remembered as having failed once.
	maxFlaky = 10_000
)

// faults decide how long a call takes and whether it fails. They are safe for
// concurrent use.
type faults struct {
	latency  time.Duration
	slowFor  time.Duration
	failures float64

	mu    sync.Mutex
	rand  *rand.Rand
	flaky memory[struct{}] // by job, those that have had their failure
}

func newFaults(cfg Config) *faults {
	f := &faults{latency: cfg.Latency, failures: cfg.Failures, slowFor: cfg.SlowFor,
		rand: rand.New(rand.NewPCG(uint64(cfg.Seed), 0)), flaky: newMemory[struct{}](maxFlaky)}
	if f.slowFor == 0 {
		f.slowFor = slowFor
	}
	return f
}

// meet waits as long as the call takes. meets is whether the call is the one at which
// jobs fail that are to fail.
func (f *faults) meet(ctx context.Context, r request, meets bool) error {
	if strings.Contains(r.Text, "#hang") {
		<-ctx.Done()
		return ctx.Err()
	}
	delay, failed := f.draw()
	if strings.Contains(r.Text, "#slow") {
		delay = f.slowFor / time.Duration(max(1, r.Calls))
	}
	if !sleep(ctx, delay) {
		return ctx.Err()
	}
	switch {
	case meets && strings.Contains(r.Text, "#fail"):
		return &failure{http.StatusUnprocessableEntity, "the ERP refuses this: its text says #fail"}
	case meets && strings.Contains(r.Text, "#flaky") && f.firstTime(r.Job):
		return &failure{http.StatusBadGateway, "the ERP has lost the session"}
	case failed:
		return &failure{http.StatusServiceUnavailable, "the ERP is busy"}
	}
	return nil
}

func (f *faults) draw() (delay time.Duration, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration((0.5 + f.rand.Float64()) * float64(f.latency)), f.rand.Float64() < f.failures
}

func (f *faults) firstTime(job string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.flaky.get(job); known {
		return false
	}
	f.flaky.put(job, struct{}{})
	return true
}

// sleep waits, and says whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// A memory keeps the newest values by key. It has no lock.
type memory[V any] struct {
	limit  int
	values map[string]V
	keys   []string // a ring once it is full
	next   int
}

func newMemory[V any](limit int) memory[V] {
	return memory[V]{limit: limit, values: make(map[string]V)}
}

func (m *memory[V]) get(key string) (V, bool) {
	v, ok := m.values[key]
	return v, ok
}

func (m *memory[V]) put(key string, v V) {
	if _, known := m.values[key]; known {
		m.values[key] = v
		return
	}
	if len(m.keys) < m.limit {
		m.keys = append(m.keys, key)
	} else {
		delete(m.values, m.keys[m.next])
		m.keys[m.next] = key
		m.next = (m.next + 1) % m.limit
	}
	m.values[key] = v
}
