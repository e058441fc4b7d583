package events

// The key of an event names the thing that it is about: the newest progress under a key
// is kept for devices that connect in the middle, until a buffered event of the same key
// says that the work is over.

func (p OrderProgress) key() string { return orderKey(p.OrderID) }
func (p OrderDone) key() string     { return orderKey(p.OrderID) }
func (p ChangedOrder) key() string  { return orderKey(p.OrderID) }

func (p HistoryProgress) key() string { return historyKey(p.RecordID) }
func (p HistoryChanged) key() string  { return historyKey(p.RecordID) }
func (p HistoryDeleted) key() string  { return historyKey(p.RecordID) }

func (p CustomerProgress) key() string   { return customerKey(p.CustomerID) }
func (p CustomerUpdated) key() string    { return customerKey(p.CustomerID) }
func (p CustomerNotUpdated) key() string { return customerKey(p.CustomerID) }

func (p SyncRunning) key() string { return syncKey(p.SyncType) }
func (p SyncDone) key() string    { return syncKey(p.SyncType) }
func (p SyncNotDone) key() string { return syncKey(p.SyncType) }

func orderKey(id string) string    { return "order:" + id }
func historyKey(id string) string  { return "history:" + id }
func customerKey(id string) string { return "customer:" + id }
func syncKey(t SyncType) string    { return "sync:" + string(t) }
