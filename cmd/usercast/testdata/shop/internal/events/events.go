// Package events are the shop's.
package events

import (
	"encoding/json"
	"log"
	"time"

	"github.com/usercast-go/usercast"

	"example.com/shop/internal/events/money"
)

//go:generate usercast types . -o ../../web/events.gen.ts

// Line is a line of an order.
type Line struct {
	// Article is a number in the catalogue. */ is no end of this comment,
	//
	//	and { is no brace
	Article string   `json:"article"`
	Count   uint     `json:"count"` // pieces
	Labels  []string `json:"labels"`
}

// Audit says who.
type Audit struct {
	By string     `json:"by"`
	At time.Time  `json:"at"`
	On *time.Time `json:"on"`
}

// Order is what was ordered.
type Order struct {
	Audit
	ID       string             `json:"id"`
	Lines    []Line             `json:"lines"`
	Note     *string            `json:"note"`
	Parent   *Order             `json:"parent,omitempty"`
	Extra    json.RawMessage    `json:"extra,omitempty"`
	Payment  money.Status       `json:"payment"`
	Prices   map[string]float64 `json:"prices"`
	Seen     usercast.Timestamp `json:"seen"`
	Position [2]float64         `json:"position"`
	Photo    []byte             `json:"photo"`
	Dashed   *struct {
		OK bool `json:"is-ok"`
	} `json:"dashed"`
	Wait time.Duration `json:"wait,omitzero"`
}

// Progress of a job.
type Progress struct {
	JobID   string  `json:"jobId"`
	Percent float64 `json:"percent"`
	Label   *string `json:"label,omitempty"`
}

func key(p Progress) string { return "job:" + p.JobID }

// The events.
var (
	// OrderCreated is sent when an order was created.
	OrderCreated = usercast.Define[Order]("ORDER_CREATED", usercast.Buffered)
	OrderDeleted = usercast.Define[struct {
		IDs []string `json:"ids"`
	}]("ORDER_DELETED", usercast.Buffered, "Orders were deleted.")
	JobProgress = usercast.DefineKeyed("JOB_PROGRESS", usercast.Latest, key)
	JobDone     = usercast.DefineKeyed("JOB_DONE", usercast.Buffered, key)
	Typing      = usercast.Define[*Progress]("is/typing", usercast.Transient, "Somebody types.")
	Bill        = usercast.Define[[]money.Line]("BILL", usercast.Buffered)
	Anything    = usercast.Define[any]("ANYTHING", usercast.Buffered)
)

func init() { log.Print("initialised") }
