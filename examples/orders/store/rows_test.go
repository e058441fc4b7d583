package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

func TestSubmitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		rows := []events.SubmittedOrder{
			{OrderID: "O1", CustomerName: "first", Status: events.OrderSubmitted, UpdatedAt: old},
			{OrderID: "O2", CustomerName: "second", Status: events.OrderSent, UpdatedAt: old.Add(time.Hour), OrderNumber: ptr("26/2")},
		}
		if n := must(store.UpsertSubmitted(ctx, s.DB, "anna", rows))(t); n != 2 {
			t.Errorf("got %d rows, want 2", n)
		}
		got := must(store.Submitted(ctx, s.DB, "anna"))(t)
		if len(got) != 2 || got[0].OrderID != "O2" || got[1].OrderID != "O1" || got[1].OrderNumber != nil {
			t.Errorf("newest first: got %+v", got)
		}
		if got := must(store.SetOrderNumber(ctx, s.DB, "anna", "O1", "26/1"))(t); got.OrderNumber == nil || *got.OrderNumber != "26/1" {
			t.Errorf("got %+v", got)
		}
		if got := must(store.SetOrderNote(ctx, s.DB, "anna", "O1", "hello"))(t); got.Note != "hello" {
			t.Errorf("got %+v", got)
		}
		for name, err := range map[string]error{
			"SubmittedByID":   errOf(store.SubmittedByID(ctx, s.DB, "bruno", "O1")),
			"SetOrderStatus":  errOf(store.SetOrderStatus(ctx, s.DB, "bruno", "O1", events.OrderEditing, ptr("j"))),
			"SetOrderNumber":  errOf(store.SetOrderNumber(ctx, s.DB, "bruno", "O1", "x")),
			"SetOrderNote":    errOf(store.SetOrderNote(ctx, s.DB, "bruno", "O1", "x")),
			"DeleteSubmitted": store.DeleteSubmitted(ctx, s.DB, "bruno", "O1"),
		} {
			wantErr(t, name+" of another user's", err, store.ErrNotFound)
		}
		ok(t, store.DeleteSubmitted(ctx, s.DB, "anna", "O1"))
		wantErr(t, "deleted twice", store.DeleteSubmitted(ctx, s.DB, "anna", "O1"), store.ErrNotFound)
	})
}

func errOf[T any](_ T, err error) error { return err }

// A sync changes what the ERP has changed, but no order that a job works on.
func TestSubmittedAtWork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		rows := []events.SubmittedOrder{{OrderID: "O1", Note: "a", Status: events.OrderSubmitted}, {OrderID: "O2", Note: "a", Status: events.OrderSubmitted}}
		must(store.UpsertSubmitted(ctx, s.DB, "anna", rows))(t)
		must(store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderEditing, ptr("j1")))(t)
		must(store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderEditing, ptr("j1")))(t) // again, after a restart
		_, err := store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderDeleting, ptr("j1"))
		wantErr(t, "other work", err, store.ErrBusy)
		rows[0].Note, rows[1].Note = "b", "b"
		if n := must(store.UpsertSubmitted(ctx, s.DB, "anna", rows))(t); n != 1 {
			t.Errorf("got %d rows, want 1", n)
		}
		if got := must(store.SubmittedByID(ctx, s.DB, "anna", "O1"))(t); got.Note != "a" || got.Status != events.OrderEditing {
			t.Errorf("at work: got %+v", got)
		}
		if got := must(store.SubmittedByID(ctx, s.DB, "anna", "O2"))(t); got.Note != "b" {
			t.Errorf("idle: got %+v", got)
		}
		must(store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderSent, nil))(t)
		_, err = store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderEditing, ptr("j2"))
		wantErr(t, "sent", err, store.ErrBusy)
	})
}

// A page adds what it hears to the total and to the rows: both must be of one moment.
func TestHistoryIsOfOneMoment(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		const records = 200
		written := make(chan error, 1)
		go func() {
			for range records {
				if _, err := store.CreateHistory(ctx, s.DB, "anna", store.HistoryInput{CustomerName: "c", Article: "a", Quantity: 1}); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		for total := 0; total < records; {
			n, rows, err := store.History(ctx, s.DB, "anna", store.MaxList, 0)
			ok(t, err)
			if n != len(rows) {
				t.Fatalf("total %d of %d rows", n, len(rows))
			}
			select {
			case err := <-written:
				ok(t, err)
				total = records
			default:
			}
		}
	})
}

func TestHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		in := store.HistoryInput{CustomerName: "Hotel Post", Article: "Pan", Quantity: 2, RevenueCents: 900}
		r := must(store.CreateHistory(ctx, s.DB, "anna", in))(t)
		if r.ID == "" || r.CustomerName != "Hotel Post" || r.Article != "Pan" || r.Quantity != 2 || r.RevenueCents != 900 || r.JobID != nil {
			t.Errorf("got %+v", r)
		}
		many := make([]store.HistoryInput, 1203) // more than one chunk
		for i := range many {
			many[i] = store.HistoryInput{CustomerName: "c", Article: fmt.Sprint("a", i), Quantity: 1}
		}
		if n := must(store.ImportHistory(ctx, s.DB, "anna", many))(t); n != len(many) {
			t.Errorf("got %d rows, want %d", n, len(many))
		}
		page := func(limit, offset int) []string {
			t.Helper()
			n, rows, err := store.History(ctx, s.DB, "anna", limit, offset)
			ok(t, err)
			if n != len(many)+1 {
				t.Errorf("total %d, want %d", n, len(many)+1)
			}
			var out []string
			for _, r := range rows {
				out = append(out, r.Article)
			}
			return out
		}
		if got := page(3, 0); !slices.Equal(got, []string{"a0", "a1", "a2"}) {
			t.Errorf("got %v", got)
		}
		if got := page(2, 1202); !slices.Equal(got, []string{"a1202", "Pan"}) {
			t.Errorf("got %v", got)
		}
		if a, b, c := len(page(1_000_000, 0)), len(page(10, 5000)), len(page(-1, -1)); a != store.MaxList || b != 0 || c != 0 {
			t.Errorf("got %d, %d, %d rows", a, b, c)
		}
		in.Article = "Pot"
		if got := must(store.UpdateHistory(ctx, s.DB, "anna", r.ID, in))(t); got.Article != "Pot" {
			t.Errorf("got %+v", got)
		}
		must(store.SetHistoryJob(ctx, s.DB, "anna", r.ID, ptr("j1")))(t)
		_, err := store.UpdateHistory(ctx, s.DB, "anna", r.ID, in)
		wantErr(t, "UpdateHistory", err, store.ErrBusy)
		wantErr(t, "DeleteHistory", store.DeleteHistory(ctx, s.DB, "anna", r.ID), store.ErrBusy)
		must(store.SetHistoryJob(ctx, s.DB, "anna", r.ID, nil))(t)
		for name, err := range map[string]error{
			"HistoryByID":   errOf(store.HistoryByID(ctx, s.DB, "bruno", r.ID)),
			"UpdateHistory": errOf(store.UpdateHistory(ctx, s.DB, "bruno", r.ID, in)),
			"SetHistoryJob": errOf(store.SetHistoryJob(ctx, s.DB, "bruno", r.ID, ptr("j"))),
			"DeleteHistory": store.DeleteHistory(ctx, s.DB, "bruno", r.ID),
		} {
			wantErr(t, name+" of another user's", err, store.ErrNotFound)
		}
		ok(t, store.DeleteHistory(ctx, s.DB, "anna", r.ID))
		_, err = store.ImportHistory(ctx, s.DB, "anna", make([]store.HistoryInput, store.MaxHistory))
		wantErr(t, "too many", err, store.ErrFull)
	})
}

func TestCustomers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		must(store.UpsertCustomers(ctx, s.DB, "anna", []events.Customer{{ID: "C2", Name: "Adler"}, {ID: "C3", Name: "Zum Zeppelin"}}))(t)
		var names []string
		for _, c := range must(store.Customers(ctx, s.DB, "anna"))(t) {
			names = append(names, c.Name)
		}
		if !slices.Equal(names, []string{"Adler", "Hotel Post anna", "Zum Zeppelin"}) {
			t.Errorf("by name: got %v", names)
		}
		must(store.SetCustomerJob(ctx, s.DB, "anna", "C2", ptr("j1")))(t)
		must(store.UpsertCustomers(ctx, s.DB, "anna", []events.Customer{{ID: "C2", Name: "Falke"}}))(t)
		if got := must(store.CustomerByID(ctx, s.DB, "anna", "C2"))(t); got.Name != "Adler" || got.JobID == nil || *got.JobID != "j1" {
			t.Errorf("at work: got %+v", got)
		}
		if got := must(store.UpdateCustomer(ctx, s.DB, "anna", "C2", "Falke", "Lienz", "f@l.example"))(t); got.Name != "Falke" || got.City != "Lienz" || got.Email != "f@l.example" || got.JobID != nil {
			t.Errorf("got %+v", got)
		}
		_, err := store.UpdateCustomer(ctx, s.DB, "bruno", "C2", "x", "x", "x")
		wantErr(t, "UpdateCustomer of another user's", err, store.ErrNotFound)
		_, err = store.SetCustomerJob(ctx, s.DB, "bruno", "C2", ptr("j"))
		wantErr(t, "SetCustomerJob of another user's", err, store.ErrNotFound)
	})
}

