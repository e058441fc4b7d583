package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var ctx = context.Background()

// must is for what has to work.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// twoUsers makes anna and bruno, with customer C1 each.
func twoUsers(t *testing.T, s *store.Store) {
	t.Helper()
	for _, user := range []string{"anna", "bruno"} {
		storetest.User(t, s, user)
		n := must(store.UpsertCustomers(ctx, s.DB, user, []events.Customer{{ID: "C1", Name: "Hotel Post " + user, City: "Meran", Email: "a@b.example"}}))(t)
		if n != 1 {
			t.Fatalf("got %d customers, want 1", n)
		}
	}
}

func order(note string) store.PendingInput {
	return store.PendingInput{CustomerID: "C1", Note: note, Lines: []events.OrderLine{{Product: "Speck g.g.A.", Quantity: 3, PriceCents: 1250}, {Product: "Lagrein 0,75 l", Quantity: 2, PriceCents: 990}}}
}

func ptr(s string) *string { return &s }

func TestPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		rows := must(store.CreatePending(ctx, s.DB, "anna", order("one"), order("two")))(t)
		o := rows[0]
		if len(rows) != 2 || o.TotalCents != 3*1250+2*990 || o.CustomerName != "Hotel Post anna" || o.Status != events.PendingOpen || o.JobID != nil || len(o.Lines) != 2 || o.Lines[1].Product != "Lagrein 0,75 l" {
			t.Errorf("got %+v", rows)
		}
		if got := must(store.PendingByID(ctx, s.DB, "anna", o.ID))(t); !got.UpdatedAt.Equal(o.UpdatedAt) || got.UpdatedAt.Location() != time.UTC || got.Note != "one" {
			t.Errorf("got %+v, want %+v", got, o)
		}
		if got := must(store.Pending(ctx, s.DB, "anna"))(t); len(got) != 2 || got[0].Note != "two" || got[1].Note != "one" {
			t.Errorf("newest first: got %+v", got)
		}
		if got := must(store.Pending(ctx, s.DB, "bruno"))(t); got == nil || len(got) != 0 {
			t.Errorf("bruno: got %+v, want an empty list", got)
		}
		changed := order("changed")
		changed.Lines = changed.Lines[:1]
		if got := must(store.UpdatePending(ctx, s.DB, "anna", o.ID, changed))(t); got.Note != "changed" || got.TotalCents != 3750 || len(got.Lines) != 1 {
			t.Errorf("got %+v", got)
		}
		if got := must(store.DeletePending(ctx, s.DB, "anna", []string{o.ID, o.ID, "nothing"}))(t); !slices.Equal(got, []string{o.ID}) {
			t.Errorf("got %v deleted, want %s", got, o.ID)
		}
		if got := must(store.DeletePending(ctx, s.DB, "anna", nil))(t); len(got) != 0 {
			t.Errorf("got %v deleted of nothing", got)
		}
	})
}

// Nobody reads or changes what is another user's.
func TestPendingOfOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		id := must(store.CreatePending(ctx, s.DB, "anna", order("hers")))(t)[0].ID
		_, err := store.PendingByID(ctx, s.DB, "bruno", id)
		wantErr(t, "PendingByID", err, store.ErrNotFound)
		_, err = store.UpdatePending(ctx, s.DB, "bruno", id, order("his"))
		wantErr(t, "UpdatePending", err, store.ErrNotFound)
		_, err = store.SetPendingStatus(ctx, s.DB, "bruno", id, events.PendingSubmitting, ptr("j"))
		wantErr(t, "SetPendingStatus", err, store.ErrNotFound)
		_, err = store.PromotePending(ctx, s.DB, "bruno", id, "O1")
		wantErr(t, "PromotePending", err, store.ErrNotFound)
		if got := must(store.DeletePending(ctx, s.DB, "bruno", []string{id}))(t); len(got) != 0 {
			t.Errorf("bruno deleted %v of anna's", got)
		}
		other := order("x")
		other.CustomerID = "C2"
		_, err = store.CreatePending(ctx, s.DB, "anna", other)
		wantErr(t, "no such customer", err, store.ErrNotFound)
		if got := must(store.PendingByID(ctx, s.DB, "anna", id))(t); got.Note != "hers" || got.Status != events.PendingOpen {
			t.Errorf("anna's order is %+v", got)
		}
	})
}

func TestPendingIsLockedWhileSubmitting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		id := must(store.CreatePending(ctx, s.DB, "anna", order("")))(t)[0].ID
		got := must(store.SetPendingStatus(ctx, s.DB, "anna", id, events.PendingSubmitting, ptr("j1")))(t)
		if got.Status != events.PendingSubmitting || got.JobID == nil || *got.JobID != "j1" {
			t.Errorf("got %+v", got)
		}
		_, err := store.SetPendingStatus(ctx, s.DB, "anna", id, events.PendingSubmitting, ptr("j2"))
		wantErr(t, "another job", err, store.ErrBusy)
		must(store.SetPendingStatus(ctx, s.DB, "anna", id, events.PendingSubmitting, ptr("j1")))(t) // the same, after a restart
		_, err = store.UpdatePending(ctx, s.DB, "anna", id, order("x"))
		wantErr(t, "UpdatePending", err, store.ErrBusy)
		_, err = store.DeletePending(ctx, s.DB, "anna", []string{id})
		wantErr(t, "DeletePending", err, store.ErrBusy)
		must(store.SetPendingStatus(ctx, s.DB, "anna", id, events.PendingFailed, ptr("j1")))(t)
		if got := must(store.UpdatePending(ctx, s.DB, "anna", id, order("again")))(t); got.Status != events.PendingOpen || got.JobID != nil {
			t.Errorf("an edited order is %+v, want pending without a job", got)
		}
	})
}

