package emit

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usercast-go/usercast"
)

// The events of a user leave in the order in which what they tell of came to be. Without
// that, between a commit and its event another request could begin, see what was
// committed, change it, and have its own event sent first: devices would end with the
// older of the two states. So whatever is sure to be sent, or may be in a moment, stands in
// line from before its commit on, and who sends looks whether anyone stands before it.
// It then sends that first, in its owner's stead, or waits for a commit under way.

// patience is how long an event waits for one before it: a commit that hangs must not
// hold up all that a user hears.
const patience = time.Second

// lastSeq numbers events by when they came to be.
var lastSeq atomic.Uint64

// inLine are the lines of this process.
var inLine = lines{of: make(map[line][]*place)}

type lines struct {
	mu sync.Mutex
	of map[line][]*place // each in the order of its numbers, and never empty
}

// A line is of one user, or with user "" of everyone.
type line struct {
	to   usercast.Broadcaster // nil for all that cannot be compared
	user string
}

// A place is where an event stands: in one line, or in those of all its users.
type place struct {
	seq   uint64
	lines []line
	// The lock of lines guards the rest.
	owner *Outbox       // can be told to send it; nil while nobody can
	since time.Time     // when it came, or was given its owner
	moved chan struct{} // closed at the next change, if anyone waits for one
	left  bool
}

// put places the events that have no place yet, and makes owner the one that sends all of
// them. Without an owner it has to be waited for them, and one is to follow soon.
func (l *lines) put(to usercast.Broadcaster, entries []entry, owner *Outbox) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		if e.place == nil {
			e.place = &place{seq: e.seq, lines: linesOf(to, e)}
			l.insert(e.place)
		}
		e.place.owner, e.place.since = owner, time.Now()
		e.place.wake()
	}
}

func (l *lines) insert(p *place) {
	for _, k := range p.lines {
		at, found := slices.BinarySearchFunc(l.of[k], p.seq, bySeq)
		if !found { // a user may be named twice
			l.of[k] = slices.Insert(l.of[k], at, p)
		}
	}
}

// leave takes an event out of line: it was sent, or never will be.
func (l *lines) leave(p *place) {
	if p == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(p)
}

func (l *lines) remove(p *place) {
	if p.left {
		return
	}
	p.left = true
	p.wake()
	for _, k := range p.lines {
		if at, found := slices.BinarySearchFunc(l.of[k], p.seq, bySeq); found {
			l.of[k] = slices.Delete(l.of[k], at, at+1)
		}
		if len(l.of[k]) == 0 {
			delete(l.of, k)
		}
	}
}

// before returns an event that is to be sent before p, or nil.
func (l *lines) before(p *place) *place {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range p.lines {
		if all := l.of[k]; len(all) > 0 && all[0].seq < p.seq {
			return all[0]
		}
	}
	return nil
}

// makeWay sends an event that stands before another one, and all before it, in their
// owners' stead, or waits until it has moved. If it does not within its time, nobody
// waits for it any more.
//
// Nobody waits in a circle: an event waits for lower numbers only, and for these while
// their commit is under way or while they are being sent, which is when they wait for none.
func (l *lines) makeWay(p *place, logger *slog.Logger) {
	for q := l.before(p); q != nil; q = l.before(p) {
		l.makeWay(q, logger)
	}
	owner, moved, left := l.look(p)
	if moved == nil {
		return
	}
	if owner != nil {
		if e, ok := owner.pull(p); ok {
			_ = owner.hand(&e) // logged and counted as its own
			return
		}
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-moved:
	case <-timer.C:
		if l.giveUp(p) {
			counters.overtaken.Add(1)
			logOvertaken(logger, p.lines[0].user)
		}
	}
}

// look returns who can send an event, what is closed when it moves, and how long to wait.
func (l *lines) look(p *place) (owner *Outbox, moved <-chan struct{}, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.left {
		return nil, nil, 0
	}
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	if left = patience; p.owner == nil {
		left -= time.Since(p.since)
	}
	return p.owner, p.moved, left
}

func (l *lines) giveUp(p *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	stood := !p.left
	l.remove(p)
	return stood
}

func (p *place) wake() {
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

func bySeq(p *place, seq uint64) int { return cmp.Compare(p.seq, seq) }

// linesOf returns where an event stands.
func linesOf(to usercast.Broadcaster, e *entry) []line {
	if to != nil && !reflect.ValueOf(to).Comparable() {
		to = nil
	}
	if e.kind != toMany {
		return []line{{to, e.user}}
	}
	out := make([]line, len(e.users))
	for i, id := range e.users {
		out[i] = line{to, id}
	}
	return out
}

// InOrder returns a Broadcaster that sends at once, and not before what [Tx] and
// [Middleware] still have to tell the same users of what came before: it sends that
// first, and waits for a commit under way for at most a second. It is for code that
// sends to the hub itself about data that it has read, such as a worker that has taken a
// job from a table, and whose request may still be busy with its response. Outboxes and a
// [JobRunner] keep the order by themselves.
//
// It can do what the Broadcaster to can, and its errors are those of to. An outbox is
// returned as it is.
func InOrder(to usercast.Broadcaster) usercast.Broadcaster {
	switch to.(type) {
	case nil, *Outbox, inOrder:
		return to
	}
	return inOrder{to}
}

type inOrder struct{ to usercast.Broadcaster }

// direct is what a Broadcaster sends to: outboxes keep the order by themselves.
func direct(to usercast.Broadcaster) usercast.Broadcaster {
	if b, ok := to.(inOrder); ok {
		return b.to
	}
	return to
}

func (b inOrder) Broadcast(userID string, ev usercast.Event) error {
	return b.turn(entry{kind: toUser, user: userID}, func() error { return b.to.Broadcast(userID, ev) })
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
	return b.turn(entry{kind: toAll}, func() error { return all.BroadcastAll(ctx, ev) })
}

// turn waits until it is an event's turn, and sends it.
func (b inOrder) turn(e entry, send func() error) error {
	e.seq = lastSeq.Add(1)
	es := []entry{e}
	inLine.put(b.to, es, nil)
	defer inLine.leave(es[0].place)
	for p := inLine.before(es[0].place); p != nil; p = inLine.before(es[0].place) {
		inLine.makeWay(p, nil)
	}
	return send()
}

func cannotAll(to usercast.Broadcaster, ev usercast.Event) error {
	return fmt.Errorf("emit: %s: %T cannot broadcast to everyone: it has no method BroadcastAll", clip(ev.Type), to)
}
