// Package orders is a small application's events, for tests: payloads of every
// shape that JSON can have.
package orders

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema/internal/shop/billing"
)

// An Item is a line of an order.
type Item struct {
	// Article is the number in the catalogue.
	//
	// It never changes.
	Article string `json:"article"`
	Count   uint   `json:"count"` // pieces
}

// Status of an order.
type Status string

// ID is short for what every event has.
type ID struct {
	OrderID string `json:"orderId"`
}

// Audit is embedded by pointer.
type Audit struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Money marshals itself and says how.
type Money struct{ cents int64 }

// MarshalJSON writes "12.34".
func (m Money) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"%d.%02d"`, m.cents/100, m.cents%100), nil
}

// JSONSchema describes it.
func (Money) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"}`)
}

// Opaque marshals itself and does not say how.
type Opaque struct{}

// MarshalJSON writes 42.
func (Opaque) MarshalJSON() ([]byte, error) { return []byte("42"), nil }

// Colour is a text.
type Colour int

// MarshalText writes its name.
func (Colour) MarshalText() ([]byte, error) { return []byte("red"), nil }

// A Tree has branches.
type Tree struct {
	Name     string           `json:"name"`
	Branches []Tree           `json:"branches"`
	Parent   *Tree            `json:"parent"`
	ByName   map[string]*Tree `json:"byName,omitempty"`
}

// Forest is a named slice that contains itself by way of a map.
type Forest []map[string]Forest

// Order is the large one.
type Order struct {
	ID
	*Audit
	Status   Status                     `json:"status" jsonschema:"enum=open,enum=sent"`
	Previous *Status                    `json:"previous"`
	Items    []Item                     `json:"items"`
	Invoice  []billing.Item             `json:"invoice,omitempty"`
	Pages    billing.Page[billing.Item] `json:"pages"`
	Total    Money                      `json:"total"`
	Extra    json.RawMessage            `json:"extra,omitempty"`
	Blob     []byte                     `json:"blob"`
	Position [3]float64                 `json:"position"`
	Seen     usercast.Timestamp         `json:"seen"`
	Closed   *time.Time                 `json:"closed,omitempty"`
	Tags     map[string]string          `json:"tags"`
	Ranks    map[int]bool               `json:"ranks,omitzero"`
	Wait     time.Duration              `json:"wait"`
	Colour   Colour                     `json:"colour,omitempty"`
	Opaque   Opaque                     `json:"opaque"`
	Any      any                        `json:"any"`
	// Note is for people.
	Note *struct {
		// Text in Markdown.
		Text string `json:"text" jsonschema:"minLength=1,maxLength=200"`
		Lang string // e.g. "de", "it"
	} `json:"note"`
	Hidden chan int `json:"-"`
	//lint:ignore U1000 it must not show
	secret string
}

// Events, in each of the ways to define one.
var (
	// Created: an order was created.
	//
	// One event for each batch.
	Created  = usercast.Define[Order]("ORDER_CREATED", usercast.Buffered)
	Changed  = usercast.Define[*Order]("ORDER_CHANGED", usercast.Buffered, "An order was changed.", "Also by */ its job.")
	Progress = usercast.DefineKeyed("ORDER_PROGRESS", usercast.Latest, func(p struct {
		ID
		Percent float64 `json:"percent" jsonschema:"minimum=0,maximum=100"`
	}) string {
		return "order:" + p.OrderID
	}, "How far the job is.")
	Listed  = usercast.Define[[]Item]("ORDERS_LISTED", usercast.Transient)
	Grown   = usercast.Define[Forest]("forest/grown:v2", usercast.Buffered)
	Planted = usercast.Define[Tree]("TREE", usercast.Buffered)
	Free    = usercast.Define[any]("ANYTHING", usercast.Buffered)
)
