// Command dyndefs defines events by names that are made when it starts.
package main

import (
	"os"

	"github.com/usercast-go/usercast"
)

var (
	made = usercast.Define[string]("DY_"+os.Getenv("NAME"), usercast.Buffered)
	dead = usercast.Define[string]("DY_DEAD", usercast.Buffered) // want `DY_DEAD`
)

func main() {
	var hub *usercast.Hub
	hub.Broadcast("alice", usercast.Event{Type: "DY_UNDEFINED"})
}
