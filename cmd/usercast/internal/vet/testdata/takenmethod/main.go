// Command takenmethod hands a method that sends to others, who may call it with any name.
package main

import (
	"os"

	"github.com/usercast-go/usercast"
)

var dead = usercast.Define[string]("TM_DEAD", usercast.Buffered)

var hub *usercast.Hub

type sender struct{}

func (sender) send(name string) { hub.Broadcast("alice", usercast.Event{Type: name}) }

func main() {
	each(os.Args, sender{}.send)
}

func each(names []string, fn func(string)) {
	for _, name := range names {
		fn(name)
	}
}
