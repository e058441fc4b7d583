package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// things are what jobs work on, of a user.
type things struct{ pending, order, record, customer string }

func addThings(t *testing.T, s *store.Store, user, text string) (th things) {
	t.Helper()
	ctx := context.Background()
	storetest.User(t, s, user)
	th.customer = "K1"
	if _, err := store.UpsertCustomers(ctx, s.DB, user, []events.Customer{{ID: "K1", Name: "Hotel Post", City: "Meran", Email: "a@b.example"}}); err != nil {
		t.Fatal(err)
	}
	rows, err := store.CreatePending(ctx, s.DB, user, store.PendingInput{CustomerID: "K1", Note: text,
		Lines: []events.OrderLine{{Product: "Speck", Quantity: 2, PriceCents: 100}, {Product: "Lagrein", Quantity: 1, PriceCents: 990}}})
	if err != nil {
		t.Fatal(err)
	}
	th.pending, th.order = rows[0].ID, "S1"
	if _, err := store.UpsertSubmitted(ctx, s.DB, user, []events.SubmittedOrder{{OrderID: "S1", CustomerID: "K1", CustomerName: "Hotel Post", Note: text, Status: events.OrderSubmitted}}); err != nil {
		t.Fatal(err)
	}
	rec, err := store.CreateHistory(ctx, s.DB, user, store.HistoryInput{CustomerName: "Hotel Post", Article: "Speck " + text, Quantity: 3, RevenueCents: 300})
	if err != nil {
		t.Fatal(err)
	}
	th.record = rec.ID
	return th
}

// requests are one of each type. text stands where the ERP looks for #fail and its like.
func requests(th things, text string) map[string]Request {
	return map[string]Request{
		SubmitOrder:    {EntityID: th.pending, EntityName: "Hotel Post"},
		EditOrder:      {EntityID: th.order, Args: NoteArgs{"at noon " + text}},
		DeleteOrder:    {EntityID: th.order},
		SendToVerona:   {EntityID: th.order},
		UpdateCustomer: {EntityID: th.customer, Args: CustomerArgs{"Hotel Alte Post " + text, "Bozen", "c@d.example"}},
		EditHistory:    {EntityID: th.record, Args: HistoryArgs{"Hotel Alte Post", "Wein " + text, 4, 400}},
		DeleteHistory:  {EntityID: th.record},
		SyncCustomers:  {EntityID: "customers", Args: NoteArgs{text}},
		SyncOrders:     {EntityID: "orders", Args: NoteArgs{text}},
		SyncProducts:   {EntityID: "products", Args: NoteArgs{text}},
		SyncPrices:     {EntityID: "prices", Args: NoteArgs{text}},
	}
}

// paths are the events of each type, without those of the job: when it is queued, when it
// is done, and when it is not. The last is its progress.
var paths = map[string][4]string{
	SubmitOrder:    {"PENDING_UPDATED", "PENDING_SUBMITTED ORDER_NUMBERS_RESOLVED NOTIFICATION_NEW", "PENDING_UPDATED NOTIFICATION_NEW", ""},
	EditOrder:      {"ORDER_UPDATED", "ORDER_EDIT_COMPLETE ORDER_UPDATED", "ORDER_UPDATED", "ORDER_EDIT_PROGRESS"},
	DeleteOrder:    {"ORDER_UPDATED", "ORDER_DELETE_COMPLETE", "ORDER_UPDATED", "ORDER_DELETE_PROGRESS"},
	SendToVerona:   {"ORDER_UPDATED", "ORDER_UPDATED", "ORDER_UPDATED", "ORDER_SEND_TO_VERONA_PROGRESS"},
	UpdateCustomer: {"", "CUSTOMER_UPDATE_COMPLETED", "CUSTOMER_UPDATE_FAILED", "CUSTOMER_UPDATE_PROGRESS"},
	EditHistory:    {"FRESIS_HISTORY_UPDATED", "FRESIS_HISTORY_UPDATED", "FRESIS_HISTORY_UPDATED", "FRESIS_HISTORY_EDIT_PROGRESS"},
	DeleteHistory:  {"FRESIS_HISTORY_UPDATED", "FRESIS_HISTORY_DELETED", "FRESIS_HISTORY_UPDATED", "FRESIS_HISTORY_DELETE_PROGRESS"},
	SyncCustomers:  {"", "SYNC_COMPLETED", "SYNC_FAILED", "SYNC_PROGRESS"},
	SyncOrders:     {"", "SYNC_COMPLETED", "SYNC_FAILED", "SYNC_PROGRESS"},
	SyncProducts:   {"", "SYNC_COMPLETED", "SYNC_FAILED", "SYNC_PROGRESS"},
	SyncPrices:     {"", "SYNC_COMPLETED", "SYNC_FAILED", "SYNC_PROGRESS"},
}

