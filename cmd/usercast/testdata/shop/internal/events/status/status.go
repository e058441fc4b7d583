// Package status is generic.
package status

// Of says how far a T is.
type Of[T any] struct {
	Subject T      `json:"subject"`
	Word    string `json:"word" jsonschema:"enum=open,enum=done"`
}
