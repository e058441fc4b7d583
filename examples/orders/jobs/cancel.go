package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
)

// Why the context of a job ends.
var (
	errCancelled = errors.New("jobs: cancelled by the user")
	errStopping  = errors.New("jobs: the runner stops")
	errLost      = errors.New("jobs: the claim is lost")
	errOver      = errors.New("jobs: over")
)

// Cancel cancels a user's job. One that waits is cancelled when Cancel returns:
// JOB_CANCELLED, after the events of what it was to work on. One that runs is told to
// stop, here at once and in other processes within a second, and says JOB_CANCELLED when
// it has; if it was done by then, JOB_COMPLETED.
//
// The errors are [ErrNotFound], [ErrEnded], and those of the database.
func (r *Runner) Cancel(ctx context.Context, userID, jobID string) error {
	for range 10 { // it may change hands in between
		j, err := find(ctx, r.cfg.Store.DB, userID, jobID)
		if err != nil {
			return err
		}
		var done bool
		switch j.Status {
		case Queued:
			done, err = r.cancelQueued(ctx, j)
		case Running, Retrying:
			done, err = r.cancelRunning(ctx, j)
		default:
			return fmt.Errorf("%w: %q is %s", ErrEnded, jobID, j.Status)
		}
		if err != nil || done {
			return err
		}
	}
	return fmt.Errorf("jobs: %q does not hold still; try again", jobID)
}

var errChanged = errors.New("jobs: it is another now")

// cancelQueued ends a job that waits. It says whether it still did.
func (r *Runner) cancelQueued(ctx context.Context, j *record) (bool, error) {
	err := r.inTx(ctx, func(tx *sql.Tx, out *emit.Outbox) error {
		if err := r.kindOf(j.Type).undone(ctx, tx, out, j, Cancelled, cancelledText); err != nil {
			return err
		}
		if _, err := lockQueue(ctx, tx, j.user); err != nil {
			return err
		}
		n, err := execCount(ctx, tx, `UPDATE jobs SET status = 'cancelled', updated_at = $2 WHERE id = $1 AND status = 'queued'`, j.ID, nowMicros())
		if err != nil {
			return err
		}
		if n == 0 {
			return errChanged
		}
		if err := prune(ctx, tx, j.user); err != nil {
			return err
		}
		running := 0
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE user_name = $1 AND `+isRunning, j.user).Scan(&running); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
		if running == 0 { // it may have been the first; if not, one turn too many does no harm
			if err := r.giveNext(ctx, tx, j.user); err != nil {
				return err
			}
		}
		return broadcast(out, j, events.Jobs.Cancelled, emit.JobCancelled{JobID: j.ID, Type: j.Type})
	})
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return err == nil, err
}

// cancelRunning tells whoever runs a job to stop. It says whether somebody does.
func (r *Runner) cancelRunning(ctx context.Context, j *record) (bool, error) {
	n, err := r.write(ctx, `UPDATE jobs SET cancel = 1, updated_at = $2 WHERE id = $1 AND `+isRunning, j.ID, nowMicros())
	if err != nil || n == 0 {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.live[j.ID]; run != nil {
		run.cancel(errCancelled)
	}
	return true, nil
}

// cancelledText is what devices read where an error would stand.
const cancelledText = "cancelled"