func TestPromotePending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		in := must(store.CreatePending(ctx, s.DB, "anna", order("note"), order("synced")))(t)
		got := must(store.PromotePending(ctx, s.DB, "anna", in[0].ID, "O1"))(t)
		if got.OrderID != "O1" || got.Status != events.OrderSubmitted || got.TotalCents != in[0].TotalCents || got.Note != "note" || got.OrderNumber != nil || got.CustomerID != "C1" {
			t.Errorf("got %+v", got)
		}
		if again := must(store.PromotePending(ctx, s.DB, "anna", in[0].ID, "O1"))(t); again != got {
			t.Errorf("done again got %+v, want %+v", again, got)
		}
		// The sync was faster.
		must(store.UpsertSubmitted(ctx, s.DB, "anna", []events.SubmittedOrder{{OrderID: "O2", OrderNumber: ptr("N2"), CustomerName: "?", Status: events.OrderSubmitted}}))(t)
		got = must(store.PromotePending(ctx, s.DB, "anna", in[1].ID, "O2"))(t)
		if got.CustomerName != "Hotel Post anna" || got.OrderNumber == nil || *got.OrderNumber != "N2" {
			t.Errorf("got %+v", got)
		}
		if left := must(store.Pending(ctx, s.DB, "anna"))(t); len(left) != 0 {
			t.Errorf("still pending: %+v", left)
		}
		_, err := store.PromotePending(ctx, s.DB, "anna", in[0].ID, "O9")
		wantErr(t, "neither is there", err, store.ErrNotFound)
	})
}

func TestPendingIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		made, refused := 0, 0
		for range 6 { // at once: the bound must hold between transactions
			wg.Go(func() {
				err := inTx(s, func(tx *sql.Tx) error {
					_, err := store.CreatePending(ctx, tx, "anna", slices.Repeat([]store.PendingInput{order("")}, 100)...)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made++
				} else if errors.Is(err, store.ErrFull) {
					refused++
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made != 5 || refused != 1 {
			t.Errorf("%d transactions of 100 orders made them, %d were refused; want 5 and 1", made, refused)
		}
		if got := must(store.Pending(ctx, s.DB, "anna"))(t); len(got) != store.MaxPending {
			t.Errorf("got %d orders, want %d", len(got), store.MaxPending)
		}
	})
}

// Of several that begin work on the same row at once, one does.
func TestOneTakesTheRow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		id := must(store.CreatePending(ctx, s.DB, "anna", order("")))(t)[0].ID
		record := must(store.CreateHistory(ctx, s.DB, "anna", store.HistoryInput{CustomerName: "a", Article: "b", Quantity: 1}))(t).ID
		must(store.UpsertSubmitted(ctx, s.DB, "anna", []events.SubmittedOrder{{OrderID: "O1", Status: events.OrderSubmitted}}))(t)
		for name, take := range map[string]func(q store.Querier, job *string) error{
			"pending": func(q store.Querier, job *string) error {
				_, err := store.SetPendingStatus(ctx, q, "anna", id, events.PendingSubmitting, job)
				return err
			},
			"submitted": func(q store.Querier, job *string) error {
				_, err := store.SetOrderStatus(ctx, q, "anna", "O1", events.OrderEditing, job)
				return err
			},
			"history": func(q store.Querier, job *string) error {
				_, err := store.SetHistoryJob(ctx, q, "anna", record, job)
				return err
			},
			"customer": func(q store.Querier, job *string) error {
				_, err := store.SetCustomerJob(ctx, q, "anna", "C1", job)
				return err
			},
		} {
			var wg sync.WaitGroup
			results := make(chan error, 8)
			for i := range cap(results) {
				wg.Go(func() {
					results <- inTx(s, func(tx *sql.Tx) error { return take(tx, ptr(fmt.Sprint("j", i))) })
				})
			}
			wg.Wait()
			close(results)
			won := 0
			for err := range results {
				if err == nil {
					won++
				} else {
					wantErr(t, name, err, store.ErrBusy)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d jobs took the row, want 1", name, won)
			}
		}
	})
}

func inTx(s *store.Store, fn func(tx *sql.Tx) error) error {
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func TestOpen(t *testing.T) {
	for _, d := range []store.Dialect{store.SQLite, store.PostgreSQL} {
		t.Run(string(d), func(t *testing.T) {
			dsn := storetest.DSN(t, d)
			// Two processes that start at once.
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					s, err := store.Open(ctx, dsn)
					if err != nil {
						t.Error(err)
						return
					}
					if s.Dialect != d {
						t.Errorf("dialect %s, want %s", s.Dialect, d)
					}
					s.Close()
				})
			}
			wg.Wait()
			s := storetest.Open(t, dsn)
			storetest.User(t, s, "anna")
			if got := must(store.Users(ctx, storetest.Open(t, dsn).DB))(t); got != 1 {
				t.Errorf("opened again there are %d users, want 1", got)
			}
			if err := s.Migrate(ctx, "CREATE TABLE IF NOT EXISTS good (a TEXT)", "CREATE NONSENSE"); err == nil || !strings.Contains(err.Error(), "CREATE NONSENSE") {
				t.Errorf("a bad statement: %v", err)
			}
			if _, err := s.DB.ExecContext(ctx, "SELECT * FROM good"); err == nil {
				t.Error("half a migration was committed")
			}
		})
	}
	if _, err := store.Open(ctx, t.TempDir()+"/no/such/dir/orders.db"); err == nil {
		t.Error("a file in a directory that is not there was opened")
	}
	if _, err := store.Open(ctx, "postgres://127.0.0.1:1/x?connect_timeout=1"); err == nil {
		t.Error("a server that is not there was opened")
	}
}
