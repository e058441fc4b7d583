package api

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var errSyncing = busy("type", "such a sync is queued or runs already", "wait until it has ended, or cancel it")

func (a *API) listSyncs(w http.ResponseWriter, r *http.Request, user string) error {
	rows, err := store.SyncState(r.Context(), a.cfg.Store.DB, user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

// startSync begins a sync. The note is for the curious: see package erp.
func (a *API) startSync(w http.ResponseWriter, r *http.Request, user string) error {
	kind := events.SyncType(r.PathValue("type"))
	if jobs.SyncJob(kind) == "" {
		return &problem{http.StatusNotFound, "there is no such sync", "type", "use customers, orders, products or prices"}
	}
	var in jobs.NoteArgs
	if r.ContentLength != 0 { // there may be nothing to say
		if err := decode(r, &in); err != nil {
			return err
		}
	}
	note, err := text("note", in.Note, false, maxNote)
	if err != nil {
		return err
	}
	return a.enqueue(w, r, user, nil, errSyncing, func(context.Context, *sql.Tx) (jobs.Request, error) {
		return jobs.Request{
			UserID: user, Type: jobs.SyncJob(kind), EntityID: string(kind), EntityName: string(kind), Args: jobs.NoteArgs{Note: note}, Device: deviceOf(r),
		}, nil
	})
}
