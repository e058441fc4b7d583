package usercasttest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
)

// A link is a device's way to the server over all its connections: it can be cut,
// stalled, and be down.
type link struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when anything below changes
	down    bool          // dialling waits
	stalled bool          // reading waits
	conn    net.Conn      // the newest; nil: none yet
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// set changes the link's state.
func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits until ok, which is called with the lock held, or until ctx ends.
func (l *link) until(ctx context.Context, ok func() bool) error {
	for {
		l.mu.Lock()
		good, changed := ok(), l.changed
		l.mu.Unlock()
		if good {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// dial opens a connection once the link is up.
func (l *link) dial(ctx context.Context, pipes *pipe.Listener) (net.Conn, error) {
	if err := l.until(ctx, func() bool { return !l.down }); err != nil {
		return nil, err
	}
	c, err := pipes.Dial(ctx)
	if err != nil {
		return nil, err
	}
	closed, end := context.WithCancelCause(context.Background())
	lc := &linkConn{Conn: c, link: l, closed: closed, end: end}
	l.set(func() {
		if l.conn = lc; l.down { // meanwhile
			lc.Close()
		}
	})
	return lc, nil
}

// stall stops reading, and interrupts a Read under way, which would take one write more.
// Nothing else sets read deadlines.
func (l *link) stall(on bool) {
	l.set(func() {
		l.stalled = on
		var deadline time.Time
		if on {
			deadline = time.Now().Add(-time.Second)
		}
		if l.conn != nil {
			_ = l.conn.SetReadDeadline(deadline) // it fails only once it is closed
		}
	})
}

// cut ends the connection without a word, as a network does that fails.
func (l *link) cut() {
	l.set(func() {
		if l.conn != nil {
			l.conn.Close()
		}
	})
}

// A linkConn is one connection of a link.
type linkConn struct {
	net.Conn
	link   *link
	closed context.Context
	end    context.CancelCauseFunc
}

// Read implements net.Conn: nothing is taken while the link is stalled.
func (c *linkConn) Read(p []byte) (int, error) {
	for {
		if err := c.link.until(c.closed, func() bool { return !c.link.stalled }); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// Close implements net.Conn. It never blocks.
func (c *linkConn) Close() error {
	c.end(net.ErrClosed)
	return c.Conn.Close()
}
