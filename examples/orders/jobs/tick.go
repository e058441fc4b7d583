package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast/emit"
)

// maxFound bounds what one tick gives turns.
const maxFound = 100

// every does something each tick, until Stop.
func (r *Runner) every(do func(context.Context) error) {
	ticker := time.NewTicker(r.pace.tick)
	defer ticker.Stop()
	for {
		ctx, cancel := context.WithTimeout(r.ctx, r.pace.lease/2)
		if err := do(ctx); err != nil && r.ctx.Err() == nil {
			r.cfg.Logger.Error("jobs: tick", "error", err)
		}
		cancel()
		select {
		case <-ticker.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// renew renews the leases of all jobs that run here, and hears of those that are to be
// cancelled, or are somebody else's.
func (r *Runner) renew(ctx context.Context) error {
	r.mu.Lock()
	runs := make(map[string]*run, len(r.live))
	for id, run := range r.live {
		runs[id] = run
	}
	r.mu.Unlock()
	if len(runs) == 0 {
		return nil
	}
	unlock, err := r.cfg.Store.LockWrites(ctx)
	if err != nil {
		return fmt.Errorf("jobs: leases not renewed: %w", err)
	}
	defer unlock()
	asked := time.Now()
	rows, err := r.cfg.Store.DB.QueryContext(ctx, `UPDATE jobs SET lease_until = `+r.clock+` + $2 WHERE owner = $1 AND `+isRunning+`
		RETURNING id, claims, cancel`, r.name, r.pace.lease.Microseconds())
	if err != nil {
		return fmt.Errorf("jobs: leases not renewed: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var claims, cancel int64
		if err := rows.Scan(&id, &claims, &cancel); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
		run := runs[id]
		if run == nil || run.claims != claims {
			continue
		}
		delete(runs, id)
		run.expiry.Reset(r.untilExpiry(asked))
		if cancel != 0 {
			run.cancel(errCancelled)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	for _, run := range runs {
		run.missing()
	}
	return nil
}

// missing is called when the row is not this claim's any more. If that is because the
// run has just ended, there is nothing to do.
func (run *run) missing() {
	select {
	case <-run.ctx.Done(): // it is over, or on its way
	default:
		if !run.ended.Load() {
			run.cancel(errGone)
		}
	}
}

// errGone ends the context of a run whose row is somebody else's; its own end will find
// that out for good.
var errGone = fmt.Errorf("%w: the row is another claim's", errLost)

// revive gives a turn to jobs whose lease has run out, and to those that are first and
// have waited for a turn for longer than one takes: it may have been lost with a process.
// Each time they wait longer, so that turns do not pile up when all workers are busy.
func (r *Runner) revive(ctx context.Context) error {
	if r.isStopping() {
		return nil
	}
	type found struct {
		id            string
		given, claims int64
	}
	rows, err := r.cfg.Store.DB.QueryContext(ctx, `SELECT id, given, claims FROM jobs
		WHERE `+isActive+` AND `+isFirst+` AND (status = 'queued' OR lease_until < `+r.clock+`)
		AND given_at + $1 * (CASE WHEN given < 3 THEN 1 WHEN given < 6 THEN 4 ELSE 16 END) < `+r.clock+` LIMIT $2`,
		r.pace.lease.Microseconds(), maxFound)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	defer rows.Close()
	var all []found
	for rows.Next() {
		var f found
		if err := rows.Scan(&f.id, &f.given, &f.claims); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
		all = append(all, f)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	for _, f := range all {
		err := r.inTx(ctx, func(tx *sql.Tx, _ *emit.Outbox) error {
			n, err := execCount(ctx, tx, `UPDATE jobs SET given = given + 1, given_at = `+r.clock+`
				WHERE id = $1 AND given = $2 AND claims = $3 AND `+isActive, f.id, f.given, f.claims)
			if err != nil || n == 0 {
				return err // another process was faster
			}
			return r.insertTurn(ctx, tx, f.id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}
