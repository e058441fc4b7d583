// Command app sends some of the events that package events defines.
package main

import (
	"context"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"

	"shop.example/neversent/events"
)

func main() {}

func send(ctx context.Context, hub *usercast.Hub, to usercast.Broadcaster, user string) {
	var o events.Order
	events.Sent.Broadcast(to, user, o)
	events.Many.BroadcastMany(ctx, hub, nil, o)
	(events.All).BroadcastAll(ctx, hub, o)
	events.Excepted.Except("d").Except("e").Broadcast(hub, user, o)
	if ev, err := events.Made.Event(o); err == nil {
		to.Broadcast(user, ev)
	}
	tell(events.Passed)
	emit.NewBatch(events.Batched, func([]string) events.Order { return o }, emit.BatchConfig{})
	emit.NewProgress(to, user, events.Progress, func(emit.Snapshot) events.Order { return o }, emit.ProgressConfig{})
	_ = []any{events.Listed}
	broadcast := events.Bound.Broadcast
	broadcast(to, user, o)
	to.Broadcast(user, usercast.Event{Type: events.ByName.Name(), Payload: o})
	to.Broadcast(user, usercast.Event{Type: "NS_BY_TEXT", Payload: o})
	name := "NS_CONST"
	to.Broadcast(user, usercast.Event{Type: name, Payload: o})
	alias := events.Aliased
	alias.Broadcast(to, user, o)
	events.A.Broadcast(to, user, o)

	local := usercast.Define[events.Order]("NS_LOCAL", usercast.Buffered)
	local.Broadcast(to, user, o)
	unused := usercast.Define[events.Order]("NS_LOCAL_DEAD", usercast.Buffered) // want `NS_LOCAL_DEAD`
	_ = unused
}

func tell(usercast.EventType[events.Order]) {}

func look(ev usercast.Event) bool {
	events.Dropped.Name()
	_ = events.Dropped
	_ = events.Dropped.Except("d").Name()
	var _ = events.Dropped
	switch ev.Type {
	case "NS_TEXT", (events.Switched.Name()):
		return true
	}
	if ev.Type == "NS_TEXT" {
		return false
	}
	return ev.Type == events.Compared.Name() && events.Classed.Class() == usercast.Buffered
}

// What it holds nobody else can set.
type recorder struct{ last usercast.Event }

func (r *recorder) Broadcast(_ string, ev usercast.Event) error {
	r.last = ev
	return nil
}

var to usercast.Broadcaster = new(recorder)
