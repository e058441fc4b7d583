package api

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// Work on a submitted order is a job's: the ERP has the order.

var errOrderAtWork = busy("", "work on the order goes on, or it is sent already", "wait until the work has ended, or cancel it; what is sent cannot be changed")

func (a *API) listSubmitted(w http.ResponseWriter, r *http.Request, user string) error {
	rows, err := store.Submitted(r.Context(), a.cfg.Store.DB, user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

func (a *API) editOrder(w http.ResponseWriter, r *http.Request, user string) error {
	var in jobs.NoteArgs
	err := decode(r, &in)
	if err == nil {
		in.Note, err = text("note", in.Note, false, maxNote)
	}
	if err != nil {
		return err
	}
	return a.startOrderJob(w, r, user, jobs.EditOrder, in)
}

func (a *API) deleteOrder(w http.ResponseWriter, r *http.Request, user string) error {
	return a.startOrderJob(w, r, user, jobs.DeleteOrder, nil)
}

func (a *API) sendToVerona(w http.ResponseWriter, r *http.Request, user string) error {
	return a.startOrderJob(w, r, user, jobs.SendToVerona, nil)
}

func (a *API) startOrderJob(w http.ResponseWriter, r *http.Request, user, kind string, args any) error {
	return a.startJob(w, r, user, "order", errOrderAtWork, func(ctx context.Context, tx *sql.Tx, id string) (work, error) {
		o, err := store.SubmittedByID(ctx, tx, user, id)
		name := o.CustomerName
		if o.OrderNumber != nil {
			name = *o.OrderNumber + ", " + name
		}
		return work{kind, name, args}, err
	})
}
