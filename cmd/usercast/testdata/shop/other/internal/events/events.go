// Package events is internal to other.
package events

import "github.com/usercast-go/usercast"

// Sent is an event.
var Sent = usercast.Define[int]("OTHER", usercast.Buffered)
