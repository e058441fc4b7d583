package api

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

func (a *API) listNotifications(w http.ResponseWriter, r *http.Request, user string) error {
	list, err := store.Notifications(r.Context(), a.cfg.Store.DB, user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, list)
}

func (a *API) readNotification(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "notification")
	if err != nil {
		return err
	}
	return a.markRead(w, r, user, []string{id})
}

func (a *API) readAllNotifications(w http.ResponseWriter, r *http.Request, user string) error {
	return a.markRead(w, r, user, nil)
}

// markRead marks notifications as read, and tells if that has changed anything.
func (a *API) markRead(w http.ResponseWriter, r *http.Request, user string, ids []string) error {
	var read events.ReadNotifications
	err := a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		var marked int
		if marked, read, err = store.MarkRead(ctx, tx, user, ids); err != nil {
			return because(err, missing("notification"), nil)
		}
		if marked > 0 {
			events.NotificationRead.Except(deviceOf(r)).Broadcast(out, user, read)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, struct {
		Unread   int   `json:"unread"`
		Revision int64 `json:"revision"`
	}{read.Unread, read.Revision})
}
