package api

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strconv"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var (
	errNoRecord     = missing("record")
	errRecordAtWork = busy("", "work on the record goes on", "wait until that has ended, or cancel it")
)

const (
	defaultHistoryLimit = 50
	maxOffset           = 1_000_000
)

func (a *API) listHistory(w http.ResponseWriter, r *http.Request, user string) error {
	limit, err := queryNumber(r, "limit", defaultHistoryLimit, 1, store.MaxList)
	if err != nil {
		return err
	}
	offset, err := queryNumber(r, "offset", 0, 0, maxOffset)
	if err != nil {
		return err
	}
	total, rows, err := store.History(r.Context(), a.cfg.Store.DB, user, limit, offset)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, struct {
		Total int                    `json:"total"`
		Rows  []events.HistoryRecord `json:"rows"`
	}{total, rows})
}

// queryNumber reads a number of the URL.
func queryNumber(r *http.Request, name string, def, least, most int) (int, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, invalid(name, "it is no number", fmt.Sprintf("send a number from %d to %d", least, most))
	}
	return n, number(name, int64(n), int64(least), int64(most))
}

func readRecord(r *http.Request) (store.HistoryInput, error) {
	var in historyInput
	if err := decode(r, &in); err != nil {
		return store.HistoryInput{}, err
	}
	return in.check("")
}

func (a *API) createHistory(w http.ResponseWriter, r *http.Request, user string) error {
	in, err := readRecord(r)
	if err != nil {
		return err
	}
	var row events.HistoryRecord
	err = a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if row, err = store.CreateHistory(ctx, tx, user, in); err != nil {
			return err
		}
		events.FresisHistoryCreated.Except(deviceOf(r)).Broadcast(out, user, events.HistoryChanged{RecordID: row.ID, Record: row})
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusCreated, row)
}

func (a *API) updateHistory(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "record")
	if err != nil {
		return err
	}
	in, err := readRecord(r)
	if err != nil {
		return err
	}
	var row events.HistoryRecord
	err = a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if row, err = store.UpdateHistory(ctx, tx, user, id, in); err != nil {
			return because(err, errNoRecord, errRecordAtWork)
		}
		events.FresisHistoryUpdated.Except(deviceOf(r)).Broadcast(out, user, events.HistoryChanged{RecordID: id, Record: row})
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, row)
}

func (a *API) deleteHistory(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "record")
	if err != nil {
		return err
	}
	err = a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) error {
		if err := store.DeleteHistory(ctx, tx, user, id); err != nil {
			return because(err, errNoRecord, errRecordAtWork)
		}
		events.FresisHistoryDeleted.Except(deviceOf(r)).Broadcast(out, user, events.HistoryDeleted{RecordID: id})
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// importHistory adds many records at once. Two events tell of it, however many they are.
func (a *API) importHistory(w http.ResponseWriter, r *http.Request, user string) error {
	var in struct {
		Rows []historyInput `json:"rows"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if len(in.Rows) == 0 || len(in.Rows) > maxImport {
		return invalid("rows", fmt.Sprintf("there are %d", len(in.Rows)), fmt.Sprintf("send 1 to %d", maxImport))
	}
	rows := make([]store.HistoryInput, len(in.Rows))
	for i, row := range in.Rows {
		var err error
		if rows[i], err = row.check(fmt.Sprintf("rows[%d].", i)); err != nil {
			return err
		}
	}
	n := 0
	err := a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if n, err = store.ImportHistory(ctx, tx, user, rows); err != nil {
			return err
		}
		note, err := store.AddNotification(ctx, tx, user, "History imported", fmt.Sprintf("%d records were added.", n))
		if err != nil {
			return err
		}
		events.FresisHistoryBulkImported.Except(deviceOf(r)).Broadcast(out, user, events.HistoryImported{Count: n})
		events.NotificationNew.Broadcast(out, user, note) // to all: the answer does not carry it
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, counted{n})
}

func (a *API) editHistoryInERP(w http.ResponseWriter, r *http.Request, user string) error {
	in, err := readRecord(r)
	if err != nil {
		return err
	}
	return a.startHistoryJob(w, r, user, jobs.EditHistory, jobs.HistoryArgs(in))
}

func (a *API) deleteHistoryInERP(w http.ResponseWriter, r *http.Request, user string) error {
	return a.startHistoryJob(w, r, user, jobs.DeleteHistory, nil)
}

func (a *API) startHistoryJob(w http.ResponseWriter, r *http.Request, user, kind string, args any) error {
	return a.startJob(w, r, user, "record", errRecordAtWork, func(ctx context.Context, tx *sql.Tx, id string) (work, error) {
		row, err := store.HistoryByID(ctx, tx, user, id)
		return work{kind, row.Article, args}, err
	})
}
