package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// open opens an empty database: SQLite, for tests of what has nothing to do with it.
func open(t *testing.T) *store.Store {
	t.Helper()
	return storetest.Open(t, storetest.DSN(t, store.SQLite))
}

func (s *site) pendingIDs(user string) (ids []string) {
	s.Helper()
	rows, err := store.Pending(context.Background(), s.store.DB, user)
	if err != nil {
		s.Fatal(err)
	}
	for _, o := range rows {
		ids = append(ids, o.ID)
	}
	return ids
}

func (s *site) firstPending(user string) string { s.Helper(); return s.pendingIDs(user)[0] }

// firstSubmitted is an order that is not sent yet.
func (s *site) firstSubmitted(user string) events.SubmittedOrder {
	s.Helper()
	rows, err := store.Submitted(context.Background(), s.store.DB, user)
	if err != nil {
		s.Fatal(err)
	}
	for _, o := range rows {
		if o.Status == events.OrderSubmitted {
			return o
		}
	}
	s.Fatal("no submitted order")
	return events.SubmittedOrder{}
}

func (s *site) firstRecord(user string) events.HistoryRecord {
	s.Helper()
	_, rows, err := store.History(context.Background(), s.store.DB, user, 1, 0)
	if err != nil || len(rows) == 0 {
		s.Fatalf("got %d records, %v", len(rows), err)
	}
	return rows[0]
}

// fill gives a user as many pending orders as are kept.
func (s *site) fill(user string) {
	s.Helper()
	in := make([]store.PendingInput, store.MaxPending-s.rows("pending", user))
	for i := range in {
		in[i] = store.PendingInput{CustomerID: s.customer(user)}
	}
	if _, err := store.CreatePending(context.Background(), s.store.DB, user, in...); err != nil {
		s.Fatal(err)
	}
}

func TestHistoryRoutes(t *testing.T) {
	each(t, func(s *site) {
		var page struct {
			Total int
			Rows  []events.HistoryRecord
		}
		s.must(200, &page, "anna", "GET", "/api/history?limit=7&offset=55", nil)
		if page.Total != 60 || len(page.Rows) != 5 {
			s.Errorf("got %d of %d, want 5 of 60", len(page.Rows), page.Total)
		}
		in := historyInput{"Hotel Post", "Pan", 2, 900}
		var made, changed events.HistoryRecord
		s.must(201, &made, "anna", "POST", "/api/history", in)
		if p := last(s, events.FresisHistoryCreated); p.RecordID != made.ID || p.Record.Article != "Pan" || made.RevenueCents != 900 {
			s.Errorf("told %+v, answered %+v", p, made)
		}
		in.Article = "Pot"
		s.must(200, &changed, "anna", "PUT", "/api/history/"+made.ID, in)
		if p := last(s, events.FresisHistoryUpdated); p.RecordID != made.ID || p.Record.Article != "Pot" || changed.Article != "Pot" {
			s.Errorf("told %+v, answered %+v", p, changed)
		}
		s.must(204, nil, "anna", "DELETE", "/api/history/"+made.ID, nil)
		if p := last(s, events.FresisHistoryDeleted); p.RecordID != made.ID {
			s.Errorf("told %+v", p)
		}
		s.refuses(404, "", "anna", "DELETE", "/api/history/"+made.ID, nil)
		s.refuses(404, "", "anna", "PUT", "/api/history/"+made.ID, in)

		id, job := s.firstRecord("anna").ID, "j"
		if _, err := store.SetHistoryJob(t.Context(), s.store.DB, "anna", id, &job); err != nil {
			t.Fatal(err)
		}
		s.refuses(409, "", "anna", "PUT", "/api/history/"+id, in)
		s.refuses(409, "", "anna", "DELETE", "/api/history/"+id, nil)
		if n := s.rows("history", "anna"); n != 60 {
			s.Errorf("got %d records, want 60", n)
		}
	})
}

