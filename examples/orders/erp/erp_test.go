package erp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast/emit"
)

// newClient returns a client of a simulator within the test.
func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	handler, err := NewHandler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c := NewClient(srv.URL)
	t.Cleanup(c.Close)
	return c
}

func session(text string) Session { return Session{Job: "j1", User: "anna", Text: text, Calls: 4} }

func TestWritesComeTwice(t *testing.T) {
	var ids [2][]string
	for i := range ids { // the second one is the simulator after a restart
		c := newClient(t, Config{Seed: 7})
		for range 2 {
			id, err := c.CreateOrder(t.Context(), session(""), "p1", "C00001", 1200, "")
			if err != nil || id == "" {
				t.Fatalf("got %q, %v", id, err)
			}
			number, err := c.OrderNumber(t.Context(), session(""), id)
			if err != nil || !strings.HasPrefix(number, "26/") {
				t.Fatalf("got %q, %v", number, err)
			}
			ids[i] = append(ids[i], id+" "+number)
		}
		for what, other := range map[string]Session{"p2": session(""), "p1": {Job: "j1", User: "bruno"}} {
			id, err := c.CreateOrder(t.Context(), other, what, "C00001", 1200, "")
			if err != nil || strings.HasPrefix(ids[i][0], id) {
				t.Errorf("%s of %s is the order %q, %v", what, other.User, id, err)
			}
		}
	}
	if got := append(ids[0], ids[1]...); got[0] != got[1] || got[0] != got[2] || got[0] != got[3] {
		t.Errorf("one reference made %q", got)
	}
}

// A reference has one order, whichever job writes it, and that is as it was written last.
func TestOneOrderOfAReference(t *testing.T) {
	w := newWorld(Config{Seed: 7})
	first, err := w.createOrder(request{Job: "j1", User: "anna", Reference: "p1", CustomerID: "C00001", TotalCents: 1200, Note: "noon"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.createOrder(request{Job: "j2", User: "anna", Reference: "p1", CustomerID: "C00002", TotalCents: 900, Note: "evening"})
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("got %v, then %v, %v", first, second, err)
	}
	if len(w.orders.values) != 1 {
		t.Fatalf("the ERP has %d orders, want 1", len(w.orders.values))
	}
	for _, o := range w.orders.values {
		if o.customerID != "C00002" || o.totalCents != 900 || o.note == nil || *o.note != "evening" {
			t.Errorf("got %+v, want what was written last", o)
		}
	}
}

// all fetches a list, page by page.
func all[R any](t *testing.T, fetch func(context.Context, Session, int, int) (Page[R], error), s Session, limit int) []R {
	t.Helper()
	var rows []R
	for offset := 0; ; {
		p, err := fetch(t.Context(), s, offset, limit)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, p.Rows...)
		if offset = p.Next; offset >= p.Total {
			return rows
		}
	}
}

func TestLists(t *testing.T) {
	c := newClient(t, Config{Seed: 7})
	for name, n := range map[string]int{
		"2000 customers": len(all(t, c.Customers, session(""), MaxPage)),
		"3000 orders":    len(all(t, c.Orders, session(""), 333)),
		"4000 products":  len(all(t, c.Products, session(""), MaxPage)),
		"8000 prices":    len(all(t, c.Prices, session(""), MaxPage)),
	} {
		if got := fmt.Sprint(n); !strings.HasPrefix(name, got+" ") {
			t.Errorf("got %s rows, want %s", got, name)
		}
	}
	seen := map[string]bool{}
	for _, o := range all(t, c.Orders, session(""), MaxPage) {
		if seen[o.ID] || o.CustomerName == "" || o.Number == "" || o.TotalCents <= 0 {
			t.Fatalf("got %+v", o)
		}
		seen[o.ID] = true
	}
	again := newClient(t, Config{Seed: 7})
	if a, b := all(t, c.Prices, session(""), 400), all(t, again.Prices, Session{Job: "x", User: "bruno"}, 500); !reflect.DeepEqual(a, b) {
		t.Error("one seed makes two lists of prices")
	}
	other := newClient(t, Config{Seed: 8})
	if a, b := all(t, c.Customers, session(""), 400), all(t, other.Customers, session(""), 400); reflect.DeepEqual(a, b) {
		t.Error("two seeds make the same customers")
	}
}

