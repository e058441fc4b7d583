package jobs

import (
	"context"
	"database/sql"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var (
	editHistorySteps   = []string{"Opening the ERP", "Finding the sale", "Entering the changes", "Saving the sale"}
	deleteHistorySteps = []string{"Opening the ERP", "Finding the sale", "Deleting the sale"}
)

func beginHistory(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
	_, err := setHistory(ctx, tx, to, j, &j.ID)
	return err
}

// setHistory says which job works on the record, and tells it.
func setHistory(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, jobID *string) (events.HistoryRecord, error) {
	rec, err := store.SetHistoryJob(ctx, tx, j.user, j.EntityID, jobID)
	if err != nil {
		return rec, err
	}
	return rec, broadcast(to, j, events.FresisHistoryUpdated, events.HistoryChanged{RecordID: rec.ID, Record: rec})
}

func editHistory(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	args, err := argsOf[HistoryArgs](run.record)
	if err != nil {
		return nil, err
	}
	return workOnHistory(ctx, run, p, events.FresisHistoryEditProgress, args.Article, editHistorySteps, (*erp.Client).EditRecord)
}

func deleteHistory(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	rec, err := store.HistoryByID(ctx, run.db(), run.user, run.EntityID)
	if err != nil {
		return nil, err
	}
	return workOnHistory(ctx, run, p, events.FresisHistoryDeleteProgress, rec.Article, deleteHistorySteps, (*erp.Client).DeleteRecord)
}

func workOnHistory(ctx context.Context, run *run, p *emit.Progress, event usercast.EventType[events.HistoryProgress], text string, labels []string,
	change func(*erp.Client, context.Context, erp.Session, string) error) (any, error) {
	own := emit.NewProgress(run, run.user, event, func(s emit.Snapshot) events.HistoryProgress {
		return events.HistoryProgress{RecordID: run.EntityID, JobID: run.ID, Progress: s.Percent, Label: s.Label}
	}, emit.ProgressConfig{Logger: run.r.cfg.Logger})
	defer own.Stop()
	d := dialog{run, []*emit.Progress{p, own}, text, labels}
	return nil, d.pass(ctx, func(ctx context.Context, c *erp.Client, s erp.Session) error { return change(c, ctx, s, run.EntityID) })
}

func historyEdited(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _ any) error {
	args, err := argsOf[HistoryArgs](j)
	if err != nil {
		return err
	}
	if _, err := store.SetHistoryJob(ctx, tx, j.user, j.EntityID, nil); err != nil {
		return gone(err)
	}
	rec, err := store.UpdateHistory(ctx, tx, j.user, j.EntityID, store.HistoryInput(args))
	if err != nil {
		return gone(err)
	}
	return broadcast(to, j, events.FresisHistoryUpdated, events.HistoryChanged{RecordID: rec.ID, Record: rec})
}

func historyDeleted(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _ any) error {
	if _, err := store.SetHistoryJob(ctx, tx, j.user, j.EntityID, nil); err != nil && gone(err) != nil {
		return err
	}
	if err := gone(store.DeleteHistory(ctx, tx, j.user, j.EntityID)); err != nil {
		return err
	}
	return broadcast(to, j, events.FresisHistoryDeleted, events.HistoryDeleted{RecordID: j.EntityID})
}

func historyUnlocked(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _, _ string) error {
	_, err := setHistory(ctx, tx, to, j, nil)
	return gone(err)
}
