package usercast

import (
	"sync"
	"sync/atomic"
)

// everyone is the log of BroadcastAll, which every connection follows. Its lock is
// taken alone or after a shard's.
type everyone struct {
	mu      sync.Mutex
	log     log
	settled usage
	last    atomic.Int64 // log.last, to see without the lock that nothing is new
}

func (e *everyone) publish(s *shared, d *draft, wall Timestamp, at int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.expire(at - s.ttl)
	ts := e.log.stamp(wall)
	d.stamp(ts)
	e.log.append(d, ts, at, s.stats.conns.Load() > 0)
	settleUsage(&s.stats, &e.log, &e.settled)
	e.last.Store(int64(ts))
}

// follow gives the verdict on a claim and the place where a connection starts.
func (e *everyone) follow(s *shared, c claim, r reader, now int64) (Verdict, GapReason, place) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.expire(now - s.ttl)
	settleUsage(&s.stats, &e.log, &e.settled)
	verdict, reason, tail := e.log.judge(c, r)
	return verdict, reason, place{tail, &e.log, &e.mu}
}

func (e *everyone) oldestAt() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, _ := e.log.oldest()
	return at
}

func (e *everyone) giveUp(s *shared) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.giveUp()
	settleUsage(&s.stats, &e.log, &e.settled)
}

func (e *everyone) expire(s *shared, now int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.expire(now - s.ttl)
	settleUsage(&s.stats, &e.log, &e.settled)
}
