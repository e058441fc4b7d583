package emit

import (
	"context"
	"fmt"
	"reflect"

	"github.com/usercast-go/usercast"
)

// What becomes of an outbox that a transaction, a savepoint or a request has made:
// its events go to the outbox above, or are sent, or are dropped. Then it has ended.

// within returns the outbox of a transaction whose events go to up once it has
// committed, and to the broadcaster if up is nil. If up belongs to an open transaction
// itself, the new one is a part of it: one room, one fate.
func within(up *Outbox, to usercast.Broadcaster, cfg OutboxConfig) *Outbox {
	if up == nil {
		o := NewOutbox(to, cfg)
		o.held = true
		return o
	}
	if up.isHeld() {
		return up.part()
	}
	if cfg.Logger == nil {
		cfg.Logger = up.room.logger
	}
	o := NewOutbox(up.to, cfg)
	o.parent, o.held = up, true
	return o
}

// part returns an outbox that shares the room of this one, for a savepoint.
func (o *Outbox) part() *Outbox {
	return &Outbox{to: o.to, parent: o, room: o.room, held: true}
}

// isPart says whether the outbox belongs to a part of a transaction.
func (o *Outbox) isPart() bool { return o.parent != nil && o.parent.room == o.room }

// settle is called after the commit: what was collected happened. In a part it has
// happened as far as the transaction around it does, so it waits there.
func (o *Outbox) settle() {
	switch up := o.parent; {
	case up == nil:
		o.release()
		o.send(false) // errors are logged and counted: what was committed stays so
	case o.isPart():
		o.join(up)
	default:
		up.adopt(o.release())
	}
}

// release ends the outbox and lets its events go: all of them are of a transaction
// that has committed. If there is an outbox above, they are returned for it.
func (o *Outbox) release() []entry {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.held, o.ended = false, true
	if o.parent == nil {
		inLine.put(o.to, o.entries, o)
		return nil
	}
	entries := o.entries
	o.entries = nil // the room is as good as gone
	return entries
}

// queue puts the events in line, before the commit: whoever sees what it commits is told
// of after it.
func (o *Outbox) queue() {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	for i := range o.entries {
		o.entries[i].seq = lastSeq.Add(1)
	}
	inLine.commit(o.to, o.entries)
}

// adopt takes what a transaction has committed, in whatever state the outbox is. Over
// its bounds, or after its end, it does not wait for the response: what is committed is
// sent now. Dropping it is no choice. An outbox that waits for a Flush of its own stands
// in no line meanwhile.
func (o *Outbox) adopt(entries []entry) {
	o.room.mu.Lock()
	for i := range entries {
		entries[i].sure = true
		o.room.enter(&entries[i])
		if !o.request {
			inLine.leave(entries[i].place)
			entries[i].place = nil
		}
	}
	if o.request {
		inLine.put(o.to, entries, o)
	}
	o.entries = append(o.entries, entries...)
	now := o.ended || o.room.events > o.room.maxEvents || o.room.bytes > o.room.maxBytes
	o.room.mu.Unlock()
	if now {
		o.send(true)
	}
}

// join hands the events of a part over to the outbox around it.
func (o *Outbox) join(up *Outbox) {
	late := o.moveTo(up)
	for _, e := range late { // fn has left a goroutine behind, and returned before it
		counters.failed.Add(1)
		o.logUnsent("emit: event not sent", e.user, e.ev.Type, fmt.Errorf("%w before this part of its transaction", ErrEnded))
	}
}

// moveTo moves the events to the outbox around this part, or returns them if that
// has ended already.
func (o *Outbox) moveTo(up *Outbox) (late []entry) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.held, o.ended = false, true
	entries := o.entries
	o.entries = nil
	if up.ended {
		return entries
	}
	for i := range entries {
		entries[i].seq = lastSeq.Add(1) // the transaction around it may be in its commit, and have numbered its own
	}
	up.entries = append(up.entries, entries...)
	return nil
}

// abandon ends the outbox and drops what was collected: it did not happen.
func (o *Outbox) abandon() {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.held, o.ended = false, true
	o.drop()
}

// close ends the outbox of a request. If the request failed, only what transactions
// have committed remains. It says whether anything is to be sent.
func (o *Outbox) close(failed bool) (waiting bool) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.ended = true
	if failed {
		o.drop()
	}
	for i := range o.entries {
		o.entries[i].sure = true
	}
	inLine.put(o.to, o.entries, o) // before the client can have the response, and come with its next request
	return len(o.entries) > 0
}

func (o *Outbox) isHeld() bool {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	return o.held
}

func (o *Outbox) hasEnded() bool {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	return o.ended
}

// fail notes that a part of a transaction could be neither kept nor undone, so that
// the whole must not be committed.
func (o *Outbox) fail(err error) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	if o.broken == nil {
		o.broken = err
	}
}

func (o *Outbox) failed() error {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	return o.broken
}

// contextKey is how a context carries an outbox.
type contextKey struct{}

// none is what From returns where there is none: its zero value refuses everything.
var none = new(Outbox)

// From returns the outbox of a context: that of the request, behind [Middleware], or
// what [WithOutbox] has put there. Without one it returns an outbox that refuses every
// event by [ErrNoOutbox], and logs and counts it.
func From(ctx context.Context) *Outbox {
	if o, ok := ctx.Value(contextKey{}).(*Outbox); ok {
		return o
	}
	return none
}

// WithOutbox returns a context that carries an outbox to whatever asks [From]: in
// [Tx], so that code which knows only its context emits with the transaction; or
// around a job, as Middleware does around a request.
func WithOutbox(ctx context.Context, o *Outbox) context.Context {
	return context.WithValue(ctx, contextKey{}, o)
}

// above returns the outbox that takes over what a transaction has committed: the
// target itself if it is one, else that of ctx, if it sends to the same target. It is
// nil if there is none, and the events are sent at once.
func above(ctx context.Context, to usercast.Broadcaster) (*Outbox, error) {
	if to == nil {
		return nil, fmt.Errorf("%w: to: missing; a hub or an outbox takes events", usercast.ErrInvalidConfig)
	}
	if o, ok := to.(*Outbox); ok {
		if !o.usable() {
			return nil, fmt.Errorf("%w to send to: give the hub, or an outbox of emit.NewOutbox or emit.Middleware", ErrNoOutbox)
		}
		return o, nil
	}
	// What is held belongs to another transaction, that this one does not depend on.
	o := From(ctx)
	for o.usable() && o.isHeld() {
		o = o.parent
	}
	if !o.usable() || !same(o.to, to) {
		return nil, nil
	}
	return o, nil
}

// same says whether two broadcasters are one. Those that cannot be compared are not.
func same(a, b usercast.Broadcaster) bool {
	a, b = direct(a), direct(b)
	return reflect.TypeOf(a) == reflect.TypeOf(b) && (a == nil || reflect.ValueOf(a).Comparable()) && a == b
}
