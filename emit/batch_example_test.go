package emit_test

import (
	"encoding/json"
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// A console stands in for the hub and shows what it is sent.
type console struct{}

func (console) Broadcast(userID string, ev usercast.Event) error {
	payload, err := json.Marshal(ev.Payload)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s %s\n", userID, ev.Type, payload)
	return nil
}

type deletedOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

var ordersDeleted = usercast.Define[deletedOrders]("EXAMPLE_ORDERS_DELETED", usercast.Buffered, "Orders were deleted.")

// Rows of two users are deleted, and each user hears of theirs in one event.
func ExampleBatch() {
	deleted := emit.NewBatch(ordersDeleted, func(ids []string) deletedOrders {
		return deletedOrders{OrderIDs: ids, Count: len(ids)}
	}, emit.BatchConfig{})
	for _, row := range []struct{ user, order string }{
		{"ann", "o1"}, {"bob", "o2"}, {"ann", "o3"}, {"ann", "o3"}, {"ann", "o4"},
	} {
		if err := deleted.Add(row.user, row.order); err != nil {
			fmt.Println(err)
		}
	}
	if err := deleted.Flush(console{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ann: EXAMPLE_ORDERS_DELETED {"orderIds":["o1","o3","o4"],"count":3}
	// bob: EXAMPLE_ORDERS_DELETED {"orderIds":["o2"],"count":1}
}
