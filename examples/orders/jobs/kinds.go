package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
)

// The types of jobs, and what each wants in [Request]. EntityName is for the devices.
const (
	SubmitOrder    = "submitOrder"    // EntityID: a pending order
	EditOrder      = "editOrder"      // EntityID: a submitted order; Args: NoteArgs
	DeleteOrder    = "deleteOrder"    // EntityID: a submitted order
	SendToVerona   = "sendToVerona"   // EntityID: a submitted order
	UpdateCustomer = "updateCustomer" // EntityID: a customer; Args: CustomerArgs
	EditHistory    = "editHistory"    // EntityID: a record; Args: HistoryArgs
	DeleteHistory  = "deleteHistory"  // EntityID: a record
	SyncCustomers  = "syncCustomers"  // EntityID: one of events.SyncTypes, "customers" here; Args: NoteArgs or none
	SyncOrders     = "syncOrders"
	SyncProducts   = "syncProducts"
	SyncPrices     = "syncPrices"
)

// SyncJob returns the type of the job that syncs.
func SyncJob(t events.SyncType) string {
	return map[events.SyncType]string{
		events.SyncCustomers: SyncCustomers, events.SyncOrders: SyncOrders,
		events.SyncProducts: SyncProducts, events.SyncPrices: SyncPrices,
	}[t]
}

// NoteArgs are those of EditOrder, and of syncs.
type NoteArgs struct {
	Note string `json:"note"`
}

// CustomerArgs are those of UpdateCustomer.
type CustomerArgs struct {
	Name  string `json:"name"`
	City  string `json:"city"`
	Email string `json:"email"`
}

// HistoryArgs are those of EditHistory.
type HistoryArgs struct {
	CustomerName string `json:"customerName"`
	Article      string `json:"article"`
	Quantity     int    `json:"quantity"`
	RevenueCents int64  `json:"revenueCents"`
}

// A kind is what a type of job does. begin, done and undone are parts of a transaction,
// with its outbox; what is not there any more is no error to done and undone.
type kind struct {
	// single means that one of an entity waits or runs.
	single bool
	// begin locks what the job works on, when it is queued.
	begin func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record) error
	// work is an attempt. What it does in the ERP it may do again after a kill.
	work func(ctx context.Context, run *run, p *emit.Progress) (any, error)
	// done writes the result of work.
	done func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, result any) error
	// undone unlocks what the job worked on, or was to. status is Failed or Cancelled.
	undone func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, status, text string) error
}

var kinds = map[string]kind{
	SubmitOrder:    {begin: beginSubmit, work: submitOrder, done: submitted, undone: notSubmitted},
	EditOrder:      orderWork{events.OrderEditing, events.OrderEditProgress, editSteps, editOrder, orderEdited}.kind(),
	DeleteOrder:    orderWork{events.OrderDeleting, events.OrderDeleteProgress, deleteSteps, deleteOrder, orderDeleted}.kind(),
	SendToVerona:   orderWork{events.OrderSending, events.OrderSendToVeronaProgress, sendSteps, sendOrder, orderSent}.kind(),
	UpdateCustomer: {begin: beginCustomer, work: updateCustomer, done: customerUpdated, undone: customerNotUpdated},
	EditHistory:    {begin: beginHistory, work: editHistory, done: historyEdited, undone: historyUnlocked},
	DeleteHistory:  {begin: beginHistory, work: deleteHistory, done: historyDeleted, undone: historyUnlocked},
	SyncCustomers:  syncWork[erp.Customer]{events.SyncCustomers, (*erp.Client).Customers, upsertCustomers}.kind(),
	SyncOrders:     syncWork[erp.Order]{events.SyncOrders, (*erp.Client).Orders, upsertOrders}.kind(),
	SyncProducts:   syncWork[erp.Product]{events.SyncProducts, (*erp.Client).Products, upsertProducts}.kind(),
	SyncPrices:     syncWork[erp.Price]{events.SyncPrices, (*erp.Client).Prices, upsertPrices}.kind(),
}

// kindOf returns what a type does. Of one that is in the table and not in this program, an
// older one's, it is nothing: such a job fails.
func (r *Runner) kindOf(typ string) kind {
	if k, ok := r.cfg.kinds[typ]; ok {
		return k
	}
	return kind{
		begin: func(context.Context, *sql.Tx, usercast.Broadcaster, *record) error {
			return fmt.Errorf("%w: Type: %.40q is none of this package's types", ErrInvalid, typ)
		},
		work: func(context.Context, *run, *emit.Progress) (any, error) {
			return nil, fmt.Errorf("%w: type %.40q", errArgs, typ)
		},
		undone: func(context.Context, *sql.Tx, usercast.Broadcaster, *record, string, string) error { return nil },
	}
}

// errArgs means a row that no attempt can make sense of.
var errArgs = errors.New("jobs: unknown arguments")

func argsOf[A any](j *record) (args A, err error) {
	if err = json.Unmarshal(j.args, &args); err != nil {
		err = fmt.Errorf("%w: %s: %w", errArgs, j.Type, err)
	}
	return args, err
}

// A dialog is what the ERP makes of a change: a number of screens, and then the change.
type dialog struct {
	run    *run
	tell   []*emit.Progress // all of them
	text   string           // the user's
	labels []string         // of the screens, and of the change
}

// pass passes the screens and makes the change.
func (d dialog) pass(ctx context.Context, change func(ctx context.Context, c *erp.Client, s erp.Session) error) error {
	s := d.run.session(d.text, len(d.labels))
	for i, label := range d.labels {
		for _, p := range d.tell {
			p.Report(i, len(d.labels), label)
		}
		err := d.run.call(ctx, func(ctx context.Context, c *erp.Client) error {
			if i == len(d.labels)-1 {
				return change(ctx, c, s)
			}
			return c.Screen(ctx, s)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