func TestImport(t *testing.T) {
	each(t, func(s *site) {
		rows := make([]historyInput, 500)
		for i := range rows {
			rows[i] = historyInput{"Hotel Post, Meran", fmt.Sprintf("Article number %d with a name of the usual length", i), 1 + i, 100}
		}
		var n counted
		s.must(200, &n, "anna", "POST", "/api/history/import", map[string]any{"rows": rows})
		if n.Count != 500 || s.rows("history", "anna") != 560 {
			s.Errorf("answered %d, and there are %d", n.Count, s.rows("history", "anna"))
		}
		// The device that imported has the count, and not the notification.
		s.heard("NOTIFICATION_NEW", "FRESIS_HISTORY_BULK_IMPORTED NOTIFICATION_NEW")

		rows[499].Quantity = 0
		s.refuses(400, "rows[499].quantity", "anna", "POST", "/api/history/import", map[string]any{"rows": rows})
		s.refuses(400, "rows", "anna", "POST", "/api/history/import", `{"rows":[]}`)
		s.refuses(400, "rows", "anna", "POST", "/api/history/import", map[string]any{"rows": make([]historyInput, maxImport+1)})
		s.refuses(413, "", "anna", "POST", "/api/history/import", `{"rows":[{"article":"`+strings.Repeat("x", maxBody)+`"}]}`)
		if got := s.rows("history", "anna"); got != 560 {
			s.Errorf("after refused imports there are %d records, want 560", got)
		}
		s.hasFullHistory()
		s.refuses(409, "", "anna", "POST", "/api/history", historyInput{"a", "b", 1, 1})
	})
}

// hasFullHistory gives anna as many records as are kept.
func (s *site) hasFullHistory() {
	s.Helper()
	_, err := s.store.DB.Exec(`INSERT INTO history (user_name, id, customer_name, article, quantity, revenue_cents, created_at, updated_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT 'anna', 'full' || i, 'a', 'b', 1, 1, i, i FROM n`, store.MaxHistory-s.rows("history", "anna"))
	if err != nil {
		s.Fatal(err)
	}
}

func TestHistoryInput(t *testing.T) {
	s := newSite(t, open(t), nil)
	id := s.firstRecord("anna").ID
	for field, in := range map[string]historyInput{
		"customerName": {"", "b", 1, 1},
		"article":      {"a", strings.Repeat("x", maxName+1), 1, 1},
		"quantity":     {"a", "b", 0, 1},
		"revenueCents": {"a", "b", 1, maxRevenue + 1},
	} {
		s.refuses(400, field, "anna", "POST", "/api/history", in)
		s.refuses(400, field, "anna", "PUT", "/api/history/"+id, in)
		s.refuses(400, field, "anna", "POST", "/api/history/"+id+"/edit-erp", in)
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=501": "limit", "limit=x": "limit", "offset=-1": "offset", "offset=1000001": "offset"} {
		s.refuses(400, field, "anna", "GET", "/api/history?"+query, nil)
	}
}

