package jobs

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/usercast-go/usercast/examples/orders/store"
)

// schema makes the tables. Instants are microseconds since 1970.
var schema = []string{
	// One row of a user with jobs. To update it is to lock the user's queue.
	`CREATE TABLE IF NOT EXISTS job_queues (
		user_name TEXT PRIMARY KEY REFERENCES users (name),
		seq       BIGINT NOT NULL
	)`,
	// seq is the order of a user's jobs. claims counts who has run the job, and with owner
	// says who does. lost counts those who did not come back. given counts turns since the
	// last claim.
	`CREATE TABLE IF NOT EXISTS jobs (
		id          TEXT PRIMARY KEY,
		user_name   TEXT NOT NULL REFERENCES users (name),
		seq         BIGINT NOT NULL,
		type        TEXT NOT NULL,
		entity_id   TEXT NOT NULL,
		entity_name TEXT NOT NULL,
		args        TEXT NOT NULL,
		status      TEXT NOT NULL,
		progress    BIGINT NOT NULL DEFAULT 0,
		label       TEXT NOT NULL DEFAULT '',
		error       TEXT,
		result      TEXT,
		attempt     BIGINT NOT NULL DEFAULT 0,
		original_id TEXT,
		cancel      BIGINT NOT NULL DEFAULT 0,
		owner       TEXT NOT NULL DEFAULT '',
		claims      BIGINT NOT NULL DEFAULT 0,
		lost        BIGINT NOT NULL DEFAULT 0,
		lease_until BIGINT NOT NULL DEFAULT 0,
		given       BIGINT NOT NULL DEFAULT 0,
		given_at    BIGINT NOT NULL DEFAULT 0,
		created_at  BIGINT NOT NULL,
		updated_at  BIGINT NOT NULL
	)`,
	`CREATE UNIQUE INDEX IF NOT EXISTS jobs_of_user ON jobs (user_name, seq)`,
	`CREATE UNIQUE INDEX IF NOT EXISTS jobs_running ON jobs (user_name) WHERE status IN ('running', 'retrying')`,
	`CREATE INDEX IF NOT EXISTS jobs_active ON jobs (user_name, seq) WHERE status IN ('queued', 'running', 'retrying')`,
}

// Parts of statements.
const (
	isRunning = `status IN ('running', 'retrying')`
	isActive  = `status IN ('queued', 'running', 'retrying')`
	// isFirst says that no other job of the user comes before.
	isFirst = `NOT EXISTS (SELECT 1 FROM jobs AS earlier WHERE earlier.user_name = jobs.user_name
		AND earlier.status IN ('queued', 'running', 'retrying') AND earlier.seq < jobs.seq)`
)

// clock is the database's own: the only one that several processes share.
func clock(d store.Dialect) string {
	if d == store.PostgreSQL {
		return `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
}

// Migrate makes the tables of jobs that are missing, and River's. Several processes may
// do so at once. [New] does not.
func Migrate(ctx context.Context, s *store.Store) error {
	if err := s.Migrate(ctx, schema...); err != nil {
		return err
	}
	if s.Dialect != store.PostgreSQL {
		return migrateRiver(ctx, s)
	}
	// River does not keep two processes from making the same table.
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	defer conn.Close()
	const lock = 7264
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, lock); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	defer unlock(conn, lock)
	return migrateRiver(ctx, s)
}

// unlock gives the lock back although ctx may have ended: the connection lives on.
func unlock(conn *sql.Conn, lock int) {
	conn.ExecContext(context.Background(), `SELECT pg_advisory_unlock($1)`, lock) //nolint:errcheck // a broken connection has none
}
