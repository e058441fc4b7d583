// Package events is the catalogue: every event that the order book sends, with its
// payload and class. The names and fields are written down here and nowhere else. The
// page's types are generated from it:
//
//go:generate go run github.com/usercast-go/usercast/cmd/usercast types . -o ../web/src/events.gen.ts
package events

import (
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// Pending orders: of the agent's own, not yet in the ERP.
var (
	PendingCreated = usercast.Define[PendingOrders]("PENDING_CREATED", usercast.Buffered,
		"Pending orders were added.")
	PendingUpdated = usercast.Define[PendingOrders]("PENDING_UPDATED", usercast.Buffered,
		"Pending orders were changed.")
	PendingDeleted = usercast.Define[PendingDeletedOrders]("PENDING_DELETED", usercast.Buffered,
		"Pending orders are gone.")
	PendingSubmitted = usercast.Define[SubmittedPending]("PENDING_SUBMITTED", usercast.Buffered,
		"A pending order has reached the ERP, and is a submitted order from now on.")
)

// Submitted orders: in the ERP. The progress of work on one is the latest value of its
// key, and ends with ORDER_EDIT_COMPLETE, ORDER_DELETE_COMPLETE or ORDER_UPDATED, however
// the work ended: so no device is ever left with the progress of work that is over.
var (
	OrderNumbersResolved = usercast.Define[ResolvedOrder]("ORDER_NUMBERS_RESOLVED", usercast.Buffered,
		"The ERP has numbered an order.")
	OrderEditProgress = usercast.DefineKeyed("ORDER_EDIT_PROGRESS", usercast.Latest, OrderProgress.key,
		"How far the edit of an order in the ERP has got.")
	OrderEditComplete = usercast.DefineKeyed("ORDER_EDIT_COMPLETE", usercast.Buffered, OrderDone.key,
		"An order has been edited in the ERP.")
	OrderDeleteProgress = usercast.DefineKeyed("ORDER_DELETE_PROGRESS", usercast.Latest, OrderProgress.key,
		"How far the deletion of an order in the ERP has got.")
	OrderDeleteComplete = usercast.DefineKeyed("ORDER_DELETE_COMPLETE", usercast.Buffered, OrderDone.key,
		"An order is gone from the ERP.")
	OrderSendToVeronaProgress = usercast.DefineKeyed("ORDER_SEND_TO_VERONA_PROGRESS", usercast.Latest, OrderProgress.key,
		"How far an order is on its way to the warehouse in Verona.")
	OrderUpdated = usercast.DefineKeyed("ORDER_UPDATED", usercast.Buffered, ChangedOrder.key,
		"A submitted order is as here. Work on it has begun, or has ended, well or not.")
)

// The Fresis history: sales of the past, kept beside the orders.
var (
	FresisHistoryCreated = usercast.Define[HistoryChanged]("FRESIS_HISTORY_CREATED", usercast.Buffered,
		"A record was added.")
	FresisHistoryUpdated = usercast.DefineKeyed("FRESIS_HISTORY_UPDATED", usercast.Buffered, HistoryChanged.key,
		"A record was changed, or work on it in the ERP has begun or ended.")
	FresisHistoryDeleted = usercast.DefineKeyed("FRESIS_HISTORY_DELETED", usercast.Buffered, HistoryDeleted.key,
		"A record is gone.")
	FresisHistoryBulkImported = usercast.Define[HistoryImported]("FRESIS_HISTORY_BULK_IMPORTED", usercast.Buffered,
		"Many records were added at once: fetch them.")
	FresisHistoryEditProgress = usercast.DefineKeyed("FRESIS_HISTORY_EDIT_PROGRESS", usercast.Latest, HistoryProgress.key,
		"How far the edit of a record in the ERP has got.")
	FresisHistoryDeleteProgress = usercast.DefineKeyed("FRESIS_HISTORY_DELETE_PROGRESS", usercast.Latest, HistoryProgress.key,
		"How far the deletion of a record in the ERP has got.")
)

// Customers.
var (
	CustomerUpdateProgress = usercast.DefineKeyed("CUSTOMER_UPDATE_PROGRESS", usercast.Latest, CustomerProgress.key,
		"How far the update of a customer in the ERP has got.")
	CustomerUpdateCompleted = usercast.DefineKeyed("CUSTOMER_UPDATE_COMPLETED", usercast.Buffered, CustomerUpdated.key,
		"A customer is as here.")
	CustomerUpdateFailed = usercast.DefineKeyed("CUSTOMER_UPDATE_FAILED", usercast.Buffered, CustomerNotUpdated.key,
		"A customer was not updated: the attempt failed or was cancelled.")
)

// Syncs from the ERP.
var (
	SyncProgress = usercast.DefineKeyed("SYNC_PROGRESS", usercast.Latest, SyncRunning.key,
		"How far a sync has got.")
	SyncCompleted = usercast.DefineKeyed("SYNC_COMPLETED", usercast.Buffered, SyncDone.key,
		"A sync is done.")
	SyncFailed = usercast.DefineKeyed("SYNC_FAILED", usercast.Buffered, SyncNotDone.key,
		"A sync has ended before it was done: it failed or was cancelled.")
)

// Notifications carry the number of unread ones, so that nobody has to count: an event
// that comes twice counts nothing twice.
var (
	NotificationNew = usercast.Define[NewNotification]("NOTIFICATION_NEW", usercast.Buffered,
		"A notification for the agent.")
	NotificationRead = usercast.Define[ReadNotifications]("NOTIFICATION_READ", usercast.Buffered,
		"Notifications were read on some device.")
)

// Jobs are JOB_QUEUED, JOB_STARTED, JOB_PROGRESS, JOB_RETRYING, JOB_COMPLETED, JOB_FAILED,
// JOB_CANCELLED and JOB_REQUEUED, about every background job.
var Jobs = emit.DefineJobs("JOB")
