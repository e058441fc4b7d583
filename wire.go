package usercast

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// errFlood ends reading when a peer sends more than it may.
var errFlood = errors.New("usercast: inbound flood")

// errHungUp stands for io.EOF, which to coder/websocket means the end of a message
// when it comes between the bytes of one.
var errHungUp = errors.New("usercast: the peer hung up")

// A wire is the net.Conn under coder/websocket. The library reads frames from
// it and writes its pongs and close frames to it; the hub writes event frames to
// it directly, many at a time. All writes pass one lock, and after a close frame
// nothing more goes out (RFC 6455 §5.5.1).
//
// Read is for one goroutine at a time; everything else is safe for concurrent use.
type wire struct {
	net.Conn
	raw     tryWriter     // nil: no non-blocking writes (TLS, other systems)
	timeout time.Duration // of one blocking write
	clock   *clock

	idles  bool        // Read may return errIdle; the reader's
	ending atomic.Bool // reading is about the end now: no more errIdle
	wake   func()      // lets a parked reader see that; may be nil

	early []byte // what the HTTP server had read beyond the request
	meter meter
	heard atomic.Int64 // when the last byte came, monotonic ns

	hurry   atomic.Bool // writes may take no longer than hurryTimeout
	aborted atomic.Bool // no deadline may be moved into the future any more

	mu       sync.Mutex
	closed   bool // a close frame was written: no more frames
	said     int  // the code of the close frame that coder/websocket wrote; 0: it wrote none
	deadline bool // a write deadline is set and must be lifted before a raw write
	broken   error
}

// A tryWriter writes what fits without waiting; a full socket is no error.
type tryWriter interface {
	tryWrite(p []byte) (int, error)
}

// hurryTimeout bounds what is left of a write once the connection is to end.
const hurryTimeout = time.Second

func newWire(c net.Conn, early []byte, timeout time.Duration, clock *clock) *wire {
	w := &wire{Conn: c, early: early, timeout: timeout, clock: clock, raw: tryWriterOf(c)}
	w.idles = canIdle(w)
	now := clock.mono()
	w.heard.Store(now)
	w.meter.start(now)
	return w
}

// Read implements [net.Conn] and keeps the inbound budget. It is where every byte
// of a peer passes: control frames and empty frames, which coder/websocket
// does not limit, cost like any other.
func (w *wire) Read(p []byte) (n int, err error) {
	if len(w.early) > 0 {
		n = copy(p, w.early)
		if w.early = w.early[n:]; len(w.early) == 0 {
			w.early = nil
		}
	} else if n, err = w.read(p); n == 0 {
		if err == io.EOF {
			err = errHungUp
		}
		return n, err
	}
	now := w.clock.mono()
	w.heard.Store(now)
	if !w.meter.allow(p[:n], now) {
		return 0, errFlood
	}
	return n, err
}

// read waits for bytes only if a frame or a message has begun, or where waiting
// costs nothing more.
func (w *wire) read(p []byte) (int, error) {
	if w.idles && !w.ending.Load() && w.meter.between() {
		n, again, err := tryRead(w, p)
		switch {
		case again:
			return 0, errIdle
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
	return w.Conn.Read(p)
}

// Write is for coder/websocket, which writes each control frame by one call. What
// it wants to say after a close frame is dropped without an error: that is the
// echo of the close that the peer answered.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return len(p), nil
	}
	if len(p) > 0 && p[0] == finClose {
		w.closed = true
		if len(p) >= 4 {
			w.said = int(p[2])<<8 | int(p[3])
		}
	}
	return len(p), w.writeLocked(p, w.timeout)
}

// writeLocked writes all of p, waiting for the peer at most as long as within.
func (w *wire) writeLocked(p []byte, within time.Duration) error {
	if w.broken != nil {
		return w.broken
	}
	w.deadline = true
	if err := w.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return w.breakLocked(err)
	}
	// Looked at after the deadline is set: whoever hastens or aborts meanwhile
	// sets its own deadline after ours.
	if w.hurry.Load() {
		w.SetWriteDeadline(time.Now().Add(min(within, hurryTimeout)))
	}
	if w.aborted.Load() {
		w.abort()
	}
	n, err := w.Conn.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.breakLocked(err)
	}
	return nil
}

// breakLocked makes every later write fail: part of a frame may be out, and
// nothing that follows would make sense to the peer.
func (w *wire) breakLocked(err error) error {
	w.broken = err
	return err
}

// tryLocked writes what fits without waiting and returns how much that was.
func (w *wire) tryLocked(p []byte) (int, error) {
	if w.broken != nil {
		return 0, w.broken
	}
	if w.deadline {
		w.deadline = false
		if err := w.SetWriteDeadline(time.Time{}); err != nil {
			return 0, w.breakLocked(err)
		}
	}
	n, err := w.raw.tryWrite(p)
	if err != nil {
		return n, w.breakLocked(err)
	}
	return n, nil
}

// hasten shortens the write that is under way and those that follow.
func (w *wire) hasten() {
	w.hurry.Store(true)
	w.SetWriteDeadline(time.Now().Add(min(w.timeout, hurryTimeout)))
}

// halfClose says goodbye after a close frame: no more comes from here, and what
// the peer still says is heard until linger is over. Closing at once would reset
// the connection, and the peer would lose the close frame with it.
func (w *wire) halfClose(linger time.Duration) {
	w.readUntil(time.Now().Add(linger))
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	w.end()
}

// abort makes pending and later reads and writes fail. Unlike Close it waits for
// nothing; the reading goroutine then closes.
func (w *wire) abort() {
	w.aborted.Store(true)
	w.SetDeadline(time.Unix(1, 0))
	w.end()
}

// end makes a parked reader read on until the end.
func (w *wire) end() {
	w.ending.Store(true)
	if w.wake != nil {
		w.wake()
	}
}

func (w *wire) readUntil(t time.Time) {
	w.SetReadDeadline(t)
	if w.aborted.Load() {
		w.abort()
	}
}

// saidClose says whether a close frame was written.
func (w *wire) saidClose() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// saidCode returns the code of the close frame that coder/websocket wrote, for a
// peer that broke the protocol; 0 if it wrote none.
func (w *wire) saidCode() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said
}

// discard reads and drops what a flooding peer still sends, within bounds, so
// that the close frame reaches it.
func (w *wire) discard(bytes int64, within time.Duration) {
	w.readUntil(time.Now().Add(within))
	io.CopyN(io.Discard, w.Conn, bytes)
}
