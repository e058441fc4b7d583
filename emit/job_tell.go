package emit

import (
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast"
)

// resendAfter is how long a job's last event waits before it is tried again. A hub
// refuses for good or not at all; what stands behind another Broadcaster may be away
// for a moment.
var resendAfter = [...]time.Duration{100 * time.Millisecond, time.Second}

// Queue tells that a job waits for its turn: JOB_QUEUED, by to, or by JobConfig.To
// if to is nil. Call it when the job has been written to its queue, with the outbox
// of that request or transaction. Who takes the job from there calls Run, and who
// drops it Cancel. A job that runs already is not told of.
//
// The error is [ErrInvalidJob].
func (r *JobRunner) Queue(to usercast.Broadcaster, job Job) error {
	if err := job.check(); err != nil {
		return err
	}
	if to == nil {
		to = r.cfg.To
	}
	if !r.isRunning(job) {
		r.queued(to, job)
	}
	return nil
}

func (r *JobRunner) queued(to usercast.Broadcaster, job Job) {
	tell(r, to, job, r.cfg.Events.Queued.Except(job.Except),
		JobQueued{job.ID, job.Type, shorten(job.EntityID, maxPublicBytes), shorten(job.EntityName, maxPublicBytes)})
}

// Cancel ends a job that was queued and will not run: JOB_CANCELLED. If the cause is
// public, or [ErrJobPreempted], devices hear it; it may be nil. A job that runs is
// cancelled by its context, and here an [ErrJobRunning].
func (r *JobRunner) Cancel(job Job, cause error) error {
	if err := r.claim(job); err != nil {
		return err
	}
	defer r.release(job)
	r.end(job, jobOutcome{status: jobCancelled, reason: cause})
	return nil
}

// Requeue tells that a job which has ended is done anew under another ID:
// JOB_REQUEUED with both, then JOB_QUEUED of the new one. A job that is run again
// under its own ID needs no such event.
//
//	err := runner.Run(ctx, job, fn)
//	if errors.Is(err, emit.ErrJobPreempted) {
//		next := job
//		next.ID = … // of the new row in the queue
//		err = runner.Requeue(job, next)
//	}
//
// The error is [ErrInvalidJob], or [ErrJobRunning] of the original.
func (r *JobRunner) Requeue(original, next Job) error {
	if err := errors.Join(original.check(), next.check()); err != nil {
		return err
	}
	switch {
	case original.UserID != next.UserID:
		return fmt.Errorf("%w: UserID: %q, want that of the original job, %q", ErrInvalidJob, next.UserID, original.UserID)
	case original.ID == next.ID:
		return fmt.Errorf("%w: ID: %q is the original job's, want a new one", ErrInvalidJob, next.ID)
	case r.isRunning(original):
		return fmt.Errorf("%w: %q of user %q", ErrJobRunning, original.ID, original.UserID)
	}
	r.requeued.Add(1)
	tell(r, r.cfg.To, original, r.cfg.Events.Requeued, JobRequeued{original.ID, next.ID})
	r.queued(r.cfg.To, next)
	return nil
}

// Orphaned ends jobs whose process died: JOB_FAILED with the error "interrupted". A
// process that dies sends nothing, so an application that keeps its jobs in a database
// calls this when it starts, with those that are still marked as running there and that
// no other process runs. To go on with one instead, Run it again under the same ID.
//
// The error tells of jobs that are invalid or running; all others were ended.
func (r *JobRunner) Orphaned(jobs ...Job) error {
	var failed failures
	for i, job := range jobs {
		if err := r.claim(job); err != nil {
			failed.add(fmt.Errorf("jobs[%d]: %w", i, err))
			continue
		}
		r.end(job, jobOutcome{status: jobFailed, err: errInterrupted})
		r.release(job)
	}
	return failed.err()
}

var errInterrupted = errors.New("emit: job interrupted: its process ended")

