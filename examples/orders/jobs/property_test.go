package jobs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

var seeds = flag.Int("seeds", 2, "how many random schedules TestProperty runs on each database")

// A schedule is a random mix of requests, cancellations, retries and restarts.
type schedule struct {
	t     *testing.T
	rand  *rand.Rand
	store *store.Store
	tape  *tape
	users []string
	ids   map[string][]string // of each user, in the order of requests

	mu      sync.Mutex
	working map[string]string // the job at work of each user
}

func TestProperty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		runners := 1
		if s.Dialect == store.PostgreSQL {
			runners = 2
		}
		for seed := range *seeds {
			sc := &schedule{t: t, rand: rand.New(rand.NewPCG(uint64(seed), 7)), store: s, tape: &tape{}, ids: map[string][]string{}, working: map[string]string{}}
			for u := range 4 {
				user := fmt.Sprint("s", seed, "u", u)
				storetest.User(t, s, user)
				sc.users = append(sc.users, user)
			}
			sc.play(runners, 120)
			sc.judge()
			if t.Failed() {
				t.Fatalf("seed %d; what was heard:\n%s", seed, sc.transcript())
			}
		}
	})
}

// work does what its type says, and sees that it is the only one of its user.
func (sc *schedule) work(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	sc.mu.Lock()
	if other, ok := sc.working[run.user]; ok {
		sc.t.Errorf("%s works while %s does", run.ID, other)
	}
	sc.working[run.user] = run.ID
	sc.mu.Unlock()
	defer func() {
		sc.mu.Lock()
		delete(sc.working, run.user)
		sc.mu.Unlock()
	}()
	p.Report(1, 2, run.Type)
	switch run.Type {
	case "slow":
		if !wait(ctx, 80*time.Millisecond) {
			return nil, ctx.Err()
		}
	case "fails":
		return nil, errTest
	case "refused":
		return nil, erp.ErrRefused
	case "panics":
		panic("on purpose")
	case "deaf": // to its context
		time.Sleep(40 * time.Millisecond)
	}
	return run.ID, nil
}

var propertyTypes = []string{"quick", "quick", "slow", "slow", "fails", "refused", "panics", "deaf"}

func (sc *schedule) play(runners, steps int) {
	start := func() *bench {
		return newBench(sc.t, sc.store, sc.tape, func(c *Config) {
			c.kinds = fakes(sc.work, propertyTypes...)
			c.Workers = 3 // fewer than users
		}).start()
	}
	benches := make([]*bench, runners)
	for i := range benches {
		benches[i] = start()
	}
	for range steps {
		user := sc.users[sc.rand.IntN(len(sc.users))]
		b := benches[sc.rand.IntN(runners)]
		switch n := sc.rand.IntN(20); {
		case n < 12:
			sc.ids[user] = append(sc.ids[user], b.enqueue(Request{UserID: user, Type: propertyTypes[sc.rand.IntN(len(propertyTypes))]}))
		case n < 16:
			if id := sc.any(user); id != "" {
				if err := b.Cancel(context.Background(), user, id); err != nil && !errors.Is(err, ErrEnded) {
					sc.t.Errorf("cancel: %v", err)
				}
			}
		case n < 18:
			if id := sc.any(user); id != "" {
				next, err := b.Retry(context.Background(), user, id, "")
				if err == nil {
					sc.ids[user] = append(sc.ids[user], next)
				} else if !errors.Is(err, ErrNotEnded) {
					sc.t.Errorf("retry: %v", err)
				}
			}
		case n == 18:
			time.Sleep(time.Duration(sc.rand.IntN(100)) * time.Millisecond)
		default:
			i := sc.rand.IntN(runners)
			benches[i].stop()
			benches[i] = start()
		}
	}
	wantSoon(sc.t, "everything has ended", func() bool {
		var n int
		err := sc.store.DB.QueryRow(`SELECT count(*) FROM jobs WHERE ` + isActive).Scan(&n)
		return err == nil && n == 0
	})
	for _, b := range benches {
		b.stop() // the last events are out then
	}
}

// any returns a job of a user, the newer the likelier.
func (sc *schedule) any(user string) string {
	ids := sc.ids[user]
	if len(ids) == 0 {
		return ""
	}
	return ids[max(sc.rand.IntN(len(ids)), sc.rand.IntN(len(ids)))]
}

// judge compares what was heard with the rows.
func (sc *schedule) judge() {
	of := map[string][]heard{}
	var starts []heard
	for _, h := range sc.tape.events() {
		if h.typ == "JOB_STARTED" && !strings.Contains(types(of[h.job()]), "JOB_STARTED") {
			starts = append(starts, h)
		}
		of[h.job()] = append(of[h.job()], h)
	}
	for user, ids := range sc.ids {
		order := map[string]int64{}
		for i, id := range ids {
			j, err := find(context.Background(), sc.store.DB, user, id)
			if err != nil {
				sc.t.Errorf("row: %v", err)
				continue
			}
			order[id] = j.seq
			if i > 0 && order[ids[i-1]] >= j.seq {
				sc.t.Errorf("%s has place %d, and %s before it %d", id, j.seq, ids[i-1], order[ids[i-1]])
			}
			sc.judgeJob(j, of[id])
		}
		last := int64(0)
		for _, h := range starts {
			if h.user == user {
				if order[h.job()] < last {
					sc.t.Errorf("%s began after one that came later", h.job())
				}
				last = order[h.job()]
			}
		}
	}
}

func types(events []heard) string {
	var list []string
	for _, h := range events {
		list = append(list, h.typ)
	}
	return strings.Join(list, " ")
}

func (sc *schedule) judgeJob(j *record, events []heard) {
	lasts, started := 0, 0
	for i, h := range events {
		switch {
		case isLast(h.typ):
			lasts++
			if h.typ != "JOB_"+strings.ToUpper(j.Status) {
				sc.t.Errorf("%s is %s, and %s was told", j.ID, j.Status, h.typ)
			}
			for _, after := range events[i+1:] {
				if after.typ != "JOB_REQUEUED" {
					sc.t.Errorf("%s: %s after %s", j.ID, after.typ, h.typ)
				}
			}
		case h.typ == "JOB_STARTED":
			started++
		}
	}
	if lasts != 1 {
		sc.t.Errorf("%s has %d last events: %s", j.ID, lasts, types(events))
	}
	// A claim that was lost may have written down a start that it did not tell any more.
	if started > j.Attempt || started < j.Attempt-j.lost {
		sc.t.Errorf("%s began %d times, and its row says %d, with %d claims lost", j.ID, started, j.Attempt, j.lost)
	}
	if !strings.HasPrefix(types(events), "JOB_QUEUED") {
		sc.t.Errorf("%s begins with %s", j.ID, types(events))
	}
	if can := map[string]string{"fails": Failed, "refused": Failed, "panics": Failed}[j.Type]; j.Status == Completed && can == Failed || j.Status == Failed && can != Failed {
		sc.t.Errorf("%s of type %s is %s", j.ID, j.Type, j.Status)
	}
	if (j.Status == Completed) != (j.Progress == 100) || (j.Status == Failed) != (j.Error != nil) || (j.Status == Completed) != (j.Result != nil) {
		sc.t.Errorf("the row does not agree with itself: %+v", j.Job)
	}
}

func (sc *schedule) transcript() string {
	var b strings.Builder
	for _, h := range sc.tape.events() {
		fmt.Fprintf(&b, "%s %s %s\n", h.user, h.typ, h.payload)
	}
	return b.String()
}
