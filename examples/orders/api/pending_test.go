package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

func TestPendingRoutes(t *testing.T) {
	each(t, func(s *site) {
		var list []events.PendingOrder
		s.must(200, &list, "anna", "GET", "/api/orders", nil)
		if len(list) != 12 {
			s.Errorf("got %d orders, want the demo's 12", len(list))
		}
		var made, changed events.PendingOrder
		s.must(201, &made, "anna", "POST", "/api/orders", s.order("  first "))
		if made.Note != "first" || made.TotalCents != 2500 || made.Status != events.PendingOpen {
			s.Errorf("got %+v", made)
		}
		if p := last(s, events.PendingCreated); p.Count != 1 || p.OrderIDs[0] != made.ID || len(p.Orders) != 1 || !same(p.Orders[0], made) {
			s.Errorf("told %+v, answered %+v", p, made)
		}
		s.must(200, &changed, "anna", "PUT", "/api/orders/"+made.ID, s.order("second"))
		if p := last(s, events.PendingUpdated); p.Count != 1 || !same(p.Orders[0], changed) || changed.Note != "second" || changed.ID != made.ID {
			s.Errorf("told %+v, answered %+v", p, changed)
		}
		s.must(200, &list, "anna", "GET", "/api/orders", nil)
		if len(list) != 13 || !same(list[0], changed) {
			s.Errorf("the list begins with %+v, want %+v", list[0], changed)
		}
		var gone counted
		s.must(200, &gone, "anna", "DELETE", "/api/orders", map[string]any{"ids": []string{made.ID, list[1].ID, "nothing"}})
		if p := last(s, events.PendingDeleted); p.Count != 2 || len(p.OrderIDs) != 2 || gone.Count != 2 {
			s.Errorf("told %+v, answered %+v", p, gone)
		}
	})
}

// same compares orders as JSON has them.
func same(a, b events.PendingOrder) bool {
	return a.ID == b.ID && a.Note == b.Note && a.TotalCents == b.TotalCents && a.Status == b.Status && a.UpdatedAt.Equal(b.UpdatedAt) && len(a.Lines) == len(b.Lines)
}

func TestBatch(t *testing.T) {
	each(t, func(s *site) {
		type entry struct {
			ID string `json:"id,omitempty"`
			orderInput
		}
		var list, saved []events.PendingOrder
		s.must(200, &list, "anna", "GET", "/api/orders", nil)
		batch := []entry{{list[3].ID, s.order("a")}, {"", s.order("b")}, {list[5].ID, s.order("c")}, {"", s.order("d")}}
		s.must(200, &saved, "anna", "POST", "/api/orders/batch", map[string]any{"orders": batch})
		notes := ""
		for _, o := range saved {
			notes += o.Note
		}
		if notes != "abcd" || saved[0].ID != list[3].ID || saved[2].ID != list[5].ID {
			s.Errorf("got %+v", saved)
		}
		s.heard("", "PENDING_CREATED PENDING_UPDATED")

		// Many are one event as well, which does not carry them.
		many := make([]entry, maxBatch)
		for i := range many {
			many[i].orderInput = s.order("many")
		}
		s.must(200, &saved, "anna", "POST", "/api/orders/batch", map[string]any{"orders": many})
		if p := last(s, events.PendingCreated); p.Count != maxBatch || len(p.OrderIDs) != maxBatch || p.Orders != nil {
			s.Errorf("got %d of %d IDs, with %d rows", len(p.OrderIDs), p.Count, len(p.Orders))
		}

		// All or none.
		before := s.rows("pending", "anna")
		bad := s.order("bad")
		bad.CustomerID = "C99999"
		for field, wrong := range map[string]entry{
			"orders[1].id":         {"nothing", s.order("x")},
			"orders[1].customerId": {"", bad},
		} {
			status := map[bool]int{true: 404, false: 400}[wrong.ID != ""]
			s.refuses(status, field, "anna", "POST", "/api/orders/batch", map[string]any{"orders": []entry{{"", s.order("good")}, wrong}})
		}
		s.refuses(400, "orders[1].id", "anna", "POST", "/api/orders/batch", map[string]any{"orders": []entry{{list[3].ID, s.order("")}, {list[3].ID, s.order("")}}})
		s.refuses(400, "orders", "anna", "POST", "/api/orders/batch", map[string]any{"orders": []entry{}})
		s.refuses(400, "orders", "anna", "POST", "/api/orders/batch", map[string]any{"orders": append(many, many[0])})
		s.refuses(400, "orders[0].lines", "anna", "POST", "/api/orders/batch", `{"orders":[{"customerId":"x"}]}`)
		if after := s.rows("pending", "anna"); after != before {
			s.Errorf("%d orders after refused batches, want %d", after, before)
		}
	})
}

