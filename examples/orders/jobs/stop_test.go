package jobs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// Stop gives back, and tells no end; the next runner goes on.
func TestStopGivesBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		var g gateway
		tp := &tape{}
		make := func() *bench {
			return newBench(t, s, tp, func(c *Config) { c.kinds, c.pace = fakes(g.work, "job"), noTicks })
		}
		b := make().start()
		id, next := b.enqueue(Request{UserID: "anna", Type: "job"}), b.enqueue(Request{UserID: "anna", Type: "job"})
		b.until("JOB_PROGRESS", id)
		b.stop()
		wantTurns(t, s, 1)
		j := b.job("anna", id)
		want(t, "the row", fmt.Sprint(j.Status, j.Progress, j.Label), "queued0")
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_QUEUED JOB_STARTED JOB_QUEUED")
		wantErr(t, "a second start", b.Start(t.Context()), ErrStarted)
		close(g.of(id))
		close(g.of(next))
		make().start().ended(next)
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_QUEUED JOB_STARTED JOB_QUEUED JOB_STARTED JOB_COMPLETED JOB_STARTED JOB_COMPLETED")
	})
}

// Stop does not wait longer than it may for a job that does not listen.
func TestStopInAHurry(t *testing.T) {
	s := storetest.Open(t, storetest.DSN(t, store.SQLite))
	storetest.User(t, s, "anna")
	release := make(chan struct{})
	tp := &tape{}
	b := newBench(t, s, tp, func(c *Config) {
		c.kinds = fakes(func(context.Context, *run, *emit.Progress) (any, error) { <-release; return nil, nil }, "deaf")
	}).start()
	id := b.enqueue(Request{UserID: "anna", Type: "deaf"})
	b.until("JOB_STARTED", id)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantErr(t, "stop", b.Stop(ctx), context.DeadlineExceeded)
	close(release)
	wantSoon(t, "it leaves", func() bool { return b.running(id) == nil })
	want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED")
	next := newBench(t, s, tp, func(c *Config) {
		c.kinds = fakes(func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }, "deaf")
	}).start()
	next.ended(id)
	want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED JOB_STARTED JOB_COMPLETED")
}

// A turn that comes while a runner stops is not lost: the next one has it at once.
func TestTurnDuringStop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		tp := &tape{}
		quickly := func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }
		b := newBench(t, s, tp, func(c *Config) { c.kinds = fakes(quickly, "job") }).start()
		b.mu.Lock()
		b.stopping = true // as long as River has not heard of it
		b.mu.Unlock()
		id := b.enqueue(Request{UserID: "anna", Type: "job"})
		time.Sleep(500 * time.Millisecond) // some turns
		b.stop()
		want(t, "events", tp.types("anna"), "JOB_QUEUED")
		wantTurns(t, s, 1)
		newBench(t, s, tp, func(c *Config) { c.kinds = fakes(quickly, "job") }).start().ended(id)
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED JOB_COMPLETED")
	})
}

// wantTurns checks how many turns wait for whoever comes.
func wantTurns(t *testing.T, s *store.Store, n int) {
	t.Helper()
	var waiting int
	if err := s.DB.QueryRow(`SELECT count(*) FROM river_job WHERE state = 'available'`).Scan(&waiting); err != nil || waiting != n {
		t.Errorf("%d turns wait, %v; want %d", waiting, err, n)
	}
}
