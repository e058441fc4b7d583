// Package library has no main package beside it: whoever imports it may send.
package library

import "github.com/usercast-go/usercast"

var (
	Exported   = usercast.Define[string]("LI_EXPORTED", usercast.Buffered)
	unexported = usercast.Define[string]("LI_UNEXPORTED", usercast.Buffered) // want `LI_UNEXPORTED`
)

func Send(to usercast.Broadcaster, user string) {
	to.Broadcast(user, usercast.Event{Type: "LI_EXPORTD"}) // want `is LI_EXPORTED meant`
}
