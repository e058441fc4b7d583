package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

func TestOrdersChange(t *testing.T) {
	s := newSite(t)
	ann, bob := s.login("ann"), s.login("bob")
	a := s.order(ann, "", " tea ")
	b := s.order(ann, "", "rice")
	if a.Item != "tea" || a.ID == b.ID {
		t.Errorf("got %+v and %+v", a, b)
	}
	s.must(http.StatusOK, &a, "PUT", "/orders/"+a.ID, ann, "", orderInput{"green tea", 3})
	if got := s.state(ann).Orders; len(got) != 2 || got[0] != a || got[1] != b || got[0].Item != "green tea" {
		t.Errorf("got %v, want %v and %v", got, a, b)
	}

	// Another user neither sees nor reaches them.
	if got := s.state(bob).Orders; got == nil || len(got) != 0 {
		t.Errorf("bob's orders: got %#v, want []", got)
	}
	s.wantProblem(http.StatusNotFound, "", "PUT", "/orders/"+a.ID, bob, `{"item":"x","quantity":1}`)
	s.wantProblem(http.StatusNotFound, "", "DELETE", "/orders/"+a.ID, bob, "")

	s.must(http.StatusOK, nil, "DELETE", "/orders/"+a.ID, ann, "", nil)
	s.wantProblem(http.StatusNotFound, "", "DELETE", "/orders/"+a.ID, ann, "")
	var all changed
	s.must(http.StatusOK, &all, "DELETE", "/orders", ann, "", nil)
	if all.Count != 1 || all.OrderIDs[0] != b.ID {
		t.Errorf("delete all: got %+v, want %s", all, b.ID)
	}
	s.must(http.StatusOK, &all, "DELETE", "/orders", ann, "", nil)
	if all.Count != 0 || len(s.state(ann).Orders) != 0 {
		t.Errorf("delete nothing: got %+v", all)
	}
}

func TestOrdersAreChecked(t *testing.T) {
	s := newSite(t)
	token := s.login("ann")
	o := s.order(token, "", "tea")
	for _, test := range []struct {
		body, field string
		status      int
	}{
		{`{"quantity":1}`, "item", 422},
		{`{"item":" ","quantity":1}`, "item", 422},
		{`{"item":"` + strings.Repeat("é", 81) + `","quantity":1}`, "item", 422},
		{`{"item":1,"quantity":1}`, "item", 422},
		{`{"item":"tea"}`, "quantity", 422},
		{`{"item":"tea","quantity":1000}`, "quantity", 422},
		{`{"item":"tea","quantity":-1}`, "quantity", 422},
		{`{"item":"tea","quantity":1.5}`, "quantity", 422},
		{`{"item":"tea","quantity":"1"}`, "quantity", 422},
		{`{"item":"tea","quantity":1,"price":2}`, "", 400},
		{`{"item":"tea","quantity":1}{}`, "", 400},
		{`{"item":"tea"`, "", 400},
		{`[]`, "", 400},
		{``, "", 400},
		{`{"item":"` + strings.Repeat("x", maxBody) + `","quantity":1}`, "", 413},
	} {
		s.wantProblem(test.status, test.field, "POST", "/orders", token, test.body)
		s.wantProblem(test.status, test.field, "PUT", "/orders/"+o.ID, token, test.body)
	}
	if got := s.state(token).Orders; len(got) != 1 || got[0] != o {
		t.Errorf("refused requests changed something: %v", got)
	}
	// The longest that is allowed.
	s.order(token, "", strings.Repeat("é", maxItemRunes))
}

