package store

import (
	"context"

	"github.com/usercast-go/usercast/examples/orders/events"
)

const submittedColumns = `id, order_number, customer_id, customer_name, total_cents, note, status, job_id, updated_at`

func scanSubmitted(row scanner) (o events.SubmittedOrder, err error) {
	var updated int64
	err = row.Scan(&o.OrderID, &o.OrderNumber, &o.CustomerID, &o.CustomerName, &o.TotalCents, &o.Note, &o.Status, &o.JobID, &updated)
	o.UpdatedAt = fromMicros(updated)
	return o, err
}

// Submitted returns the user's submitted orders, newest first, at most [MaxList].
func Submitted(ctx context.Context, q Querier, user string) ([]events.SubmittedOrder, error) {
	return list(ctx, q, scanSubmitted, `SELECT `+submittedColumns+` FROM submitted WHERE user_name = $1
		ORDER BY created_at DESC, id LIMIT $2`, user, MaxList)
}

// SubmittedByID returns a submitted order. The error wraps [ErrNotFound].
func SubmittedByID(ctx context.Context, q Querier, user, orderID string) (events.SubmittedOrder, error) {
	return one(ctx, q, scanSubmitted, `SELECT `+submittedColumns+` FROM submitted WHERE user_name = $1 AND id = $2`, user, orderID)
}

// SetOrderStatus sets where a submitted order stands. Work can begin on an order that is
// submitted: it is [ErrBusy] while another job works on it, or when it is sent. The same
// job may say so again. Work can always end.
func SetOrderStatus(ctx context.Context, q Querier, user, orderID string, status events.OrderStatus, jobID *string) (events.SubmittedOrder, error) {
	guard := ""
	switch status {
	case events.OrderEditing, events.OrderDeleting, events.OrderSending:
		guard = ` AND (status = 'submitted' OR status = $3 AND job_id = $4)`
	}
	return change(ctx, q, scanSubmitted, "submitted", user, orderID, `UPDATE submitted SET status = $3, job_id = $4, updated_at = `+later(`updated_at`, `$5`)+`
		WHERE user_name = $1 AND id = $2`+guard+` RETURNING `+submittedColumns, string(status), jobID, now().UnixMicro())
}

// SetOrderNumber sets the number that the ERP gave an order.
func SetOrderNumber(ctx context.Context, q Querier, user, orderID, number string) (events.SubmittedOrder, error) {
	return one(ctx, q, scanSubmitted, `UPDATE submitted SET order_number = $3, updated_at = `+later(`updated_at`, `$4`)+`
		WHERE user_name = $1 AND id = $2 RETURNING `+submittedColumns, user, orderID, number, now().UnixMicro())
}

// SetOrderNote sets an order's note.
func SetOrderNote(ctx context.Context, q Querier, user, orderID, note string) (events.SubmittedOrder, error) {
	return one(ctx, q, scanSubmitted, `UPDATE submitted SET note = $3, updated_at = `+later(`updated_at`, `$4`)+`
		WHERE user_name = $1 AND id = $2 RETURNING `+submittedColumns, user, orderID, note, now().UnixMicro())
}

// DeleteSubmitted deletes a submitted order, whoever works on it. The error wraps
// [ErrNotFound].
func DeleteSubmitted(ctx context.Context, q Querier, user, orderID string) error {
	n, err := exec(ctx, q, `DELETE FROM submitted WHERE user_name = $1 AND id = $2`, user, orderID)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// UpsertSubmitted adds orders that the ERP has, or changes them to what it has, and
// returns how many. Those that a job works on stay as they are: its end says what
// they are. The IDs differ from each other; UpdatedAt is when an order was made, if it is new.
func UpsertSubmitted(ctx context.Context, q Querier, user string, rows []events.SubmittedOrder) (int, error) {
	at := now().UnixMicro()
	return insertMany(ctx, q, `INSERT INTO submitted
		(user_name, id, order_number, customer_id, customer_name, total_cents, note, status, created_at, updated_at) VALUES`,
		` ON CONFLICT (user_name, id) DO UPDATE SET order_number = excluded.order_number, customer_id = excluded.customer_id,
			customer_name = excluded.customer_name, total_cents = excluded.total_cents, note = excluded.note,
			status = excluded.status, updated_at = `+later(`submitted.updated_at`, `excluded.updated_at`)+` WHERE submitted.job_id IS NULL`,
		rows, func(o events.SubmittedOrder) []any {
			return []any{user, o.OrderID, o.OrderNumber, o.CustomerID, o.CustomerName, o.TotalCents, o.Note, string(o.Status), o.UpdatedAt.UnixMicro(), at}
		})
}
