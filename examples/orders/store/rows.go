package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Instants are whole microseconds since 1970 in the database, as both kinds of it have
// integers, and whole microseconds they are in JSON too: what an event carries is what a
// later fetch answers.

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// later is the part of a statement that says when a row is changed: now, but always
// later than the change before, as devices tell by it which of two changes is the newer
// one. A clock that is set back must not make them keep the older.
func later(before, now string) string {
	return `CASE WHEN ` + before + ` >= ` + now + ` THEN ` + before + ` + 1 ELSE ` + now + ` END`
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// A scanner is a row: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// list reads all rows. It returns an empty list rather than nil: JSON has [] then.
func list[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, nil
}

// one reads one row.
func one[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return v, ErrNotFound
	case err != nil:
		return v, fmt.Errorf("store: %w", err)
	}
	return v, nil
}

// change is one for an UPDATE or DELETE with a condition: the condition is part of the
// statement, so of two transactions at once only one finds it true. What met no row is
// ErrBusy if the row is there.
func change[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), table, user, id, query string, args ...any) (T, error) {
	v, err := one(ctx, q, scan, query, append([]any{user, id}, args...)...)
	if !errors.Is(err, ErrNotFound) {
		return v, err
	}
	var there int
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE user_name = $1 AND id = $2`, user, id).Scan(&there)
	switch {
	case err != nil:
		return v, fmt.Errorf("store: %w", err)
	case there > 0:
		return v, ErrBusy
	}
	return v, ErrNotFound
}

// count returns the number that a query gives.
func count(ctx context.Context, q Querier, query string, args ...any) (n int, err error) {
	if err = q.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return n, nil
}

// exec runs a statement and returns how many rows it met.
func exec(ctx context.Context, q Querier, query string, args ...any) (int, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return int(n), nil
}

// chunk is how many rows one statement inserts. SQLite's driver looks each parameter up by
// its name among all the others, PostgreSQL has a round trip for each statement: 2,000 records
// take SQLite 30 ms by 10, 50 ms by 40 and 280 ms by 500 rows, and PostgreSQL 68, 46 and 46 ms.
const chunk = 40

// insertMany inserts rows, some dozen with each statement: head is "INSERT INTO t (…)
// VALUES", tail what follows the values. It returns how many rows were written.
func insertMany[T any](ctx context.Context, q Querier, head, tail string, rows []T, values func(T) []any) (int, error) {
	written := 0
	for len(rows) > 0 {
		part := rows[:min(chunk, len(rows))]
		rows = rows[len(part):]
		var b strings.Builder
		var args []any
		b.WriteString(head)
		for i, row := range part {
			v := values(row)
			b.WriteString(map[bool]string{true: " (", false: ", ("}[i == 0])
			writePlaceholders(&b, len(args)+1, len(v))
			b.WriteString(")")
			args = append(args, v...)
		}
		b.WriteString(tail)
		n, err := exec(ctx, q, b.String(), args...)
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// writePlaceholders writes n of them: "$3, $4".
func writePlaceholders(b *strings.Builder, first, n int) {
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "$%d", first+i)
	}
}

// in returns "($2, $3)" for values from the placeholder first on, and the values as
// arguments.
func in(first int, values []string) (string, []any) {
	var b strings.Builder
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	b.WriteString("(")
	writePlaceholders(&b, first, len(values))
	b.WriteString(")")
	return b.String(), args
}
