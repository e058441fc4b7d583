package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// A route is one that writes or reads, with what makes it succeed for anna.
type route struct {
	method, path string
	body         any
	status       int
	writes       bool
	other        string // the events that anna's other device hears
}

// routes are all that need a token. Each works once for anna.
func routes(s *site) []route {
	s.Helper()
	ids, order, record := s.pendingIDs("anna"), s.firstSubmitted("anna").OrderID, s.firstRecord("anna").ID
	input, row := s.order("new"), historyInput{"a", "b", 1, 1}
	list, err := store.Notifications(context.Background(), s.store.DB, "anna")
	if err != nil {
		s.Fatal(err)
	}
	customer := s.customer("anna")
	return []route{
		{"GET", "/api/bootstrap", nil, 200, false, ""},
		{"GET", "/api/orders", nil, 200, false, ""},
		{"POST", "/api/orders", input, 201, true, "PENDING_CREATED"},
		{"PUT", "/api/orders/" + ids[0], input, 200, true, "PENDING_UPDATED"},
		{"DELETE", "/api/orders", map[string]any{"ids": ids[1:3]}, 200, true, "PENDING_DELETED"},
		{"POST", "/api/orders/batch", map[string]any{"orders": []any{input, batchInput{ids[3], input}}}, 200, true, "PENDING_CREATED PENDING_UPDATED"},
		{"POST", "/api/orders/" + ids[4] + "/submit", nil, 202, true, "JOB_QUEUED"},
		{"GET", "/api/submitted", nil, 200, false, ""},
		{"POST", "/api/submitted/" + order + "/edit", jobs.NoteArgs{Note: "x"}, 202, true, "JOB_QUEUED"},
		{"POST", "/api/submitted/" + order + "/delete", nil, 202, true, "JOB_QUEUED"},
		{"POST", "/api/submitted/" + order + "/verona", nil, 202, true, "JOB_QUEUED"},
		{"GET", "/api/history", nil, 200, false, ""},
		{"POST", "/api/history", row, 201, true, "FRESIS_HISTORY_CREATED"},
		{"PUT", "/api/history/" + record, row, 200, true, "FRESIS_HISTORY_UPDATED"},
		{"POST", "/api/history/" + record + "/edit-erp", row, 202, true, "JOB_QUEUED"},
		{"POST", "/api/history/" + record + "/delete-erp", nil, 202, true, "JOB_QUEUED"},
		{"DELETE", "/api/history/" + record, nil, 204, true, "FRESIS_HISTORY_DELETED"},
		{"POST", "/api/history/import", map[string]any{"rows": []any{row}}, 200, true, "FRESIS_HISTORY_BULK_IMPORTED NOTIFICATION_NEW"},
		{"GET", "/api/customers", nil, 200, false, ""},
		{"POST", "/api/customers/" + customer + "/update", customerInput{"n", "c", ""}, 202, true, "JOB_QUEUED"},
		{"GET", "/api/notifications", nil, 200, false, ""},
		{"POST", "/api/notifications/" + list.Rows[0].ID + "/read", nil, 200, true, "NOTIFICATION_READ"},
		{"POST", "/api/notifications/read-all", nil, 200, true, "NOTIFICATION_READ"},
		{"GET", "/api/jobs", nil, 200, false, ""},
		{"POST", "/api/jobs/job1/cancel", nil, 202, true, ""}, // the job's own
		{"POST", "/api/jobs/job1/retry", nil, 202, true, ""},
		{"GET", "/api/syncs", nil, 200, false, ""},
		{"POST", "/api/syncs/prices", nil, 202, true, "JOB_QUEUED"},
		{"GET", "/api/monitor", nil, 200, false, ""},
	}
}

// The list above is that of the server.
func TestRoutesAreAll(t *testing.T) {
	s := newSite(t, open(t), nil)
	var listed []string
	for _, r := range routes(s) {
		listed = append(listed, r.method+" "+r.path)
	}
	if len(listed) != len(s.api.userRoutes()) {
		t.Errorf("the tests know %d routes, the server has %d", len(listed), len(s.api.userRoutes()))
	}
}

// Each route works, and anna's other device hears exactly what it should.
func TestEveryRoute(t *testing.T) {
	each(t, func(s *site) {
		for _, r := range routes(s) {
			s.must(r.status, nil, "anna", r.method, r.path, r.body)
			own := ""
			if strings.Contains(r.other, "NOTIFICATION_NEW") {
				own = "NOTIFICATION_NEW"
			}
			s.heard(own, r.other)
		}
	})
}