// What was edited shows in the next sync, of that user and nobody else.
func TestEdits(t *testing.T) {
	c := newClient(t, Config{MaxRows: 20})
	ctx, s := t.Context(), session("")
	edited := Customer{"C00003", "Da Mario", "Verona", "mario@example.com"}
	for _, err := range []error{
		c.UpdateCustomer(ctx, s, edited), c.EditOrder(ctx, s, "E000002", "at noon"), c.SendToVerona(ctx, s, "E000002"),
		c.DeleteOrder(ctx, s, "E000004"), c.EditRecord(ctx, s, "h1"), c.DeleteRecord(ctx, s, "h1"), c.Screen(ctx, s),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := all(t, c.Customers, s, 10); len(got) != 20 || got[2] != edited {
		t.Errorf("got %d customers and %+v", len(got), got[2])
	}
	orders := all(t, c.Orders, s, 7)
	if len(orders) != 19 || orders[1].Note != "at noon" || !orders[1].Sent || orders[3].ID != "E000005" {
		t.Errorf("got %d orders: %+v", len(orders), orders[:4])
	}
	theirs := all(t, c.Orders, Session{Job: "x", User: "bruno"}, 7)
	if len(theirs) != 20 || theirs[1].Note != "" {
		t.Errorf("another user has %d orders: %+v", len(theirs), theirs[1])
	}
}

func TestTexts(t *testing.T) {
	c := newClient(t, Config{MaxRows: 20, SlowFor: 400 * time.Millisecond})
	create := func(s Session) error { _, err := c.CreateOrder(t.Context(), s, "p1", "C00001", 1, ""); return err }
	wantError := func(what string, err, want error, public string) {
		t.Helper()
		if !errors.Is(err, want) || emit.PublicText(err) != public {
			t.Errorf("%s: got %v, in public %q; want %v, %q", what, err, emit.PublicText(err), want, public)
		}
	}
	refused, lost := "the ERP refuses this: its text says #fail", "the ERP has lost the session"
	wantError("#fail", create(session("a #fail")), ErrRefused, refused)
	wantError("#flaky", create(session("a #flaky")), ErrSession, lost)
	if err := create(session("a #flaky")); err != nil {
		t.Errorf("the second attempt of #flaky: %v", err)
	}
	if err := c.Screen(t.Context(), session("#fail #flaky")); err != nil {
		t.Errorf("a screen where nothing is saved: %v", err)
	}
	if _, err := c.Products(t.Context(), session("#fail"), 0, 10); err != nil {
		t.Errorf("the first half of a sync: %v", err)
	}
	_, err := c.Products(t.Context(), session("#fail"), 10, 10)
	wantError("the second half", err, ErrRefused, refused)

	began := time.Now()
	for range 4 {
		if err := c.Screen(t.Context(), session("#slow")); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("#slow took %v in all, want 400 ms", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantError("#hang", c.Screen(ctx, session("#hang")), context.DeadlineExceeded, "timed out")
}

// A call is tried again while the ERP is busy, and not for ever.
func TestFailuresPass(t *testing.T) {
	c := newClient(t, Config{Seed: 3, Failures: 0.3})
	for range 100 { // 0.3^5 = 1 in 400 would still fail; not with this seed
		if err := c.Screen(t.Context(), session("")); err != nil {
			t.Fatal(err)
		}
	}
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	busy := NewClient(srv.URL)
	defer busy.Close()
	if err := busy.Screen(t.Context(), session("")); !errors.Is(err, ErrUnavailable) || calls.Load() != tries {
		t.Errorf("got %v after %d calls, want %d", err, calls.Load(), tries)
	}
	srv.Close()
	err := busy.Screen(t.Context(), session(""))
	if !errors.Is(err, ErrUnavailable) || emit.PublicText(err) != "the ERP does not answer" {
		t.Errorf("an ERP that is gone: %v", err)
	}
}

// The mean of the latency is the one that was asked for.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFaults(Config{Latency: 300 * time.Millisecond})
		began := time.Now()
		for range 1000 {
			if err := f.meet(t.Context(), request{}, false); err != nil {
				t.Fatal(err)
			}
		}
		if mean := time.Since(began) / 1000; mean < 290*time.Millisecond || mean > 310*time.Millisecond {
			t.Errorf("the mean is %v", mean)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory[int](3)
	for i := range 10 {
		m.put(fmt.Sprint(i), i)
		m.put(fmt.Sprint(i), i*10) // no second place
	}
	if got := fmt.Sprint(m.values); got != "map[7:70 8:80 9:90]" || len(m.keys) != 3 {
		t.Errorf("kept %s in %d places", got, len(m.keys))
	}
}

func TestRefuses(t *testing.T) {
	for want, cfg := range map[string]Config{
		"Latency": {Latency: -1}, "Failures": {Failures: 1.5}, "MaxRows": {MaxRows: -1}, "SlowFor": {SlowFor: -1},
	} {
		if _, err := NewHandler(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one about %s", err, want)
		}
	}
	c := newClient(t, Config{})
	create := func(reference string) error {
		_, err := c.CreateOrder(t.Context(), session(""), reference, "C00001", 1, "")
		return err
	}
	for what, err := range map[string]error{
		"no user":        c.Screen(t.Context(), Session{Job: "j"}),
		"no job":         c.Screen(t.Context(), Session{User: "u"}),
		"a long job":     c.Screen(t.Context(), Session{Job: strings.Repeat("j", 257), User: "u"}),
		"a large text":   c.Screen(t.Context(), Session{Job: "j", User: "u", Text: strings.Repeat("x", maxBody)}),
		"no reference":   create(""),
		"a long one":     create(strings.Repeat("r", 257)),
		"an unknown op":  c.call(t.Context(), "nothing", request{Job: "j", User: "u"}, nil),
		"a large page":   c.call(t.Context(), "orders", request{Job: "j", User: "u", Limit: MaxPage + 1}, nil),
		"a wrong offset": c.call(t.Context(), "orders", request{Job: "j", User: "u", Offset: -1}, nil),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want one that wraps ErrRefused", what, err)
		}
	}
}
