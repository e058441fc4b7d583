package jobs

import (
	"context"
	"database/sql"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// orderWork is work on a submitted order: editing, deleting and sending differ in what is
// here.
type orderWork struct {
	status events.OrderStatus // while it goes on
	event  usercast.EventType[events.OrderProgress]
	labels []string // the last one is of the change
	change func(ctx context.Context, c *erp.Client, s erp.Session, j *record) error
	done   func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error
}

var (
	editSteps   = []string{"Opening the ERP", "Finding the order", "Opening it for changes", "Entering the note", "Saving the order"}
	deleteSteps = []string{"Opening the ERP", "Finding the order", "Checking that it may go", "Deleting the order"}
	sendSteps   = []string{"Opening the ERP", "Finding the order", "Reserving stock in Verona", "Booking the transport", "Printing papers", "Sending the order"}
)

func (w orderWork) kind() kind {
	return kind{
		begin: func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
			_, err := setOrder(ctx, tx, to, j, w.status, &j.ID)
			return err
		},
		work: w.work,
		done: func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _ any) error {
			return gone(w.done(ctx, tx, to, j))
		},
		undone: func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _, _ string) error {
			_, err := setOrder(ctx, tx, to, j, events.OrderSubmitted, nil) // work begins on such orders only
			return gone(err)
		},
	}
}

// setOrder sets where an order stands, and tells it.
func setOrder(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, status events.OrderStatus, jobID *string) (events.SubmittedOrder, error) {
	o, err := store.SetOrderStatus(ctx, tx, j.user, j.EntityID, status, jobID)
	if err != nil {
		return o, err
	}
	return o, broadcast(to, j, events.OrderUpdated, events.ChangedOrder{OrderID: o.OrderID, Order: o})
}

func (w orderWork) work(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	o, err := store.SubmittedByID(ctx, run.db(), run.user, run.EntityID)
	if err != nil {
		return nil, err
	}
	args, err := argsOf[NoteArgs](run.record)
	if err != nil {
		return nil, err
	}
	own := emit.NewProgress(run, run.user, w.event, func(s emit.Snapshot) events.OrderProgress {
		return events.OrderProgress{OrderID: run.EntityID, JobID: run.ID, Progress: s.Percent, Label: s.Label}
	}, emit.ProgressConfig{Logger: run.r.cfg.Logger})
	defer own.Stop()
	text := o.Note
	if run.Type == EditOrder {
		text = args.Note
	}
	d := dialog{run, []*emit.Progress{p, own}, text, w.labels}
	err = d.pass(ctx, func(ctx context.Context, c *erp.Client, s erp.Session) error { return w.change(ctx, c, s, run.record) })
	return nil, err
}

func editOrder(ctx context.Context, c *erp.Client, s erp.Session, j *record) error {
	args, err := argsOf[NoteArgs](j)
	if err != nil {
		return err
	}
	return c.EditOrder(ctx, s, j.EntityID, args.Note)
}

func orderEdited(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
	args, err := argsOf[NoteArgs](j)
	if err != nil {
		return err
	}
	if _, err := store.SetOrderNote(ctx, tx, j.user, j.EntityID, args.Note); err != nil {
		return err
	}
	if err := broadcast(to, j, events.OrderEditComplete, events.OrderDone{OrderID: j.EntityID}); err != nil {
		return err
	}
	_, err = setOrder(ctx, tx, to, j, events.OrderSubmitted, nil)
	return err
}

func deleteOrder(ctx context.Context, c *erp.Client, s erp.Session, j *record) error {
	return c.DeleteOrder(ctx, s, j.EntityID)
}

func orderDeleted(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
	if err := gone(store.DeleteSubmitted(ctx, tx, j.user, j.EntityID)); err != nil {
		return err
	}
	return broadcast(to, j, events.OrderDeleteComplete, events.OrderDone{OrderID: j.EntityID})
}

func sendOrder(ctx context.Context, c *erp.Client, s erp.Session, j *record) error {
	return c.SendToVerona(ctx, s, j.EntityID)
}

func orderSent(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error {
	_, err := setOrder(ctx, tx, to, j, events.OrderSent, nil)
	return err
}
