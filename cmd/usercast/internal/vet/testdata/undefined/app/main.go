// Command app sends events by their names.
package main

import (
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"

	"shop.example/undefined/send"
)

type order struct{}

const wrongName = "UN_CONST"

var (
	created = usercast.Define[order]("UN_CREATED", usercast.Buffered)
	jobs    = emit.DefineJobs("UN_JOB")
	plain   = emit.DefineJobs("")
	wrapped = define("UN_WRAPPED")
)

func define(name string) usercast.EventType[order] {
	return usercast.Define[order](name, usercast.Buffered)
}

func main() {
	var hub *usercast.Hub
	var to usercast.Broadcaster = hub
	hub.Broadcast("alice", usercast.Event{Type: "UN_CREATED"})
	hub.Broadcast("alice", usercast.Event{Type: "UN_CREATE"}) // want `^event "UN_CREATE" has no definition; is UN_CREATED meant\?$`
	hub.Broadcast("alice", usercast.Event{
		Payload: order{},
		Type:    "UN_SOMETHING_ELSE", // want `^event "UN_SOMETHING_ELSE" has no definition$`
	})
	to.Broadcast("alice", usercast.Event{"UN_POSITIONAL", nil, "", ""}) // want `UN_POSITIONAL`
	to.Broadcast("alice", usercast.Event{Type: wrongName})              // want `UN_CONST`
	to.Broadcast("alice", usercast.Event{Type: "UN_" + "JOINED"})       // want `UN_JOINED`
	ev := usercast.Event{}
	ev.Type = "UN_ASSIGNED" // want `UN_ASSIGNED`
	to.Broadcast("alice", ev)
	name := "UN_BRANCH"
	if ev.Key == "" {
		name = "UN_CREATED"
	}
	to.Broadcast("alice", usercast.Event{Type: name}) // want `UN_BRANCH`
	func() {
		to.Broadcast("alice", usercast.Event{Type: name}) // want `UN_BRANCH`
	}()
	to.Broadcast("alice", usercast.Event{Type: "UN_JOB_STARTED"})
	to.Broadcast("alice", usercast.Event{Type: "JOB_STARTED"})
	to.Broadcast("alice", usercast.Event{Type: "UN_WRAPPED"})
	to.Broadcast("alice", usercast.Event{Type: "UN_FOR_ANOTHER_SYSTEM"})
	to.Broadcast("alice", usercast.Event{Type: created.Name()})
	to.Broadcast("alice", usercast.Event{})
	to.Broadcast("alice", usercast.Event{Type: ev.Type})

	s := &send.Sender{To: to}
	s.Send("alice", "UN_CREATED", nil)
	s.Send(
		"alice",
		"UN_BY_METHOD", // want `UN_BY_METHOD`
		nil)
	either := "UN_CREATED"
	if len(name) > 3 {
		either = "UN_EITHER"
	}
	to.Broadcast("alice", usercast.Event{Type: either}) // want `UN_EITHER`
	go send.Far(to, "UN_BY_FUNCTION", "text")           // want `UN_BY_FUNCTION`
	notify := func(typ string) { to.Broadcast("alice", usercast.Event{Type: typ}) }
	notify("UN_BY_CLOSURE") // want `UN_BY_CLOSURE`
	var sender interface {
		Send(user, typ string, payload any)
	} = s
	sender.Send("alice", "UN_PERHAPS", nil) // another type's Send takes something else
}
