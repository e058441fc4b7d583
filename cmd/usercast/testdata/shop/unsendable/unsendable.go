// Package unsendable has a payload that JSON cannot carry.
package unsendable

import "github.com/usercast-go/usercast"

// Job is one.
type Job struct {
	Steps []struct {
		Done chan bool `json:"done"`
	} `json:"steps"`
}

// Started is an event.
var Started = usercast.Define[Job]("STARTED", usercast.Buffered)
