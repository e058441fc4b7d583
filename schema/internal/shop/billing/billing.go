// Package billing has types whose names others have too.
package billing

// An Item is a line of an invoice.
type Item struct {
	Text  string `json:"text"`
	Price int64  `json:"price,string"` // in cents
}

// Page is generic and recursive.
type Page[T any] struct {
	Items []T      `json:"items"`
	Next  *Page[T] `json:"next,omitempty"`
}
