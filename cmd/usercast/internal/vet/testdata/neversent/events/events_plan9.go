package events

import "github.com/usercast-go/usercast"

func elsewhere(hub *usercast.Hub) { Elsewhere.Broadcast(hub, "alice", Order{}) }