func join(parts ...string) string { return strings.Join(strings.Fields(strings.Join(parts, " ")), " ") }

// Each type tells its exact sequence, well or not, and leaves what it worked on as it says.
func TestSequences(t *testing.T) {
	want(t, "types with a path", len(paths), len(kinds))
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tp := &tape{}
		b := newBench(t, s, tp, nil).start()
		n := 0
		for typ, path := range paths {
			for text, ends := range map[string]string{
				"":       join("JOB_QUEUED JOB_STARTED", path[1], "JOB_COMPLETED"),
				"#flaky": join("JOB_QUEUED JOB_STARTED JOB_RETRYING JOB_STARTED", path[1], "JOB_COMPLETED"),
				"#fail":  join("JOB_QUEUED JOB_STARTED", path[2], "JOB_FAILED"),
			} {
				n++
				user := fmt.Sprintf("u%d", n)
				t.Run(typ+text, func(t *testing.T) {
					t.Parallel()
					th := addThings(t, s, user, text)
					req := requests(th, text)[typ]
					req.UserID, req.Type = user, typ
					id := b.enqueue(req)
					b.ended(id)
					want(t, "events", tp.types(user), join(path[0], ends))
					want(t, "progress", tp.progress(user), progressOf(tp, user, path[3]))
					wantEntity(t, s, typ, user, th, text == "#fail", id)
					wantRow(t, b.job(user, id), text)
				})
			}
		}
	})
}

// progressOf is what must be heard: which of two came first is a matter of the scheduler.
func progressOf(tp *tape, user, own string) string {
	if got := tp.progress(user); got == join(own, "JOB_PROGRESS") {
		return got
	}
	return join("JOB_PROGRESS", own)
}

func wantRow(t *testing.T, j Job, text string) {
	t.Helper()
	got := fmt.Sprint(j.Status, " ", j.Attempt, " ", j.Progress == 100)
	want(t, "the row", got, map[string]string{"": "completed 1 true", "#flaky": "completed 2 true", "#fail": "failed 1 false"}[text])
	if (j.Error != nil) != (text == "#fail") || j.Error != nil && *j.Error != "the ERP refuses this: its text says #fail" {
		t.Errorf("the row's error is %v", j.Error)
	}
}

// wantEntity checks what the job worked on.
func wantEntity(t *testing.T, s *store.Store, typ, user string, th things, failed bool, jobID string) {
	t.Helper()
	ctx := context.Background()
	got, ok := "", "gone"
	switch typ {
	case SubmitOrder:
		o, err := store.PendingByID(ctx, s.DB, user, th.pending)
		if got = fmt.Sprint(o.Status, " ", o.JobID != nil && *o.JobID == jobID); err != nil {
			got = "gone"
		}
		if failed {
			ok = "failed true"
		} else if orders, err := store.Submitted(ctx, s.DB, user); err != nil || len(orders) != 2 || orders[0].OrderNumber == nil {
			t.Errorf("submitted: got %+v, %v", orders, err)
		}
		if list, err := store.Notifications(ctx, s.DB, user); err != nil || list.Unread != 1 {
			t.Errorf("notifications: got %+v, %v", list, err)
		}
	case EditOrder, DeleteOrder, SendToVerona:
		o, err := store.SubmittedByID(ctx, s.DB, user, th.order)
		if got = fmt.Sprint(o.Status, " ", o.JobID == nil, " ", strings.HasPrefix(o.Note, "at noon")); err != nil {
			got = "gone"
		}
		ok = map[string]string{EditOrder: "submitted true true", DeleteOrder: "gone", SendToVerona: "sent true false"}[typ]
		if failed {
			ok = "submitted true false"
		}
	case UpdateCustomer:
		c, err := store.CustomerByID(ctx, s.DB, user, th.customer)
		got, ok = fmt.Sprint(c.City, " ", c.JobID == nil, " ", err), map[bool]string{true: "Meran true <nil>", false: "Bozen true <nil>"}[failed]
	case EditHistory, DeleteHistory:
		r, err := store.HistoryByID(ctx, s.DB, user, th.record)
		if got = fmt.Sprint(r.Quantity, " ", r.JobID == nil); err != nil {
			got = "gone"
		}
		if failed {
			ok = "3 true"
		} else if typ == EditHistory {
			ok = "4 true"
		}
	default:
		got, ok = fmt.Sprint(syncState(t, s, user, typ)), map[bool]string{true: "0 of 450", false: "900 of 900"}[failed]
		if strings.HasSuffix(got, " of 400") { // refused before the page that reaches the half
			got = strings.TrimSuffix(got, "400") + "450"
		}
	}
	want(t, "what it worked on", got, ok)
}

