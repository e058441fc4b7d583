package emit

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/usercast-go/usercast"
)

// ErrBatchFull means that a [Batch] holds as many IDs as it may: flush it, then go on.
var ErrBatchFull = errors.New("emit: batch is full")

const (
	// defaultBatchBytes is a KiB below the hub's default, for what may one day
	// stand beside the payload in a frame.
	defaultBatchBytes = 63 << 10
	minBatchBytes     = 256 // the hub's own least
	defaultBatchIDs   = 100_000
)

// BatchConfig bounds a [Batch]. Its zero value is usable.
type BatchConfig struct {
	// MaxEventBytes bounds the JSON of one event: at most the hub's MaxEventBytes.
	// 0: 63 KiB, which the hub's default takes; at least 256.
	MaxEventBytes int
	// MaxIDs bounds the IDs of all users that wait for Flush. 0: 100,000.
	MaxIDs int
}

// A Batch makes one event of many changed rows: fifty orders that a user deletes
// at once are one PENDING_DELETED with fifty IDs. It holds the IDs of one type of
// event, for each user those of their own, until Flush:
//
//	deleted := emit.NewBatch(PendingDeleted, func(ids []string) PendingOrders {
//		return PendingOrders{OrderIDs: ids, Count: len(ids)}
//	}, emit.BatchConfig{})
//	for _, o := range orders {
//		…
//		err := deleted.Add(o.UserID, o.ID)
//	}
//	err := deleted.Flush(hub)
//
// Flush it into an outbox if the rows change in a transaction. To spare the device
// that caused the changes, give NewBatch the type with its Except. An ID may be any
// comparable type, and so carry more of a row than its name.
//
// All methods are safe for concurrent use; no lock is held while payloads are made
// and events sent.
type Batch[ID comparable, P any] struct {
	event    usercast.EventType[P]
	payload  func(ids []ID) P
	maxBytes int
	maxIDs   int
	invalid  error // what was wrong with NewBatch's arguments

	mu     sync.Mutex
	users  []*batchUser[ID] // in the order of their first ID
	byName map[string]*batchUser[ID]
	held   int // IDs of all users
}

// A batchUser is what has changed for one user.
type batchUser[ID comparable] struct {
	name string
	ids  []ID // in the order of Add, each once
	seen map[ID]struct{}
}

// NewBatch makes an empty batch. payload makes the payload of one event of the IDs
// that it tells of: at least one, in the order of Add. Flush calls it, more than once
// for the same IDs if they do not fit one event.
//
// Something wrong with the arguments is the error of every Add and Flush, and
// wraps [usercast.ErrInvalidConfig]: a missing payload or type of event, a bound that
// is none, or a [usercast.Latest] event, of which only the last part would be kept.
func NewBatch[ID comparable, P any](event usercast.EventType[P], payload func(ids []ID) P, cfg BatchConfig) *Batch[ID, P] {
	b := &Batch[ID, P]{event: event, payload: payload, maxBytes: cfg.MaxEventBytes, maxIDs: cfg.MaxIDs}
	if b.maxBytes == 0 {
		b.maxBytes = defaultBatchBytes
	}
	if b.maxIDs == 0 {
		b.maxIDs = defaultBatchIDs
	}
	class, err := classOf(event)
	switch {
	case err != nil:
		b.invalid = fmt.Errorf("%w: NewBatch: event: %w", usercast.ErrInvalidConfig, err)
	case class == usercast.Latest:
		b.invalid = fmt.Errorf("%w: NewBatch: event: %s is a latest event, and all but the last part of a batch would be lost: want a buffered one",
			usercast.ErrInvalidConfig, event.Name())
	case payload == nil:
		b.invalid = fmt.Errorf("%w: NewBatch: payload: missing; it makes a payload of IDs", usercast.ErrInvalidConfig)
	case b.maxBytes < minBatchBytes:
		b.invalid = fmt.Errorf("%w: BatchConfig.MaxEventBytes: %d, want at least %d, or 0 for %d",
			usercast.ErrInvalidConfig, cfg.MaxEventBytes, minBatchBytes, defaultBatchBytes)
	case b.maxIDs < 0:
		b.invalid = fmt.Errorf("%w: BatchConfig.MaxIDs: %d, want at least 1, or 0 for %d", usercast.ErrInvalidConfig, cfg.MaxIDs, defaultBatchIDs)
	}
	return b
}

