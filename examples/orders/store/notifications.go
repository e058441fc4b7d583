package store

import (
	"context"
	"fmt"

	"github.com/usercast-go/usercast/examples/orders/events"
)

const notificationColumns = `id, title, body, is_read, created_at`

func scanNotification(row scanner) (n events.Notification, err error) {
	var read, created int64
	err = row.Scan(&n.ID, &n.Title, &n.Body, &read, &created)
	n.Read, n.CreatedAt = read != 0, fromMicros(created)
	return n, err
}

// A NotificationList is the list of notifications.
type NotificationList struct {
	Unread   int                   `json:"unread"`
	Revision int64                 `json:"revision"` // as in the events: the higher one is newer
	Rows     []events.Notification `json:"rows"`     // newest first, at most MaxNotifications
}

// Notifications returns the user's notifications. Called with a database, and not a
// transaction that holds still, Revision may be older than the rows and never newer: an
// event that comes then is applied once more than needed, and never once less.
func Notifications(ctx context.Context, q Querier, user string) (out NotificationList, err error) {
	out.Revision, err = one(ctx, q, scanRevision, `SELECT notification_revision FROM users WHERE name = $1`, user)
	if err != nil {
		return out, err
	}
	out.Rows, err = list(ctx, q, scanNotification, `SELECT `+notificationColumns+` FROM notifications WHERE user_name = $1
		ORDER BY created_at DESC, id LIMIT $2`, user, MaxNotifications)
	for _, n := range out.Rows {
		if !n.Read {
			out.Unread++
		}
	}
	return out, err
}

// AddNotification adds a notification, and drops the oldest beyond [MaxNotifications].
func AddNotification(ctx context.Context, q Querier, user, title, body string) (out events.NewNotification, err error) {
	if out.Revision, err = nextRevision(ctx, q, user); err != nil {
		return out, err
	}
	out.Notification, err = one(ctx, q, scanNotification, `INSERT INTO notifications
		(user_name, id, title, body, is_read, created_at) VALUES ($1, $2, $3, $4, 0, $5) RETURNING `+notificationColumns,
		user, NewID(), title, body, now().UnixMicro())
	if err != nil {
		return out, err
	}
	if _, err = exec(ctx, q, `DELETE FROM notifications WHERE user_name = $1 AND id IN
		(SELECT id FROM notifications WHERE user_name = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3)`,
		user, MaxNotifications, MaxNotifications); err != nil {
		return out, err
	}
	out.Unread, err = unread(ctx, q, user)
	return out, err
}

// MarkRead marks notifications as read; nil ids: all of them. It returns how many were
// unread before. It is [ErrNotFound] if the user has none of them.
func MarkRead(ctx context.Context, q Querier, user string, ids []string) (marked int, out events.ReadNotifications, err error) {
	if out.Revision, err = nextRevision(ctx, q, user); err != nil {
		return 0, out, err
	}
	out.IDs = ids
	which, args := ``, []any{user}
	if ids != nil {
		set, values := in(2, ids)
		which, args = ` AND id IN `+set, append(args, values...)
		known, err := count(ctx, q, `SELECT count(*) FROM notifications WHERE user_name = $1`+which, args...)
		if err != nil {
			return 0, out, err
		}
		if known == 0 {
			return 0, out, fmt.Errorf("%w: notification", ErrNotFound)
		}
	}
	if marked, err = exec(ctx, q, `UPDATE notifications SET is_read = 1 WHERE user_name = $1 AND is_read = 0`+which, args...); err != nil {
		return 0, out, err
	}
	out.Unread, err = unread(ctx, q, user)
	return marked, out, err
}

func unread(ctx context.Context, q Querier, user string) (int, error) {
	return count(ctx, q, `SELECT count(*) FROM notifications WHERE user_name = $1 AND is_read = 0`, user)
}

func scanRevision(row scanner) (n int64, err error) { return n, row.Scan(&n) }

// nextRevision counts a change of the user's notifications. It locks the user's row
// until the transaction ends: of two changes at once the second counts what the first
// has left, and has the higher revision.
func nextRevision(ctx context.Context, q Querier, user string) (int64, error) {
	return one(ctx, q, scanRevision, `UPDATE users SET notification_revision = notification_revision + 1
		WHERE name = $1 RETURNING notification_revision`, user)
}

// lockUser makes other transactions that lock the user wait for the end of this one.
func lockUser(ctx context.Context, q Querier, user string) error {
	n, err := exec(ctx, q, `UPDATE users SET created_at = created_at WHERE name = $1`, user)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: user %q", ErrNotFound, user)
	}
	return err
}
