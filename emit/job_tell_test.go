package emit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// Whatever the Broadcaster does, the job's outcome is its own, and the last event
// is tried again where that can help.
func TestJobSurvivesItsBroadcaster(t *testing.T) {
	away := errors.New("engine is away")
	// refusing refuses the events of a type, so many times.
	refusing := func(typ string, times int, with func() error) func(string, usercast.Event) error {
		return func(_ string, ev usercast.Event) error {
			if strings.HasSuffix(ev.Type, typ) && times > 0 {
				times--
				return with()
			}
			return nil
		}
	}
	fails := func(err error) func() error { return func() error { return err } }
	for name, test := range map[string]struct {
		refuse func(string, usercast.Event) error
		fn     jobFunc
		events string // that came
		unsent uint64
		took   time.Duration
	}{
		"all is well":               {refusing("", 0, nil), failing(0), "STARTED PROGRESS COMPLETED", 0, 0},
		"not once":                  {refusing("", 100, fails(away)), failing(0), "", 6, 1100 * time.Millisecond},
		"the first":                 {refusing("STARTED", 1, fails(away)), failing(0), "PROGRESS COMPLETED", 1, 0},
		"progress":                  {refusing("PROGRESS", 100, fails(away)), failing(0), "STARTED COMPLETED", 2, 0}, // and again at the end of it
		"the last, once":            {refusing("COMPLETED", 1, fails(away)), failing(0), "STARTED PROGRESS COMPLETED", 1, 100 * time.Millisecond},
		"the last, twice":           {refusing("COMPLETED", 2, fails(away)), failing(0), "STARTED PROGRESS COMPLETED", 2, 1100 * time.Millisecond},
		"the last, three times":     {refusing("COMPLETED", 3, fails(away)), failing(0), "STARTED PROGRESS", 3, 1100 * time.Millisecond},
		"the last, of a failed one": {refusing("FAILED", 1, fails(away)), failing(1), "STARTED PROGRESS FAILED", 1, 100 * time.Millisecond},
		"the hub is shut down":      {refusing("", 100, fails(usercast.ErrClosed)), failing(0), "", 4, 0}, // no use
		"it panics":                 {refusing("", 100, func() error { panic("on purpose") }), failing(0), "", 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := tape{refuse: test.refuse}
				r := newRunner(t, &to, nil)
				began := time.Now()
				err := r.Run(t.Context(), testJob, func(ctx context.Context, p *Progress) (any, error) {
					p.Report(1, 2, "")
					return test.fn(ctx, p)
				})
				if fails := strings.Contains(test.events, "FAILED"); fails != (err != nil) {
					t.Errorf("got %v: the outcome is not that of the function", err)
				}
				if got, took := to.types("TESTJOB_"), time.Since(began); got != test.events || took != test.took {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.events, test.took)
				}
				if s := r.Stats(); s.Unsent != test.unsent || s.Completed+s.Failed != 1 || s.Running != 0 {
					t.Errorf("got %+v, want %d unsent", s, test.unsent)
				}
			})
		})
	}
}

// The last event goes out though the context has ended and the hub needs a moment.
func TestJobLastEventAsksNoContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 2
		to := tape{refuse: func(_ string, ev usercast.Event) error {
			if isTerminal(ev.Type) && times > 0 {
				times--
				return errors.New("away")
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		err := newRunner(t, &to, nil).Run(ctx, testJob, func(ctx context.Context, _ *Progress) (any, error) {
			cancel()
			return nil, ctx.Err()
		})
		wantErr(t, err, ErrJobCancelled)
		wantOneEnd(t, &to, "7")
	})
}

// A result that cannot be sent must not keep the job's end from being told.
func TestJobResultThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		result any
		want   error
	}{
		"a channel":   {make(chan int), usercast.ErrPayload},
		"a panic":     {jobPoison{}, usercast.ErrPanic},
		"not UTF-8":   {"\xff", usercast.ErrPayload},
		"a large one": {strings.Repeat("x", 100_000), usercast.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var log logBook
			hub := newTestHub(t, usercast.Config{})
			to := tape{refuse: hub.Broadcast}
			r := newRunner(t, &to, func(c *JobConfig) { c.Logger = log.logger() })
			if err := r.Run(t.Context(), testJob, func(context.Context, *Progress) (any, error) { return test.result, nil }); err != nil {
				t.Errorf("got %v, and the job is done", err)
			}
			if got := to.all(); len(got) != 2 || got[1].json != `{"jobId":"7","type":"export","result":null}` {
				t.Errorf("got %+v", got)
			}
			wantOneEnd(t, &to, "7")
			if s := r.Stats(); s.Unsent != 1 || !strings.Contains(log.String(), strings.SplitN(test.want.Error(), ": ", 2)[1]) {
				t.Errorf("got %+v and in the log %s", s, log.String())
			}
		})
	}
}

