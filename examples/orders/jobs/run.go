package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/store"
)

const (
	// queryTimeout bounds what must not wait for a database that is away.
	queryTimeout = 5 * time.Second
	// maxTimeouts is how long a job may take, in calls that time out.
	maxTimeouts = 10
)

// A run is one claim of a job: from its turn to its end.
type run struct {
	*record
	r      *Runner
	ctx    context.Context
	cancel context.CancelCauseFunc
	expiry *time.Timer // ends ctx before the lease does

	began atomic.Bool // a start is written
	ended atomic.Bool // the end is committed, so it may be told
	lost  atomic.Bool // somebody else may run the job
}

// take takes a turn, unless the runner stops.
func (r *Runner) take(jobID string) bool {
	if r.isStopping() {
		return false
	}
	claimed := time.Now()
	j, err := r.claim(jobID)
	if err != nil {
		r.cfg.Logger.Error("jobs: turn not taken", "job_id", jobID, "error", err)
		return true
	}
	if j == nil {
		return true // it is no turn
	}
	run := r.enter(j, claimed)
	defer r.leave(run)
	switch told := j.told(); {
	case j.lost > maxLost:
		err = r.tell.Orphaned(told)
	case j.cancel:
		err = r.tell.Cancel(told, nil)
	default:
		ctx, cancel := context.WithTimeout(run.ctx, maxTimeouts*r.cfg.Timeout)
		defer cancel()
		err = r.tell.Run(ctx, told, run.work)
	}
	if errors.Is(err, emit.ErrInvalidJob) || errors.Is(err, emit.ErrJobRunning) {
		r.cfg.Logger.Error("jobs: job not run", "job_id", jobID, "error", err)
	}
	return true
}

// claim makes a job this runner's, or returns nil if it is not its turn.
func (r *Runner) claim(jobID string) (*record, error) {
	ctx, cancel := context.WithTimeout(r.ctx, 2*queryTimeout)
	defer cancel()
	var user string
	err := r.cfg.Store.DB.QueryRowContext(ctx, `SELECT user_name FROM jobs WHERE id = $1`, jobID).Scan(&user)
	if isNoRows(err) {
		return nil, nil // so long ago that it is not kept
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	time.Sleep(r.pace.pause)
	var j *record
	err = r.inTx(ctx, func(tx *sql.Tx, _ *emit.Outbox) error {
		if _, err := lockQueue(ctx, tx, user); err != nil {
			return err
		}
		j, err = scan(tx.QueryRowContext(ctx, `UPDATE jobs SET status = 'running', owner = $2, claims = claims + 1,
			lost = lost + CASE WHEN status = 'queued' THEN 0 ELSE 1 END,
			lease_until = `+r.clock+` + $3, given = 0, given_at = 0, updated_at = $4
			WHERE id = $1 AND (status = 'queued' OR `+isRunning+` AND lease_until < `+r.clock+`) AND `+isFirst+`
			RETURNING `+columns, jobID, r.name, r.pace.lease.Microseconds(), nowMicros()))
		return err
	})
	if isNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return j, nil
}

// enter notes that a job runs here.
func (r *Runner) enter(j *record, claimed time.Time) *run {
	run := &run{record: j, r: r}
	run.ctx, run.cancel = context.WithCancelCause(r.ctx)
	run.expiry = time.AfterFunc(r.untilExpiry(claimed), run.lose)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[j.ID] = run
	if r.stopping {
		run.cancel(errStopping)
	}
	return run
}

// untilExpiry is how long a job may run by a lease that was asked for at an instant: a
// fifth less than the lease, so that it has stopped when somebody else begins.
func (r *Runner) untilExpiry(asked time.Time) time.Duration {
	return r.pace.lease*4/5 - time.Since(asked)
}

func (r *Runner) leave(run *run) {
	run.expiry.Stop()
	run.cancel(errOver)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live[run.ID] == run {
		delete(r.live, run.ID)
	}
}

// lose ends a run whose job may be somebody else's.
func (run *run) lose() {
	if run.lost.Swap(true) || run.ended.Load() {
		return
	}
	run.r.cfg.Logger.Warn("jobs: the claim of a job is lost; it stops here", "job_id", run.ID)
	run.cancel(errLost)
}

// work is an attempt.
func (run *run) work(ctx context.Context, p *emit.Progress) (any, error) {
	return run.r.kindOf(run.Type).work(ctx, run, p)
}

// call makes a call of the ERP, for as long as one may take.
func (run *run) call(ctx context.Context, fn func(ctx context.Context, c *erp.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, run.r.cfg.Timeout)
	defer cancel()
	return fn(ctx, run.r.cfg.ERP)
}

// session is what the job is to the ERP. text is the user's, calls how many there will be.
func (run *run) session(text string, calls int) erp.Session {
	return erp.Session{Job: run.ID, User: run.user, Text: text, Calls: calls}
}

// db is the database, for what the job reads and writes while it runs.
func (run *run) db() *sql.DB { return run.r.cfg.Store.DB }

// Broadcast implements usercast.Broadcaster for what a job tells while it runs: nothing,
// once its claim is lost.
func (run *run) Broadcast(userID string, ev usercast.Event) error {
	if run.lost.Load() {
		return errLost
	}
	return run.r.hub.Broadcast(userID, ev)
}

// A gate stands before the hub and lets through of a job what is written down, or about
// to be: so no end is told that was not committed.
type gate struct{ r *Runner }

// Broadcast implements usercast.Broadcaster.
func (g gate) Broadcast(userID string, ev usercast.Event) error {
	var id string
	last := true
	switch p := ev.Payload.(type) {
	case emit.JobCompleted:
		id = p.JobID
	case emit.JobFailed:
		id = p.JobID
	case emit.JobCancelled:
		id = p.JobID
	case emit.JobStarted:
		id, last = p.JobID, false
	case emit.JobProgress:
		id, last = p.JobID, false
	case emit.JobRetrying:
		id, last = p.JobID, false
	default:
		return g.r.hub.Broadcast(userID, ev)
	}
	run := g.r.running(id)
	switch {
	case run == nil:
		return nil // cannot be: it leaves when all is told
	case last && !run.ended.Load(), !last && run.lost.Load():
		return nil // given back, or lost: whoever is next tells it
	}
	return g.r.hub.Broadcast(userID, ev)
}

func (r *Runner) running(jobID string) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[jobID]
}

// execCount runs a statement and returns how many rows it met.
func execCount(ctx context.Context, q store.Querier, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("jobs: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("jobs: %w", err)
	}
	return n, nil
}
