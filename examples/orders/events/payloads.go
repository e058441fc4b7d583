package events

import "time"

// PendingOrders says which pending orders were added or changed. Fifty at once are one event.
type PendingOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
	// Orders are the rows, so that a device need not fetch them. nil where there are more
	// than [MaxRows]: then fetch the list, once.
	Orders []PendingOrder `json:"orders"`
}

// MaxRows is how many rows an event carries at most.
const MaxRows = 20

// PendingOrder is a row of the list of pending orders.
type PendingOrder struct {
	ID           string        `json:"id"`
	CustomerID   string        `json:"customerId"`
	CustomerName string        `json:"customerName"`
	Lines        []OrderLine   `json:"lines"`
	TotalCents   int64         `json:"totalCents"`
	Note         string        `json:"note"`
	Status       PendingStatus `json:"status" jsonschema:"enum=pending,enum=submitting,enum=failed"`
	JobID        *string       `json:"jobId"` // of the submission, while there is one or the last one failed
	UpdatedAt    time.Time     `json:"updatedAt"`
}

// OrderLine is a line of an order.
type OrderLine struct {
	Product    string `json:"product"`
	Quantity   int    `json:"quantity"`
	PriceCents int64  `json:"priceCents"` // of one
}

// PendingStatus is where a pending order stands.
type PendingStatus string

const (
	PendingOpen       PendingStatus = "pending"
	PendingSubmitting PendingStatus = "submitting" // a job is queued or runs; the order is locked
	PendingFailed     PendingStatus = "failed"     // the last submission failed or was cancelled; it can be edited
)

// PendingDeletedOrders says which pending orders are gone.
type PendingDeletedOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

// SubmittedPending says which pending order became which submitted order.
type SubmittedPending struct {
	PendingOrderID string         `json:"pendingOrderId"`
	OrderID        string         `json:"orderId"`
	Order          SubmittedOrder `json:"order"`
}

// ResolvedOrder says which number the ERP gave an order.
type ResolvedOrder struct {
	PendingOrderID string `json:"pendingOrderId"`
	OrderID        string `json:"orderId"`
	OrderNumber    string `json:"orderNumber"`
	CustomerID     string `json:"customerId"`
	CustomerName   string `json:"customerName"`
}

// SubmittedOrder is a row of the list of submitted orders.
type SubmittedOrder struct {
	OrderID      string      `json:"orderId"`
	OrderNumber  *string     `json:"orderNumber"` // nil until the ERP has numbered it
	CustomerID   string      `json:"customerId"`
	CustomerName string      `json:"customerName"`
	TotalCents   int64       `json:"totalCents"`
	Note         string      `json:"note"`
	Status       OrderStatus `json:"status" jsonschema:"enum=submitted,enum=editing,enum=deleting,enum=sending,enum=sent"`
	JobID        *string     `json:"jobId"` // of the work that is queued or going on
	UpdatedAt    time.Time   `json:"updatedAt"`
}

// OrderStatus is where a submitted order stands.
type OrderStatus string

const (
	OrderSubmitted OrderStatus = "submitted"
	OrderEditing   OrderStatus = "editing"
	OrderDeleting  OrderStatus = "deleting"
	OrderSending   OrderStatus = "sending"
	OrderSent      OrderStatus = "sent" // to Verona: nothing can be changed any more
)

// OrderProgress says how far work on a submitted order has got.
type OrderProgress struct {
	OrderID  string `json:"orderId"`
	JobID    string `json:"jobId"`
	Progress int    `json:"progress"` // percent
	Label    string `json:"label"`
}

// OrderDone says that work on a submitted order is done.
type OrderDone struct {
	OrderID string `json:"orderId"`
}

// ChangedOrder carries a submitted order.
type ChangedOrder struct {
	OrderID string         `json:"orderId"`
	Order   SubmittedOrder `json:"order"`
}

// HistoryChanged carries a record of the history.
type HistoryChanged struct {
	RecordID string        `json:"recordId"`
	Record   HistoryRecord `json:"record"`
}