// syncState returns the rows that a sync says it has brought, and those that are there.
func syncState(t *testing.T, s *store.Store, user, typ string) string {
	t.Helper()
	table := map[string]string{SyncCustomers: "customers WHERE id LIKE 'C%' AND", SyncOrders: "submitted WHERE id LIKE 'E%' AND",
		SyncProducts: "products WHERE", SyncPrices: "prices WHERE"}[typ]
	var n int
	if err := s.DB.QueryRow(`SELECT count(*) FROM `+table+` user_name = $1`, user).Scan(&n); err != nil {
		t.Fatal(err)
	}
	states, err := store.SyncState(context.Background(), s.DB, user)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if SyncJob(state.SyncType) == typ {
			return fmt.Sprintf("%d of %d", state.Rows, n)
		}
	}
	return "no state"
}

// orders is one order, number n.
func orders(n int) []events.SubmittedOrder {
	return []events.SubmittedOrder{{OrderID: fmt.Sprint("N", n), CustomerID: "K1", CustomerName: "Hotel Post", Status: events.OrderSubmitted}}
}

// However many syncs run, only some of them write at once.
func TestSyncsWriteInTurn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var now, most, chunks atomic.Int64
		upsert := func(context.Context, store.Querier, string, []erp.Price) error {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			chunks.Add(1)
			time.Sleep(30 * time.Millisecond)
			return nil
		}
		b := newBench(t, s, &tape{}, func(c *Config) {
			c.kinds = map[string]kind{SyncPrices: syncWork[erp.Price]{events.SyncPrices, (*erp.Client).Prices, upsert}.kind()}
			c.ERP = newERP(t, erp.Config{MaxRows: 300})
		}).start()
		var ids []string
		for u := range 12 {
			storetest.User(t, s, fmt.Sprint("u", u))
			ids = append(ids, b.enqueue(Request{UserID: fmt.Sprint("u", u), Type: SyncPrices, EntityID: "prices"}))
		}
		for _, id := range ids {
			want(t, "the end", b.ended(id).typ, "JOB_COMPLETED")
		}
		atOnce := int64(1) // SQLite has one writer
		if s.Dialect == store.PostgreSQL {
			atOnce = maxChunks
		}
		if most.Load() != atOnce || chunks.Load() < 12 {
			t.Errorf("%d chunks, %d at once; want 12 or more, %d at once", chunks.Load(), most.Load(), atOnce)
		}
	})
}

// The percent of a sync is that of the attempt that goes on, and never stands when it is
// over.
func TestSyncProgress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		tp := &tape{}
		b := newBench(t, s, tp, nil).start()
		id := b.enqueue(Request{UserID: "anna", Type: SyncPrices, EntityID: "prices", Args: NoteArgs{"#flaky #slow"}})
		b.ended(id)
		attempts, last, told, etas := 0, 0, 0, 0
		for _, h := range tp.events() {
			switch h.typ {
			case "JOB_STARTED":
				attempts, last = attempts+1, 0
			case "JOB_RETRYING":
				if last != 0 {
					t.Errorf("through the pause %d percent stand", last)
				}
			case "SYNC_PROGRESS":
				var p events.SyncRunning
				if err := json.Unmarshal(h.payload, &p); err != nil {
					t.Fatal(err)
				}
				told++
				if p.EtaMs != nil {
					etas++
				}
				if p.Total == 0 && p.Percent != 0 || p.Total > 0 && p.Percent != min(99, p.Processed*100/p.Total) || p.JobID != id {
					t.Errorf("got %+v", p)
				}
				if p.Percent < last && p.Label != "Interrupted" {
					t.Errorf("%d percent after %d in one attempt", p.Percent, last)
				}
				last = p.Percent
			}
		}
		if attempts != 2 || told < 6 || etas == 0 {
			t.Errorf("%d attempts, told %d times, %d with an ETA", attempts, told, etas)
		}
	})
}
