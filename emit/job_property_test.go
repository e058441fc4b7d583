package emit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// TestJobProperty runs jobs at random, many at once, and expects of each the events,
// the instants and the outcome that a plain account of its plan expects.
func TestJobProperty(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { jobSchedule(t, rand.New(rand.NewPCG(seed, 5))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A jobPlan is what will happen to a job.
type jobPlan struct {
	job      Job
	attempts []attemptPlan // one for each that may be; the last for all after
	endsAt   time.Duration // of its context; 0: never, or before anything if early
	early    bool
	ends     string // cancel, deadline, preempt
	refused  int    // how often its last event is refused
	final    bool   // for good
}

// An attemptPlan is what the function does, after a while.
type attemptPlan struct {
	takes   time.Duration
	does    string // ok, error, public, panic, goexit, cancelled
	stopped string // what it does when its context ends first; "": it does not look
	reports int    // how often it reports progress
}

var errPlanned = errors.New("planned")

// do is what an attempt comes to. goexit does not return.
func do(what string) (any, error) {
	switch what {
	case "ok":
		return "fine", nil
	case "public":
		return nil, Public("planned for all to see", errPlanned)
	case "panic":
		panic("planned")
	case "goexit":
		runtime.Goexit()
	case "cancelled":
		return nil, fmt.Errorf("planned: %w", ErrJobCancelled)
	}
	return nil, errPlanned
}

func (plan *jobPlan) attempt(n int) attemptPlan { return plan.attempts[min(n, len(plan.attempts))-1] }

// fn is the job's function.
func (plan *jobPlan) fn() jobFunc {
	n := 0
	return func(ctx context.Context, p *Progress) (any, error) {
		n++
		a := plan.attempt(n)
		done := time.NewTimer(a.takes)
		defer done.Stop()
		for i := range a.reports {
			p.Report(i+1, a.reports, fmt.Sprint("step ", i))
		}
		if a.stopped == "" {
			<-done.C
			return do(a.does)
		}
		select {
		case <-done.C:
			return do(a.does)
		case <-ctx.Done():
			return do(a.stopped)
		}
	}
}

// An account is what a job must come to.
type account struct {
	events []string // "STARTED 0s", but for progress
	ended  string   // COMPLETED, FAILED, CANCELLED
	text   string   // in the payload of the last event
	goexit bool
	err    []error
}

// expect keeps the account of a plan. It knows nothing of goroutines.
func (plan *jobPlan) expect(maxAttempts int, backoff func(int) time.Duration) (a account) {
	var now time.Duration
	note := func(typ string) { a.events = append(a.events, fmt.Sprint(typ, " ", now)) }
	over := func() bool { return plan.early || plan.endsAt > 0 && now >= plan.endsAt }
	end := func(typ, text string, err ...error) account {
		a.ended, a.text, a.err = typ, text, err
		if plan.refused > 0 && plan.final || plan.refused > len(resendAfter) {
			return a // nobody hears of it
		}
		for i := range plan.refused {
			now += resendAfter[i]
		}
		note(typ)
		return a
	}
	byContext := func(text string) account {
		switch plan.ends {
		case "deadline":
			if text != "planned for all to see" { // the function knows better
				text = "timed out"
			}
			return end("FAILED", text, context.DeadlineExceeded)
		case "preempt":
			return end("CANCELLED", "preempted", ErrJobCancelled, ErrJobPreempted, context.Canceled)
		default:
			return end("CANCELLED", `"type":"t"}`, ErrJobCancelled, context.Canceled)
		}
	}
	text := ""
	for n := 1; ; n++ {
		if over() {
			return byContext(text)
		}
		note("STARTED")
		p := plan.attempt(n)
		does := p.does
		if stop := plan.endsAt; p.stopped != "" && stop > 0 && now+p.takes > stop {
			now, does = stop, p.stopped
		} else {
			now += p.takes
		}
		text = "internal error"
		switch does {
		case "ok":
			return end("COMPLETED", "fine")
		case "goexit":
			a.goexit = true
			return end("FAILED", text)
		case "cancelled":
			return end("CANCELLED", `"type":"t"}`, ErrJobCancelled)
		case "public":
			text = "planned for all to see"
		}
		err := errPlanned
		if does == "panic" {
			err = usercast.ErrPanic
		} else if over() {
			return byContext(text)
		}
		if over() || n == maxAttempts {
			return end("FAILED", text, err)
		}
		note("RETRYING")
		now += backoff(n)
		if over() {
			now = plan.endsAt
		}
	}
}

func newPlan(rng *rand.Rand, name string) *jobPlan {
	pick := func(v ...string) string { return v[rng.IntN(len(v))] }
	ms := func(most int) time.Duration { return time.Duration(rng.IntN(most)) * time.Millisecond }
	plan := &jobPlan{job: Job{ID: name, UserID: pick("ann", "bob"), Type: "t"}}
	for range 1 + rng.IntN(4) {
		plan.attempts = append(plan.attempts, attemptPlan{
			takes:   ms(3000),
			does:    pick("ok", "ok", "error", "error", "error", "public", "panic", "goexit", "cancelled"),
			stopped: pick("", "error", "error", "ok", "panic", "goexit", "cancelled"),
			reports: rng.IntN(12),
		})
	}
	if rng.IntN(2) == 0 {
		plan.ends = pick("cancel", "deadline", "preempt")
		plan.endsAt = ms(6000) + 500*time.Microsecond // never when something else happens
		if rng.IntN(10) == 0 {
			plan.endsAt, plan.early = 0, true
		}
	}
	if rng.IntN(3) == 0 {
		plan.refused, plan.final = 1+rng.IntN(3), rng.IntN(4) == 0
	}
	return plan
}

func (plan *jobPlan) context(ctx context.Context) (context.Context, context.CancelFunc) {
	switch plan.ends {
	case "deadline":
		return context.WithTimeout(ctx, plan.endsAt)
	case "cancel", "preempt":
		var cause error
		if plan.ends == "preempt" {
			cause = ErrJobPreempted
		}
		ctx, cancel := context.WithCancelCause(ctx)
		if plan.early {
			cancel(cause)
		} else {
			time.AfterFunc(plan.endsAt, func() { cancel(cause) })
		}
		return ctx, func() { cancel(nil) }
	}
	return ctx, func() {}
}

func jobSchedule(t *testing.T, rng *rand.Rand) {
	maxAttempts := 1 + rng.IntN(4)
	pause := time.Duration(rng.IntN(2000)) * time.Millisecond
	backoff := func(attempt int) time.Duration { return pause * time.Duration(attempt) }
	plans := make(map[string]*jobPlan)
	var mu sync.Mutex
	before := make(map[string][]string) // what was written down, by job
	flaky := rng.IntN(2) == 0
	to := &tape{refuse: func(_ string, ev usercast.Event) error {
		mu.Lock()
		defer mu.Unlock()
		plan := plans[strings.TrimPrefix(ev.Key, "job:")]
		switch {
		case isTerminal(ev.Type) && plan.refused > 0 && plan.final:
			return fmt.Errorf("for good: %w", usercast.ErrClosed)
		case isTerminal(ev.Type) && plan.refused > 0:
			plan.refused--
			return errors.New("for now")
		case ev.Type == "TESTJOB_PROGRESS" && flaky && rng.IntN(3) == 0:
			return errors.New("lost")
		}
		return nil
	}}
	r := newRunner(t, to, func(c *JobConfig) {
		c.MaxAttempts, c.Backoff = maxAttempts, backoff
		c.Before = func(job Job, ev usercast.Event) {
			mu.Lock()
			defer mu.Unlock()
			before[job.ID] = append(before[job.ID], strings.TrimPrefix(ev.Type, "TESTJOB_"))
		}
	})
	began := time.Now()
	accounts := make(map[string]account)
	var list []*jobPlan
	for i := range 1 + rng.IntN(8) {
		plan := newPlan(rng, fmt.Sprint("j", i))
		plans[plan.job.ID] = plan
		accounts[plan.job.ID] = plan.expect(maxAttempts, backoff)
		list = append(list, plan)
	}
	var all sync.WaitGroup
	for _, plan := range list {
		all.Go(func() {
			ctx, cancel := plan.context(context.Background())
			defer cancel()
			want := accounts[plan.job.ID]
			err := errors.New("Run did not return")
			defer func() { // also of a goroutine that ends
				if goexit := err != nil && err.Error() == "Run did not return"; goexit != want.goexit || !goexit && (err != nil) != (len(want.err) > 0) {
					t.Errorf("%+v: got %v, want %v", plan, err, want.err)
				}
				for _, w := range want.err {
					wantErr(t, err, w)
				}
			}()
			err = r.Run(ctx, plan.job, plan.fn())
		})
	}
	all.Wait()
	time.Sleep(time.Hour)
	synctest.Wait()
	checkJobs(t, began, plans, accounts, to, before)
	var want JobStats
	for _, a := range accounts {
		switch a.ended {
		case "COMPLETED":
			want.Completed++
		case "FAILED":
			want.Failed++
		default:
			want.Cancelled++
		}
	}
	if s := r.Stats(); s.Running != 0 || s.Completed != want.Completed || s.Failed != want.Failed || s.Cancelled != want.Cancelled {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

// checkJobs compares what came with what had to.
func checkJobs(t *testing.T, began time.Time, plans map[string]*jobPlan, accounts map[string]account, to *tape, before map[string][]string) {
	t.Helper()
	for id, want := range accounts {
		var got, types []string
		last, percent := "", -1
		for _, ev := range to.all() {
			if ev.Key != JobKey(id) || ev.user != plans[id].job.UserID {
				continue
			}
			typ := strings.TrimPrefix(ev.Type, "TESTJOB_")
			types = append(types, typ)
			if typ == "PROGRESS" {
				p := ev.Payload.(JobProgress)
				if last != "STARTED" || p.Progress < percent || p.Progress > 99 || p.JobID != id {
					t.Errorf("%s: got %+v after %s and %d %%", id, p, last, percent)
				}
				percent = p.Progress
				continue
			}
			last, percent = typ, -1
			got = append(got, fmt.Sprint(typ, " ", ev.at.Sub(began)))
			if isTerminal(ev.Type) && !strings.Contains(ev.json, want.text) {
				t.Errorf("%s: got %s, want %q in it", id, ev.json, want.text)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want.events) {
			t.Errorf("%s, %+v:\ngot  %v\nwant %v", id, plans[id], got, want.events)
		}
		// Each event was written down once and before it was sent, whether it was sent or not.
		i := 0
		for _, typ := range types {
			for i < len(before[id]) && before[id][i] != typ {
				i++
			}
			if i++; i > len(before[id]) {
				t.Errorf("%s: sent %v, written down %v", id, types, before[id])
				break
			}
		}
		ends := 0
		for _, typ := range before[id] {
			if isTerminal(typ) {
				ends++
			}
		}
		if ends != 1 || before[id][len(before[id])-1] != want.ended {
			t.Errorf("%s: %v was written down, want one end, %s", id, before[id], want.ended)
		}
	}
}
