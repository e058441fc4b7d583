package usercast

import "errors"

// errIdle comes out of wire.Read when the peer has sent whole messages only and
// nothing more is there. coder/websocket passes it on and reads on when asked to
// again: at a frame's boundary it has nothing begun.
var errIdle = errors.New("usercast: nothing to read")

// park gives up the reading goroutine until the socket has something to read. It
// returns false if this goroutine must go on reading; otherwise the connection is
// another's, and may be over already.
func (c *conn) park() (parked bool) {
	c.parked.Store(true)
	// Looked at after parked is set: whoever ends the connection meanwhile either
	// is seen here, or sees parked.
	if !c.wire.ending.Load() && c.poller.watch(c) {
		return true
	}
	if c.parked.CompareAndSwap(true, false) {
		c.wire.idles = false // cannot be watched: read as everywhere else
		return false
	}
	return true
}

// unpark goes on reading, in a goroutine of its own, if the connection is parked.
func (c *conn) unpark() {
	if c.parked.CompareAndSwap(true, false) {
		go c.readOn()
	}
}
