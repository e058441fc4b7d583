// Command decoded sends events that come from somewhere.
package main

import (
	"encoding/json"
	"os"

	"github.com/usercast-go/usercast"
)

var dead = usercast.Define[string]("DE_DEAD", usercast.Buffered)

type row struct {
	User   string
	Events []usercast.Event
}

func main() {
	var hub *usercast.Hub
	var r row
	json.NewDecoder(os.Stdin).Decode(&r)
	for _, ev := range r.Events {
		hub.Broadcast(r.User, ev)
	}
}
