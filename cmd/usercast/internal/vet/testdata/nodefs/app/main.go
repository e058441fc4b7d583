// Command app defines nothing: its events are names, as its author wants them.
package main

import "github.com/usercast-go/usercast"

func main() {
	var hub *usercast.Hub
	hub.Broadcast("alice", usercast.Event{Type: "ND_CREATED"})
}
