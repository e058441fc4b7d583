package emit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How a job ends.
type jobStatus int

const (
	jobFailed jobStatus = iota // also if nothing else is said
	jobCompleted
	jobCancelled
)

// A jobOutcome is how a job ended.
type jobOutcome struct {
	status jobStatus
	result any
	err    error // of Run
	reason error // why it was cancelled
}

// Run calls fn as a job, in the caller's goroutine, and tells of it: JOB_STARTED, then
// JOB_PROGRESS as fn reports it, and at the end exactly one of these, which is the
// last event of the job:
//
//   - JOB_COMPLETED with the result, when fn has returned no error. A result that does
//     not marshal or is too large for an event is logged, and null in it.
//   - JOB_CANCELLED, when fn has returned an error and ctx was cancelled, or fn's error
//     wraps [ErrJobCancelled], or ctx was cancelled before an attempt began.
//   - JOB_FAILED, when fn has returned another error, has panicked, has ended its
//     goroutine, or ctx's deadline has passed: "timed out" unless fn's error is public.
//
// An error, or a panic, is followed by JOB_RETRYING and another JOB_STARTED while there
// are attempts left, ctx has not ended and JobConfig.Retryable agrees.
//
// Run returns nil for a completed job, an error that wraps ErrJobCancelled and ctx's
// cause for a cancelled one, and else the error of fn; a panic is an error
// that wraps [usercast.ErrPanic], and [runtime.Goexit] goes on to end the goroutine when
// JOB_FAILED is sent. [ErrInvalidJob] and [ErrJobRunning] mean that nothing was
// done.
//
// The last event goes out whatever has become of ctx. If the Broadcaster refuses it for
// a reason that may pass, it is tried twice more, after 100 ms and 1 s; all other events
// are tried once. None of this changes the outcome.
//
// ctx ends for fn when it returns. It is for the caller to see that ctx is not that of a
// request, which ends with the response. A process that dies sends nothing: see
// [JobRunner.Orphaned].
func (r *JobRunner) Run(ctx context.Context, job Job, fn func(ctx context.Context, p *Progress) (result any, err error)) error {
	if fn == nil {
		return fmt.Errorf("%w: fn: missing; it is what the job does", ErrInvalidJob)
	}
	if err := r.claim(job); err != nil {
		return err
	}
	defer r.release(job)
	out := jobOutcome{err: errGoexit} // unless attempts returns
	defer func() { r.end(job, out) }()
	out = r.attempts(ctx, job, fn)
	return out.err
}

// attempts calls fn until there is an outcome.
func (r *JobRunner) attempts(ctx context.Context, job Job, fn func(context.Context, *Progress) (any, error)) jobOutcome {
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return ended(ctx, nil)
		}
		started := r.cfg.Events.Started
		if attempt == 1 {
			started = started.Except(job.Except)
		} else {
			r.retries.Add(1)
		}
		tell(r, r.cfg.To, job, started,
			JobStarted{job.ID, job.Type, shorten(job.EntityID, maxPublicBytes), shorten(job.EntityName, maxPublicBytes)})
		result, err, panicked := r.attempt(ctx, job, fn)
		switch {
		case panicked != nil:
			err = panicked
		case err == nil:
			return jobOutcome{status: jobCompleted, result: result}
		case errors.Is(err, ErrJobCancelled):
			return jobOutcome{status: jobCancelled, err: err, reason: err}
		}
		if ctx.Err() != nil && panicked == nil {
			return ended(ctx, err)
		}
		if attempt == r.cfg.MaxAttempts || ctx.Err() != nil || !r.retryable(err) {
			return jobOutcome{status: jobFailed, err: err}
		}
		delay := r.backoff(attempt)
		r.cfg.Logger.Warn("emit: job attempt failed", "job_id", job.ID, "job_type", job.Type, "user_id", job.UserID, "attempt", attempt, "error", err)
		tell(r, r.cfg.To, job, r.cfg.Events.Retrying,
			JobRetrying{job.ID, job.Type, attempt + 1, r.cfg.MaxAttempts, delay.Milliseconds(), r.public(err)})
		if !wait(ctx, delay) {
			return ended(ctx, err)
		}
	}
}

// attempt calls fn once. When it returns, however it returns, no more progress comes.
func (r *JobRunner) attempt(ctx context.Context, job Job, fn func(context.Context, *Progress) (any, error)) (result any, err, panicked error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	event := r.cfg.Events.Progress
	p := newProgress(event.Name(), job.UserID, r.cfg.Progress, func(s Snapshot) error {
		ev, err := event.Event(JobProgress{job.ID, job.Type, s.Percent, s.Label})
		if err != nil {
			return err
		}
		r.before(job, ev)
		return r.try(r.cfg.To, job, ev) // p logs
	})
	defer p.Stop()
	result, panicked = guarded("the function of a job", func() (result any) {
		result, err = fn(ctx, p)
		return result
	})
	return result, err, panicked
}

// ended is the outcome of a job whose context has ended. err is what fn said to it,
// if anything.
func ended(ctx context.Context, err error) jobOutcome {
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return jobOutcome{status: jobCancelled, err: chain(ErrJobCancelled, cause, ctx.Err(), err), reason: cause}
	}
	return jobOutcome{err: chain(cause, ctx.Err(), err)}
}

// chain makes one error, of one line, of those that add something.
func chain(first error, others ...error) error {
	for _, err := range others {
		if err != nil && !errors.Is(first, err) {
			first = fmt.Errorf("%w: %w", first, err)
		}
	}
	return first
}

func (r *JobRunner) retryable(err error) bool {
	yes, panicked := guarded("JobConfig.Retryable", func() bool { return r.cfg.Retryable(err) })
	if panicked != nil {
		r.cfg.Logger.Error("emit: job not retried", "error", panicked)
	}
	return yes
}

func (r *JobRunner) backoff(attempt int) time.Duration {
	delay, panicked := guarded("JobConfig.Backoff", func() time.Duration { return r.cfg.Backoff(attempt) })
	if panicked != nil {
		r.cfg.Logger.Error("emit: the default backoff is used", "error", panicked)
		delay = defaultBackoff(attempt)
	}
	return max(0, delay)
}

// wait waits, and says whether ctx has not ended.
func wait(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
