package emit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

func TestJobEndsOnEveryPath(t *testing.T) {
	three := func(c *JobConfig) { c.MaxAttempts = 3 }
	for name, test := range map[string]struct {
		cfg    func(*JobConfig)
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		fn     jobFunc
		events string // after which nothing comes
		last   string // payload of the last
		err    []error
		not    error
		took   time.Duration
	}{
		"nil": {
			fn:     failing(0),
			events: "STARTED COMPLETED", last: `{"jobId":"7","type":"export","result":"fine"}`,
		},
		"nil without a result": {
			fn:     func(context.Context, *Progress) (any, error) { return nil, nil },
			events: "STARTED COMPLETED", last: `{"jobId":"7","type":"export","result":null}`,
		},
		"nil with progress": {
			fn: func(_ context.Context, p *Progress) (any, error) {
				p.Report(0, 50, "first")
				time.Sleep(time.Second)
				p.Report(25, 50, "second")
				p.Report(26, 50, "third") // waits, and is sent before the end
				return map[string]int{"rows": 50}, nil
			},
			events: "STARTED PROGRESS PROGRESS PROGRESS COMPLETED", last: `{"jobId":"7","type":"export","result":{"rows":50}}`, took: time.Second,
		},
		"error": {
			fn:     failing(9),
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{errJob}, not: ErrJobCancelled,
		},
		"public error": {
			fn: func(context.Context, *Progress) (any, error) {
				return nil, fmt.Errorf("export: %w", Public("the printer is out of paper", errJob))
			},
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"the printer is out of paper"}`, err: []error{errJob},
		},
		"panic": {
			fn:     func(context.Context, *Progress) (any, error) { panic("secret") },
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{usercast.ErrPanic},
		},
		"panic(nil)": {
			fn:     func(context.Context, *Progress) (any, error) { panic(nil) },
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{usercast.ErrPanic},
		},
		"panic with progress that waits": {
			fn: func(_ context.Context, p *Progress) (any, error) {
				p.Report(1, 10, "a")
				p.Report(2, 10, "b")
				panic("secret")
			},
			events: "STARTED PROGRESS PROGRESS FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{usercast.ErrPanic},
		},
		"cancelled before the start": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx, cancel
			},
			fn:     func(context.Context, *Progress) (any, error) { panic("it was called") },
			events: "CANCELLED", last: `{"jobId":"7","type":"export"}`, err: []error{ErrJobCancelled, context.Canceled},
		},
		"late before the start": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithDeadline(ctx, time.Now())
			},
			fn:     func(context.Context, *Progress) (any, error) { panic("it was called") },
			events: "FAILED", last: `{"jobId":"7","type":"export","error":"timed out"}`, err: []error{context.DeadlineExceeded}, not: ErrJobCancelled,
		},
		"cancelled in the middle": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Minute, cancel)
				return ctx, cancel
			},
			fn:     untilEnd,
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export"}`, err: []error{ErrJobCancelled, context.Canceled}, took: time.Minute,
		},
		"cancelled in the middle, and it fails of it": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Minute, cancel)
				return ctx, cancel
			},
			fn:     func(ctx context.Context, _ *Progress) (any, error) { <-ctx.Done(); return nil, errJob },
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export"}`, err: []error{ErrJobCancelled, context.Canceled, errJob}, took: time.Minute,
		},
		"cancelled, and done all the same": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Minute, cancel)
				return ctx, cancel
			},
			fn:     func(ctx context.Context, _ *Progress) (any, error) { <-ctx.Done(); return 1, nil },
			events: "STARTED COMPLETED", last: `{"jobId":"7","type":"export","result":1}`, took: time.Minute,
		},
		"cancelled, and it panics": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Minute, cancel)
				return ctx, cancel
			},
			fn:     func(ctx context.Context, _ *Progress) (any, error) { <-ctx.Done(); panic("secret") },
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{usercast.ErrPanic}, took: time.Minute,
		},
		"cancelled by itself": {
			cfg: three,
			fn: func(context.Context, *Progress) (any, error) {
				return nil, fmt.Errorf("the row says so: %w", ErrJobCancelled)
			},
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export"}`, err: []error{ErrJobCancelled},
		},
		"another context was cancelled": { // a failure of the work
			fn:     func(context.Context, *Progress) (any, error) { return nil, context.Canceled },
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{context.Canceled}, not: ErrJobCancelled,
		},
		"preempted": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Minute, func() { cancel(fmt.Errorf("for job 8: %w", ErrJobPreempted)) })
				return ctx, func() { cancel(nil) }
			},
			fn:     untilEnd,
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export","reason":"preempted"}`,
			err: []error{ErrJobCancelled, ErrJobPreempted, context.Canceled}, took: time.Minute,
		},
		"cancelled for a public reason": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Minute, func() { cancel(Public("by Ann", nil)) })
				return ctx, func() { cancel(nil) }
			},
			fn:     untilEnd,
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export","reason":"by Ann"}`, err: []error{ErrJobCancelled}, took: time.Minute,
		},
		"cancelled for a secret reason": {
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Minute, func() { cancel(errJob) })
				return ctx, func() { cancel(nil) }
			},
			fn:     untilEnd,
			events: "STARTED CANCELLED", last: `{"jobId":"7","type":"export"}`, err: []error{ErrJobCancelled, errJob}, took: time.Minute,
		},
		"deadline": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Minute)
			},
			fn:     untilEnd,
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"timed out"}`, err: []error{context.DeadlineExceeded}, not: ErrJobCancelled, took: time.Minute,
		},
		"retry, then nil": {
			cfg: three, fn: failing(2),
			events: "STARTED RETRYING STARTED RETRYING STARTED COMPLETED", last: `{"jobId":"7","type":"export","result":"fine"}`, took: 3 * time.Second,
		},
		"retries exhausted": {
			cfg: three, fn: failing(3),
			events: "STARTED RETRYING STARTED RETRYING STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{errJob}, took: 3 * time.Second,
		},
		"retry after a panic": {
			cfg: three,
			fn: func() jobFunc {
				calls := 0
				return func(context.Context, *Progress) (any, error) {
					if calls++; calls == 1 {
						panic("secret")
					}
					return calls, nil
				}
			}(),
			events: "STARTED RETRYING STARTED COMPLETED", last: `{"jobId":"7","type":"export","result":2}`, took: time.Second,
		},
		"not worth a retry": {
			cfg: func(c *JobConfig) {
				c.MaxAttempts = 3
				c.Retryable = func(err error) bool { return !errors.Is(err, errJob) }
			},
			fn:     failing(1),
			events: "STARTED FAILED", last: `{"jobId":"7","type":"export","error":"internal error"}`, err: []error{errJob},
		},
		"cancelled while it waits for the retry": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(2500*time.Millisecond, cancel)
				return ctx, cancel
			},
			fn:     failing(9),
			events: "STARTED RETRYING STARTED RETRYING CANCELLED", last: `{"jobId":"7","type":"export"}`,
			err: []error{ErrJobCancelled, context.Canceled, errJob}, took: 2500 * time.Millisecond,
		},
		"late while it waits for the retry": {
			cfg: three,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 2500*time.Millisecond)
			},
			fn:     failing(9),
			events: "STARTED RETRYING STARTED RETRYING FAILED", last: `{"jobId":"7","type":"export","error":"timed out"}`,
			err: []error{context.DeadlineExceeded, errJob}, took: 2500 * time.Millisecond,
		},
		"progress of each attempt begins anew": {
			cfg: func(c *JobConfig) { c.MaxAttempts = 2 },
			fn: func() jobFunc {
				calls := 0
				return func(_ context.Context, p *Progress) (any, error) {
					if calls++; calls == 1 {
						p.Report(9, 10, "")
						return nil, errJob
					}
					p.Report(1, 10, "")
					return nil, nil
				}
			}(),
			events: "STARTED PROGRESS RETRYING STARTED PROGRESS COMPLETED", last: `{"jobId":"7","type":"export","result":null}`, took: time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = test.ctx(ctx)
					defer cancel()
				}
				var to tape
				r := newRunner(t, &to, test.cfg)
				began := time.Now()
				err := r.Run(ctx, testJob, test.fn)
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if (err != nil) != (len(test.err) > 0) || test.not != nil && errors.Is(err, test.not) {
					t.Errorf("got error %v, want %v and not %v", err, test.err, test.not)
				}
				for _, want := range test.err {
					wantErr(t, err, want)
				}
				if err != nil && !errors.Is(err, usercast.ErrPanic) && strings.Contains(err.Error(), "\n") {
					t.Errorf("got an error of several lines: %q", err)
				}
				time.Sleep(time.Hour) // nothing comes late
				synctest.Wait()
				got := to.all()
				if to.types("TESTJOB_") != test.events || got[len(got)-1].json != test.last {
					t.Errorf("got  %s %s\nwant %s %s", to.types("TESTJOB_"), got[len(got)-1].json, test.events, test.last)
				}
				wantOneEnd(t, &to, "7")
				if s := r.Stats(); s.Running != 0 || s.Completed+s.Failed+s.Cancelled != 1 || s.Unsent != 0 ||
					s.Retries != uint64(max(0, strings.Count(test.events, "STARTED")-1)) {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

func TestJobThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, func(c *JobConfig) { c.MaxAttempts = 3 })
		returned := make(chan struct{})
		var ended sync.WaitGroup
		ended.Go(func() {
			r.Run(t.Context(), testJob, func(_ context.Context, p *Progress) (any, error) {
				p.Report(1, 2, "")
				p.Report(1, 2, "waits")
				runtime.Goexit()
				return nil, nil
			})
			close(returned)
		})
		ended.Wait()
		select {
		case <-returned:
			t.Error("Run returned: the goroutine was not ended")
		default:
		}
		if got := to.types("TESTJOB_"); got != "STARTED PROGRESS PROGRESS FAILED" {
			t.Errorf("got %s", got)
		}
		wantOneEnd(t, &to, "7")
		if s := r.Stats(); s.Running != 0 || s.Failed != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// What fn has left behind, by mistake or on purpose, ends with it.
func TestJobEndsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		var left context.Context
		var late *Progress
		newRunner(t, &to, nil).Run(t.Context(), testJob, func(ctx context.Context, p *Progress) (any, error) {
			left, late = ctx, p
			return nil, nil
		})
		if left.Err() == nil {
			t.Error("the context lives on")
		}
		late.Report(1, 2, "late")
		late.Done()
		if got := to.types("TESTJOB_"); got != "STARTED COMPLETED" {
			t.Errorf("got %s", got)
		}
	})
}

// The payloads are what the browser's side reads: their names are fixed.
func TestJobPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, func(c *JobConfig) {
			c.MaxAttempts = 2
			c.Backoff = func(attempt int) time.Duration { return time.Duration(attempt) * 1500 * time.Millisecond }
		})
		if err := r.Queue(nil, testJob); err != nil {
			t.Fatal(err)
		}
		first := true
		r.Run(t.Context(), testJob, func(_ context.Context, p *Progress) (any, error) {
			p.Report(21, 50, "Row 21")
			if first {
				first = false
				return nil, Public("no paper", nil)
			}
			return "fine", nil
		})
		next := testJob
		next.ID = "8"
		if err := r.Requeue(testJob, next); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`TESTJOB_QUEUED job:7 {"jobId":"7","type":"export","entityId":"o1","entityName":"Order 1"}`,
			`TESTJOB_STARTED job:7 {"jobId":"7","type":"export","entityId":"o1","entityName":"Order 1"}`,
			`TESTJOB_PROGRESS job:7 {"jobId":"7","type":"export","progress":42,"label":"Row 21"}`,
			`TESTJOB_RETRYING job:7 {"jobId":"7","type":"export","attempt":2,"maxAttempts":2,"delayMs":1500,"error":"no paper"}`,
			`TESTJOB_STARTED job:7 {"jobId":"7","type":"export","entityId":"o1","entityName":"Order 1"}`,
			`TESTJOB_PROGRESS job:7 {"jobId":"7","type":"export","progress":42,"label":"Row 21"}`,
			`TESTJOB_COMPLETED job:7 {"jobId":"7","type":"export","result":"fine"}`,
			`TESTJOB_REQUEUED job:7 {"originalJobId":"7","newJobId":"8"}`,
			`TESTJOB_QUEUED job:8 {"jobId":"8","type":"export","entityId":"o1","entityName":"Order 1"}`,
		}
		for i, ev := range to.all() {
			if got := fmt.Sprint(ev.Type, " ", ev.Key, " ", ev.json); i >= len(want) || got != want[i] || ev.user != "ann" {
				t.Errorf("event %d: got %s", i, got)
			}
		}
		if n := len(to.all()); n != len(want) {
			t.Errorf("got %d events, want %d", n, len(want))
		}
	})
}

// A preempted job ends, and goes on under another ID.
func TestJobIsRequeued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(ErrJobPreempted) })
		next := testJob
		next.ID = "8"
		err := r.Run(ctx, testJob, func(ctx context.Context, _ *Progress) (any, error) {
			wantErr(t, r.Requeue(testJob, next), ErrJobRunning)
			return untilEnd(ctx, nil)
		})
		wantErr(t, err, ErrJobPreempted)
		if err := r.Requeue(testJob, next); err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context(), next, failing(0)); err != nil {
			t.Fatal(err)
		}
		if got := to.types("TESTJOB_"); got != "STARTED CANCELLED REQUEUED QUEUED STARTED COMPLETED" {
			t.Errorf("got %s", got)
		}
		wantOneEnd(t, &to, "7")
		wantOneEnd(t, &to, "8")
		if s := r.Stats(); s.Requeued != 1 || s.Cancelled != 1 || s.Completed != 1 {
			t.Errorf("got %+v", s)
		}
		other := next
		other.UserID = "bob"
		wantErr(t, r.Requeue(testJob, other), ErrInvalidJob, `"bob"`, `"ann"`)
		wantErr(t, r.Requeue(testJob, testJob), ErrInvalidJob, "want a new one")
		wantErr(t, r.Requeue(testJob, Job{UserID: "ann", Type: "x"}), ErrInvalidJob, "ID")
		wantErr(t, r.Requeue(Job{UserID: "ann", Type: "x"}, testJob), ErrInvalidJob, "ID")
	})
}

// The device that asked for a job has its answer, and hears of all that follows.
func TestJobSparesTheDeviceThatAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, func(c *JobConfig) { c.MaxAttempts = 2 })
		job := testJob
		job.Except = "phone"
		r.Queue(nil, job)
		r.Run(t.Context(), job, failing(1))
		next := job
		next.ID = "8"
		r.Requeue(job, next)
		var spared []string
		for _, ev := range to.all() {
			if ev.Except == "phone" {
				spared = append(spared, ev.Type+" "+ev.Key)
			} else if ev.Except != "" {
				t.Errorf("%s: got Except %q", ev.Type, ev.Except)
			}
		}
		if got, want := fmt.Sprint(spared), "[TESTJOB_QUEUED job:7 TESTJOB_STARTED job:7 TESTJOB_QUEUED job:8]"; got != want {
			t.Errorf("got %s, want %s; of %s", got, want, to.types("TESTJOB_"))
		}
	})
}
