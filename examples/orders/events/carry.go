package events

import "encoding/json"

// maxCarried bounds the JSON of the rows that an event carries: far below the 64 KiB that
// a hub takes by default for a whole event.
const maxCarried = 48 << 10

// PendingChange is the payload of an event about pending orders. It carries the orders if
// they are few and short enough.
func PendingChange(orders []PendingOrder) PendingOrders {
	p := PendingOrders{OrderIDs: make([]string, 0, len(orders)), Count: len(orders)}
	for _, o := range orders {
		p.OrderIDs = append(p.OrderIDs, o.ID)
	}
	if len(orders) > MaxRows {
		return p
	}
	if text, err := json.Marshal(orders); err == nil && len(text) <= maxCarried {
		p.Orders = orders
	}
	return p
}

// PendingGone is the payload of an event about pending orders that were deleted.
func PendingGone(ids []string) PendingDeletedOrders {
	return PendingDeletedOrders{OrderIDs: ids, Count: len(ids)}
}
