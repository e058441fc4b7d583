package emit

import (
	"cmp"
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
// It then sends that first, in its owner's stead, or waits for a commit under way. What
// users of the package may rely on is in its documentation.

// An event waits for those before it, but a commit that hangs must not hold up all that a
// user hears.
const (
	commitPatience = time.Second     // for a commit, from its beginning on
	patience       = 2 * time.Second // for all, among them what waits for such a commit itself
)

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
	own   [1]line // room for lines, if it is one
	// The lock of lines guards the rest.
	clear      int           // how many of the lines have nobody before it
	owner      *Outbox       // whom it can be taken from to be sent; nil while it can not
	committing time.Time     // since when its commit is under way; zero if none is
	moved      chan struct{} // closed at the next change, if anyone waits for one
	left       bool
}

// commit places events whose commit is about to begin. They have to be waited for.
func (l *lines) commit(to usercast.Broadcaster, entries []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.place(to, entries)
	now := time.Now()
	for i := range entries {
		entries[i].place.committing = now
	}
}

// put places events that stand in no line, and has all of them taken from owner by
// whoever must send them first.
func (l *lines) put(to usercast.Broadcaster, entries []entry, owner *Outbox) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.place(to, entries)
	for i := range entries {
		if p := entries[i].place; p.owner != owner || !p.committing.IsZero() {
			p.owner, p.committing = owner, time.Time{}
			p.wake()
		}
	}
}

// place gives a place to events that have none, or have lost it because nobody waited
// any longer.
func (l *lines) place(to usercast.Broadcaster, entries []entry) {
	n := 0
	for i := range entries {
		if p := entries[i].place; p == nil || p.left {
			n++
		}
	}
	if n == 0 {
		return
	}
	if to != nil && !reflect.ValueOf(to).Comparable() {
		to = nil
	}
	places, firsts := make([]place, n), make([]*place, n)
	for i := range entries {
		e := &entries[i]
		if e.place != nil && !e.place.left {
			continue
		}
		n--
		p := &places[n]
		p.seq, p.lines = e.seq, p.own[:1]
		room := firsts[n : n+1]
		if p.own[0] = (line{to, e.user}); e.kind == toMany {
			p.lines, room = make([]line, len(e.users)), make([]*place, len(e.users))
			for i, id := range e.users {
				p.lines[i] = line{to, id}
			}
		}
		l.insert(p, room)
		e.place = p
	}
}

// insert puts p into its lines. room is of the same length, for those that are empty.
func (l *lines) insert(p *place, room []*place) {
	for i, k := range p.lines {
		in, ok := l.of[k]
		if !ok {
			l.of[k] = append(room[i:i:i+1], p)
			continue
		}
		if at, found := slices.BinarySearchFunc(in, p.seq, bySeq); !found { // a user may be named twice
			l.of[k] = slices.Insert(in, at, p)
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

// before returns the place of an event that is to be sent before that of p, or nil.
func (l *lines) before(p *place) *place {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; p.clear < len(p.lines); p.clear++ {
		if in := l.of[p.lines[p.clear]]; len(in) > 0 && in[0].seq < p.seq {
			return in[0]
		}
	}
	return nil
}

// makeWay sends the event of p, and all before it, in their owners' stead, or waits until
// it has moved. If it does not in time, nobody waits for it any more, and makeWay returns
// false. p stands before an event that waits until then.
//
// Nobody waits in a circle, unless a Broadcaster or a Commit emits: an event waits for
// lower numbers only, while their commit is under way or while they are being sent.
func (l *lines) makeWay(p *place, until time.Time) bool {
	inTime := true
	for q := l.before(p); q != nil; q = l.before(p) {
		inTime = l.makeWay(q, until) && inTime
	}
	owner, moved, begun := l.look(p)
	if moved == nil {
		return inTime
	}
	if owner != nil {
		if e, ok := owner.pull(p); ok {
			_ = owner.hand(&e) // logged and counted as its own
			return inTime
		}
	}
	if !begun.IsZero() && begun.Add(commitPatience).Before(until) {
		until = begun.Add(commitPatience)
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-moved:
		return inTime
	case <-timer.C:
		return !l.giveUp(p) && inTime
	}
}

// look returns whom an event can be taken from, what is closed when it moves, nil if it
// has left, and when its commit began.
func (l *lines) look(p *place) (owner *Outbox, moved <-chan struct{}, committing time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.left {
		return nil, nil, time.Time{}
	}
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.owner, p.moved, p.committing
}

// giveUp takes an event out of line, and says whether it still stood there.
func (l *lines) giveUp(p *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	stood := !p.left
	if stood {
		counters.overtaken.Add(1)
	}
	l.remove(p)
	return stood
}

func (p *place) wake() {
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

func (l *lines) hasLeft(p *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.left
}

func bySeq(p *place, seq uint64) int { return cmp.Compare(p.seq, seq) }
