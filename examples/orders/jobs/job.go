package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// Where a job stands.
const (
	Queued    = "queued"
	Running   = "running"
	Retrying  = "retrying" // an attempt has failed, the next one begins after a pause
	Completed = "completed"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// A Job is a row of the list of jobs.
type Job struct {
	ID            string          `json:"id"`
	Type          string          `json:"type"`
	EntityID      string          `json:"entityId"`
	EntityName    string          `json:"entityName"`
	Status        string          `json:"status"`
	Progress      int             `json:"progress"` // percent
	Label         string          `json:"label"`
	Error         *string         `json:"error"`   // fit to be shown
	Result        json.RawMessage `json:"result"`  // null unless it is completed
	Attempt       int             `json:"attempt"` // counted over restarts, 0 before the first
	CreatedAt     time.Time       `json:"createdAt"`
	UpdatedAt     time.Time       `json:"updatedAt"`
	OriginalJobID *string         `json:"originalJobId"` // what it is a retry of
}

// A record is a job with what only this package needs to know of it.
type record struct {
	Job
	user   string
	seq    int64
	args   json.RawMessage
	cancel bool  // the user wants it cancelled
	claims int64 // the number of the claim
	lost   int   // claims that nobody came back from
}

// told is how events name the job.
func (j *record) told() emit.Job {
	return emit.Job{ID: j.ID, UserID: j.user, Type: j.Type, EntityID: j.EntityID, EntityName: j.EntityName}
}

const columns = `id, user_name, seq, type, entity_id, entity_name, args, status, progress, label, error, result,
	attempt, original_id, cancel, claims, lost, created_at, updated_at`

func scan(row interface{ Scan(...any) error }) (*record, error) {
	var j record
	var args string
	var result *string
	var cancel, created, updated int64
	err := row.Scan(&j.ID, &j.user, &j.seq, &j.Type, &j.EntityID, &j.EntityName, &args, &j.Status, &j.Progress, &j.Label, &j.Error, &result,
		&j.Attempt, &j.OriginalJobID, &cancel, &j.claims, &j.lost, &created, &updated)
	if err != nil {
		return nil, err
	}
	j.args, j.cancel = json.RawMessage(args), cancel != 0
	if result != nil {
		j.Result = json.RawMessage(*result)
	}
	j.CreatedAt, j.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return &j, nil
}

// List returns a user's newest jobs, at most 50.
func (r *Runner) List(ctx context.Context, userID string) ([]Job, error) {
	rows, err := r.cfg.Store.DB.QueryContext(ctx, `SELECT `+columns+` FROM jobs WHERE user_name = $1 ORDER BY seq DESC LIMIT $2`, userID, maxListed)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	defer rows.Close()
	list := []Job{}
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("jobs: %w", err)
		}
		list = append(list, j.Job)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return list, nil
}

// find returns a user's job. The error wraps ErrNotFound.
func find(ctx context.Context, q store.Querier, user, id string) (*record, error) {
	j, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM jobs WHERE id = $1 AND user_name = $2`, id, user))
	switch {
	case isNoRows(err):
		return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	case err != nil:
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return j, nil
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func nowMicros() int64 { return time.Now().UnixMicro() }