func TestSync(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		states := must(store.SyncState(ctx, s.DB, "anna"))(t)
		if len(states) != 4 || states[0].SyncType != events.SyncCustomers || states[0].LastCompletedAt != nil || states[0].Rows != 0 {
			t.Errorf("got %+v", states)
		}
		ok(t, store.SetSyncState(ctx, s.DB, "anna", events.SyncPrices, 1))
		ok(t, store.SetSyncState(ctx, s.DB, "anna", events.SyncPrices, 8000))
		states = must(store.SyncState(ctx, s.DB, "anna"))(t)
		if p := states[3]; p.SyncType != events.SyncPrices || p.LastCompletedAt == nil || time.Since(*p.LastCompletedAt) > time.Minute || p.Rows != 8000 {
			t.Errorf("got %+v", p)
		}
		for range 2 { // the second time they are there
			products := []store.Product{{ID: "P1", Name: "Pan", Unit: "piece"}, {ID: "P2", Name: "Pot", Unit: "box"}}
			prices := []store.Price{{ProductID: "P1", List: "trade", PriceCents: 1}, {ProductID: "P1", List: "retail", PriceCents: 2}}
			if a, b := must(store.UpsertProducts(ctx, s.DB, "anna", products))(t), must(store.UpsertPrices(ctx, s.DB, "anna", prices))(t); a != 2 || b != 2 {
				t.Errorf("got %d products and %d prices, want 2 and 2", a, b)
			}
		}
	})
}

func TestNotifications(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		first := must(store.AddNotification(ctx, s.DB, "anna", "title", "body"))(t)
		if first.Unread != 1 || first.Revision != 1 || first.Notification.Title != "title" || first.Notification.Body != "body" || first.Notification.Read {
			t.Errorf("got %+v", first)
		}
		second := must(store.AddNotification(ctx, s.DB, "anna", "two", ""))(t)
		marked, read, err := store.MarkRead(ctx, s.DB, "anna", []string{first.Notification.ID})
		ok(t, err)
		if marked != 1 || read.Unread != 1 || read.Revision != 3 || !slices.Equal(read.IDs, []string{first.Notification.ID}) {
			t.Errorf("got %d, %+v", marked, read)
		}
		l := must(store.Notifications(ctx, s.DB, "anna"))(t)
		if l.Unread != 1 || l.Revision != 3 || len(l.Rows) != 2 || l.Rows[0].ID != second.Notification.ID || l.Rows[0].Read || !l.Rows[1].Read {
			t.Errorf("got %+v", l)
		}
		if marked, _, err := store.MarkRead(ctx, s.DB, "anna", []string{first.Notification.ID}); marked != 0 || err != nil {
			t.Errorf("read twice: got %d, %v", marked, err)
		}
		_, _, err = store.MarkRead(ctx, s.DB, "bruno", []string{second.Notification.ID})
		wantErr(t, "MarkRead of another user's", err, store.ErrNotFound)
		if marked, read, err := store.MarkRead(ctx, s.DB, "bruno", nil); marked != 0 || read.Unread != 0 || err != nil {
			t.Errorf("bruno, all: got %d, %+v, %v", marked, read, err)
		}
		if marked, read, err := store.MarkRead(ctx, s.DB, "anna", nil); marked != 1 || read.Unread != 0 || read.IDs != nil || err != nil {
			t.Errorf("anna, all: got %d, %+v, %v", marked, read, err)
		}
		var last events.NewNotification
		for range store.MaxNotifications + 5 {
			last = must(store.AddNotification(ctx, s.DB, "anna", "more", ""))(t)
		}
		l = must(store.Notifications(ctx, s.DB, "anna"))(t)
		if len(l.Rows) != store.MaxNotifications || l.Unread != store.MaxNotifications || last.Unread != l.Unread {
			t.Errorf("got %d rows, %d unread, told %d; want %d of each", len(l.Rows), l.Unread, last.Unread, store.MaxNotifications)
		}
	})
}