// end sends a job's last event and counts how it ended.
func (r *JobRunner) end(job Job, out jobOutcome) {
	r.ended[out.status].Add(1)
	switch out.status {
	case jobCompleted:
		tellLast(r, job, r.cfg.Events.Completed, JobCompleted{job.ID, job.Type, out.result})
	case jobCancelled:
		// A reason that panics is none; the end must still be told.
		reason, _ := guarded("PublicError", func() string { return reasonOf(out.reason) })
		tellLast(r, job, r.cfg.Events.Cancelled, JobCancelled{job.ID, job.Type, shorten(reason, maxPublicBytes)})
	default:
		tellLast(r, job, r.cfg.Events.Failed, JobFailed{job.ID, job.Type, r.public(out.err)})
		r.cfg.Logger.Error("emit: job failed", "job_id", job.ID, "job_type", job.Type, "user_id", job.UserID, "error", out.err)
	}
}

// public returns what devices are shown of an error.
func (r *JobRunner) public(err error) string {
	if errors.Is(err, errInterrupted) {
		return "interrupted"
	}
	text, panicked := guarded("PublicError", func() string { return r.cfg.PublicError(err) })
	if panicked != nil {
		r.cfg.Logger.Error("emit: JobConfig.PublicError", "error", panicked)
		text = internalError
	}
	return shorten(text, maxPublicBytes)
}

// tell writes an event down and sends it. What goes wrong is logged and counted.
func tell[P any](r *JobRunner, to usercast.Broadcaster, job Job, event usercast.EventType[P], payload P) {
	ev, err := event.Event(payload)
	if err != nil {
		return // cannot happen: the keys of these events do not panic
	}
	r.before(job, ev)
	r.send(to, job, ev)
}

// tellLast is tell for an event that must not be missing: a progress bar would stand
// for ever. It asks no context, for that is often what has just ended.
func tellLast[P any](r *JobRunner, job Job, event usercast.EventType[P], payload P) {
	ev, err := event.Event(payload)
	if err != nil {
		return // as above
	}
	r.before(job, ev)
	err = r.send(r.cfg.To, job, ev)
	if done, ok := ev.Payload.(JobCompleted); ok && (errors.Is(err, usercast.ErrPayload) || errors.Is(err, usercast.ErrTooLarge)) {
		done.Result = nil
		ev.Payload = done
		err = r.send(r.cfg.To, job, ev)
	}
	for _, pause := range resendAfter {
		if err == nil || isFinal(err) {
			return
		}
		time.Sleep(pause)
		err = r.send(r.cfg.To, job, ev)
	}
}

// isFinal says whether an error would be the same another time.
func isFinal(err error) bool {
	for _, final := range []error{
		usercast.ErrClosed, usercast.ErrPayload, usercast.ErrTooLarge, usercast.ErrInvalidEvent, usercast.ErrInvalidUser, usercast.ErrPanic,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// before calls JobConfig.Before.
func (r *JobRunner) before(job Job, ev usercast.Event) {
	if r.cfg.Before == nil {
		return
	}
	if _, err := guarded("JobConfig.Before", func() bool { r.cfg.Before(job, ev); return true }); err != nil {
		r.cfg.Logger.Error("emit: event not written down", "type", ev.Type, "job_id", job.ID, "user_id", job.UserID, "error", err)
	}
}

// send sends an event. What goes wrong is logged and counted.
func (r *JobRunner) send(to usercast.Broadcaster, job Job, ev usercast.Event) error {
	err := r.try(to, job, ev)
	if err != nil {
		r.cfg.Logger.Error("emit: event not sent", "type", ev.Type, "job_id", job.ID, "user_id", job.UserID, "error", err)
	}
	return err
}

// try sends an event and counts.
func (r *JobRunner) try(to usercast.Broadcaster, job Job, ev usercast.Event) error {
	err := flat(guarded("Broadcast", func() error { return to.Broadcast(job.UserID, ev) }))
	if err != nil {
		r.unsent.Add(1)
	}
	return err
}
