package usercast

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
)

// Broadcast sends an event to every open device of a user and keeps it for those
// that are away. Call it after the write that it tells of has been committed. It
// waits for no socket and takes a few microseconds.
//
// An error means that nothing was sent and nothing has changed: [ErrInvalidUser],
// [ErrInvalidEvent], [ErrPayload], [ErrTooLarge], [ErrPanic] or [ErrClosed].
func (h *Hub) Broadcast(userID string, ev Event) error {
	_, err := h.BroadcastContext(context.Background(), userID, ev)
	return err
}

// BroadcastContext is [Hub.Broadcast]; it sends nothing if ctx has ended, and
// returns the event's timestamp. ctx is not kept.
func (h *Hub) BroadcastContext(ctx context.Context, userID string, ev Event) (Timestamp, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkUser(userID); err != nil {
		return 0, err
	}
	d, err := h.encode(&ev, "")
	if err != nil {
		return 0, err
	}
	return h.publish(userID, &d), nil
}

// BroadcastMany sends one event to several users; it is marshalled once. A user
// who is named twice gets it once. Nothing is sent if the event or any of the user
// IDs is invalid. If ctx ends on the way, the error wraps ctx's and says how many
// users got the event.
func (h *Hub) BroadcastMany(ctx context.Context, userIDs []string, ev Event) error {
	seen := make(map[string]struct{}, len(userIDs))
	for i, id := range userIDs {
		if err := checkUser(id); err != nil {
			return fmt.Errorf("userIDs[%d]: %w", i, err)
		}
		seen[id] = struct{}{}
	}
	d, err := h.encode(&ev, "")
	if err != nil {
		return err
	}
	sent := 0
	for _, id := range userIDs {
		if _, ok := seen[id]; !ok {
			continue
		}
		delete(seen, id)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("usercast: %s was sent to %d of %d users: %w", ev.Type, sent, sent+len(seen)+1, err)
		}
		copied := d.clone() // each log stamps its own
		h.publish(id, &copied)
		sent++
	}
	return nil
}

// BroadcastAll sends an event to every connection, and keeps it for whoever comes
// back. It goes through a log of its own: such frames carry "scope":"all", and
// their timestamps are compared among themselves only.
func (h *Hub) BroadcastAll(ctx context.Context, ev Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := h.encode(&ev, scopeAll)
	if err != nil {
		return err
	}
	wall, at := h.clock.read()
	h.everyone.publish(&h.shared, &d, wall, at)
	// Whoever registers from here on sees the event in the log; everyone else is
	// on one of these lists.
	for i := range h.shards {
		h.shards[i].each((*conn).nudge)
	}
	h.sent(&d)
	return nil
}

// encode classifies and encodes an event. Everything of the caller's that could
// panic or take its time runs here, before any lock.
func (h *Hub) encode(ev *Event, scope string) (draft, error) {
	if h.closed.Load() {
		return draft{}, ErrClosed
	}
	if err := ev.check(); err != nil {
		return draft{}, err
	}
	def := catalog.find(ev.Type)
	class, err := h.classOf(ev, def)
	if err != nil {
		return draft{}, err
	}
	d, err := newDraft(ev, class, scope, h.maxEventBytes)
	d.def = def
	return d, err
}

// classOf asks the event's definition, and Config.Classify if it has none.
func (h *Hub) classOf(ev *Event, def *definition) (class Class, err error) {
	if def != nil {
		return def.Class, def.fits(ev)
	}
	defer func() {
		if p := recover(); p != nil {
			h.stats.panics.Add(1)
			h.logger.Error("usercast: panic in Classify", "type", ev.Type, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: Classify: %v", ErrPanic, p)
		}
	}()
	class = h.classify(*ev)
	switch {
	case class < Buffered || class > Latest:
		return 0, fmt.Errorf("%w: %s: Classify returned %v", ErrInvalidEvent, ev.Type, class)
	case class == Latest && ev.Key == "":
		return 0, fmt.Errorf("%w: %s: a latest event needs a Key", ErrInvalidEvent, ev.Type)
	}
	return class, nil
}

func (h *Hub) publish(userID string, d *draft) Timestamp {
	wall, at := h.clock.read()
	ts := h.shardOf(userID).publish(userID, d, wall, at)
	h.sent(d)
	return ts
}

// sent counts, and keeps the hub within its memory.
func (h *Hub) sent(d *draft) {
	h.stats.broadcasts[d.class].Add(1)
	if d.def != nil {
		d.def.sent.Add(1)
	}
	for h.stats.bufferedBytes.Load() > h.maxBufferBytes && h.giveUpOldest() {
	}
}

// giveUpOldest removes the oldest entry of all logs. It returns false if nothing
// is left to give up.
func (h *Hub) giveUpOldest() bool {
	oldest, from := h.everyone.oldestAt(), -1
	for i := range h.shards {
		if at := h.shards[i].oldest.Load(); at < oldest {
			oldest, from = at, i
		}
	}
	switch {
	case oldest == math.MaxInt64:
		return false
	case from < 0:
		h.everyone.giveUp(&h.shared)
	default:
		h.shards[from].giveUp(oldest)
	}
	return true
}