// HistoryRecord is a row of the history.
type HistoryRecord struct {
	ID           string    `json:"id"`
	CustomerName string    `json:"customerName"`
	Article      string    `json:"article"`
	Quantity     int       `json:"quantity"`
	RevenueCents int64     `json:"revenueCents"`
	JobID        *string   `json:"jobId"` // of the work in the ERP that is queued or going on
	UpdatedAt    time.Time `json:"updatedAt"`
}

// HistoryDeleted says which record is gone.
type HistoryDeleted struct {
	RecordID string `json:"recordId"`
}

// HistoryImported says how many records were added at once.
type HistoryImported struct {
	Count int `json:"count"`
}

// HistoryProgress says how far work on a record has got.
type HistoryProgress struct {
	RecordID string `json:"recordId"`
	JobID    string `json:"jobId"`
	Progress int    `json:"progress"` // percent
	Label    string `json:"label"`
}

// Customer is a row of the list of customers.
type Customer struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	City      string    `json:"city"`
	Email     string    `json:"email"`
	JobID     *string   `json:"jobId"` // of the update that is queued or going on
	UpdatedAt time.Time `json:"updatedAt"`
}

// CustomerProgress says how far an update has got.
type CustomerProgress struct {
	CustomerID string `json:"customerId"`
	JobID      string `json:"jobId"`
	Progress   int    `json:"progress"` // percent
	Label      string `json:"label"`
}

// CustomerUpdated carries a customer.
type CustomerUpdated struct {
	CustomerID string   `json:"customerId"`
	Customer   Customer `json:"customer"`
}

// CustomerNotUpdated says why a customer is as before.
type CustomerNotUpdated struct {
	CustomerID string `json:"customerId"`
	Error      string `json:"error"` // fit to be shown
}

// SyncType is what is synced.
type SyncType string

const (
	SyncCustomers SyncType = "customers"
	SyncOrders    SyncType = "orders"
	SyncProducts  SyncType = "products"
	SyncPrices    SyncType = "prices"
)

// SyncTypes are all of them.
var SyncTypes = []SyncType{SyncCustomers, SyncOrders, SyncProducts, SyncPrices}

// SyncRunning says how far a sync has got.
type SyncRunning struct {
	SyncType  SyncType `json:"syncType" jsonschema:"enum=customers,enum=orders,enum=products,enum=prices"`
	JobID     string   `json:"jobId"`
	Processed int      `json:"processed"`
	Total     int      `json:"total"`
	Percent   int      `json:"percent"`
	Label     string   `json:"label"`
	EtaMs     *int64   `json:"etaMs"` // how long it will still take; nil while that is unknown
}

// SyncDone says what a sync did.
type SyncDone struct {
	SyncType  SyncType `json:"syncType" jsonschema:"enum=customers,enum=orders,enum=products,enum=prices"`
	JobID     string   `json:"jobId"`
	Processed int      `json:"processed"`
	Total     int      `json:"total"`
}

// SyncNotDone says why a sync ended early.
type SyncNotDone struct {
	SyncType SyncType `json:"syncType" jsonschema:"enum=customers,enum=orders,enum=products,enum=prices"`
	JobID    string   `json:"jobId"`
	Error    string   `json:"error"` // fit to be shown
}

// Notification is a row of the list of notifications.
type Notification struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Body      string    `json:"body"`
	Read      bool      `json:"read"`
	CreatedAt time.Time `json:"createdAt"`
}

// NewNotification carries a notification and the number of unread ones with it.
type NewNotification struct {
	Notification Notification `json:"notification"`
	Unread       int          `json:"unread"`
	// Revision counts the changes of the list. Transactions may be heard of in another
	// order than they committed in, so an Unread with a lower revision than the last one
	// is out of date.
	Revision int64 `json:"revision"`
}

// ReadNotifications says which notifications were read, and how many are unread now.
type ReadNotifications struct {
	IDs      []string `json:"ids"` // nil: all
	Unread   int      `json:"unread"`
	Revision int64    `json:"revision"` // as in [NewNotification]
}
