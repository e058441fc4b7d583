package usercast

import (
	"os"
	"sync"
	"syscall"
)

// A poller watches the sockets of idle connections, so that they need no
// goroutine: a stack of 4 KiB each, half of what such a connection costs. It is an
// epoll instance of its own beside the runtime's, and waits inside the runtime's.
//
// All methods are safe for concurrent use.
type poller struct {
	mu    sync.Mutex
	epoll *os.File // nil: not yet needed
	raw   syscall.RawConn
	fd    int
	seats []seat
	free  []int32
	dead  bool
}

// A seat gives an event its connection. An event may come late, when the
// descriptor has another owner, so it carries its seat's generation.
type seat struct {
	conn       *conn
	generation int32
}

const idleEvents = syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<30 // EPOLLONESHOT, which package syscall lacks as a flag of this type

// watch calls c.unpark once when its socket has something to read or has ended.
// It returns false if it cannot.
func (p *poller) watch(c *conn) bool {
	raw := idleSocket(c.wire)
	if raw == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.gone.Load() || p.dead || p.startLocked(c.shared) != nil {
		return false
	}
	op := syscall.EPOLL_CTL_MOD
	if c.seat == 0 {
		op = syscall.EPOLL_CTL_ADD
		p.seatLocked(c)
	}
	ev := syscall.EpollEvent{Events: idleEvents, Fd: c.seat, Pad: p.seats[c.seat].generation}
	var err error
	if cerr := raw.Control(func(fd uintptr) { err = syscall.EpollCtl(p.fd, op, int(fd), &ev) }); cerr != nil {
		return false
	}
	return err == nil
}

// seatLocked gives the connection a place. Seat 0 stays empty: it means none.
func (p *poller) seatLocked(c *conn) {
	if len(p.seats) == 0 {
		p.seats = make([]seat, 1)
	}
	if n := len(p.free); n > 0 {
		c.seat, p.free = p.free[n-1], p.free[:n-1]
	} else {
		c.seat = int32(len(p.seats))
		p.seats = append(p.seats, seat{})
	}
	p.seats[c.seat].conn = c
}

// forget takes the connection's place back. Closing its socket ends the watch.
func (p *poller) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.seat != 0 {
		p.seats[c.seat] = seat{generation: p.seats[c.seat].generation + 1}
		p.free = append(p.free, c.seat)
		c.seat = 0
	}
}

// startLocked makes the epoll instance and its goroutine when the first
// connection becomes idle.
func (p *poller) startLocked(s *shared) error {
	if p.epoll != nil {
		return nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	// Non-blocking tells package os to wait for it by the runtime's poller: an
	// epoll instance is itself readable when it has events.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return err
	}
	epoll := os.NewFile(uintptr(fd), "epoll")
	raw, err := epoll.SyscallConn()
	if err != nil {
		epoll.Close()
		return err
	}
	p.epoll, p.raw, p.fd = epoll, raw, fd
	s.workers.Go(p.run)
	return nil
}

// run wakes connections until stop.
func (p *poller) run() {
	events := make([]syscall.EpollEvent, 128)
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			var err error
			n, err = syscall.EpollWait(int(fd), events, 0)
			return n > 0 || err != nil && err != syscall.EINTR
		})
		if err != nil || n < 0 {
			return // closed
		}
		for _, ev := range events[:n] {
			if c := p.sitting(ev.Fd, ev.Pad); c != nil {
				c.unpark()
			}
		}
	}
}

func (p *poller) sitting(i, generation int32) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(i) >= len(p.seats) || p.seats[i].generation != generation {
		return nil
	}
	return p.seats[i].conn
}

// stop ends the goroutine.
func (p *poller) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	if p.epoll != nil {
		p.epoll.Close()
	}
}

// idleSocket returns the socket under w if reading from it can be tried without waiting.
func idleSocket(w *wire) syscall.RawConn {
	if s, ok := w.raw.(rawSocket); ok {
		return s.RawConn
	}
	return nil
}

// tryRead reads what is there. again means that nothing was.
func tryRead(w *wire, p []byte) (n int, again bool, err error) {
	cerr := idleSocket(w).Read(func(fd uintptr) bool {
		for {
			n, err = syscall.Read(int(fd), p)
			if err != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case cerr != nil:
		return 0, false, cerr
	case err == syscall.EAGAIN:
		return 0, true, nil
	case err != nil:
		return 0, false, os.NewSyscallError("read", err)
	}
	return n, false, nil
}

func canIdle(w *wire) bool { return idleSocket(w) != nil }
