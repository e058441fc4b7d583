package usercast

import "math"

// usage is what a log holds.
type usage struct{ events, bytes int64 }

// A log is everything the hub knows of one user's events, or of everyone's: a
// ring of buffered events, the latest values, a few transients, and two marks.
// Connections are cursors into it and hold nothing of their own.
//
// Stamping and appending are two steps, because with several processes an engine
// stamps and each process only mirrors. A log has no lock and no clock.
type log struct {
	epoch string
	born  Timestamp // older cursors come from before this epoch
	last  Timestamp // the highest timestamp given out
	floor Timestamp // the highest timestamp evicted from the ring; >= born
	// floorBySize is the highest evicted to make room: it tells "evicted" from "expired".
	floorBySize Timestamp

	ring   ring
	slots  slots
	recent ring // transients
	newest int64
	used   usage
}

// init makes an empty log whose cursors begin after floor and whose ring holds
// size events.
func (l *log) init(epoch string, born, floor Timestamp, size int) {
	*l = log{epoch: epoch, born: born, last: floor, floor: floor}
	l.ring.limit = size
	l.recent.limit = maxRecent
}

// A record is an event that was stamped elsewhere.
type record struct {
	draft
	ts Timestamp
	at int64
}

// reset replaces the log's contents by another's account of it: its epoch, its
// marks and what it retains, in order of timestamps. With an engine this is how
// a mirror begins, and how it mends a hole.
func (l *log) reset(epoch string, last, floor Timestamp, records []record) {
	born := min(l.born, floor)
	if epoch != l.epoch {
		born = floor
	}
	l.init(epoch, born, floor, l.ring.limit)
	for i := range records {
		l.append(&records[i].draft, records[i].ts, records[i].at, false)
	}
	l.last = max(l.last, last)
}

// stamp gives out the next timestamp: the wall clock, or one more than the last
// if the clock has not moved on or went back.
func (l *log) stamp(wall Timestamp) Timestamp {
	return min(max(l.last+1, wall), maxTimestamp)
}

// append adds an event that is stamped ts. live says whether a connection
// follows; a transient that nobody hears is not kept.
func (l *log) append(d *draft, ts Timestamp, at int64, live bool) {
	l.newest = max(l.newest, at) // two publishers may have read the clock in either order
	l.last = ts
	e := entry{ts: ts, at: l.newest, frame: d.frame, except: d.except, stampAt: int32(d.stampAt)}
	switch d.class {
	case Buffered:
		if d.key != "" {
			l.freed(l.slots.clear(d.key))
		}
		if l.ring.full() {
			l.evictOldest(true)
		}
		l.ring.push(e)
	case Latest:
		l.freed(l.slots.set(d.key, e))
	case Transient:
		if !live {
			return
		}
		if l.recent.full() {
			l.dropRecent()
		}
		l.recent.push(e)
	}
	l.used.events++
	l.used.bytes += e.size()
}

func (l *log) freed(bytes int64, events int) {
	l.used.events -= int64(events)
	l.used.bytes -= bytes
}

// evictOldest removes the oldest buffered event and raises the floor.
func (l *log) evictOldest(bySize bool) {
	e := l.ring.pop()
	l.freed(e.size(), 1)
	l.floor = e.ts
	if bySize {
		l.floorBySize = e.ts
	}
}

func (l *log) dropRecent() {
	e := l.recent.pop()
	l.freed(e.size(), 1)
}

// trimRecent drops transients that every connection has been sent.
func (l *log) trimRecent(seen Timestamp) {
	for l.recent.len() > 0 && l.recent.at(0).ts <= seen {
		l.dropRecent()
	}
}

// expire removes what was stamped at or before deadline.
func (l *log) expire(deadline int64) {
	for l.ring.len() > 0 && l.ring.at(0).at <= deadline {
		l.evictOldest(false)
	}
	for len(l.slots) > 0 && l.slots[0].at <= deadline {
		l.freed(l.slots.pop(), 1)
	}
	for l.recent.len() > 0 && l.recent.at(0).at <= deadline {
		l.dropRecent()
	}
}

// oldest returns when the oldest entry was stamped; ok is false if there is none.
func (l *log) oldest() (at int64, ok bool) {
	at = math.MaxInt64
	if l.ring.len() > 0 {
		at = l.ring.at(0).at
	}
	if len(l.slots) > 0 {
		at = min(at, l.slots[0].at)
	}
	if l.recent.len() > 0 {
		at = min(at, l.recent.at(0).at)
	}
	return at, at != math.MaxInt64
}

// giveUp removes the oldest entry to make room for others.
func (l *log) giveUp() {
	switch at, ok := l.oldest(); {
	case !ok:
	case l.recent.len() > 0 && l.recent.at(0).at == at:
		l.dropRecent()
	case len(l.slots) > 0 && l.slots[0].at == at:
		l.freed(l.slots.pop(), 1)
	default:
		l.evictOldest(true)
	}
}
