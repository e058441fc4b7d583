package emit

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/usercast-go/usercast"
)

// Flush sends what was collected, in order. It may be called again, and sends then
// what came since. An event that cannot be sent is logged and counted, and the others
// go on; the error joins the first few of those and says how many more there were. It
// is for whoever wants it: what the events tell of has happened, so no request and
// no job should fail of it.
//
// Flushes that overlap are one: the later returns at once, and the one under way sends
// in its stead, so that the order holds. Flush waits for what it sends to, and for earlier
// events of the same users: see the package documentation. Another goroutine that sends to
// one of these users may send an event of this outbox in its stead; an error is then only
// logged and counted.
// The outbox of an open transaction is not to be flushed: [ErrOpen].
func (o *Outbox) Flush() error {
	if !o.usable() {
		return nil
	}
	return o.send(false)
}

// send sends all that waits, or only what is sure to have happened.
func (o *Outbox) send(sureOnly bool) error {
	start, err := o.stage(sureOnly)
	if !start {
		return err
	}
	defer o.awaitPulled()
	finished := false
	defer func() {
		if !finished { // a Goexit in what it sends to: the next Flush goes on
			if ended := o.stop(); ended {
				_ = o.send(sureOnly) // there will be none
			}
		}
	}()
	var unsent failures
	for e, ok := o.next(); ok; e, ok = o.next() {
		if err := o.hand(&e); err != nil {
			unsent.add(fmt.Errorf("emit: %s not sent: %w", e.ev.Type, err))
		}
	}
	finished = true
	return unsent.err()
}

// hand sends an event that has been taken out. Its error is logged and counted.
func (o *Outbox) hand(e *entry) (err error) {
	finished := false
	defer func() {
		inLine.leave(e.place)
		if err != nil || !finished {
			counters.failed.Add(1)
		} else {
			counters.sent.Add(1)
		}
	}()
	if err = o.deliver(e); err != nil {
		o.logUnsent("emit: event not sent", e.user, e.ev.Type, err)
	}
	finished = true
	return err
}

// stage moves what is to be sent behind what is being sent. start says that the
// caller is the one to send it.
func (o *Outbox) stage(sureOnly bool) (start bool, err error) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	if o.held {
		return false, fmt.Errorf("%w: whoever commits flushes its outbox then", ErrOpen)
	}
	staged := len(o.outgoing)
	var stay []entry
	for _, e := range o.entries {
		if e.sure || !sureOnly {
			o.outgoing = append(o.outgoing, e)
		} else {
			stay = append(stay, e)
		}
	}
	o.entries = stay
	inLine.put(o.to, o.outgoing[staged:], o)
	if o.sending || len(o.outgoing)+len(o.pulled) == 0 {
		return false, nil
	}
	o.sending = true
	return true, nil
}

// next takes the next event to send, when all that stood before it in line is sent. If
// there is none, the caller is done: whoever stages one from then on sends it.
func (o *Outbox) next() (e entry, ok bool) {
	inTime, until := true, time.Time{}
	for {
		e, ok, earlier := o.take()
		if earlier == nil {
			if !inTime {
				o.logOvertaking(e.user, e.ev.Type)
			}
			return e, ok
		}
		if until.IsZero() {
			until = time.Now().Add(patience)
		}
		inTime = inLine.makeWay(earlier, until) && inTime
	}
}

// take is next without waiting: if an event stands before the next one, both stay.
func (o *Outbox) take() (e entry, ok bool, earlier *place) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	if len(o.outgoing) == 0 {
		o.outgoing, o.sending = nil, false
		return entry{}, false, nil
	}
	e = o.outgoing[0]
	if earlier = inLine.before(e.place); earlier != nil {
		return e, false, earlier
	}
	o.outgoing[0] = entry{} // let go of the payload
	o.outgoing = o.outgoing[1:]
	o.room.leave(&e)
	return e, true, nil
}

// pull takes one event out for a goroutine that has to send it before its own.
func (o *Outbox) pull(p *place) (e entry, ok bool) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	for _, from := range []*[]entry{&o.outgoing, &o.entries} {
		for i := range *from {
			if e = (*from)[i]; e.place == p {
				*from = slices.Delete(*from, i, i+1)
				o.pulled = append(slices.DeleteFunc(o.pulled, inLine.hasLeft), p)
				o.room.leave(&e)
				return e, true
			}
		}
	}
	return entry{}, false
}

// awaitPulled waits until what others have pulled is sent: who has flushed may go on with
// what comes after it.
func (o *Outbox) awaitPulled() {
	o.room.mu.Lock()
	pulled := o.pulled
	o.pulled = nil
	o.room.mu.Unlock()
	if len(pulled) == 0 {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, p := range pulled {
		if _, moved, _ := inLine.look(p); moved != nil {
			select {
			case <-moved:
			case <-timer.C:
				return // who comes after it decides for itself how long to wait
			}
		}
	}
}

// stop ends a sending that did not come to its end, and says whether the outbox has ended.
func (o *Outbox) stop() (ended bool) {
	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	o.sending = false
	return o.ended
}

// deliver sends one event, without a lock. A panic of what it sends to is an error:
// the other events, and the request, have done nothing wrong.
func (o *Outbox) deliver(e *entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: Broadcast: %v\n%s", usercast.ErrPanic, p, debug.Stack())
		}
	}()
	if o.to == nil {
		return fmt.Errorf("%w: NewOutbox: to: missing; a hub takes events", usercast.ErrInvalidConfig)
	}
	// No context: what is sent has happened, whether or not the request still lives.
	switch e.kind {
	case toMany:
		return sendMany(context.Background(), o.to, e)
	case toAll:
		return o.to.(usercast.AllBroadcaster).BroadcastAll(context.Background(), e.ev) // it can: see collecting
	default:
		return o.to.Broadcast(e.user, e.ev)
	}
}

// sendMany is BroadcastMany; for what has none, each user once.
func sendMany(ctx context.Context, to usercast.Broadcaster, e *entry) error {
	if many, ok := to.(usercast.ManyBroadcaster); ok {
		return many.BroadcastMany(ctx, e.users, e.ev)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var unsent failures
	seen := make(map[string]struct{}, len(e.users))
	for _, id := range e.users {
		if _, twice := seen[id]; twice {
			continue
		}
		seen[id] = struct{}{}
		if err := to.Broadcast(id, e.ev); err != nil {
			unsent.add(fmt.Errorf("user %s: %w", clip(id), err))
		}
	}
	return unsent.err()
}

func cannotAll(to usercast.Broadcaster, ev usercast.Event) error {
	return fmt.Errorf("emit: %s: %T cannot broadcast to everyone: it has no method BroadcastAll", clip(ev.Type), to)
}
