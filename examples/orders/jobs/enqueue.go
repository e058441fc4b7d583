package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// A Request is a job to be done.
type Request struct {
	UserID string
	// Type is one of the types of this package: SubmitOrder and so on.
	Type string
	// EntityID is what it works on: the ID of an order, record or customer, or the type
	// of a sync. EntityName is what devices show. At most 1 KiB each.
	EntityID   string
	EntityName string
	// Args is what the type wants: [NoteArgs] and so on, or nil. At most 16 KiB of JSON.
	Args any
	// Device is the one that asks and has its answer: it hears no JOB_QUEUED.
	Device string
}

// Enqueue adds a job to the user's queue, as part of the caller's transaction: the row,
// its place in the queue, what it works on being locked for it ("submitting" and so on),
// and in out the events of both, JOB_QUEUED last.
//
// The errors are [ErrInvalid], [ErrQueueFull], [store.ErrNotFound] and [store.ErrBusy] if
// what the job works on is not there or another job works on it, and those of the
// database. The caller rolls back then.
func (r *Runner) Enqueue(ctx context.Context, tx *sql.Tx, out *emit.Outbox, req Request) (jobID string, err error) {
	args, err := req.check(r.cfg.kinds)
	if err != nil {
		return "", err
	}
	j := &record{Job: Job{ID: store.NewID(), Type: req.Type, EntityID: req.EntityID, EntityName: req.EntityName}, user: req.UserID, args: args}
	return j.ID, r.enqueue(ctx, tx, out, j, req.Device)
}

// check returns the arguments as JSON.
func (req Request) check(kinds map[string]kind) (json.RawMessage, error) {
	if _, ok := kinds[req.Type]; !ok {
		return nil, fmt.Errorf("%w: Type: %.40q is none of this package's types", ErrInvalid, req.Type)
	}
	for _, f := range []struct{ name, value string }{{"EntityID", req.EntityID}, {"EntityName", req.EntityName}} {
		if len(f.value) > maxName {
			return nil, fmt.Errorf("%w: %s: %d bytes, at most %d", ErrInvalid, f.name, len(f.value), maxName)
		}
	}
	if req.Args == nil {
		return json.RawMessage("{}"), nil
	}
	args, err := json.Marshal(req.Args)
	if err != nil {
		return nil, fmt.Errorf("%w: Args: %w", ErrInvalid, err)
	}
	if len(args) > maxBytes {
		return nil, fmt.Errorf("%w: Args: %d bytes of JSON, at most %d", ErrInvalid, len(args), maxBytes)
	}
	return args, nil
}

func (r *Runner) enqueue(ctx context.Context, tx *sql.Tx, out *emit.Outbox, j *record, device string) error {
	k := r.kindOf(j.Type)
	if err := k.begin(ctx, tx, out, j); err != nil {
		return err
	}
	seq, err := lockQueue(ctx, tx, j.user)
	if err != nil {
		return err
	}
	active, same := 0, 0
	err = tx.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN type = $2 AND entity_id = $3 THEN 1 END) FROM jobs
		WHERE user_name = $1 AND `+isActive, j.user, j.Type, j.EntityID).Scan(&active, &same)
	switch {
	case err != nil:
		return fmt.Errorf("jobs: %w", err)
	case k.single && same > 0:
		return fmt.Errorf("%w: a job of type %s is queued or runs already", store.ErrBusy, j.Type)
	case active >= maxActive:
		return fmt.Errorf("%w: %d of your jobs wait or run; try again when one has ended, or cancel one", ErrQueueFull, active)
	}
	now := nowMicros()
	_, err = tx.ExecContext(ctx, `INSERT INTO jobs (id, user_name, seq, type, entity_id, entity_name, args, status, original_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9, $9)`,
		j.ID, j.user, seq, j.Type, j.EntityID, j.EntityName, string(j.args), j.OriginalJobID, now)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if active == 0 {
		if err := r.give(ctx, tx, j.ID); err != nil {
			return err
		}
	}
	told := j.told()
	told.Except = device
	return r.tell.Queue(out, told)
}

// lockQueue makes other transactions that touch the user's queue wait for the end of this
// one, and returns the next place in it.
func lockQueue(ctx context.Context, tx *sql.Tx, user string) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO job_queues (user_name, seq) VALUES ($1, 1)
		ON CONFLICT (user_name) DO UPDATE SET seq = job_queues.seq + 1 RETURNING seq`, user).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("jobs: %w", err)
	}
	return seq, nil
}

// Retry does a job that has failed or was cancelled anew, as a new job: JOB_REQUEUED, the
// events of what it works on, and JOB_QUEUED. The errors are [ErrNotFound], [ErrNotEnded]
// and those of Enqueue.
func (r *Runner) Retry(ctx context.Context, userID, jobID, device string) (newID string, err error) {
	err = r.inTx(ctx, func(tx *sql.Tx, out *emit.Outbox) error {
		original, err := find(ctx, tx, userID, jobID)
		if err != nil {
			return err
		}
		if original.Status != Failed && original.Status != Cancelled {
			return fmt.Errorf("%w: %q is %s", ErrNotEnded, jobID, original.Status)
		}
		if _, ok := r.cfg.kinds[original.Type]; !ok {
			return fmt.Errorf("%w: Type: %q is no more", ErrInvalid, original.Type)
		}
		next := &record{Job: Job{ID: store.NewID(), Type: original.Type, EntityID: original.EntityID, EntityName: original.EntityName,
			OriginalJobID: &original.ID}, user: userID, args: original.args}
		newID = next.ID
		err = events.Jobs.Requeued.Except(device).Broadcast(out, userID, emit.JobRequeued{OriginalJobID: original.ID, NewJobID: next.ID})
		if err != nil {
			return err
		}
		return r.enqueue(ctx, tx, out, next, device)
	})
	return newID, err
}

// inTx is emit.Tx, again where the database had to choose between two.
func (r *Runner) inTx(ctx context.Context, fn func(tx *sql.Tx, out *emit.Outbox) error) error {
	unlock, err := r.cfg.Store.LockWrites(ctx)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	defer unlock()
	return emit.Tx(ctx, r.cfg.Store.DB, r.cfg.Hub, &emit.TxOptions{Retry: emit.Conflict}, fn)
}

// write runs a statement on the database itself and returns how many rows it met.
func (r *Runner) write(ctx context.Context, query string, args ...any) (int64, error) {
	unlock, err := r.cfg.Store.LockWrites(ctx)
	if err != nil {
		return 0, fmt.Errorf("jobs: %w", err)
	}
	defer unlock()
	return execCount(ctx, r.cfg.Store.DB, query, args...)
}

// broadcast sends an event, or collects it.
func broadcast[P any](to usercast.Broadcaster, j *record, event usercast.EventType[P], payload P) error {
	return event.Broadcast(to, j.user, payload)
}
