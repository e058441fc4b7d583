package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/usercast-go/usercast/emit"
)

// createOrder shows what all handlers here do.
func (a *app) createOrder(w http.ResponseWriter, r *http.Request, user string) {
	in, err := readOrder(w, r)
	if err != nil {
		fail(w, err)
		return
	}

	// 1. Write. With a database: commit.
	o, err := a.orders.create(user, in)
	if err != nil {
		fail(w, err)
		return
	}
	// 2. Respond.
	respond(w, http.StatusCreated, o)
	// 3. Broadcast, to all devices of this user but the one that asked. The request's
	// outbox sends it when the response is out. What goes wrong with it is logged, and
	// fails nothing: the order exists.
	pendingCreated.Except(deviceOf(r)).Broadcast(emit.From(r.Context()), user, changedOrders(o.ID))
}

func (a *app) updateOrder(w http.ResponseWriter, r *http.Request, user string) {
	in, err := readOrder(w, r)
	if err != nil {
		fail(w, err)
		return
	}

	o, err := a.orders.update(user, r.PathValue("id"), in)
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusOK, o)
	pendingUpdated.Except(deviceOf(r)).Broadcast(emit.From(r.Context()), user, changedOrders(o.ID))
}

func (a *app) deleteOrder(w http.ResponseWriter, r *http.Request, user string) {
	id := r.PathValue("id")

	if err := a.orders.delete(user, id); err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusOK, changedOrders(id))
	pendingDeleted.Except(deviceOf(r)).Broadcast(emit.From(r.Context()), user, changedOrders(id))
}

// deleteAllOrders makes one event of all the rows, or of as many as fit one.
func (a *app) deleteAllOrders(w http.ResponseWriter, r *http.Request, user string) {
	deleted := emit.NewBatch(pendingDeleted.Except(deviceOf(r)), func(ids []string) changed {
		return changedOrders(ids...)
	}, emit.BatchConfig{})

	ids := a.orders.deleteAll(user)
	respond(w, http.StatusOK, changedOrders(ids...))
	if err := errors.Join(deleted.Add(user, ids...), deleted.Flush(emit.From(r.Context()))); err != nil {
		a.log.Error("event not sent", "user", user, "error", err)
	}
}

// Bounds of an order and of the store.
const (
	maxItemRunes  = 80
	maxQuantity   = 999
	maxUserOrders = 1000
	maxUsers      = 1000
)

// errNoOrder is also the answer for another user's order: nobody learns which
// IDs exist.
var errNoOrder = &problem{http.StatusNotFound, "no such order", ""}

// An orderInput is what a client may say of an order.
type orderInput struct {
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
}

// An order is one row.
type order struct {
	ID string `json:"id"`
	orderInput
}

func readOrder(w http.ResponseWriter, r *http.Request) (orderInput, error) {
	var in orderInput
	if err := decode(w, r, &in); err != nil {
		return in, err
	}
	in.Item = strings.TrimSpace(in.Item)
	switch {
	case in.Item == "":
		return in, invalid("item", "want a text")
	case utf8.RuneCountInString(in.Item) > maxItemRunes:
		return in, invalid("item", "at most %d characters", maxItemRunes)
	case in.Quantity < 1 || in.Quantity > maxQuantity:
		return in, invalid("quantity", "want 1 to %d", maxQuantity)
	}
	return in, nil
}

// orders is the store: a map where an application has a database. It is safe for
// concurrent use and knows nothing of events.
type orders struct {
	mu    sync.Mutex
	users map[string][]order // oldest first
}

func newOrders() *orders { return &orders{users: make(map[string][]order)} }

func (s *orders) create(user string, in orderInput) (order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, known := s.users[user]
	switch {
	case len(rows) >= maxUserOrders:
		return order{}, &problem{http.StatusConflict, "orders: you have as many as this example keeps; delete some", ""}
	case !known && len(s.users) >= maxUsers:
		return order{}, &problem{http.StatusServiceUnavailable, "users: more than this example keeps", ""}
	}
	o := order{rand.Text(), in}
	s.users[user] = append(rows, o)
	return o, nil
}

func (s *orders) update(user, id string, in orderInput) (order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(user, id)
	if i < 0 {
		return order{}, errNoOrder
	}
	o := order{id, in}
	s.users[user][i] = o
	return o, nil
}

func (s *orders) delete(user, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(user, id)
	if i < 0 {
		return errNoOrder
	}
	s.users[user] = slices.Delete(s.users[user], i, i+1)
	if len(s.users[user]) == 0 {
		delete(s.users, user)
	}
	return nil
}

// deleteAll returns the IDs of what it deleted.
func (s *orders) deleteAll(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.users[user]))
	for _, o := range s.users[user] {
		ids = append(ids, o.ID)
	}
	delete(s.users, user)
	return ids
}

// list returns a copy of the user's orders.
func (s *orders) list(user string) []order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]order{}, s.users[user]...) // never nil: JSON gets [], not null
}

// find returns the index of a user's order, -1 if there is none. The caller holds mu.
func (s *orders) find(user, id string) int {
	return slices.IndexFunc(s.users[user], func(o order) bool { return o.ID == id })
}
