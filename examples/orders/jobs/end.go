package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
)

// isMine is the part of a statement that finds the row only while the claim holds.
const isMine = ` WHERE id = $1 AND owner = $2 AND claims = $3 AND ` + isRunning

// An outcome is how a job ended.
type outcome struct {
	status string // Completed, Failed or Cancelled
	result any    // of Completed
	text   string // of the others, fit to be shown
}

// writeDown writes into the row what an event is about to tell.
func (r *Runner) writeDown(job emit.Job, ev usercast.Event) {
	if _, ok := ev.Payload.(emit.JobQueued); ok {
		return // Enqueue has
	}
	run := r.running(job.ID)
	if run == nil {
		return
	}
	switch p := ev.Payload.(type) {
	case emit.JobStarted:
		run.began.Store(true)
		run.update(`status = 'running', attempt = attempt + 1, progress = 0, label = '', error = NULL`)
	case emit.JobProgress:
		run.update(`progress = $5, label = $6`, p.Progress, p.Label)
	case emit.JobRetrying:
		run.update(`status = 'retrying', error = $5`, p.Error)
	case emit.JobCompleted:
		run.end(outcome{status: Completed, result: p.Result})
	case emit.JobFailed:
		run.end(outcome{status: Failed, text: p.Error})
	case emit.JobCancelled:
		run.end(outcome{status: Cancelled, text: cancelledText})
	}
}

// update changes the row of a job that runs. That it could not be written changes
// nothing else; the next one may be.
func (run *run) update(set string, args ...any) {
	ctx, cancel := context.WithTimeout(run.r.ctx, queryTimeout)
	defer cancel()
	args = append([]any{run.ID, run.r.name, run.claims, nowMicros()}, args...)
	n, err := run.r.write(ctx, `UPDATE jobs SET updated_at = $4, `+set+isMine, args...)
	switch {
	case err != nil:
		run.r.cfg.Logger.Error("jobs: progress not written", "job_id", run.ID, "error", err)
	case n == 0:
		run.lose()
	}
}

