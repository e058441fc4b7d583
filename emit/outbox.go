package emit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/usercast-go/usercast"
)

const (
	defaultMaxEvents = 1000
	defaultMaxBytes  = 4 << 20
)

// OutboxConfig bounds an [Outbox]. The zero value of every field is usable.
type OutboxConfig struct {
	// MaxEvents is how many events may wait. 0 or less: 1,000. Who meets it has
	// rows, not events, to tell of: see [Batch].
	MaxEvents int
	// MaxBytes is how many bytes of payloads, names and user IDs may wait. 0 or
	// less: 4 MiB, which is 64 events of the largest size that a hub takes by default.
	MaxBytes int
	// Logger hears of every event that is not sent, at level Error, without its
	// payload. nil: that of the outbox above, else slog.Default.
	Logger *slog.Logger
}

// An Outbox collects events until it is known whether they happened: [Outbox.Flush]
// sends them in the order in which they came, [Outbox.Discard] drops them. It is a
// [usercast.Broadcaster], so whatever emits to a hub emits to an outbox. [Tx] and
// [Middleware] make outboxes and end them; [NewOutbox] makes one for everything else.
//
// Events are marshalled as they come. A bad one is an error then, is logged and
// counted, and spoils nothing else. An outbox that has ended refuses events by
// [ErrEnded] rather than keep what nobody would send.
//
// It is safe for concurrent use. A nil Outbox, and the zero value, refuse everything
// by [ErrNoOutbox].
type Outbox struct {
	to     usercast.Broadcaster
	parent *Outbox // whom a transaction hands its events to; nil: they are sent
	room   *room   // guards all that follows

	entries  []entry  // what came, in order
	outgoing []entry  // what is being sent
	pulled   []*place // what others have taken out to send it before their own
	sending  bool     // a goroutine is at outgoing
	held     bool     // an open transaction decides, so nothing may be sent
	request  bool     // of a request: what is committed is sent in any case
	ended    bool
	broken   error // a part could be neither kept nor undone
}

// A room is what an outbox and the savepoints within it may hold together. Parts
// share it, and its lock, so that a savepoint can always hand over what it has.
type room struct {
	mu                  sync.Mutex
	maxEvents, maxBytes int
	events, bytes       int
	savepoints          int // open ones
	logger              *slog.Logger
	logged              int
}

// An entry is an event that waits.
type entry struct {
	kind  kind
	user  string   // of toUser
	users []string // of toMany
	ev    usercast.Event
	bytes int
	sure  bool   // it happened, whatever becomes of the request
	seq   uint64 // when it came to be
	place *place // in line; nil: in none yet
}

type kind uint8

const (
	toUser kind = iota
	toMany
	toAll
)