// To bruno, what is anna's is not there, and what he tries changes nothing.
func TestOthersRows(t *testing.T) {
	each(t, func(s *site) {
		// The demo's customers have the same IDs for everyone, as the ERP's have.
		if _, err := store.UpsertCustomers(t.Context(), s.store.DB, "anna", []events.Customer{{ID: "A1", Name: "Albergo"}}); err != nil {
			t.Fatal(err)
		}
		tried := 0
		for _, r := range routes(s) {
			if !r.writes || len(strings.Split(r.path, "/")) < 4 || strings.HasPrefix(r.path, "/api/syncs") || strings.HasSuffix(r.path, "/import") || strings.HasSuffix(r.path, "/read-all") {
				continue // names no row of anna's
			}
			tried++
			body := r.body
			switch strings.Join(strings.Split(r.path, "/")[2:], "/") {
			case "orders/batch":
				input := s.order("his")
				input.CustomerID = s.customer("bruno")
				s.refuses(404, "orders[0].id", "bruno", r.method, r.path, map[string]any{"orders": []any{batchInput{s.firstPending("anna"), input}}})
				continue
			}
			if o, ok := body.(orderInput); ok {
				o.CustomerID = s.customer("bruno")
				body = o
			}
			s.refuses(404, "", "bruno", r.method, r.path, body)
		}
		if tried < 13 {
			t.Errorf("%d routes were tried", tried)
		}
		s.refuses(404, "", "bruno", "DELETE", "/api/orders", map[string]any{"ids": s.pendingIDs("anna")})
		if a, b := s.rows("pending", "anna"), s.rows("history", "anna"); a != 12 || b != 60 {
			t.Errorf("anna has %d orders and %d records left, want 12 and 60", a, b)
		}
		if n := len(s.jobs.requests); n != 0 {
			t.Errorf("%d jobs were asked for", n)
		}
	})
}

// A deaf hub refuses every event.
type deaf struct {
	*usercast.Hub
	asked int
}

var errDeaf = errors.New("the hub is out of order")

func (d *deaf) Broadcast(string, usercast.Event) error {
	d.asked++
	return errDeaf
}

// No request fails because its event cannot be sent: the row is there, and so is the
// answer.
func TestNoRequestFailsByItsEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		hub := new(deaf)
		s := newSite(t, db, func(cfg *Config) {
			hub.Hub = cfg.Hub.(*usercast.Hub)
			cfg.Hub = hub
		})
		var made events.PendingOrder
		s.must(201, &made, "anna", "POST", "/api/orders", s.order("still here"))
		if got, err := store.PendingByID(t.Context(), db.DB, "anna", made.ID); err != nil || got.Note != "still here" {
			t.Errorf("the row is %+v, %v", got, err)
		}
		writes := 0
		for _, r := range routes(s) {
			asked := hub.asked
			s.must(r.status, nil, "anna", r.method, r.path, r.body)
			if want := len(strings.Fields(r.other)); hub.asked-asked != want {
				t.Errorf("%s %s: %d events were tried, want %d", r.method, r.path, hub.asked-asked, want)
			}
			if r.other != "" {
				writes++
			}
		}
		if writes < 15 || !strings.Contains(s.logs.String(), errDeaf.Error()) {
			t.Errorf("%d routes wrote; the log says %s", writes, s.logs)
		}
		// What the routes wrote is there: one order more from the first, the list's third,
		// and the batch; two less.
		if n := s.rows("pending", "anna"); n != 12+1+1+1-2 {
			t.Errorf("%d orders, want 13", n)
		}
		s.heard("", "")
	})
}

// A device's name that cannot be one does no harm either.
func TestStrangeDevices(t *testing.T) {
	s := newSite(t, open(t), nil)
	for _, device := range []string{strings.Repeat("x", usercast.MaxDeviceBytes+1), "ä", "\xff", "a b", "own, other"} {
		r, err := http.NewRequest("POST", s.url+"/api/notifications/read-all", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.AddNotification(t.Context(), s.store.DB, "anna", "t", "b"); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token["anna"])
		r.Header.Set("X-Device", device)
		if resp, text := s.send(r); resp.StatusCode != 200 {
			t.Errorf("device %q: got %d %s", device, resp.StatusCode, text)
		}
		s.heard("NOTIFICATION_READ", "NOTIFICATION_READ")
	}
}

// What is rolled back sends nothing: neither when the transaction fails after its event,
// nor when it commits never.
func TestRolledBack(t *testing.T) {
	each(t, func(s *site) {
		for _, path := range []string{"/fails", "/panics"} {
			handler := emit.Middleware(s.api.cfg.Hub)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := s.api.write(r, "anna", func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) error {
					rows, err := store.CreatePending(ctx, tx, "anna", store.PendingInput{CustomerID: s.anyCustomer(ctx, tx)})
					if err != nil {
						t.Error(err)
					}
					events.PendingCreated.Broadcast(out, "anna", events.PendingChange(rows))
					if path == "/panics" {
						panic(http.ErrAbortHandler)
					}
					return fmt.Errorf("after the event: %w", errDeaf)
				})
				if !errors.Is(err, errDeaf) {
					t.Errorf("got %v", err)
				}
			}))
			func() {
				defer func() { recover() }()
				r, err := http.NewRequestWithContext(t.Context(), "POST", path, nil)
				if err != nil {
					t.Fatal(err)
				}
				handler.ServeHTTP(nullWriter{http.Header{}}, r)
			}()
			if n := s.rows("pending", "anna"); n != 12 {
				t.Errorf("%s: %d orders, want 12", path, n)
			}
			s.heard("", "")
		}
	})
}

func (s *site) anyCustomer(ctx context.Context, q store.Querier) string {
	rows, err := store.Customers(ctx, q, "anna")
	if err != nil || len(rows) == 0 {
		s.Errorf("got %d customers, %v", len(rows), err)
		return ""
	}
	return rows[0].ID
}

type nullWriter struct{ header http.Header }

func (w nullWriter) Header() http.Header         { return w.header }
func (w nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nullWriter) WriteHeader(int)             {}