type jobPoison struct{}

func (jobPoison) MarshalJSON() ([]byte, error) { panic("on purpose") }

// What an event tells is written down before anyone can hear of it.
func TestJobBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		to := tape{refuse: func(_ string, ev usercast.Event) error {
			order = append(order, "sent "+strings.TrimPrefix(ev.Type, "TESTJOB_"))
			if len(order) == 6 {
				return errors.New("away, once")
			}
			return nil
		}}
		r := newRunner(t, &to, func(c *JobConfig) {
			c.Before = func(job Job, ev usercast.Event) {
				if job != testJob {
					t.Errorf("got %+v", job)
				}
				switch p := ev.Payload.(type) {
				case JobStarted:
					order = append(order, "started "+p.EntityName)
				case JobProgress:
					order = append(order, fmt.Sprint("progress ", p.Progress))
				case JobCompleted:
					order = append(order, fmt.Sprint("completed ", p.Result))
				default:
					t.Errorf("got %T", p)
				}
			}
		})
		r.Run(t.Context(), testJob, func(_ context.Context, p *Progress) (any, error) {
			p.Report(1, 2, "")
			return "fine", nil
		})
		want := "[started Order 1 sent STARTED progress 50 sent PROGRESS completed fine sent COMPLETED sent COMPLETED]"
		if got := fmt.Sprint(order); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	var to tape
	r := newRunner(t, &to, func(c *JobConfig) { c.Before = func(Job, usercast.Event) { panic("on purpose") } })
	if err := r.Run(t.Context(), testJob, failing(0)); err != nil || to.types("TESTJOB_") != "STARTED COMPLETED" {
		t.Errorf("got %v and %s", err, to.types("TESTJOB_"))
	}
}

// No function of the application's keeps a job from its end.
func TestJobContainsPanicsOfItsConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, func(c *JobConfig) {
			c.MaxAttempts = 2
			c.Backoff = func(int) time.Duration { panic("backoff") }
			c.PublicError = func(error) string { panic("public") }
		})
		began := time.Now()
		wantErr(t, r.Run(t.Context(), testJob, failing(2)), errJob)
		if got := to.types("TESTJOB_"); got != "STARTED RETRYING STARTED FAILED" || time.Since(began) != time.Second {
			t.Errorf("got %s after %v", got, time.Since(began))
		}
		if got := to.all()[3].json; got != `{"jobId":"7","type":"export","error":"internal error"}` {
			t.Errorf("got %s", got)
		}
		to = tape{}
		r = newRunner(t, &to, func(c *JobConfig) {
			c.MaxAttempts = 2
			c.Retryable = func(error) bool { panic("retryable") }
		})
		wantErr(t, r.Run(t.Context(), testJob, failing(2)), errJob)
		if got := to.types("TESTJOB_"); got != "STARTED FAILED" {
			t.Errorf("got %s", got)
		}
	})
}

type panickyReason struct{ error }

func (panickyReason) PublicError() string { panic("reason") }
func (p panickyReason) Unwrap() error     { return p.error }

func TestJobReasonThatPanics(t *testing.T) {
	var to tape
	r := newRunner(t, &to, nil)
	err := r.Run(t.Context(), testJob, func(context.Context, *Progress) (any, error) { return nil, panickyReason{ErrJobCancelled} })
	wantErr(t, err, ErrJobCancelled)
	if err := r.Run(t.Context(), testJob, func(context.Context, *Progress) (any, error) { return nil, panickyReason{errJob} }); err == nil {
		t.Error("got no error")
	}
	if got := to.types("TESTJOB_"); got != "STARTED CANCELLED STARTED FAILED" || to.all()[3].json != `{"jobId":"7","type":"export","error":"internal error"}` {
		t.Errorf("got %s %s", got, to.all()[3].json)
	}
}

