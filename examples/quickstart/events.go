package main

import (
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// The events of this application. Name, payload and class of each are written down
// here and nowhere else: another payload does not compile, and one that is never
// sent shows in the hub's Stats.
var (
	pendingCreated = usercast.Define[changed]("PENDING_CREATED", usercast.Buffered, "Orders were added.")
	pendingUpdated = usercast.Define[changed]("PENDING_UPDATED", usercast.Buffered, "Orders were changed.")
	pendingDeleted = usercast.Define[changed]("PENDING_DELETED", usercast.Buffered, "Orders are gone.")

	// JOB_STARTED, JOB_PROGRESS, JOB_COMPLETED and so on.
	jobEvents = emit.DefineJobs("JOB")
)

// changed says which orders an event is about. Fifty rows that change at once are one
// event with fifty IDs.
type changed struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

func changedOrders(ids ...string) changed { return changed{ids, len(ids)} }
