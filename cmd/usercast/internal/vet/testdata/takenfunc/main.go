// Command takenfunc hands a function that sends to others, who may call it with any name.
package main

import (
	"os"

	"github.com/usercast-go/usercast"
)

var dead = usercast.Define[string]("TF_DEAD", usercast.Buffered)

var hub *usercast.Hub

func emit(name string) { hub.Broadcast("alice", usercast.Event{Type: name}) }

func main() {
	each(os.Args, emit)
}

func each(names []string, fn func(string)) {
	for _, name := range names {
		fn(name)
	}
}
