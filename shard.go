package usercast

import (
	"container/heap"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A user is one user's log and the connections that follow it.
type user struct {
	id      string
	log     log
	conns   []*conn // oldest first
	active  int64   // when something happened last: an event, a connect, a disconnect
	settled usage   // of log.used, what the hub's totals hold already

	key   int64 // when the oldest retained entry was stamped, or earlier; orders the heap
	index int   // in the heap; -1: nothing is retained

	queuedAt int64 // when the user joined the idle queue; 0: it is not on it
}

// A shard holds the users whose IDs hash to it. Its lock guards them, their logs
// and the cursors of their connections; it is held for a few hundred
// nanoseconds and never while a socket, a callback or another shard is waited for.
type shard struct {
	*shared
	// oldest is the key of retained's top, math.MaxInt64 if there is none. It may
	// be earlier than what is really there, never later.
	oldest atomic.Int64

	mu      sync.Mutex
	users   map[string]*user
	conns   []*conn // of all users, in no order; conn.slot is the index
	born    Timestamp
	gcFloor Timestamp // the highest last of users that were forgotten
	revoked map[string]revocation

	retained byOldest // users of whom something is retained
	idle     []*user  // users with nothing retained and no connection, by when they became so
}

// A revocation refuses handshakes that began before it.
type revocation struct {
	generation uint64
	at         int64
	reason     string
}

func (s *shard) init(sh *shared, born Timestamp) {
	s.shared, s.born, s.gcFloor = sh, born, born
	s.users = make(map[string]*user)
	s.revoked = make(map[string]revocation)
	s.oldest.Store(math.MaxInt64)
}

// user returns the user's state, made if there is none. Whatever this user ever
// got a timestamp for is at or below gcFloor, so the new log continues from there.
func (s *shard) user(id string, now int64) *user {
	u := s.users[id]
	if u == nil {
		u = &user{id: id, index: -1}
		u.log.init(s.epoch, s.born, s.gcFloor, s.bufferSize)
		s.users[id] = u
		s.stats.logs.Add(1)
	}
	u.active = max(u.active, now)
	return u
}

// publish stamps an event, appends it and nudges the user's connections.
func (s *shard) publish(id string, d *draft, wall Timestamp, at int64) Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(id, at)
	ts := u.log.stamp(wall)
	d.stamp(ts)
	s.appendLocked(u, d, ts, at)
	return ts
}

// appendLocked appends a stamped event.
func (s *shard) appendLocked(u *user, d *draft, ts Timestamp, at int64) {
	u.log.expire(at - s.ttl)
	if d.class == Transient {
		s.makeRoom(u)
	}
	u.log.append(d, ts, at, len(u.conns) > 0)
	s.settle(u)
	for _, c := range u.conns {
		c.nudge()
	}
}

// makeRoom drops transients that everyone has, and counts one for each connection
// that loses the one that must go for the next.
func (s *shard) makeRoom(u *user) {
	recent := &u.log.recent
	if recent.len() == 0 {
		return
	}
	slowest := Timestamp(math.MaxInt64)
	for _, c := range u.conns {
		slowest = min(slowest, c.mine.cursor)
	}
	u.log.trimRecent(slowest)
	if !recent.full() {
		return
	}
	for _, c := range u.conns {
		if c.mine.cursor < recent.at(0).ts {
			s.stats.droppedTransients.Add(1)
		}
	}
}

// settle carries a log's change over to the hub's totals and to the structures by
// which old entries and idle users are found.
func (s *shard) settle(u *user) {
	settleUsage(&s.stats, &u.log, &u.settled)
	if at, ok := u.log.oldest(); ok && u.index < 0 {
		u.key = at
		heap.Push(&s.retained, u)
		s.topChanged()
	} else if !ok && len(u.conns) == 0 && u.queuedAt == 0 {
		s.queue(u)
	}
}

func settleUsage(stats *counters, l *log, settled *usage) {
	if l.used != *settled {
		stats.bufferedEvents.Add(l.used.events - settled.events)
		stats.bufferedBytes.Add(l.used.bytes - settled.bytes)
		*settled = l.used
	}
}

// topLocked returns the user with the oldest retained entry, nil if there is none.
// Keys in the heap are set when a user enters and corrected here, when it matters:
// an entry that leaves only makes its user younger.
func (s *shard) topLocked() *user {
	for len(s.retained) > 0 {
		u := s.retained[0]
		at, ok := u.log.oldest()
		switch {
		case !ok:
			heap.Pop(&s.retained)
			s.settle(u)
		case at != u.key:
			u.key = at
			heap.Fix(&s.retained, 0)
		default:
			return u
		}
	}
	return nil
}

