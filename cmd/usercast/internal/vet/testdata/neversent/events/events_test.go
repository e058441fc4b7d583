package events

import (
	"testing"

	"github.com/usercast-go/usercast"
)

func TestSend(t *testing.T) {
	Tested.Broadcast(to{}, "alice", Order{})
	to{}.Broadcast("alice", usercast.Event{Type: "NS_TESTED"})
}

type to struct{}

func (to) Broadcast(string, usercast.Event) error { return nil }