// NewOutbox returns an empty outbox that sends to a hub, or to whatever else takes
// events. Whoever makes it calls Flush or Discard.
func NewOutbox(to usercast.Broadcaster, cfg OutboxConfig) *Outbox {
	if cfg.MaxEvents <= 0 {
		cfg.MaxEvents = defaultMaxEvents
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	return &Outbox{to: direct(to), room: &room{maxEvents: cfg.MaxEvents, maxBytes: cfg.MaxBytes, logger: cfg.Logger}}
}

// Broadcast collects an event for a user. The payload is marshalled now, so what
// becomes of its maps and pointers does not matter. The errors are those of
// [usercast.Hub.Broadcast] that can be known without a hub, and ErrFull, ErrEnded
// and ErrNoOutbox; the event will then not be sent, and all others will.
func (o *Outbox) Broadcast(userID string, ev usercast.Event) error {
	return o.collect(entry{kind: toUser, user: userID, ev: ev}, checkUser(userID))
}

// BroadcastMany collects one event for several users, to be sent as
// [usercast.Hub.BroadcastMany] does. If ctx has ended nothing is collected; the
// context is not kept.
func (o *Outbox) BroadcastMany(ctx context.Context, userIDs []string, ev usercast.Event) error {
	err := ctx.Err()
	for i := 0; i < len(userIDs) && err == nil; i++ {
		if err = checkUser(userIDs[i]); err != nil {
			err = fmt.Errorf("userIDs[%d]: %w", i, err)
		}
	}
	return o.collect(entry{kind: toMany, users: slices.Clone(userIDs), ev: ev}, err)
}

// BroadcastAll collects an event for every connection, to be sent as
// [usercast.Hub.BroadcastAll] does. It is an error if what the outbox sends to
// cannot do so. If ctx has ended nothing is collected; the context is not kept.
func (o *Outbox) BroadcastAll(ctx context.Context, ev usercast.Event) error {
	err := ctx.Err()
	if err == nil && o.usable() {
		if _, ok := o.to.(usercast.AllBroadcaster); !ok {
			err = cannotAll(o.to, ev)
		}
	}
	return o.collect(entry{kind: toAll, ev: ev}, err)
}

// Len returns how many events wait.
func (o *Outbox) Len() int {
	if !o.usable() {
		return 0
	}
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	return len(o.entries) + len(o.outgoing)
}

// Discard drops what was collected and not sent. What committed transactions have
// handed over stays: it has happened, and the next Flush sends it.
func (o *Outbox) Discard() {
	if !o.usable() {
		return
	}
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.drop()
}

// drop is Discard with the lock held.
func (o *Outbox) drop() {
	o.entries = slices.DeleteFunc(o.entries, func(e entry) bool {
		if !e.sure {
			o.room.leave(&e)
			inLine.leave(e.place)
			counters.discarded.Add(1)
		}
		return !e.sure
	})
}

func (o *Outbox) usable() bool { return o != nil && o.room != nil }

// collect adds an event, unless something is wrong with it or with the outbox.
func (o *Outbox) collect(e entry, err error) error {
	if !o.usable() {
		err = fmt.Errorf("%w: wrap the handler in emit.Middleware, or put one into the context by emit.WithOutbox", ErrNoOutbox)
	}
	name := e.ev.Type
	if err == nil {
		e.ev, err = e.ev.Freeze()
	}
	if err == nil {
		e.bytes = e.size()
		err = o.add(&e)
	}
	if err != nil {
		counters.refused.Add(1)
		o.logUnsent("emit: event not collected", e.user, name, err)
	}
	return err
}

// add appends a frozen event.
func (o *Outbox) add(e *entry) error {
	if e.kind == toMany && len(e.users) == 0 {
		return nil
	}
	r := o.room
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case o.ended:
		return fmt.Errorf("%w: %s: its request or transaction is over; send to the hub itself", ErrEnded, e.ev.Type)
	case r.events >= r.maxEvents:
		return fmt.Errorf("%w: %s: %d events wait (OutboxConfig.MaxEvents); make one event of many changes by emit.Batch", ErrFull, e.ev.Type, r.events)
	case r.bytes+e.bytes > r.maxBytes:
		return fmt.Errorf("%w: %s: %d more bytes than the %d of OutboxConfig.MaxBytes", ErrFull, e.ev.Type, r.bytes+e.bytes-r.maxBytes, r.maxBytes)
	}
	r.enter(e)
	e.seq = lastSeq.Add(1)
	o.entries = append(o.entries, *e)
	counters.collected.Add(1)
	return nil
}

func (r *room) enter(e *entry) { r.events++; r.bytes += e.bytes }
func (r *room) leave(e *entry) { r.events--; r.bytes -= e.bytes }

// size is what an entry counts against MaxBytes.
func (e *entry) size() int {
	n := len(e.ev.Type) + len(e.ev.Key) + len(e.ev.Except) + len(e.user)
	if raw, ok := e.ev.Payload.(json.RawMessage); ok { // it is frozen
		n += len(raw)
	}
	for _, id := range e.users {
		n += len(id) + 16 // the string's header: an ID may be a single byte
	}
	return n
}

// logUnsent logs the first few events of this outbox that will not be sent.
func (o *Outbox) logUnsent(msg, user, typ string, err error) {
	if !o.usable() {
		logUnsent(nil, msg, user, typ, err, false)
		return
	}
	o.room.mu.Lock()
	o.room.logged++
	n, logger := o.room.logged, o.room.logger
	o.room.mu.Unlock()
	if n <= maxLogged {
		logUnsent(logger, msg, user, typ, err, n == maxLogged)
	}
}

// logOvertaking logs the first few events of this outbox that are sent before earlier ones.
func (o *Outbox) logOvertaking(user, typ string) {
	o.room.mu.Lock()
	o.room.logged++
	n, logger := o.room.logged, o.room.logger
	o.room.mu.Unlock()
	if n <= maxLogged {
		logOvertaking(logger, user, typ, n == maxLogged)
	}
}

// checkUser says what a hub would say of a user ID, before the commit.
func checkUser(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", usercast.ErrInvalidUser)
	case len(id) > usercast.MaxUserIDBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", usercast.ErrInvalidUser, len(id), usercast.MaxUserIDBytes)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: it is not UTF-8", usercast.ErrInvalidUser)
	}
	return nil
}