// Add notes that rows of a user have changed. An ID that waits already is not noted
// again. Either all IDs are added or, with an error, none: [ErrBatchFull],
// [usercast.ErrInvalidUser], or what is wrong with the batch.
func (b *Batch[ID, P]) Add(userID string, ids ...ID) error {
	if b.invalid != nil {
		return b.invalid
	}
	if err := checkUser(userID); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.byName[userID]
	if u == nil {
		u = &batchUser[ID]{name: userID, seen: make(map[ID]struct{})}
	}
	before := len(u.ids)
	for _, id := range ids {
		if _, ok := u.seen[id]; ok {
			continue
		}
		if b.held+len(u.ids)-before == b.maxIDs {
			for _, id := range u.ids[before:] {
				delete(u.seen, id)
			}
			u.ids = u.ids[:before]
			return fmt.Errorf("%w: %d IDs (BatchConfig.MaxIDs)", ErrBatchFull, b.maxIDs)
		}
		u.seen[id] = struct{}{}
		u.ids = append(u.ids, id)
	}
	if before == 0 && len(u.ids) > 0 {
		if b.byName == nil {
			b.byName = make(map[string]*batchUser[ID])
		}
		b.byName[userID] = u
		b.users = append(b.users, u)
	}
	b.held += len(u.ids) - before
	return nil
}

// Len returns how many IDs wait for Flush.
func (b *Batch[ID, P]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// Discard forgets what waits for Flush: the changes were rolled back.
func (b *Batch[ID, P]) Discard() { b.take() }

// take empties the batch.
func (b *Batch[ID, P]) take() []*batchUser[ID] {
	b.mu.Lock()
	defer b.mu.Unlock()
	users := b.users
	b.users, b.byName, b.held = nil, nil, 0
	return users
}

// Flush sends one event to each user by to, and leaves the batch empty, for use
// again. Users come in the order of their first Add. What exceeds the size of an
// event, as it is really marshalled, goes in several, in order and nearly full.
//
// An error tells of everything that could not be sent; all else was. An ID that is
// too large for an event, or does not marshal, takes no other with it.
func (b *Batch[ID, P]) Flush(to usercast.Broadcaster) error {
	if b.invalid != nil {
		return b.invalid
	}
	if to == nil {
		return fmt.Errorf("%w: Flush: to: missing; a hub or an outbox takes events", usercast.ErrInvalidConfig)
	}
	var failed failures
	for _, u := range b.take() {
		b.send(to, u.name, u.ids, &failed)
	}
	return failed.err()
}

// send sends the changes of a user, as many to an event as fit it. How many that
// are it learns from the events before.
func (b *Batch[ID, P]) send(to usercast.Broadcaster, user string, ids []ID, failed *failures) {
	for n := len(ids); len(ids) > 0; {
		n = min(n, len(ids))
		part := ids[:n:n] // whoever appends to it does not write over the next
		ev, share, err := b.make(part)
		if err == nil {
			err = flat(guarded("Broadcast", func() error { return to.Broadcast(user, ev) })) // a hub with less room says so
		}
		if n > 1 && splitHelps(err) {
			if share <= 1 {
				share = 2 // how large it is was not the trouble, or is not known
			}
			n = max(1, min(n-1, int(float64(n)/share)))
			continue
		}
		switch {
		case err == nil && share < 0.9: // the IDs have become shorter
			n = max(n+1, int(float64(n)/share))
		case err != nil && n > 1:
			failed.add(fmt.Errorf("emit: %d changes of user %q not sent: %w", n, user, err))
		case err != nil:
			failed.add(fmt.Errorf("emit: change of user %q to %.40s not sent: %w", user, fmt.Sprint(part[0]), err))
		}
		ids = ids[len(part):]
	}
}

// splitHelps says whether parts of a batch may go where the whole did not: all but
// the ID that is to blame. Panics stay together: there would be one for each ID.
func splitHelps(err error) bool {
	return errors.Is(err, usercast.ErrTooLarge) ||
		errors.Is(err, usercast.ErrPayload) && !errors.Is(err, usercast.ErrPanic)
}

// make makes an event, marshalled already, and says what share of the room for its
// payload it takes: more than 1 is the error [usercast.ErrTooLarge].
func (b *Batch[ID, P]) make(ids []ID) (ev usercast.Event, share float64, err error) {
	payload, err := guarded(b.event.Name()+": the payload of its batch", func() P { return b.payload(ids) })
	if err != nil {
		return ev, 0, err
	}
	if ev, err = b.event.Event(payload); err != nil {
		return ev, 0, err
	}
	if ev, err = ev.Freeze(); err != nil {
		return ev, 0, err
	}
	size, taken := frameBytes(ev), len(ev.Payload.(json.RawMessage))
	share = float64(taken) / float64(max(1, b.maxBytes-(size-taken)))
	if size > b.maxBytes {
		err = fmt.Errorf("%w: %s: %d bytes of JSON, at most %d", usercast.ErrTooLarge, ev.Type, size, b.maxBytes)
	}
	return ev, share, err
}

// frameBytes returns how long the JSON of a frozen event is at most: see the wire
// in the documentation of package usercast.
func frameBytes(ev usercast.Event) int {
	const envelope = `{"type":"","payload":,"timestamp":"2026-11-22T20:53:52.123456Z","class":"transient","key":"","scope":"all"}`
	n := len(envelope) + len(ev.Type) + len(ev.Payload.(json.RawMessage))
	if ev.Key != "" {
		quoted, _ := json.Marshal(ev.Key) // cannot fail on a string
		n += len(quoted)
	}
	return n
}
