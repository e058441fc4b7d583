package emit

import (
	"context"
	"log/slog"
	"time"

	"github.com/usercast-go/usercast"
)

// InOrder returns a Broadcaster that sends at once, and not before what [Tx] and
// [Middleware] still have to tell the same users of what came before: it sends that
// first, and waits for commits under way and for events that are being sent, for at most
// two seconds in all, whatever becomes of a context. It is for code that sends to the hub itself about data that it has read, such
// as a worker that has taken a job from a table, and whose request may still be busy with
// its response. Outboxes and a [JobRunner] keep the order by themselves.
//
// Its errors are those of to. It has the methods BroadcastMany, which sends to each user by
// itself if to has none, and BroadcastAll, which is an error then. An outbox is returned as
// it is.
func InOrder(to usercast.Broadcaster) usercast.Broadcaster { return ordered(to, nil) }

func ordered(to usercast.Broadcaster, logger *slog.Logger) usercast.Broadcaster {
	switch to.(type) {
	case nil, *Outbox, inOrder:
		return to
	}
	return inOrder{to, logger}
}

type inOrder struct {
	to     usercast.Broadcaster
	logger *slog.Logger // of what is not waited for. nil: slog.Default
}

// direct is what a Broadcaster sends to: outboxes keep the order by themselves.
func direct(to usercast.Broadcaster) usercast.Broadcaster {
	if b, ok := to.(inOrder); ok {
		return b.to
	}
	return to
}

func (b inOrder) Broadcast(userID string, ev usercast.Event) error {
	return b.turn(entry{kind: toUser, user: userID, ev: ev}, func() error { return b.to.Broadcast(userID, ev) })
}

func (b inOrder) BroadcastMany(ctx context.Context, userIDs []string, ev usercast.Event) error {
	e := entry{kind: toMany, users: userIDs, ev: ev}
	return b.turn(e, func() error { return sendMany(ctx, b.to, &e) })
}

func (b inOrder) BroadcastAll(ctx context.Context, ev usercast.Event) error {
	all, ok := b.to.(usercast.AllBroadcaster)
	if !ok {
		return cannotAll(b.to, ev)
	}
	return b.turn(entry{kind: toAll, ev: ev}, func() error { return all.BroadcastAll(ctx, ev) })
}

// turn waits until it is an event's turn, and sends it.
func (b inOrder) turn(e entry, send func() error) error {
	e.seq = lastSeq.Add(1)
	one := []entry{e}
	inLine.put(b.to, one, nil)
	p := one[0].place
	defer inLine.leave(p)
	inTime, until := true, time.Now().Add(patience)
	for earlier := inLine.before(p); earlier != nil; earlier = inLine.before(p) {
		inTime = inLine.makeWay(earlier, until) && inTime
	}
	if !inTime {
		logOvertaking(b.logger, e.user, e.ev.Type, false)
	}
	return send()
}
