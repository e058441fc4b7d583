package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/usercast-go/usercast/examples/orders/events"
)

// PendingInput is what a user says of a pending order.
type PendingInput struct {
	CustomerID string
	Lines      []events.OrderLine
	Note       string
}

const pendingColumns = `id, customer_id, customer_name, lines, total_cents, note, status, job_id, updated_at`

func scanPending(row scanner) (o events.PendingOrder, err error) {
	var lines string
	var updated int64
	err = row.Scan(&o.ID, &o.CustomerID, &o.CustomerName, &lines, &o.TotalCents, &o.Note, &o.Status, &o.JobID, &updated)
	if err != nil {
		return o, err
	}
	o.UpdatedAt = fromMicros(updated)
	return o, json.Unmarshal([]byte(lines), &o.Lines)
}

// Pending returns the user's pending orders, newest first, at most [MaxList].
func Pending(ctx context.Context, q Querier, user string) ([]events.PendingOrder, error) {
	return list(ctx, q, scanPending, `SELECT `+pendingColumns+` FROM pending WHERE user_name = $1
		ORDER BY created_at DESC, id LIMIT $2`, user, MaxList)
}

// PendingByID returns a pending order. The error wraps [ErrNotFound].
func PendingByID(ctx context.Context, q Querier, user, id string) (events.PendingOrder, error) {
	return one(ctx, q, scanPending, `SELECT `+pendingColumns+` FROM pending WHERE user_name = $1 AND id = $2`, user, id)
}

// CreatePending adds pending orders and returns them in the order given; the last is the
// newest. It is [ErrNotFound] if a customer is not the user's, and [ErrFull] beyond
// [MaxPending].
func CreatePending(ctx context.Context, q Querier, user string, in ...PendingInput) ([]events.PendingOrder, error) {
	// The lock makes those of the same user wait, so that the count below holds.
	if err := lockUser(ctx, q, user); err != nil {
		return nil, err
	}
	have, err := count(ctx, q, `SELECT count(*) FROM pending WHERE user_name = $1`, user)
	if err != nil {
		return nil, err
	}
	if have+len(in) > MaxPending {
		return nil, fmt.Errorf("%w: %d pending orders and %d new ones, at most %d", ErrFull, have, len(in), MaxPending)
	}
	out := make([]events.PendingOrder, 0, len(in))
	created := now().UnixMicro()
	for i, o := range in {
		customer, lines, err := resolve(ctx, q, user, o)
		if err != nil {
			return nil, err
		}
		row, err := one(ctx, q, scanPending, `INSERT INTO pending
			(user_name, id, customer_id, customer_name, lines, total_cents, note, status, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING `+pendingColumns,
			user, NewID(), customer.ID, customer.Name, lines, total(o.Lines), o.Note, string(events.PendingOpen), created+int64(i))
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// UpdatePending changes a pending order; one that failed is pending again. It is
// [ErrBusy] while it is being submitted, and [ErrNotFound] if the user has no such order
// or no such customer.
func UpdatePending(ctx context.Context, q Querier, user, id string, in PendingInput) (events.PendingOrder, error) {
	customer, lines, err := resolve(ctx, q, user, in)
	if err != nil {
		return events.PendingOrder{}, err
	}
	return change(ctx, q, scanPending, "pending", user, id, `UPDATE pending
		SET customer_id = $3, customer_name = $4, lines = $5, total_cents = $6, note = $7, status = $8, job_id = NULL, updated_at = `+later(`updated_at`, `$9`)+`
		WHERE user_name = $1 AND id = $2 AND status <> 'submitting' RETURNING `+pendingColumns,
		customer.ID, customer.Name, lines, total(in.Lines), in.Note, string(events.PendingOpen), now().UnixMicro())
}

// resolve finds the customer of an order and encodes its lines.
func resolve(ctx context.Context, q Querier, user string, in PendingInput) (events.Customer, string, error) {
	customer, err := CustomerByID(ctx, q, user, in.CustomerID)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: customer %q", ErrNotFound, in.CustomerID)
	}
	if err != nil {
		return customer, "", err
	}
	lines, err := json.Marshal(in.Lines)
	if err != nil {
		return customer, "", fmt.Errorf("store: %w", err)
	}
	return customer, string(lines), nil
}

func total(lines []events.OrderLine) (cents int64) {
	for _, l := range lines {
		cents += int64(l.Quantity) * l.PriceCents
	}
	return cents
}

// DeletePending deletes pending orders and returns the IDs of those that were there. It
// is [ErrBusy] if one is being submitted; the caller then rolls back.
func DeletePending(ctx context.Context, q Querier, user string, ids []string) ([]string, error) {
	deleted := []string{}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return deleted, nil
	}
	set, args := in(2, ids)
	args = append([]any{user}, args...)
	deleted, err := list(ctx, q, scanID, `DELETE FROM pending WHERE user_name = $1 AND status <> 'submitting' AND id IN `+set+` RETURNING id`, args...)
	if err != nil || len(deleted) == len(ids) {
		return deleted, err
	}
	busy, err := count(ctx, q, `SELECT count(*) FROM pending WHERE user_name = $1 AND id IN `+set, args...)
	if err == nil && busy > 0 {
		err = fmt.Errorf("%w: %d of the orders are being submitted", ErrBusy, busy)
	}
	return deleted, err
}

func scanID(row scanner) (id string, err error) { return id, row.Scan(&id) }

// SetPendingStatus sets where a pending order stands. It is [ErrBusy] to submit one that
// another job submits already; the same job may say so again.
func SetPendingStatus(ctx context.Context, q Querier, user, id string, status events.PendingStatus, jobID *string) (events.PendingOrder, error) {
	guard := ""
	if status == events.PendingSubmitting {
		guard = ` AND (status <> 'submitting' OR job_id = $4)`
	}
	return change(ctx, q, scanPending, "pending", user, id, `UPDATE pending SET status = $3, job_id = $4, updated_at = `+later(`updated_at`, `$5`)+`
		WHERE user_name = $1 AND id = $2`+guard+` RETURNING `+pendingColumns, string(status), jobID, now().UnixMicro())
}

// PromotePending makes a pending order the submitted order that the ERP knows as orderID.
// Done again it returns the order as it is. It is [ErrNotFound] if there is neither.
func PromotePending(ctx context.Context, q Querier, user, pendingID, orderID string) (events.SubmittedOrder, error) {
	o, err := one(ctx, q, scanPending, `DELETE FROM pending WHERE user_name = $1 AND id = $2 RETURNING `+pendingColumns, user, pendingID)
	if errors.Is(err, ErrNotFound) {
		return SubmittedByID(ctx, q, user, orderID)
	}
	if err != nil {
		return events.SubmittedOrder{}, err
	}
	// A sync may have brought the order before the job that sent it got here.
	return one(ctx, q, scanSubmitted, `INSERT INTO submitted
		(user_name, id, customer_id, customer_name, total_cents, note, status, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
		ON CONFLICT (user_name, id) DO UPDATE SET customer_id = excluded.customer_id, customer_name = excluded.customer_name,
			total_cents = excluded.total_cents, note = excluded.note, updated_at = `+later(`submitted.updated_at`, `excluded.updated_at`)+`
		RETURNING `+submittedColumns,
		user, orderID, o.CustomerID, o.CustomerName, o.TotalCents, o.Note, string(events.OrderSubmitted), now().UnixMicro())
}
