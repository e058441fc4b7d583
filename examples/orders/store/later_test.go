package store_test

import (
	"testing"
	"time"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// TestEveryChangeIsLater sets the rows' clock an hour ahead, which is as good as the
// machine's an hour back, and makes every change there is.
func TestEveryChangeIsLater(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		twoUsers(t, s)
		pending := must(store.CreatePending(ctx, s.DB, "anna", order("a")))(t)[0]
		record := must(store.CreateHistory(ctx, s.DB, "anna", store.HistoryInput{CustomerName: "c", Article: "a", Quantity: 1}))(t)
		orders := []events.SubmittedOrder{{OrderID: "O1", Status: events.OrderSubmitted}}
		must(store.UpsertSubmitted(ctx, s.DB, "anna", orders))(t)
		ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		for _, table := range []string{"pending", "submitted", "history", "customers"} {
			must(s.DB.ExecContext(ctx, `UPDATE `+table+` SET updated_at = $1`, ahead.UnixMicro()))(t)
		}
		customer := must(store.Customers(ctx, s.DB, "anna"))(t)[0]

		at := map[string]time.Time{}
		later := func(row, change string, updated time.Time) {
			t.Helper()
			before, changed := at[row]
			if !changed {
				before = ahead
			}
			if !updated.After(before) {
				t.Errorf("%s: %v, want later than %v", change, updated, before)
			}
			at[row] = updated
		}
		later("pending", "UpdatePending", must(store.UpdatePending(ctx, s.DB, "anna", pending.ID, order("b")))(t).UpdatedAt)
		later("pending", "SetPendingStatus", must(store.SetPendingStatus(ctx, s.DB, "anna", pending.ID, events.PendingSubmitting, ptr("j")))(t).UpdatedAt)
		later("submitted", "SetOrderNumber", must(store.SetOrderNumber(ctx, s.DB, "anna", "O1", "26/1"))(t).UpdatedAt)
		later("submitted", "SetOrderNote", must(store.SetOrderNote(ctx, s.DB, "anna", "O1", "n"))(t).UpdatedAt)
		must(store.UpsertSubmitted(ctx, s.DB, "anna", orders))(t)
		later("submitted", "UpsertSubmitted", must(store.SubmittedByID(ctx, s.DB, "anna", "O1"))(t).UpdatedAt)
		later("submitted", "SetOrderStatus", must(store.SetOrderStatus(ctx, s.DB, "anna", "O1", events.OrderEditing, ptr("j")))(t).UpdatedAt)
		later("submitted", "PromotePending", must(store.PromotePending(ctx, s.DB, "anna", pending.ID, "O1"))(t).UpdatedAt)
		later("history", "UpdateHistory", must(store.UpdateHistory(ctx, s.DB, "anna", record.ID, store.HistoryInput{CustomerName: "c", Article: "b", Quantity: 2}))(t).UpdatedAt)
		later("history", "SetHistoryJob", must(store.SetHistoryJob(ctx, s.DB, "anna", record.ID, ptr("j")))(t).UpdatedAt)
		later("customer", "UpdateCustomer", must(store.UpdateCustomer(ctx, s.DB, "anna", customer.ID, "n", "c", "e"))(t).UpdatedAt)
		must(store.UpsertCustomers(ctx, s.DB, "anna", []events.Customer{{ID: customer.ID, Name: "m"}}))(t)
		later("customer", "UpsertCustomers", must(store.CustomerByID(ctx, s.DB, "anna", customer.ID))(t).UpdatedAt)
		later("customer", "SetCustomerJob", must(store.SetCustomerJob(ctx, s.DB, "anna", customer.ID, ptr("j")))(t).UpdatedAt)
	})
}
