package store

import (
	"context"

	"github.com/usercast-go/usercast/examples/orders/events"
)

const customerColumns = `id, name, city, email, job_id, updated_at`

func scanCustomer(row scanner) (c events.Customer, err error) {
	var updated int64
	err = row.Scan(&c.ID, &c.Name, &c.City, &c.Email, &c.JobID, &updated)
	c.UpdatedAt = fromMicros(updated)
	return c, err
}

// Customers returns the user's customers by their names, at most [MaxCustomers].
func Customers(ctx context.Context, q Querier, user string) ([]events.Customer, error) {
	return list(ctx, q, scanCustomer, `SELECT `+customerColumns+` FROM customers WHERE user_name = $1
		ORDER BY name, id LIMIT $2`, user, MaxCustomers)
}

// CustomerByID returns a customer. The error wraps [ErrNotFound].
func CustomerByID(ctx context.Context, q Querier, user, id string) (events.Customer, error) {
	return one(ctx, q, scanCustomer, `SELECT `+customerColumns+` FROM customers WHERE user_name = $1 AND id = $2`, user, id)
}

// UpdateCustomer changes a customer to what the ERP has; no job works on it then.
func UpdateCustomer(ctx context.Context, q Querier, user, id, name, city, email string) (events.Customer, error) {
	return one(ctx, q, scanCustomer, `UPDATE customers SET name = $3, city = $4, email = $5, job_id = NULL, updated_at = `+later(`updated_at`, `$6`)+`
		WHERE user_name = $1 AND id = $2 RETURNING `+customerColumns, user, id, name, city, email, now().UnixMicro())
}

// SetCustomerJob says which job works on a customer; nil: none. It is [ErrBusy] while
// another one does. The same job may say so again.
func SetCustomerJob(ctx context.Context, q Querier, user, id string, jobID *string) (events.Customer, error) {
	return change(ctx, q, scanCustomer, "customers", user, id, `UPDATE customers SET job_id = $3, updated_at = `+later(`updated_at`, `$4`)+`
		WHERE user_name = $1 AND id = $2`+jobGuard(jobID)+` RETURNING `+customerColumns, jobID, now().UnixMicro())
}

// UpsertCustomers adds customers that the ERP has, or changes them to what it has, and
// returns how many. Those that a job works on stay as they are. The IDs differ from
// each other.
func UpsertCustomers(ctx context.Context, q Querier, user string, rows []events.Customer) (int, error) {
	at := now().UnixMicro()
	return insertMany(ctx, q, `INSERT INTO customers (user_name, id, name, city, email, updated_at) VALUES`,
		` ON CONFLICT (user_name, id) DO UPDATE SET name = excluded.name, city = excluded.city, email = excluded.email,
			updated_at = `+later(`customers.updated_at`, `excluded.updated_at`)+` WHERE customers.job_id IS NULL`,
		rows, func(c events.Customer) []any { return []any{user, c.ID, c.Name, c.City, c.Email, at} })
}
