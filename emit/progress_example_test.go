package emit_test

import (
	"fmt"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

type syncing struct {
	SyncType  string `json:"syncType"`
	Processed int    `json:"processed"`
	Total     int    `json:"total"`
	Percent   int    `json:"percent"`
	Label     string `json:"label"`
}

type synced struct {
	SyncType  string `json:"syncType"`
	Processed int    `json:"processed"`
	Total     int    `json:"total"`
}

// Both have one key: the end takes the place of the newest progress.
var (
	syncProgress  = usercast.DefineKeyed("EXAMPLE_SYNC_PROGRESS", usercast.Latest, func(p syncing) string { return "sync:" + p.SyncType })
	syncCompleted = usercast.DefineKeyed("EXAMPLE_SYNC_COMPLETED", usercast.Buffered, func(p synced) string { return "sync:" + p.SyncType })
)

// A thousand customers are read in no time, so all but the first and the last value are
// held back.
func ExampleProgress() {
	const customers = 1000
	p := emit.NewProgress(console{}, "ann", syncProgress, func(s emit.Snapshot) syncing {
		return syncing{"customers", s.Processed, s.Total, s.Percent, s.Label}
	}, emit.ProgressConfig{PerSecond: 1})
	defer p.Stop() // if something goes wrong on the way
	p.Report(0, customers, "Reading")
	for range customers {
		p.Add(1)
	}
	p.Done()
	if err := syncCompleted.Broadcast(console{}, "ann", synced{"customers", customers, customers}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ann: EXAMPLE_SYNC_PROGRESS {"syncType":"customers","processed":0,"total":1000,"percent":0,"label":"Reading"}
	// ann: EXAMPLE_SYNC_PROGRESS {"syncType":"customers","processed":1000,"total":1000,"percent":100,"label":"Reading"}
	// ann: EXAMPLE_SYNC_COMPLETED {"syncType":"customers","processed":1000,"total":1000}
}
