package usercast

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A flusher writes for the connections that were nudged: for each one it collects
// what the cursors have not seen and writes it at once, without waiting for the
// socket. There are GOMAXPROCS flushers; a connection stays with one of them, so
// only one goroutine at a time moves its cursors.
//
// A socket that would block gets a goroutine of its own, its drainer, until it
// has caught up or is cut. TLS connections, and all connections on systems
// without non-blocking writes, always take that way.
type flusher struct {
	nudged atomic.Pointer[conn] // a stack, linked by conn.next
	wake   chan struct{}
	batch  batch
	buf    []byte
}

func newFlusher() *flusher {
	return &flusher{wake: make(chan struct{}, 1)}
}

// push puts a connection on the list. It is safe for concurrent use and takes no
// lock: a publisher calls it while it holds the user's.
func (f *flusher) push(c *conn) {
	for {
		head := f.nudged.Load()
		c.next = head
		if f.nudged.CompareAndSwap(head, c) {
			if head == nil {
				select {
				case f.wake <- struct{}{}:
				default:
				}
			}
			return
		}
	}
}

// run flushes until stop is closed.
func (f *flusher) run(stop <-chan struct{}) {
	for {
		for c := f.take(); c != nil; {
			next := c.next
			c.next = nil
			c.nudged.Store(false) // before looking: whatever comes later nudges again
			f.flush(c)
			c = next
		}
		f.batch.reset() // an idle flusher holds on to no frames
		select {
		case <-f.wake:
		case <-stop:
			return
		}
	}
}

// take empties the list and returns it in the order of the nudges.
func (f *flusher) take() (first *conn) {
	for c := f.nudged.Swap(nil); c != nil; {
		c, c.next, first = c.next, first, c
	}
	return first
}

// flush writes one batch to one connection.
func (f *flusher) flush(c *conn) {
	if !c.ready.Load() || c.gone.Load() {
		return
	}
	c.again.Store(true)
	if c.slow.Load() {
		return // its drainer looks at again after it has let go of slow
	}
	w := c.wire
	if w.raw == nil || !w.mu.TryLock() {
		c.detach(nil) // or a pong is being written, and waits for the peer
		return
	}
	if w.closed {
		w.mu.Unlock()
		return
	}
	f.batch.reset()
	done, last := c.gather(&f.batch)
	if len(f.batch.frames) == 0 {
		w.mu.Unlock()
		return
	}
	p := f.batch.join(&f.buf)
	w.closed = last
	n, err := w.tryLocked(p)
	if err == nil && n < len(p) {
		c.count(&f.batch)
		c.detach(append([]byte(nil), p[n:]...)) // keeps the lock
		return
	}
	w.mu.Unlock()
	if err != nil {
		c.writeFailed(err)
		return
	}
	c.count(&f.batch)
	if last {
		w.halfClose(linger)
	}
	if !done {
		c.nudge() // others first
	}
}

// join returns the batch as one piece of memory: copying a few hundred bytes
// costs less than a vectored write, and one frame goes as it is.
func (b *batch) join(buf *[]byte) []byte {
	if len(b.frames) == 1 {
		return b.frames[0]
	}
	*buf = (*buf)[:0]
	for _, f := range b.frames {
		*buf = append(*buf, f...)
	}
	if p := *buf; cap(p) > 2*maxBatchBytes {
		*buf = nil // one giant event must not stay
		return p
	}
	return *buf
}

// count counts the events of a batch as it is handed to the socket, and notes that
// the page hears something.
func (c *conn) count(b *batch) {
	if b.visible {
		c.wrote.Store(c.clock.mono())
	}
	if b.events > 0 {
		c.stats.delivered.Add(uint64(b.events))
	}
	if b.replayed > 0 {
		c.stats.replayed.Add(uint64(b.replayed))
	}
}

// writeFailed cuts the connection: part of a frame may be out.
func (c *conn) writeFailed(err error) {
	if c.gone.Load() {
		return
	}
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.cut("write failed: "+err.Error(), nil)
		return
	case c.expired():
		c.cut("token expired while a write waited for the peer", nil)
		return
	}
	if c.cut("too slow: a write took longer than Config.WriteTimeout", &c.stats.slowCloses) {
		c.logger.Warn("usercast: slow connection cut", "conn_id", c.info.ID, "user_id", c.info.UserID)
	}
}

// detach gives the connection to a drainer. rest is the end of a batch that the
// socket did not take; then the wire's lock goes along.
func (c *conn) detach(rest []byte) {
	c.slow.Store(true)
	c.workers.Go(func() { c.drain(rest) }) // the flusher that is here is one of them, so nobody has waited
}

// drainers' batches; one is in use for each slow connection.
var batches = sync.Pool{New: func() any { return new(drainer) }}

type drainer struct {
	batch batch
	buf   []byte
}

// patience is how long a write may wait for the peer: events that were gathered
// while the token was good must not leave after its end (I10).
func (c *conn) patience() time.Duration {
	patience := c.writeTimeout
	if at := c.expires.Load(); at != 0 && c.ending.Load() == nil {
		left := time.Duration(at-int64(c.clock.wall())) * time.Microsecond
		patience = min(patience, max(left, time.Millisecond))
	}
	return patience
}

// drain writes until the connection has caught up, waiting for the peer, but for
// no write longer than Config.WriteTimeout.
func (c *conn) drain(rest []byte) {
	d := batches.Get().(*drainer)
	defer batches.Put(d)
	defer d.batch.reset()
	w := c.wire
	if rest != nil {
		last := w.closed
		err := w.writeLocked(rest, c.patience())
		w.mu.Unlock()
		if err != nil {
			c.writeFailed(err)
			return // slow stays set: nobody writes to this connection again
		}
		if last {
			w.halfClose(linger)
			return
		}
	}
	for !c.gone.Load() {
		c.again.Store(false) // before looking
		d.batch.reset()
		_, last := c.gather(&d.batch)
		if len(d.batch.frames) == 0 {
			break
		}
		p := d.batch.join(&d.buf)
		w.mu.Lock()
		if w.closed {
			w.mu.Unlock()
			return
		}
		w.closed = last
		err := w.writeLocked(p, c.patience())
		w.mu.Unlock()
		if err != nil {
			c.writeFailed(err)
			return
		}
		c.count(&d.batch)
		if last {
			w.halfClose(linger)
			return
		}
	}
	c.slow.Store(false)
	if c.again.Load() {
		c.nudge() // what came between the last look and here nudged in vain
	}
}
