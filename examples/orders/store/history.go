package store

import (
	"context"
	"fmt"

	"github.com/usercast-go/usercast/examples/orders/events"
)

// HistoryInput is what a record of the history says.
type HistoryInput struct {
	CustomerName string
	Article      string
	Quantity     int
	RevenueCents int64
}

const historyColumns = `id, customer_name, article, quantity, revenue_cents, job_id, updated_at`

func scanHistory(row scanner) (r events.HistoryRecord, err error) {
	var updated int64
	err = row.Scan(&r.ID, &r.CustomerName, &r.Article, &r.Quantity, &r.RevenueCents, &r.JobID, &updated)
	r.UpdatedAt = fromMicros(updated)
	return r, err
}

// History returns a part of the user's history, newest first, at most [MaxList] records,
// and how many there are in all: of one moment, because a page adds what it hears to
// both. Beyond the end the total is of a moment later.
func History(ctx context.Context, q Querier, user string, limit, offset int) (total int, rows []events.HistoryRecord, err error) {
	const all = `(SELECT count(*) FROM history WHERE user_name = $1)`
	scan := func(row scanner) (events.HistoryRecord, error) { return scanHistory(withTotal{row, &total}) }
	rows, err = list(ctx, q, scan, `SELECT `+historyColumns+`, `+all+` FROM history WHERE user_name = $1
		ORDER BY created_at DESC, id LIMIT $2 OFFSET $3`, user, max(0, min(limit, MaxList)), max(0, offset))
	if err == nil && len(rows) == 0 && (offset > 0 || limit <= 0) { // else there are none
		total, err = count(ctx, q, `SELECT `+all, user)
	}
	return total, rows, err
}

// withTotal is a row with one column more.
type withTotal struct {
	scanner
	total *int
}

func (r withTotal) Scan(dest ...any) error { return r.scanner.Scan(append(dest, r.total)...) }

// HistoryByID returns a record. The error wraps [ErrNotFound].
func HistoryByID(ctx context.Context, q Querier, user, id string) (events.HistoryRecord, error) {
	return one(ctx, q, scanHistory, `SELECT `+historyColumns+` FROM history WHERE user_name = $1 AND id = $2`, user, id)
}

// CreateHistory adds a record. It is [ErrFull] beyond [MaxHistory].
func CreateHistory(ctx context.Context, q Querier, user string, in HistoryInput) (events.HistoryRecord, error) {
	if err := roomForHistory(ctx, q, user, 1); err != nil {
		return events.HistoryRecord{}, err
	}
	return one(ctx, q, scanHistory, `INSERT INTO history
		(user_name, id, customer_name, article, quantity, revenue_cents, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING `+historyColumns,
		user, NewID(), in.CustomerName, in.Article, in.Quantity, in.RevenueCents, now().UnixMicro())
}

// ImportHistory adds records; the first is the newest. It returns how many. It is
// [ErrFull] beyond [MaxHistory].
func ImportHistory(ctx context.Context, q Querier, user string, rows []HistoryInput) (int, error) {
	if err := roomForHistory(ctx, q, user, len(rows)); err != nil {
		return 0, err
	}
	at := now().UnixMicro() + 1
	return insertMany(ctx, q, `INSERT INTO history
		(user_name, id, customer_name, article, quantity, revenue_cents, created_at, updated_at) VALUES`, ``,
		rows, func(in HistoryInput) []any {
			at--
			return []any{user, NewID(), in.CustomerName, in.Article, in.Quantity, in.RevenueCents, at, at}
		})
}

// roomForHistory makes those of the same user wait, so that the count holds.
func roomForHistory(ctx context.Context, q Querier, user string, more int) error {
	if err := lockUser(ctx, q, user); err != nil {
		return err
	}
	have, err := count(ctx, q, `SELECT count(*) FROM history WHERE user_name = $1`, user)
	if err == nil && have+more > MaxHistory {
		err = fmt.Errorf("%w: %d records and %d new ones, at most %d", ErrFull, have, more, MaxHistory)
	}
	return err
}

// UpdateHistory changes a record. It is [ErrBusy] while a job works on it, so that job
// calls SetHistoryJob with nil before.
func UpdateHistory(ctx context.Context, q Querier, user, id string, in HistoryInput) (events.HistoryRecord, error) {
	return change(ctx, q, scanHistory, "history", user, id, `UPDATE history
		SET customer_name = $3, article = $4, quantity = $5, revenue_cents = $6, updated_at = `+later(`updated_at`, `$7`)+`
		WHERE user_name = $1 AND id = $2 AND job_id IS NULL RETURNING `+historyColumns,
		in.CustomerName, in.Article, in.Quantity, in.RevenueCents, now().UnixMicro())
}

// DeleteHistory deletes a record. It is [ErrBusy] while a job works on it, so that job
// calls SetHistoryJob with nil before.
func DeleteHistory(ctx context.Context, q Querier, user, id string) error {
	_, err := change(ctx, q, scanID, "history", user, id, `DELETE FROM history
		WHERE user_name = $1 AND id = $2 AND job_id IS NULL RETURNING id`)
	return err
}

// SetHistoryJob says which job works on a record; nil: none. It is [ErrBusy] while
// another one does. The same job may say so again.
func SetHistoryJob(ctx context.Context, q Querier, user, id string, jobID *string) (events.HistoryRecord, error) {
	return change(ctx, q, scanHistory, "history", user, id, `UPDATE history SET job_id = $3, updated_at = `+later(`updated_at`, `$4`)+`
		WHERE user_name = $1 AND id = $2`+jobGuard(jobID)+` RETURNING `+historyColumns, jobID, now().UnixMicro())
}

// jobGuard keeps a job from taking a row that another one works on.
func jobGuard(jobID *string) string {
	if jobID == nil {
		return ""
	}
	return ` AND (job_id IS NULL OR job_id = $3)`
}