// Two that come at once count each other: the one with the higher revision knows of both.
func TestNotificationsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		results := make(chan events.NewNotification, 10)
		done := make(chan error, cap(results))
		for range cap(results) {
			go func() {
				done <- inTx(s, func(tx *sql.Tx) error {
					n, err := store.AddNotification(ctx, tx, "anna", "t", "b")
					results <- n
					return err
				})
			}()
		}
		for range cap(results) {
			ok(t, <-done)
			if n := <-results; n.Revision != int64(n.Unread) {
				t.Errorf("revision %d says %d are unread", n.Revision, n.Unread)
			}
		}
	})
}

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		if made := must(store.AddUser(ctx, s.DB, "anna"))(t); made {
			t.Error("anna was made twice")
		}
		secret := must(store.AddSession(ctx, s.DB, "anna", time.Hour))(t)
		other := must(store.AddSession(ctx, s.DB, "bruno", time.Hour))(t)
		if user := must(store.SessionUser(ctx, s.DB, store.SessionID(secret)))(t); user != "anna" {
			t.Errorf("got %q", user)
		}
		var stored int
		ok(t, s.DB.QueryRowContext(ctx, `SELECT count(*) FROM sessions WHERE id = $1`, secret).Scan(&stored))
		if stored != 0 {
			t.Error("the secret itself is in the table")
		}
		ended := must(store.AddSession(ctx, s.DB, "anna", -time.Second))(t)
		_, err := store.SessionUser(ctx, s.DB, store.SessionID(ended))
		wantErr(t, "a session that has ended", err, store.ErrNotFound)
		ok(t, store.EndSession(ctx, s.DB, store.SessionID(secret)))
		_, err = store.SessionUser(ctx, s.DB, store.SessionID(secret))
		wantErr(t, "after the logout", err, store.ErrNotFound)
		must(store.SessionUser(ctx, s.DB, store.SessionID(other)))(t)
		var newest string
		for range store.MaxSessions + 3 {
			newest = must(store.AddSession(ctx, s.DB, "anna", time.Hour))(t)
		}
		must(store.SessionUser(ctx, s.DB, store.SessionID(newest)))(t)
		ok(t, s.DB.QueryRowContext(ctx, `SELECT count(*) FROM sessions WHERE user_name = 'anna'`).Scan(&stored))
		if stored != store.MaxSessions {
			t.Errorf("got %d sessions, want %d", stored, store.MaxSessions)
		}
		a, b := must(store.Setting(ctx, s.DB, "key", "one"))(t), must(store.Setting(ctx, s.DB, "key", "two"))(t)
		if a != "one" || b != "one" {
			t.Errorf("got %q and %q, want the first of them", a, b)
		}
	})
}

func TestDemoData(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		shown := map[string]string{}
		for _, user := range []string{"anna", "bruno"} {
			storetest.User(t, s, user)
			ok(t, store.AddDemoData(ctx, s.DB, user, 1))
			pending := must(store.Pending(ctx, s.DB, user))(t)
			submitted := must(store.Submitted(ctx, s.DB, user))(t)
			customers := must(store.Customers(ctx, s.DB, user))(t)
			notifications := must(store.Notifications(ctx, s.DB, user))(t)
			total, history, err := store.History(ctx, s.DB, user, 100, 0)
			ok(t, err)
			if len(pending) != 12 || len(submitted) != 8 || len(customers) != 25 || total != 60 || notifications.Unread != 2 {
				t.Errorf("%s has %d, %d, %d, %d, %d", user, len(pending), len(submitted), len(customers), total, notifications.Unread)
			}
			for _, o := range pending {
				if o.TotalCents <= 0 || len(o.Lines) == 0 || o.CustomerName == "" {
					t.Errorf("got %+v", o)
				}
				shown[user] += fmt.Sprint(o.CustomerName, o.Lines, o.TotalCents, o.Note)
			}
			for _, r := range history {
				shown[user] += fmt.Sprint(r.CustomerName, r.Article, r.Quantity, r.RevenueCents)
			}
		}
		if shown["anna"] == shown["bruno"] {
			t.Error("two users have the same")
		}
		again := storetest.Open(t, storetest.DSN(t, store.SQLite))
		storetest.User(t, again, "anna")
		ok(t, store.AddDemoData(ctx, again.DB, "anna", 1))
		got := ""
		for _, o := range must(store.Pending(ctx, again.DB, "anna"))(t) {
			got += fmt.Sprint(o.CustomerName, o.Lines, o.TotalCents, o.Note)
		}
		_, history, err := store.History(ctx, again.DB, "anna", 100, 0)
		ok(t, err)
		for _, r := range history {
			got += fmt.Sprint(r.CustomerName, r.Article, r.Quantity, r.RevenueCents)
		}
		if got != shown["anna"] {
			t.Error("the same seed and name gave something else")
		}
	})
}