func TestStoreIsBounded(t *testing.T) {
	s := newOrders()
	for range maxUserOrders {
		if _, err := s.create("ann", orderInput{}); err != nil {
			t.Fatal(err)
		}
	}
	var p *problem
	if _, err := s.create("ann", orderInput{}); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("one order more: got %v", err)
	}
	for i := range maxUsers - 1 {
		if _, err := s.create(fmt.Sprint(i), orderInput{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.create("one more", orderInput{}); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
		t.Errorf("one user more: got %v", err)
	}
	// All IDs of a user fit one event.
	site := newSite(t)
	if err := site.app.hub.Broadcast("ann", usercast.Event{Type: "PENDING_DELETED", Payload: changedOrders(s.deleteAll("ann")...)}); err != nil {
		t.Error(err)
	}
	if _, err := s.create("one more", orderInput{}); err != nil {
		t.Errorf("after a user left: %v", err)
	}
}

func TestWriteRespondBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ann := s.login("ann")
		other, verdict := s.connect(ann, "two", nil)
		if verdict != "fresh" {
			t.Errorf("got verdict %s, want fresh", verdict)
		}
		bob, _ := s.connect(s.login("bob"), "two", nil)

		a, b := s.order(ann, "one", "tea"), s.order(ann, "one", "rice")
		other.want("PENDING_CREATED", one(a.ID))
		// Whoever hears of it finds it.
		if got := s.state(ann).Orders; len(got) != 2 {
			t.Errorf("after the event: got %v", got)
		}
		other.want("PENDING_CREATED", one(b.ID))
		s.must(http.StatusOK, nil, "PUT", "/orders/"+a.ID, ann, "one", orderInput{"tea", 2})
		other.want("PENDING_UPDATED", one(a.ID))
		s.must(http.StatusOK, nil, "DELETE", "/orders/"+a.ID, ann, "one", nil)
		other.want("PENDING_DELETED", one(a.ID))
		c := s.order(ann, "one", "salt")
		other.want("PENDING_CREATED", one(c.ID))
		s.must(http.StatusOK, nil, "DELETE", "/orders", ann, "one", nil)
		other.want("PENDING_DELETED", fmt.Sprintf(`{"orderIds":[%q,%q],"count":2}`, b.ID, c.ID))

		// A request that was refused says nothing, and an impossible device ID
		// does not suppress the event. The next thing each hears is this.
		s.wantProblem(422, "item", "POST", "/orders", ann, `{}`)
		last := s.order(ann, strings.Repeat("x", 65), "end")
		other.want("PENDING_CREATED", one(last.ID))
		mine := s.order(s.login("bob"), "", "his")
		bob.want("PENDING_CREATED", one(mine.ID))
	})
}

func TestNoEchoToTheDeviceThatAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		cursor := s.state(token).Cursor
		s.order(token, "one", "mine")
		theirs := s.order(token, "two", "theirs")
		// Nor at replay.
		k, verdict := s.connect(token, "one", &cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		k.want("PENDING_CREATED", one(theirs.ID))
		s.order(token, "one", "mine")
		theirs = s.order(token, "two", "theirs")
		k.want("PENDING_CREATED", one(theirs.ID))
	})
}

func TestCursorLeavesNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		before := s.order(token, "two", "before")
		st := s.state(token)
		if len(st.Orders) != 1 || st.Orders[0] != before {
			t.Errorf("state: got %v", st.Orders)
		}
		between := s.order(token, "two", "between") // fetched, and not yet connected
		k, verdict := s.connect(token, "one", &st.Cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		k.want("PENDING_CREATED", one(between.ID))
	})
}

func TestBroadcastNeverFailsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		poisoned := s.app.emitting(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			emit.From(r.Context()).Broadcast("ann", usercast.Event{Type: "POISON", Payload: panicker{}})
			w.WriteHeader(http.StatusCreated)
		}))
		w := httptest.NewRecorder()
		poisoned.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		if !strings.Contains(s.logs.String(), "POISON") || w.Code != http.StatusCreated {
			t.Errorf("got status %d, want 201, and the panic in the log: %s", w.Code, s.logs)
		}
		if err := s.app.hub.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		o := s.order(token, "", "tea")
		s.must(http.StatusOK, nil, "PUT", "/orders/"+o.ID, token, "", orderInput{"tea", 2})
		s.must(http.StatusOK, nil, "DELETE", "/orders/"+o.ID, token, "", nil)
		synctest.Wait() // the responses are out before the events
		if got := strings.Count(s.logs.String(), "event not sent"); got != 3 {
			t.Errorf("got %d lines in the log, want 3: %s", got, s.logs)
		}
	})
}

func (panicker) MarshalJSON() ([]byte, error) { panic("on purpose") }