func TestPendingInput(t *testing.T) {
	s := newSite(t, open(t), nil)
	id := s.firstPending("anna")
	for field, change := range map[string]func(o *orderInput){
		"customerId":          func(o *orderInput) { o.CustomerID = "" },
		"lines":               func(o *orderInput) { o.Lines = nil },
		"lines[0].product":    func(o *orderInput) { o.Lines[0].Product = " " },
		"lines[0].quantity":   func(o *orderInput) { o.Lines[0].Quantity = 0 },
		"lines[0].priceCents": func(o *orderInput) { o.Lines[0].PriceCents = -1 },
		"note":                func(o *orderInput) { o.Note = strings.Repeat("ж", maxNote+1) },
	} {
		o := s.order("")
		change(&o)
		s.refuses(400, field, "anna", "POST", "/api/orders", o)
		s.refuses(400, field, "anna", "PUT", "/api/orders/"+id, o)
	}
	for field, change := range map[string]func(o *orderInput){
		"customerId":          func(o *orderInput) { o.CustomerID = "C99999" },
		"lines":               func(o *orderInput) { o.Lines = make([]events.OrderLine, maxLines+1) },
		"lines[0].product":    func(o *orderInput) { o.Lines[0].Product = "a\x00b" },
		"lines[0].quantity":   func(o *orderInput) { o.Lines[0].Quantity = maxQuantity + 1 },
		"lines[0].priceCents": func(o *orderInput) { o.Lines[0].PriceCents = maxPriceCents + 1 },
	} {
		o := s.order("")
		change(&o)
		s.refuses(400, field, "anna", "POST", "/api/orders", o)
	}
	s.refuses(404, "", "anna", "PUT", "/api/orders/nothing", s.order(""))
	s.refuses(404, "", "anna", "PUT", "/api/orders/"+strings.Repeat("x", 2000), s.order(""))
	s.refuses(404, "", "anna", "PUT", "/api/orders/%00", s.order(""))
	s.refuses(404, "", "anna", "DELETE", "/api/orders", `{"ids":["nothing"]}`)
	s.refuses(400, "ids", "anna", "DELETE", "/api/orders", `{"ids":[]}`)
	s.refuses(400, "ids", "anna", "DELETE", "/api/orders", map[string]any{"ids": make([]string, maxDeleted+1)})

	// The largest order that is taken fits an event.
	big := orderInput{CustomerID: s.customer("anna"), Note: strings.Repeat("<", maxNote)}
	for range maxLines {
		big.Lines = append(big.Lines, events.OrderLine{Product: strings.Repeat("<", maxName), Quantity: maxQuantity, PriceCents: maxPriceCents})
	}
	var made events.PendingOrder
	s.must(201, &made, "anna", "POST", "/api/orders", big)
	if p := last(s, events.PendingCreated); p.OrderIDs[0] != made.ID || len(p.Orders) != 1 {
		s.Errorf("got %d rows, want 1", len(p.Orders))
	}
}

// What cannot be an ID is one that is not there, on each database.
func TestPendingImpossibleIDs(t *testing.T) {
	each(t, func(s *site) {
		for _, id := range []string{"\x00", "a\x00b", strings.Repeat("x", maxID+1)} {
			o := s.order("")
			o.CustomerID = id
			s.refuses(400, "customerId", "anna", "POST", "/api/orders", o)
			s.refuses(404, "", "anna", "DELETE", "/api/orders", map[string]any{"ids": []string{id}})
			s.refuses(400, "orders[0].id", "anna", "POST", "/api/orders/batch", map[string]any{"orders": []any{batchInput{id, s.order("")}}})
		}
	})
}

func TestPendingIsFull(t *testing.T) {
	s := newSite(t, open(t), nil)
	s.fill("anna")
	s.refuses(http.StatusConflict, "", "anna", "POST", "/api/orders", s.order(""))
}

// While an order is being submitted nothing else can be done with it.
func TestPendingIsBusy(t *testing.T) {
	each(t, func(s *site) {
		id, job := s.firstPending("anna"), "j"
		if _, err := store.SetPendingStatus(t.Context(), s.store.DB, "anna", id, events.PendingSubmitting, &job); err != nil {
			t.Fatal(err)
		}
		s.refuses(409, "", "anna", "PUT", "/api/orders/"+id, s.order(""))
		s.refuses(409, "", "anna", "DELETE", "/api/orders", map[string]any{"ids": []string{id, s.pendingIDs("anna")[1]}})
		s.refuses(409, "orders[0].id", "anna", "POST", "/api/orders/batch", map[string]any{"orders": []any{batchInput{id, s.order("")}}})
		if n := s.rows("pending", "anna"); n != 12 {
			s.Errorf("got %d orders, want all 12", n)
		}
	})
}
