package usercast

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
)

// A fakeSocket is one end of a connection in memory that behaves as a TCP socket
// does, inside a synctest bubble too: writes go into a bounded buffer, some at a
// time, and can be tried without waiting. Its faults are set by the test.
type fakeSocket struct {
	in, out                     *stream
	faults                      *faults
	readDeadline, writeDeadline deadline
}

// faults is what can go wrong at one end.
type faults struct {
	mu         sync.Mutex
	readAtMost int           // bytes a Read returns; 0: any
	failAfter  int           // bytes until a Write is short and fails; 0: never
	blockClose chan struct{} // Close waits for it
	closed     int
	writes     int // by tryWrite
}

var errReset = errors.New("connection reset by peer")

// A stream is one direction.
type stream struct {
	mu     sync.Mutex
	cond   *sync.Cond
	buf    []byte
	limit  int  // of buf
	left   int  // bytes until the line is cut; -1: it is not
	stall  bool // the reader takes nothing
	eof    bool
	broken bool
}

func newStream(limit int) *stream {
	s := &stream{limit: limit, left: -1}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// newSocketPair returns a client's and a server's end with buffers of limit bytes.
func newSocketPair(limit int) (client, server *fakeSocket) {
	up, down := newStream(limit), newStream(limit)
	client = &fakeSocket{in: down, out: up, faults: new(faults)}
	server = &fakeSocket{in: up, out: down, faults: new(faults)}
	return client, server
}

// A deadline wakes a stream's waiters when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	if d.timer != nil {
		d.timer.Stop()
	}
	// No timer for what has passed: one of no duration, in a bubble and under the
	// race detector, now and then crashes the runtime (Go 1.26.8, timer.modify).
	if left := time.Until(t); !t.IsZero() && left > 0 {
		d.timer = time.AfterFunc(left, s.cond.Broadcast)
	}
	s.cond.Broadcast()
}

func (f *fakeSocket) SetReadDeadline(t time.Time) error  { f.readDeadline.set(f.in, t); return nil }
func (f *fakeSocket) SetWriteDeadline(t time.Time) error { f.writeDeadline.set(f.out, t); return nil }
func (f *fakeSocket) SetDeadline(t time.Time) error {
	f.SetReadDeadline(t)
	return f.SetWriteDeadline(t)
}
func (f *fakeSocket) LocalAddr() net.Addr  { return &net.UnixAddr{Name: "fake", Net: "unix"} }
func (f *fakeSocket) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "unix"} }

func (f *fakeSocket) Read(p []byte) (int, error) {
	s := f.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.broken:
			return 0, errReset
		case f.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0 && !s.stall:
			n := len(p)
			if f.faults.readAtMost > 0 {
				n = min(n, f.faults.readAtMost)
			}
			if s.left >= 0 {
				n = min(n, s.left)
			}
			if n == 0 && len(p) > 0 {
				s.broken = true // the line is cut here
				s.cond.Broadcast()
				return 0, errReset
			}
			n = copy(p[:n], s.buf)
			s.buf = s.buf[n:]
			if s.left >= 0 {
				s.left -= n
			}
			s.cond.Broadcast()
			return n, nil
		case s.eof && !s.stall:
			return 0, io.EOF
		}
		s.cond.Wait()
	}
}

func (f *fakeSocket) Write(p []byte) (n int, err error) {
	s := f.out
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		if f.writeDeadline.passed() {
			return n, os.ErrDeadlineExceeded
		}
		k, err := f.put(p)
		n, p = n+k, p[k:]
		if err != nil {
			return n, err
		}
		if k == 0 {
			s.cond.Wait()
		}
	}
	return n, nil
}

// put moves what fits.
func (f *fakeSocket) put(p []byte) (int, error) {
	s := f.out
	if s.broken || s.eof {
		return 0, errReset
	}
	k := min(len(p), s.limit-len(s.buf))
	if f.faults.failAfter > 0 {
		if f.faults.failAfter <= k {
			k = f.faults.failAfter - 1
			s.buf = append(s.buf, p[:k]...)
			s.cond.Broadcast()
			return k, errReset
		}
		f.faults.failAfter -= k
	}
	s.buf = append(s.buf, p[:k]...)
	s.cond.Broadcast()
	return k, nil
}

func (f *fakeSocket) tryWrite(p []byte) (int, error) {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	f.faults.writes++
	if f.writeDeadline.passed() {
		return 0, os.ErrDeadlineExceeded
	}
	return f.put(p)
}

func (f *fakeSocket) CloseWrite() error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	f.out.eof = true
	f.out.cond.Broadcast()
	return nil
}

func (f *fakeSocket) Close() error {
	f.faults.mu.Lock()
	f.faults.closed++
	block := f.faults.blockClose
	f.faults.mu.Unlock()
	if block != nil {
		<-block
	}
	f.CloseWrite()
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	f.in.broken = true
	f.in.cond.Broadcast()
	return nil
}

// cutAfter breaks the line once the reader has had n more bytes.
func (f *fakeSocket) cutAfter(n int) {
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	f.in.left = n
	if n == 0 {
		f.in.broken = true
	}
	f.in.cond.Broadcast()
}

// reset breaks both directions at once.
func (f *fakeSocket) reset() {
	for _, s := range []*stream{f.in, f.out} {
		s.mu.Lock()
		s.broken = true
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// stall makes the reader of this end take nothing, or again everything.
func (f *fakeSocket) stall(on bool) {
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	f.in.stall = on
	f.in.cond.Broadcast()
}

// A plainConn hides tryWrite and CloseWrite, as a wrapper of the caller's does.
type plainConn struct{ net.Conn }

// A socketListener hands out fake sockets.
type socketListener struct {
	*pipe.Listener
	limit int
	plain bool
	tune  func(server *fakeSocket) // before the server sees it; may be nil
}

func newSocketListener(limit int) *socketListener {
	return &socketListener{Listener: pipe.Listen(), limit: limit}
}

func (l *socketListener) dialSocket() (*fakeSocket, error) {
	client, server := newSocketPair(l.limit)
	if l.tune != nil {
		l.tune(server)
	}
	var c net.Conn = server
	if l.plain {
		c = plainConn{server}
	}
	if err := l.Hand(context.Background(), c); err != nil {
		return nil, err
	}
	return client, nil
}
