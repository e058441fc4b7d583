// Package event is the one event that every contender publishes and every device checks.
package event

import (
	"encoding/json"
	"strconv"
	"time"
)

// Type is the event type of all measured events.
const Type = "ORDER_UPDATED"

// Payload is what an application would send after a write to its database: about 200 bytes of JSON.
// Seq and At stand first, because the load generator finds them by scanning.
type Payload struct {
	Seq     int64  `json:"seq"` // per user, from 1, without holes
	At      int64  `json:"at"`  // when Broadcast was called, in ns of CLOCK_MONOTONIC
	OrderID string `json:"orderId"`
	Status  string `json:"status"`
	Total   int    `json:"totalCents"`
	Note    string `json:"note"`
}

// New returns the payload of the seq-th event of a user.
func New(seq, at int64) Payload {
	return Payload{
		Seq:     seq,
		At:      at,
		OrderID: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		Status:  "out_for_delivery",
		Total:   12850,
		Note:    "left the depot, two stops before yours",
	}
}

// envelope is the wire shape that usercast writes; the peers build the same, so that all carry the same information.
type envelope struct {
	Type      string `json:"type"`
	Payload   any    `json:"payload"`
	Timestamp string `json:"timestamp"`
}

// Encode builds the message of a peer that leaves encoding to its user. It takes any, as usercast's Event does.
func Encode(payload any) ([]byte, error) {
	return json.Marshal(envelope{
		Type:      Type,
		Payload:   payload,
		Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
	})
}

// UserID names the i-th user.
func UserID(i int) string {
	return "u" + strconv.Itoa(i)
}
