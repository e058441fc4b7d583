package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var (
	errNoOrder    = missing("order")
	errSubmitting = busy("", "the order is being submitted", "wait until that has ended, or cancel it")
)

func (a *API) listPending(w http.ResponseWriter, r *http.Request, user string) error {
	rows, err := store.Pending(r.Context(), a.cfg.Store.DB, user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

// createPending shows the pattern that every write follows: the rows and the event that
// tells of them are one transaction. What Broadcast returns is not looked at: an event
// that cannot be sent is logged by the outbox, and is no reason to undo the order.
func (a *API) createPending(w http.ResponseWriter, r *http.Request, user string) error {
	var in orderInput
	if err := decode(r, &in); err != nil {
		return err
	}
	order, err := in.check("")
	if err != nil {
		return err
	}
	var rows []events.PendingOrder
	err = a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if rows, err = store.CreatePending(ctx, tx, user, order); err != nil {
			return because(err, errNoCustomer(""), nil)
		}
		events.PendingCreated.Except(deviceOf(r)).Broadcast(out, user, events.PendingChange(rows))
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusCreated, rows[0])
}

// errNoCustomer says that an order's customer is not there.
func errNoCustomer(at string) error {
	return invalid(at+"customerId", "you have no such customer", "choose one of your customers")
}

func (a *API) updatePending(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "order")
	if err != nil {
		return err
	}
	var in orderInput
	if err := decode(r, &in); err != nil {
		return err
	}
	order, err := in.check("")
	if err != nil {
		return err
	}
	var row events.PendingOrder
	err = a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if row, err = updateOne(ctx, tx, user, id, order, ""); err != nil {
			return err
		}
		events.PendingUpdated.Except(deviceOf(r)).Broadcast(out, user, events.PendingChange([]events.PendingOrder{row}))
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, row)
}

// updateOne changes an order. at stands before the names of its fields.
func updateOne(ctx context.Context, tx *sql.Tx, user, id string, order store.PendingInput, at string) (events.PendingOrder, error) {
	if _, err := store.CustomerByID(ctx, tx, user, order.CustomerID); err != nil {
		return events.PendingOrder{}, because(err, errNoCustomer(at), nil)
	}
	row, err := store.UpdatePending(ctx, tx, user, id, order)
	var p *problem
	if err = because(err, errNoOrder, errSubmitting); at != "" && errors.As(err, &p) {
		err = &problem{p.Status, p.Message, at + "id", p.Fix}
	}
	return row, err
}

func (a *API) deletePending(w http.ResponseWriter, r *http.Request, user string) error {
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if len(in.IDs) == 0 || len(in.IDs) > maxDeleted {
		return invalid("ids", fmt.Sprintf("there are %d", len(in.IDs)), fmt.Sprintf("send 1 to %d", maxDeleted))
	}
	ids := slices.DeleteFunc(in.IDs, func(id string) bool { return !isID(id) }) // there is none of these
	var deleted []string
	err := a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		if deleted, err = store.DeletePending(ctx, tx, user, ids); err != nil {
			return because(err, nil, errSubmitting)
		}
		if len(deleted) == 0 {
			return errNoOrder
		}
		// Fifty orders are one event.
		events.PendingDeleted.Except(deviceOf(r)).Broadcast(out, user, events.PendingGone(deleted))
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, counted{len(deleted)})
}

// counted says how many rows something has met.
type counted struct {
	Count int `json:"count"`
}

// batchInput is one order of a batch: with an ID it is changed, without it is new.
type batchInput struct {
	ID string `json:"id"`
	orderInput
}

// batchPending changes and adds many orders, all or none.
func (a *API) batchPending(w http.ResponseWriter, r *http.Request, user string) error {
	var in struct {
		Orders []batchInput `json:"orders"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if len(in.Orders) == 0 || len(in.Orders) > maxBatch {
		return invalid("orders", fmt.Sprintf("there are %d", len(in.Orders)), fmt.Sprintf("send 1 to %d", maxBatch))
	}
	orders := make([]store.PendingInput, len(in.Orders))
	seen := map[string]bool{}
	for i, o := range in.Orders {
		at := orderAt(i)
		var err error
		if orders[i], err = o.check(at); err != nil {
			return err
		}
		if o.ID != "" && (seen[o.ID] || !isID(o.ID)) {
			return invalid(at+"id", "it is there twice, or is none", "send each order once")
		}
		seen[o.ID] = true
	}
	var rows []events.PendingOrder
	err := a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) (err error) {
		var created, updated []events.PendingOrder
		if rows, created, updated, err = saveBatch(ctx, tx, user, in.Orders, orders); err != nil {
			return err
		}
		if len(created) > 0 {
			events.PendingCreated.Except(deviceOf(r)).Broadcast(out, user, events.PendingChange(created))
		}
		if len(updated) > 0 {
			events.PendingUpdated.Except(deviceOf(r)).Broadcast(out, user, events.PendingChange(updated))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

func orderAt(i int) string { return fmt.Sprintf("orders[%d].", i) }

// saveBatch writes the orders of a batch. rows are all of them, in the order sent. What is
// there is changed before what is new is added: in this order jobs take the same locks.
func saveBatch(ctx context.Context, tx *sql.Tx, user string, in []batchInput, orders []store.PendingInput) (rows, created, updated []events.PendingOrder, err error) {
	var fresh []store.PendingInput
	var places []int // of fresh in rows
	rows = make([]events.PendingOrder, len(in))
	for i, o := range in {
		if o.ID == "" {
			if _, err = store.CustomerByID(ctx, tx, user, o.CustomerID); err != nil {
				return nil, nil, nil, because(err, errNoCustomer(orderAt(i)), nil)
			}
			fresh, places = append(fresh, orders[i]), append(places, i)
			continue
		}
		if rows[i], err = updateOne(ctx, tx, user, o.ID, orders[i], orderAt(i)); err != nil {
			return nil, nil, nil, err
		}
		updated = append(updated, rows[i])
	}
	if len(fresh) == 0 {
		return rows, nil, updated, nil
	}
	if created, err = store.CreatePending(ctx, tx, user, fresh...); err != nil {
		return nil, nil, nil, err
	}
	for i, place := range places {
		rows[place] = created[i]
	}
	return rows, created, updated, nil
}

// submitPending gives an order to a job, which sends it to the ERP.
func (a *API) submitPending(w http.ResponseWriter, r *http.Request, user string) error {
	return a.startJob(w, r, user, "order", errSubmitting, func(ctx context.Context, tx *sql.Tx, id string) (work, error) {
		o, err := store.PendingByID(ctx, tx, user, id)
		return work{jobs.SubmitOrder, o.CustomerName, nil}, err
	})
}
