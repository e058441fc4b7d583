// Package money has a type that another package has, too.
package money

import "example.com/shop/internal/events/status"

// Line is a line of a bill.
type Line struct {
	Text  string `json:"text"`
	Cents int64  `json:"cents"`
}

// Status of a payment.
type Status = status.Of[Line]
