// Command computed makes the names of its events, so that any definition may be meant.
package main

import (
	"os"

	"github.com/usercast-go/usercast"
)

var dead = usercast.Define[string]("CO_DEAD", usercast.Buffered)

func main() {
	var hub *usercast.Hub
	hub.Broadcast("alice", usercast.Event{Type: "CO_" + os.Args[1]})
	hub.Broadcast("alice", usercast.Event{Type: "CO_UNDEFINED"}) // want `CO_UNDEFINED`
}