// end writes how a job ended, or gives it back. Until it could be written it tries
// again; then it is for the lease to run out.
func (run *run) end(out outcome) {
	cause := context.Cause(run.ctx)
	if run.lost.Load() || errors.Is(cause, errLost) {
		return
	}
	back := out.status == Cancelled && errors.Is(cause, errStopping)
	ctx, cancel := context.WithTimeout(run.r.ctx, run.r.pace.end)
	defer cancel()
	var told tee // by the attempt before
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := run.tryEnd(ctx, out, back, &told)
		switch {
		case err == nil:
			return
		case errors.Is(err, errLost):
			run.lose()
			return
		}
		run.r.cfg.Logger.Error("jobs: end of a job not written", "job_id", run.ID, "status", out.status, "error", err)
		if !wait(ctx, pause) {
			run.lost.Store(true) // nothing more is told; whoever finds the lease runs it again
			return
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// tryEnd writes the end once. before has the events of the attempt before, if its
// commit was never answered.
func (run *run) tryEnd(ctx context.Context, out outcome, back bool, before *tee) error {
	r := run.r
	var now tee
	err := r.inTx(ctx, func(tx *sql.Tx, box *emit.Outbox) error {
		now = tee{to: box}
		if back {
			return run.giveBack(ctx, tx, &now)
		}
		return run.close(ctx, tx, box, &now, out)
	})
	if errors.Is(err, errLost) && len(before.sent) > 0 {
		// Is it ours, and was it the answer only that got lost?
		if found, findErr := run.isWritten(ctx, out.status); findErr != nil {
			return findErr
		} else if found {
			before.replay(r.hub)
			err = nil
		}
	}
	if err == nil {
		run.ended.Store(!back)
		return nil
	}
	if errors.Is(err, emit.ErrOutcomeUnknown) {
		*before = now
	}
	return err
}

// isWritten says whether this claim's end is in the row.
func (run *run) isWritten(ctx context.Context, status string) (bool, error) {
	var n int
	err := run.db().QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE id = $1 AND owner = $2 AND claims = $3 AND status = $4`,
		run.ID, run.r.name, run.claims, status).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("jobs: %w", err)
	}
	return n > 0, nil
}

// close ends the job: what it worked on, the row, and the next one's turn.
func (run *run) close(ctx context.Context, tx *sql.Tx, box *emit.Outbox, to *tee, out outcome) error {
	if err := run.settle(ctx, tx, box, to, out); err != nil {
		return err
	}
	if _, err := lockQueue(ctx, tx, run.user); err != nil {
		return err
	}
	var result, text *string
	set := `status = $5, lease_until = 0, error = $6, result = $7, updated_at = $4`
	if out.status == Completed {
		result = resultJSON(out.result)
		set += `, progress = 100`
	} else if out.status == Failed {
		text = &out.text
	}
	n, err := execCount(ctx, tx, `UPDATE jobs SET `+set+isMine, run.ID, run.r.name, run.claims, nowMicros(), out.status, text, result)
	if err != nil {
		return err
	}
	if n == 0 {
		return errLost
	}
	if err := prune(ctx, tx, run.user); err != nil {
		return err
	}
	return run.r.giveNext(ctx, tx, run.user)
}

// prune keeps the newest maxEnded of a user's ended jobs. The newest are those that have
// ended last, not those that were asked for last: the job that ends in tx is one of
// them, however many that came after it were cancelled while it ran. The caller has
// locked the queue.
func prune(ctx context.Context, tx *sql.Tx, user string) error {
	_, err := execCount(ctx, tx, `DELETE FROM jobs WHERE user_name = $1 AND NOT (`+isActive+`) AND (updated_at, seq) <=
		(SELECT updated_at, seq FROM jobs WHERE user_name = $1 AND NOT (`+isActive+`) ORDER BY updated_at DESC, seq DESC LIMIT 1 OFFSET $2)`,
		user, maxEnded)
	return err
}

// settle ends what the job worked on. A job that nobody comes back from must end
// whatever becomes of that.
func (run *run) settle(ctx context.Context, tx *sql.Tx, box *emit.Outbox, to *tee, out outcome) error {
	k := run.r.kindOf(run.Type)
	settle := func(to usercast.Broadcaster) error {
		if out.status == Completed {
			return k.done(ctx, tx, to, run.record, out.result)
		}
		return k.undone(ctx, tx, to, run.record, out.status, out.text)
	}
	if run.record.lost <= maxLost {
		return settle(to)
	}
	err := emit.Savepoint(ctx, tx, box, func(part *emit.Outbox) error { return settle(&tee{to: part}) })
	if err != nil && ctx.Err() == nil {
		run.r.cfg.Logger.Error("jobs: what an interrupted job worked on is left as it is", "job_id", run.ID, "error", err)
		err = nil
	}
	return err
}

// giveBack puts the job first in its queue again.
func (run *run) giveBack(ctx context.Context, tx *sql.Tx, to *tee) error {
	if _, err := lockQueue(ctx, tx, run.user); err != nil {
		return err
	}
	n, err := execCount(ctx, tx, `UPDATE jobs SET status = 'queued', lease_until = 0, owner = '', progress = 0, label = '', given = 0, updated_at = $4`+isMine,
		run.ID, run.r.name, run.claims, nowMicros())
	if err != nil {
		return err
	}
	if n == 0 {
		return errLost
	}
	if err := run.r.give(ctx, tx, run.ID); err != nil {
		return err
	}
	if !run.began.Load() {
		return nil // nobody has heard that it was taken
	}
	return broadcast(to, run.record, events.Jobs.Queued,
		emit.JobQueued{JobID: run.ID, Type: run.Type, EntityID: run.EntityID, EntityName: run.EntityName})
}

// resultJSON is what the row keeps of a result: as in the event, nothing if it does not
// marshal or is too large.
func resultJSON(result any) *string {
	if result == nil {
		return nil
	}
	b, err := json.Marshal(result)
	if err != nil || len(b) > maxBytes {
		return nil
	}
	s := string(b)
	return &s
}

// A tee passes events on and remembers them, in case the answer to a commit gets lost.
type tee struct {
	to   usercast.Broadcaster
	sent []sent
}

type sent struct {
	user string
	ev   usercast.Event
}

// Broadcast implements usercast.Broadcaster.
func (t *tee) Broadcast(userID string, ev usercast.Event) error {
	t.sent = append(t.sent, sent{userID, ev})
	return t.to.Broadcast(userID, ev)
}

// replay sends what was remembered. A hub that refuses is as after any commit: the data
// is there, and the next fetch finds it.
func (t *tee) replay(to usercast.Broadcaster) {
	for _, s := range t.sent {
		to.Broadcast(s.user, s.ev) //nolint:errcheck // see above
	}
}
