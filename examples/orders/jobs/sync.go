package jobs

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

const (
	// pageRows is how many rows come with one call of the ERP, chunkRows how many go into
	// one transaction: other writers wait no longer than for these.
	pageRows  = 400
	chunkRows = 100
	// slowCalls is how many calls a sync makes, about. Only #slow asks.
	slowCalls = 12
)

// syncWork is a sync from the ERP: the four of them differ in what is here.
type syncWork[R any] struct {
	what   events.SyncType
	fetch  func(c *erp.Client, ctx context.Context, s erp.Session, offset, limit int) (erp.Page[R], error)
	upsert func(ctx context.Context, q store.Querier, user string, rows []R) error
}

// synced is the result of a sync.
type synced struct {
	Processed int `json:"processed"`
	Total     int `json:"total"`
}

func (w syncWork[R]) kind() kind {
	return kind{
		single: true, // and what it works on is nobody's to lock
		begin:  func(context.Context, *sql.Tx, usercast.Broadcaster, *record) error { return nil },
		work:   w.work,
		done: func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, result any) error {
			got, ok := result.(synced)
			if !ok {
				return fmt.Errorf("jobs: %s: result is a %T", j.Type, result)
			}
			if err := store.SetSyncState(ctx, tx, j.user, w.what, got.Processed); err != nil {
				return err
			}
			return broadcast(to, j, events.SyncCompleted, events.SyncDone{SyncType: w.what, JobID: j.ID, Processed: got.Processed, Total: got.Total})
		},
		undone: func(_ context.Context, _ *sql.Tx, to usercast.Broadcaster, j *record, _, text string) error {
			return broadcast(to, j, events.SyncFailed, events.SyncNotDone{SyncType: w.what, JobID: j.ID, Error: text})
		},
	}
}

// work fetches the list page by page and writes it chunk by chunk. An attempt after
// another one starts over: rows that are written twice are the same rows.
func (w syncWork[R]) work(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	args, err := argsOf[NoteArgs](run.record)
	if err != nil {
		return nil, err
	}
	own := emit.NewProgress(run, run.user, events.SyncProgress, w.running(run), emit.ProgressConfig{Logger: run.r.cfg.Logger})
	got, err := w.pages(ctx, run, args.Note, func(processed, total int, label string) {
		p.Report(processed, total, label)
		own.Report(processed, total, label)
	})
	own.Stop()
	if err != nil && ctx.Err() == nil && retryable(err) {
		// The newest value is kept for devices that connect, and would stand through the
		// pause before the next attempt, which is at 0 again.
		if err := broadcast(run, run.record, events.SyncProgress, w.running(run)(emit.Snapshot{Label: "Interrupted"})); err != nil {
			run.r.cfg.Logger.Error("jobs: progress not sent", "job_id", run.ID, "error", err)
		}
	}
	return got, err
}

// running makes the payload of progress.
func (w syncWork[R]) running(run *run) func(emit.Snapshot) events.SyncRunning {
	return func(s emit.Snapshot) events.SyncRunning {
		out := events.SyncRunning{SyncType: w.what, JobID: run.ID, Processed: s.Processed, Total: s.Total, Percent: s.Percent, Label: s.Label}
		if s.ETA > 0 {
			ms := s.ETA.Milliseconds()
			out.EtaMs = &ms
		}
		return out
	}
}

func (w syncWork[R]) pages(ctx context.Context, run *run, text string, report func(processed, total int, label string)) (synced, error) {
	s := run.session(text, slowCalls)
	label := "Fetching " + string(w.what)
	report(0, 0, label)
	limit := pageRows
	for offset, total := 0, 0; ; {
		var page erp.Page[R]
		err := run.call(ctx, func(ctx context.Context, c *erp.Client) (err error) {
			page, err = w.fetch(c, ctx, s, offset, limit)
			return err
		})
		if err != nil {
			return synced{}, err
		}
		if page.Next <= offset && page.Next < page.Total {
			return synced{}, fmt.Errorf("jobs: the ERP's page of %s at %d leads to %d", w.what, offset, page.Next)
		}
		if total == 0 {
			total = page.Total
			s.Calls = (total + limit - 1) / limit
		}
		for rows := page.Rows; len(rows) > 0; {
			chunk := rows[:min(chunkRows, len(rows))]
			rows = rows[len(chunk):]
			err := run.r.writeChunk(ctx, func(tx *sql.Tx, _ *emit.Outbox) error { return w.upsert(ctx, tx, run.user, chunk) })
			if err != nil {
				return synced{}, err
			}
			report(page.Next-len(rows), total, label)
		}
		if offset = page.Next; offset >= page.Total {
			return synced{Processed: offset, Total: total}, nil
		}
		report(offset, total, label)
	}
}

// writeChunk writes rows of a sync, when fewer than maxChunks others are being written.
// Without that bound a hundred syncs at once keep everybody else from the database: on a
// slow machine leases were not renewed in time, and the syncs began anew for ever.
func (r *Runner) writeChunk(ctx context.Context, write func(*sql.Tx, *emit.Outbox) error) error {
	select {
	case r.chunks <- struct{}{}:
		defer func() { <-r.chunks }()
		return r.inTx(ctx, write)
	case <-ctx.Done():
		return fmt.Errorf("jobs: waiting to write: %w", ctx.Err())
	}
}

func upsertCustomers(ctx context.Context, q store.Querier, user string, rows []erp.Customer) error {
	out := make([]events.Customer, len(rows))
	for i, c := range rows {
		out[i] = events.Customer{ID: c.ID, Name: c.Name, City: c.City, Email: c.Email}
	}
	_, err := store.UpsertCustomers(ctx, q, user, out)
	return err
}

func upsertOrders(ctx context.Context, q store.Querier, user string, rows []erp.Order) error {
	out := make([]events.SubmittedOrder, len(rows))
	for i, o := range rows {
		out[i] = events.SubmittedOrder{OrderID: o.ID, OrderNumber: &o.Number, CustomerID: o.CustomerID, CustomerName: o.CustomerName,
			TotalCents: o.TotalCents, Note: o.Note, Status: events.OrderSubmitted, UpdatedAt: o.UpdatedAt}
		if o.Sent {
			out[i].Status = events.OrderSent
		}
	}
	_, err := store.UpsertSubmitted(ctx, q, user, out)
	return err
}

func upsertProducts(ctx context.Context, q store.Querier, user string, rows []erp.Product) error {
	out := make([]store.Product, len(rows))
	for i, p := range rows {
		out[i] = store.Product(p)
	}
	_, err := store.UpsertProducts(ctx, q, user, out)
	return err
}

func upsertPrices(ctx context.Context, q store.Querier, user string, rows []erp.Price) error {
	out := make([]store.Price, len(rows))
	for i, p := range rows {
		out[i] = store.Price(p)
	}
	_, err := store.UpsertPrices(ctx, q, user, out)
	return err
}
