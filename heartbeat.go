package usercast

import (
	"sync"
	"time"
)

// tickEvery is how often the sweeper wakes. It bounds how late a ping, a
// heartbeat or a close at a token's end can be. Frames are stopped at the token's
// end by the flushers already.
const tickEvery = 250 * time.Millisecond

// wheelSize is how many ticks ahead a connection can be filed: 64 s.
const wheelSize = 256

// A wheel holds every connection once, filed under the tick at which it must be
// looked at next. It stands in for the timers that connections do not have.
type wheel struct {
	mu    sync.Mutex
	ticks [wheelSize][]*conn
	now   int64 // the tick that was swept last
}

// beat is what the sweeper keeps of a connection. The wheel's lock guards tick;
// the rest is the sweeper's alone.
type beat struct {
	tick     int64 // where the connection is filed; entries elsewhere are stale
	pingAt   int64 // when the ping that waits for its answer was asked for; 0: none waits
	nextPing int64
	warned   int64 // the tokenEnd that hub.expiring was sent for
}

// file puts the connection where it is found after wait ns. Called again before,
// the earlier of the two counts.
func (w *wheel) file(c *conn, wait int64) {
	ahead := min(max(1, (wait+int64(tickEvery)-1)/int64(tickEvery)), wheelSize-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	tick := w.now + ahead
	if c.beat.tick > w.now && c.beat.tick <= tick {
		return
	}
	c.beat.tick = tick
	w.ticks[tick%wheelSize] = append(w.ticks[tick%wheelSize], c)
}

// turn moves on by one tick and returns who is due.
func (w *wheel) turn(due []*conn) []*conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	slot := &w.ticks[w.now%wheelSize]
	for _, c := range *slot {
		if c.beat.tick == w.now {
			c.beat.tick = 0 // an older entry may stand in the same slot
			due = append(due, c)
		}
	}
	clear(*slot)
	if *slot = (*slot)[:0]; cap(*slot) > 1024 {
		*slot = nil // a storm must not leave its size in every slot
	}
	return due
}

// sweep is the hub's only periodic goroutine: it looks after connections that are
// due, and after logs that have something expired.
func (h *Hub) sweep(stop <-chan struct{}) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var due []*conn
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		due = h.wheel.turn(due[:0])
		for _, c := range due {
			if !c.gone.Load() {
				h.wheel.file(c, c.check())
			}
		}
		clear(due)
		h.sweepLogs()
	}
}

// check looks after one connection and returns in how many ns it wants to be
// looked at again.
func (c *conn) check() (wait int64) {
	now := c.clock.mono()
	if end := c.ending.Load(); end != nil {
		return c.checkEnding(end, now)
	}
	if c.expired() {
		c.end(CloseUnauthorized, "token expired", false)
		return int64(hurryTimeout)
	}
	wait = min(c.checkPing(now), c.checkSilence(now))
	if c.tokenEnd.Load() != 0 {
		wait = min(wait, c.checkToken())
	}
	return wait
}

// checkEnding cuts a connection whose peer does not take the close frame or does
// not answer it. What may still be flushed has the time of two writes.
func (c *conn) checkEnding(end *ending, now int64) int64 {
	grace := int64(hurryTimeout + linger)
	if end.flush {
		grace = int64(2*c.writeTimeout + linger)
	}
	if left := end.at + grace - now; left > 0 {
		return left
	}
	c.wire.abort()
	return int64(linger)
}

// checkPing asks for pings and cuts the connection when one went unanswered. Any
// byte from the peer is an answer.
func (c *conn) checkPing(now int64) int64 {
	b := &c.beat
	if b.pingAt != 0 && c.wire.heard.Load() >= b.pingAt {
		b.pingAt = 0
	}
	if b.pingAt != 0 && now >= b.pingAt+c.pongTimeout {
		c.cut("no answer to a ping", &c.stats.deadCloses)
		return int64(linger)
	}
	if b.pingAt == 0 && now >= b.nextPing {
		b.pingAt, b.nextPing = now, now+c.pingInterval
		c.want(wantPing)
	}
	if b.pingAt != 0 {
		return min(b.pingAt+c.pongTimeout, b.nextPing) - now
	}
	return b.nextPing - now
}

// checkSilence asks for a heartbeat when the page has heard nothing for long:
// browsers do not show it our pings.
func (c *conn) checkSilence(now int64) int64 {
	silence := now - c.wrote.Load()
	if silence >= c.heartbeat {
		c.want(wantHeartbeat)
		return c.heartbeat
	}
	return c.heartbeat - silence
}

// expiryWarning is how long before a token's end the client hears of it.
const expiryWarning = int64(time.Minute)

// checkToken asks for hub.expiring, once for each token.
func (c *conn) checkToken() int64 {
	now := int64(c.clock.wall())
	end := c.tokenEnd.Load()
	if until := (end-now)*1e3 - expiryWarning; until > 0 {
		return until
	}
	if c.beat.warned != end {
		c.beat.warned = end
		c.want(wantExpiring)
	}
	return (c.expires.Load() - now) * 1e3
}

// sweepBudget is how long one tick may work on logs: a fifth of one core at most,
// whatever expires at once. What is left waits for the next tick; it only costs
// memory meanwhile, for readers expire what they look at themselves.
const sweepBudget = 10 * time.Millisecond

// sweepLogs expires entries and forgets users, beginning where the last tick stopped.
func (h *Hub) sweepLogs() {
	h.everyone.expire(&h.shared, h.clock.mono())
	began := h.clock.mono()
	for range shardCount {
		s := &h.shards[h.sweepNext%shardCount]
		now := h.clock.mono()
		if now-began > int64(sweepBudget) {
			return
		}
		if !s.sweep(now) {
			h.sweepNext++
		}
	}
}
