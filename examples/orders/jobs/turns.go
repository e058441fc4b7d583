package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/usercast-go/usercast/examples/orders/store"
)

const (
	pollEvery = 100 * time.Millisecond
	// keepTurns is how long River keeps turns that are over, which nobody reads.
	keepTurns = 10 * time.Minute
)

// A turn is what River delivers: that a job may be the first of its user's queue. It may
// come too often, or not at all.
type turn struct {
	JobID string `json:"jobId"`
}

// Kind implements river.JobArgs.
func (turn) Kind() string { return "turn" }

// A worker takes turns.
type worker struct {
	river.WorkerDefaults[turn]
	take func(jobID string) bool
}

// Work implements river.Worker. It never fails: what a turn leaves undone is found by the
// next tick. A turn that comes while the runner stops is left to the next runner.
func (w *worker) Work(_ context.Context, t *river.Job[turn]) error {
	if !w.take(t.Args.JobID) {
		return river.JobSnooze(0)
	}
	return nil
}

// Timeout implements river.Worker: jobs have a timeout of their own.
func (w *worker) Timeout(*river.Job[turn]) time.Duration { return -1 }

// turns deliver turns.
type turns = river.Client[*sql.Tx]

func newTurns(s *store.Store, workers int, logger *slog.Logger, take func(jobID string) bool) (*turns, error) {
	bundle := river.NewWorkers()
	if err := river.AddWorkerSafely(bundle, &worker{take: take}); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	client, err := river.NewClient(driver(s), &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:                     bundle,
		PollOnly:                    true, // database/sql has no LISTEN
		FetchPollInterval:           pollEvery,
		FetchCooldown:               pollEvery,
		CompletedJobRetentionPeriod: keepTurns,
		CancelledJobRetentionPeriod: keepTurns,
		DiscardedJobRetentionPeriod: keepTurns,
		Logger:                      logger,
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return client, nil
}

func driver(s *store.Store) riverdriver.Driver[*sql.Tx] {
	if s.Dialect == store.PostgreSQL {
		return riverdatabasesql.New(s.DB)
	}
	return riversqlite.New(s.DB)
}

func migrateRiver(ctx context.Context, s *store.Store) error {
	m, err := rivermigrate.New(driver(s), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if s.Dialect == store.PostgreSQL { // a transaction cannot use the value of an enum that it has added
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	} else {
		err = migrateInTx(ctx, s, m)
	}
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return nil
}

// migrateInTx keeps other processes out: SQLite has one writer.
func migrateInTx(ctx context.Context, s *store.Store, m *rivermigrate.Migrator[*sql.Tx]) error {
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after the commit there is nothing to roll back
	//lint:ignore SA1019 no migration of SQLite's needs more than one transaction, and without it two processes break each other's
	if _, err := m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	return tx.Commit()
}

// give gives a job its turn, when tx commits.
func (r *Runner) give(ctx context.Context, tx *sql.Tx, jobID string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET given = given + 1, given_at = `+r.clock+` WHERE id = $1`, jobID); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return r.insertTurn(ctx, tx, jobID)
}

func (r *Runner) insertTurn(ctx context.Context, tx *sql.Tx, jobID string) error {
	if _, err := r.turns.InsertTx(ctx, tx, turn{jobID}, nil); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return nil
}

// giveNext gives the next job of a user its turn, if one waits. The caller has locked
// the queue, and no job of it runs.
func (r *Runner) giveNext(ctx context.Context, tx *sql.Tx, user string) error {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT id FROM jobs WHERE user_name = $1 AND status = 'queued' ORDER BY seq LIMIT 1`, user).Scan(&id)
	switch {
	case isNoRows(err):
		return nil
	case err != nil:
		return fmt.Errorf("jobs: %w", err)
	}
	return r.give(ctx, tx, id)
}