// Whatever the ERP is to do first becomes a job.
func TestJobRoutes(t *testing.T) {
	each(t, func(s *site) {
		order, record := s.firstSubmitted("anna"), s.firstRecord("anna")
		pending, customer := s.firstPending("anna"), s.customer("anna")
		for i, test := range []struct {
			path, body, kind, entity, args string
		}{
			{"/api/orders/" + pending + "/submit", "", "submitOrder", pending, `null`},
			{"/api/submitted/" + order.OrderID + "/edit", `{"note":" hurry "}`, "editOrder", order.OrderID, `{"note":"hurry"}`},
			{"/api/submitted/" + order.OrderID + "/delete", "", "deleteOrder", order.OrderID, `null`},
			{"/api/submitted/" + order.OrderID + "/verona", "", "sendToVerona", order.OrderID, `null`},
			{"/api/history/" + record.ID + "/edit-erp", `{"customerName":"a","article":"b","quantity":3,"revenueCents":4}`, "editHistory", record.ID, `{"customerName":"a","article":"b","quantity":3,"revenueCents":4}`},
			{"/api/history/" + record.ID + "/delete-erp", "", "deleteHistory", record.ID, `null`},
			{"/api/customers/" + customer + "/update", `{"name":"n","city":"c","email":"a@b.example"}`, "updateCustomer", customer, `{"name":"n","city":"c","email":"a@b.example"}`},
			{"/api/syncs/customers", "", "syncCustomers", "customers", `{"note":""}`},
			{"/api/syncs/orders", `{"note":"#slow"}`, "syncOrders", "orders", `{"note":"#slow"}`},
			{"/api/syncs/products", "{}", "syncProducts", "products", `{"note":""}`},
			{"/api/syncs/prices", "{}", "syncPrices", "prices", `{"note":""}`},
		} {
			var got accepted
			s.must(202, &got, "anna", "POST", test.path, test.body)
			asked := s.jobs.asked()
			args, err := json.Marshal(asked.Args)
			if err != nil {
				t.Fatal(err)
			}
			if got.JobID != fmt.Sprint("job", i+1) || asked.UserID != "anna" || asked.Type != test.kind || asked.EntityID != test.entity ||
				asked.EntityName == "" || asked.Device != "own" || string(args) != test.args {
				s.Errorf("%s: answered %+v, asked for %+v with %s", test.path, got, asked, args)
			}
			s.heard("", "JOB_QUEUED")
		}

		// What a job refuses is rolled back, with its events.
		before := s.rows("notifications", "anna")
		for err, status := range map[error]int{store.ErrBusy: 409, store.ErrNotFound: 404, jobs.ErrQueueFull: 429, jobs.ErrInvalid: 500} {
			s.jobs.err = fmt.Errorf("no: %w", err)
			s.refuses(status, "", "anna", "POST", "/api/orders/"+pending+"/submit", nil)
			s.refuses(status, "", "anna", "POST", "/api/submitted/"+order.OrderID+"/verona", nil)
			s.refuses(status, "", "anna", "POST", "/api/history/"+record.ID+"/delete-erp", nil)
		}
		s.jobs.err = store.ErrBusy
		s.refuses(409, "type", "anna", "POST", "/api/syncs/prices", "{}")
		if after := s.rows("notifications", "anna"); after != before {
			s.Errorf("%d rows after refused jobs, want %d", after, before)
		}
	})
}

func TestJobInput(t *testing.T) {
	s := newSite(t, open(t), nil)
	order := s.firstSubmitted("anna").OrderID
	s.refuses(400, "note", "anna", "POST", "/api/submitted/"+order+"/edit", map[string]string{"note": strings.Repeat("x", maxNote+1)})
	s.refuses(400, "note", "anna", "POST", "/api/syncs/orders", map[string]string{"note": "\x1b"})
	s.refuses(404, "type", "anna", "POST", "/api/syncs/everything", "{}")
	for field, body := range map[string]string{
		"name": `{"name":"","city":"c","email":"a@b"}`, "city": `{"name":"n","city":"\u0007","email":"a@b"}`, "email": `{"name":"n","city":"c","email":"ab"}`,
	} {
		s.refuses(400, field, "anna", "POST", "/api/customers/"+s.customer("anna")+"/update", body)
	}
	if n := len(s.jobs.requests); n != 0 {
		s.Errorf("%d jobs were asked for", n)
	}
}

func TestJobList(t *testing.T) {
	s := newSite(t, open(t), nil)
	var list []jobs.Job
	s.must(200, &list, "anna", "GET", "/api/jobs", nil)
	if len(list) != 1 || list[0].EntityName != "anna" {
		s.Errorf("got %+v", list)
	}
	s.must(202, nil, "anna", "POST", "/api/jobs/job1/cancel", nil)
	s.refuses(404, "", "anna", "POST", "/api/jobs/job9/cancel", nil)
	s.refuses(404, "", "bruno", "POST", "/api/jobs/job1/cancel", nil)
	var got accepted
	s.must(202, &got, "anna", "POST", "/api/jobs/job1/retry", nil)
	if got.JobID != "job2" {
		s.Errorf("got %+v", got)
	}
	s.refuses(404, "", "anna", "POST", "/api/jobs/job9/retry", nil)
	s.refuses(404, "", "bruno", "POST", "/api/jobs/job1/retry", nil)
	s.jobs.err = jobs.ErrEnded
	s.refuses(409, "", "anna", "POST", "/api/jobs/job1/cancel", nil)
	for _, err := range []error{jobs.ErrNotEnded, store.ErrBusy, store.ErrNotFound} {
		s.jobs.err = err
		s.refuses(409, "", "anna", "POST", "/api/jobs/job1/retry", nil)
	}
	s.jobs.err = sql.ErrConnDone
	s.refuses(500, "", "anna", "GET", "/api/jobs", nil)
	if !strings.Contains(s.logs.String(), sql.ErrConnDone.Error()) {
		s.Errorf("the log says %s", s.logs)
	}
}