func (s *shard) topChanged() {
	key := int64(math.MaxInt64)
	if len(s.retained) > 0 {
		key = s.retained[0].key
	}
	s.oldest.Store(key)
}

// giveUp removes the shard's oldest entry, if it is not younger than limit.
func (s *shard) giveUp(limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.topLocked(); u != nil && u.key <= limit {
		u.log.giveUp()
		s.settle(u)
		s.topLocked()
	}
	s.topChanged()
}

// sweepSome is how many users are looked at before the lock is let go.
const sweepSome = 256

// sweep expires entries and forgets users, a few at a time. It returns whether
// there may be more to do.
func (s *shard) sweep(now int64) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := sweepSome
	for ; left > 0; left-- {
		u := s.topLocked()
		if u == nil || u.key > now-s.ttl {
			break
		}
		u.log.expire(now - s.ttl)
		s.settle(u)
	}
	s.topChanged()
	for left > 0 && s.forgetOne(now) {
		left--
	}
	for id, r := range s.revoked {
		if r.at < now-2*int64(handshakeTimeout) {
			delete(s.revoked, id)
		}
	}
	return left == 0
}

// forgetOne takes the first of the idle queue if it has waited for a TTL, and
// forgets it if it was idle all the time. The floor of whoever appears later
// rises to its last timestamp, so timestamps go on increasing (I11).
func (s *shard) forgetOne(now int64) bool {
	if len(s.idle) == 0 || s.idle[0].queuedAt > now-s.ttl {
		return false
	}
	u := s.idle[0]
	s.idle[0] = nil
	if s.idle = s.idle[1:]; len(s.idle) == 0 {
		s.idle = nil
	}
	u.queuedAt = 0
	switch {
	case len(u.conns) > 0 || u.index >= 0: // not idle any more; settle queues it again
	case u.active > now-s.ttl:
		s.queue(u)
	default:
		s.gcFloor = max(s.gcFloor, u.log.last)
		delete(s.users, u.id)
		s.stats.logs.Add(-1)
	}
	return true
}

// queue files an idle user to be forgotten, a TTL from now at the earliest.
func (s *shard) queue(u *user) {
	u.queuedAt = max(1, s.clock.mono())
	s.idle = append(s.idle, u)
}

// join registers a connection: verdict, cursors and list of followers change in
// one critical section, so no event can fall between them. The caller holds
// everyone's place in order after the shard's.
func (s *shard) join(c *conn, mine, all claim) (Verdict, GapReason) {
	now := s.clock.mono()
	u := s.user(c.info.UserID, now)
	u.log.expire(now - s.ttl)
	verdict, reason, tail := u.log.judge(mine, c.reader())
	c.mine = place{tail, &u.log, &s.mu}

	var allVerdict Verdict
	var allReason GapReason
	allVerdict, allReason, c.all = s.everyone.follow(s.shared, all, c.reader(), now)
	switch {
	case verdict == Gap:
		c.all.gap = "" // one is told for both
	case allVerdict == Gap:
		verdict, reason = Gap, allReason
	}

	if len(u.conns) == 0 {
		s.stats.users.Add(1)
	}
	u.conns = append(u.conns, c)
	c.slot = len(s.conns)
	s.conns = append(s.conns, c)
	s.settle(u)
	return verdict, reason
}

// part removes a connection. It returns false if it had been removed before.
func (s *shard) part(c *conn) bool {
	u := s.users[c.info.UserID]
	if u == nil {
		return false
	}
	i := slices.Index(u.conns, c)
	if i < 0 {
		return false
	}
	u.conns = slices.Delete(u.conns, i, i+1)
	s.removeSlot(c.slot)
	u.active = max(u.active, s.clock.mono())
	if len(u.conns) == 0 {
		u.conns = nil
		s.stats.users.Add(-1)
		u.log.trimRecent(maxTimestamp) // nobody is left to hear them
	}
	s.settle(u)
	return true
}

func (s *shard) removeSlot(i int) {
	last := len(s.conns) - 1
	s.conns[i] = s.conns[last]
	s.conns[i].slot = i
	s.conns[last] = nil
	s.conns = s.conns[:last]
}

// each calls fn for every connection while the lock is held: fn may nudge or end
// it, and nothing slower.
func (s *shard) each(fn func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		fn(c)
	}
}