func TestJobBackoff(t *testing.T) {
	var got []time.Duration
	for attempt := 1; attempt < 10; attempt++ {
		got = append(got, defaultBackoff(attempt))
	}
	if want := "[1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s]"; fmt.Sprint(got) != want || defaultBackoff(maxJobAttempts) != time.Minute {
		t.Errorf("got %v, want %s", got, want)
	}
	synctest.Test(t, func(t *testing.T) {
		var to tape
		var asked []int
		r := newRunner(t, &to, func(c *JobConfig) {
			c.MaxAttempts = 4
			c.Backoff = func(attempt int) time.Duration { asked = append(asked, attempt); return -time.Hour }
		})
		began := time.Now()
		r.Run(t.Context(), testJob, failing(9))
		if fmt.Sprint(asked) != "[1 2 3]" || time.Since(began) != 0 || !strings.Contains(to.all()[1].json, `"delayMs":0,`) {
			t.Errorf("asked for %v, took %v: %s", asked, time.Since(began), to.all()[1].json)
		}
	})
}

func TestJobCancelAndOrphaned(t *testing.T) {
	var to tape
	r := newRunner(t, &to, nil)
	other := testJob
	other.ID, other.UserID = "8", "bob"
	r.Queue(nil, testJob)
	if err := errors.Join(r.Cancel(testJob, nil), r.Cancel(other, Public("the order is gone", nil))); err != nil {
		t.Fatal(err)
	}
	err := r.Orphaned(testJob, Job{ID: "9"}, other)
	wantErr(t, err, ErrInvalidJob, "jobs[1]: ", "UserID")
	var got []string
	for _, ev := range to.all()[1:] {
		got = append(got, ev.user+" "+strings.TrimPrefix(ev.Type, "TESTJOB_")+" "+ev.json)
	}
	want := []string{
		`ann CANCELLED {"jobId":"7","type":"export"}`,
		`bob CANCELLED {"jobId":"8","type":"export","reason":"the order is gone"}`,
		`ann FAILED {"jobId":"7","type":"export","error":"interrupted"}`,
		`bob FAILED {"jobId":"8","type":"export","error":"interrupted"}`,
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if s := r.Stats(); s.Cancelled != 2 || s.Failed != 2 || s.Running != 0 {
		t.Errorf("got %+v", s)
	}
}

// A job that runs has one end, whoever tries to give it another.
func TestJobRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		r := newRunner(t, &to, nil)
		err := r.Run(t.Context(), testJob, func(ctx context.Context, _ *Progress) (any, error) {
			wantErr(t, r.Run(ctx, testJob, failing(0)), ErrJobRunning, `"7"`, `"ann"`)
			wantErr(t, r.Cancel(testJob, nil), ErrJobRunning)
			wantErr(t, r.Orphaned(testJob), ErrJobRunning)
			if err := r.Queue(nil, testJob); err != nil { // it was faster than its JOB_QUEUED
				t.Error(err)
			}
			other := testJob // of another user, by chance
			other.UserID = "bob"
			if err := r.Run(ctx, other, failing(0)); err != nil {
				t.Error(err)
			}
			if got := r.Stats().Running; got != 1 {
				t.Errorf("got %d running, want 1", got)
			}
			return nil, nil
		})
		if err != nil || to.types("TESTJOB_") != "STARTED STARTED COMPLETED COMPLETED" {
			t.Errorf("got %v and %s", err, to.types("TESTJOB_"))
		}
		// And again afterwards, as when it is run by hand.
		if err := r.Run(t.Context(), testJob, failing(0)); err != nil {
			t.Error(err)
		}
	})
}

// JOB_QUEUED is part of the request or the transaction that queues the job.
func TestJobQueueGoesWhereItIsTold(t *testing.T) {
	var to, outbox tape
	r := newRunner(t, &to, nil)
	if err := r.Queue(&outbox, testJob); err != nil {
		t.Fatal(err)
	}
	if outbox.types("TESTJOB_") != "QUEUED" || to.types("") != "" {
		t.Errorf("got %q and %q", outbox.types(""), to.types(""))
	}
}
