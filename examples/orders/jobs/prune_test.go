package jobs

import (
	"context"
	"fmt"
	"testing"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// addEnded adds ended jobs of anna's, with the places in her queue from one on.
func addEnded(t *testing.T, s *store.Store, n, from int) {
	t.Helper()
	for i := range n {
		if _, err := s.DB.Exec(`INSERT INTO jobs (id, user_name, seq, type, entity_id, entity_name, args, status, created_at, updated_at)
			VALUES ($1, 'anna', $2, 'job', '', '', '{}', 'completed', 0, $2)`, fmt.Sprint("added-", from+i), from+i); err != nil {
			t.Fatal(err)
		}
	}
}

// wantEnded checks how many ended jobs anna has, and which of those that were added is
// the oldest.
func wantEnded(t *testing.T, s *store.Store, n, oldest int) {
	t.Helper()
	var gotN, gotOldest int
	err := s.DB.QueryRow(`SELECT count(*), min(CASE WHEN id LIKE 'added-%' THEN seq ELSE 1000000 END) FROM jobs WHERE user_name = 'anna' AND NOT (`+isActive+`)`).Scan(&gotN, &gotOldest)
	if err != nil || gotN != n || gotOldest != oldest {
		t.Errorf("kept %d ended jobs from %d on, %v; want %d from %d on", gotN, gotOldest, err, n, oldest)
	}
}

// An end leaves no more ended jobs than are kept, however many there were.
func TestEndedJobsArePruned(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		b := newBench(t, s, &tape{}, func(c *Config) {
			c.kinds = fakes(func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }, "job")
		})
		id := b.enqueue(Request{UserID: "anna", Type: "job"})
		addEnded(t, s, 3*maxEnded, -3*maxEnded)
		b.start().ended(id)
		wantEnded(t, s, maxEnded, -maxEnded+1)
		want(t, "the job that has ended", b.job("anna", id).Status, Completed)
	})
}

// A job that is cancelled while it waits leaves no more either, and those that wait or run
// are none of them. The newest are those that ended last: a job that ran through many a
// cancellation is kept when it ends.
func TestCancelledJobsArePruned(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		var g gateway
		b := newBench(t, s, &tape{}, func(c *Config) { c.kinds = fakes(g.work, "job") }).start()
		runs := b.enqueue(Request{UserID: "anna", Type: "job"})
		b.until("JOB_STARTED", runs)
		waits, other := b.enqueue(Request{UserID: "anna", Type: "job"}), b.enqueue(Request{UserID: "anna", Type: "job"})
		addEnded(t, s, 2*maxEnded, 1000) // asked for later, ended before
		if err := b.Cancel(t.Context(), "anna", other); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, s, maxEnded, 1000+maxEnded+1)
		want(t, "the job that was cancelled", b.job("anna", other).Status, Cancelled)
		want(t, "the one that waits", b.job("anna", waits).Status, Queued)
		close(g.of(runs))
		b.ended(runs)
		wantEnded(t, s, maxEnded, 1000+maxEnded+2)
		want(t, "the one that ran", b.job("anna", runs).Status, Completed)
		close(g.of(waits))
		b.ended(waits)
	})
}
