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

var customerSteps = []string{"Opening the ERP", "Finding the customer", "Entering the changes", "Checking the address", "Saving the customer"}

// beginCustomer locks the customer. That is not an event of its own: JOB_QUEUED names the
// customer, and the job's progress and end are the customer's too.
func beginCustomer(ctx context.Context, tx *sql.Tx, _ usercast.Broadcaster, j *record) error {
	_, err := store.SetCustomerJob(ctx, tx, j.user, j.EntityID, &j.ID)
	return err
}

func updateCustomer(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	args, err := argsOf[CustomerArgs](run.record)
	if err != nil {
		return nil, err
	}
	own := emit.NewProgress(run, run.user, events.CustomerUpdateProgress, func(s emit.Snapshot) events.CustomerProgress {
		return events.CustomerProgress{CustomerID: run.EntityID, JobID: run.ID, Progress: s.Percent, Label: s.Label}
	}, emit.ProgressConfig{Logger: run.r.cfg.Logger})
	defer own.Stop()
	d := dialog{run, []*emit.Progress{p, own}, args.Name, customerSteps}
	err = d.pass(ctx, func(ctx context.Context, c *erp.Client, s erp.Session) error {
		return c.UpdateCustomer(ctx, s, erp.Customer{ID: run.EntityID, Name: args.Name, City: args.City, Email: args.Email})
	})
	return nil, err
}

func customerUpdated(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _ any) error {
	args, err := argsOf[CustomerArgs](j)
	if err != nil {
		return err
	}
	c, err := store.UpdateCustomer(ctx, tx, j.user, j.EntityID, args.Name, args.City, args.Email)
	if err != nil {
		return gone(err)
	}
	return broadcast(to, j, events.CustomerUpdateCompleted, events.CustomerUpdated{CustomerID: c.ID, Customer: c})
}

func customerNotUpdated(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, _, text string) error {
	if _, err := store.SetCustomerJob(ctx, tx, j.user, j.EntityID, nil); err != nil {
		return gone(err)
	}
	return broadcast(to, j, events.CustomerUpdateFailed, events.CustomerNotUpdated{CustomerID: j.EntityID, Error: text})
}