func TestNotificationRoutes(t *testing.T) {
	each(t, func(s *site) {
		var list store.NotificationList
		s.must(200, &list, "anna", "GET", "/api/notifications", nil)
		if list.Unread != 2 || len(list.Rows) != 2 || list.Revision != 2 {
			s.Errorf("got %+v", list)
		}
		var got struct {
			Unread   int
			Revision int64
		}
		id := list.Rows[0].ID
		s.must(200, &got, "anna", "POST", "/api/notifications/"+id+"/read", nil)
		if p := last(s, events.NotificationRead); got.Unread != 1 || p.Unread != 1 || p.Revision != got.Revision || len(p.IDs) != 1 || p.IDs[0] != id {
			s.Errorf("told %+v, answered %+v", p, got)
		}
		s.must(200, &got, "anna", "POST", "/api/notifications/"+id+"/read", nil)
		s.heard("", "") // it was read already
		s.must(200, &got, "anna", "POST", "/api/notifications/read-all", nil)
		if p := last(s, events.NotificationRead); got.Unread != 0 || p.Unread != 0 || p.IDs != nil {
			s.Errorf("told %+v, answered %+v", p, got)
		}
		s.refuses(404, "", "anna", "POST", "/api/notifications/nothing/read", nil)
	})
}

func TestLists(t *testing.T) {
	each(t, func(s *site) {
		var submitted []events.SubmittedOrder
		s.must(200, &submitted, "anna", "GET", "/api/submitted", nil)
		var customers []events.Customer
		s.must(200, &customers, "anna", "GET", "/api/customers", nil)
		var syncs []store.Sync
		s.must(200, &syncs, "anna", "GET", "/api/syncs", nil)
		if len(submitted) != 8 || len(customers) != 25 || len(syncs) != 4 || syncs[0].LastCompletedAt != nil {
			s.Errorf("got %d, %d, %+v", len(submitted), len(customers), syncs)
		}
		var boot struct {
			User   string
			Cursor usercast.Cursor
		}
		s.must(200, &boot, "anna", "GET", "/api/bootstrap", nil)
		if want := s.hub.Hub().Cursor("anna"); boot.User != "anna" || boot.Cursor != want {
			s.Errorf("got %+v, want %+v", boot, want)
		}
		s.must(201, nil, "anna", "POST", "/api/orders", s.order(""))
		var health Health
		s.must(200, &health, "bruno", "GET", "/api/monitor", nil)
		if health.Connections != 3 || health.Users != 2 || health.Broadcasts < 1 || health.Buffered < 1 || health.UptimeMs < 0 {
			s.Errorf("got %+v", health)
		}
	})
}

func TestEventsPerSecond(t *testing.T) {
	m := monitor{started: time.Unix(1000, 0)}
	at := func(s float64) time.Time { return m.started.Add(time.Duration(s * float64(time.Second))) }
	for _, test := range []struct {
		at         float64
		broadcasts uint64
		want       float64
	}{{0.5, 5, 0}, {2, 20, 10}, {2.5, 30, 12}, {3, 40, 20}, {4, 40, 0}, {4.5, 40, 0}, {14, 140, 10}} {
		if got := m.perSecond(at(test.at), test.broadcasts); got != test.want {
			t.Errorf("after %v s: got %v, want %v", test.at, got, test.want)
		}
	}
}
