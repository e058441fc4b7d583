package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// maxLineSteps bounds how many screens the lines of an order take.
const maxLineSteps = 8

// A submission is the result of SubmitOrder.
type submission struct {
	OrderID     string `json:"orderId"`
	OrderNumber string `json:"orderNumber"`
}

func beginSubmit(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
	return tellPending(to, j)(store.SetPendingStatus(ctx, tx, j.user, j.EntityID, events.PendingSubmitting, &j.ID))
}

// tellPending tells of a pending order that was changed, if it was.
func tellPending(to usercast.Broadcaster, j *record) func(events.PendingOrder, error) error {
	return func(o events.PendingOrder, err error) error {
		if err != nil {
			return err
		}
		return broadcast(to, j, events.PendingUpdated, events.PendingChange([]events.PendingOrder{o}))
	}
}

func submitOrder(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	o, err := store.PendingByID(ctx, run.db(), run.user, run.EntityID)
	if err != nil {
		return nil, err
	}
	labels := []string{"Opening the ERP", "Choosing " + o.CustomerName}
	steps := min(len(o.Lines), maxLineSteps)
	for i := range steps {
		labels = append(labels, fmt.Sprintf("Entering line %d of %d", i*len(o.Lines)/steps+1, len(o.Lines)))
	}
	labels = append(labels, "Checking prices", "Saving the order", "Waiting for its number")
	var got submission
	save := len(labels) - 2
	s := run.session(o.Note, len(labels))
	for i, label := range labels {
		p.Report(i, len(labels), label)
		err := run.call(ctx, func(ctx context.Context, c *erp.Client) (err error) {
			switch {
			case i < save:
				err = c.Screen(ctx, s)
			case i == save:
				got.OrderID, err = c.CreateOrder(ctx, s, run.EntityID, o.CustomerID, o.TotalCents, o.Note)
			default:
				got.OrderNumber, err = c.OrderNumber(ctx, s, got.OrderID)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return got, nil
}

func submitted(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, result any) error {
	got, ok := result.(submission)
	if !ok {
		return fmt.Errorf("jobs: %s: result is a %T", j.Type, result)
	}
	o, err := store.PromotePending(ctx, tx, j.user, j.EntityID, got.OrderID)
	if err != nil {
		return gone(err)
	}
	err = broadcast(to, j, events.PendingSubmitted, events.SubmittedPending{PendingOrderID: j.EntityID, OrderID: o.OrderID, Order: o})
	if err != nil {
		return err
	}
	// The order is told as it was before its number: that is the next event's news.
	if o, err = store.SetOrderNumber(ctx, tx, j.user, got.OrderID, got.OrderNumber); err != nil {
		return err
	}
	err = broadcast(to, j, events.OrderNumbersResolved, events.ResolvedOrder{PendingOrderID: j.EntityID, OrderID: o.OrderID,
		OrderNumber: got.OrderNumber, CustomerID: o.CustomerID, CustomerName: o.CustomerName})
	if err != nil {
		return err
	}
	return notify(ctx, tx, to, j, "Order "+got.OrderNumber+" submitted", "The order of "+o.CustomerName+" is in the ERP.")
}

func notSubmitted(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, status, text string) error {
	o, err := store.SetPendingStatus(ctx, tx, j.user, j.EntityID, events.PendingFailed, &j.ID)
	if err != nil {
		return gone(err)
	}
	if err := tellPending(to, j)(o, nil); err != nil || status == Cancelled {
		return err
	}
	return notify(ctx, tx, to, j, "Order not submitted", "The order of "+o.CustomerName+" is not in the ERP: "+text+".")
}

func notify(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, title, body string) error {
	n, err := store.AddNotification(ctx, tx, j.user, title, body)
	if err != nil {
		return err
	}
	return broadcast(to, j, events.NotificationNew, n)
}

// gone makes no error of one that says that a row is not there any more: nothing is to be
// done about it then.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
