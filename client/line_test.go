package client

// Connections in memory, with what can go wrong on them.

import (
	"errors"
	"io"
	"net"
	"sync"
)

// A line is a client's end of a connection, with what can go wrong on it.
type line struct {
	net.Conn
	mu     sync.Mutex
	cutIn  int  // bytes until the line is cut in Read; -1: never
	hangUp bool // cut by io.EOF, as a peer does that closes
	cutOut int  // the same in Write
	read   int  // bytes so far
	muted  bool
	stuck  bool
	over   chan struct{}
	once   sync.Once
}

var errReset = errors.New("connection reset by peer")

func (l *line) Read(p []byte) (int, error) {
	for {
		l.mu.Lock()
		left, hangUp := l.cutIn, l.hangUp
		l.mu.Unlock()
		if left == 0 {
			l.Close()
			if hangUp {
				return 0, io.EOF
			}
			return 0, errReset
		}
		if left > 0 {
			p = p[:min(len(p), left)]
		}
		n, err := l.Conn.Read(p)
		l.mu.Lock()
		l.read += n
		if l.cutIn > 0 {
			l.cutIn -= min(n, l.cutIn)
		}
		muted, stuck := l.muted, l.stuck
		l.mu.Unlock()
		if stuck {
			<-l.over
			return 0, net.ErrClosed
		}
		if !muted || err != nil {
			return n, err
		}
	}
}

func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	left, muted, stuck := l.cutOut, l.muted, l.stuck
	if left >= 0 {
		l.cutOut -= min(len(p), left)
	}
	l.mu.Unlock()
	switch {
	case stuck:
		<-l.over
		return 0, net.ErrClosed
	case muted:
		return len(p), nil
	case left >= 0 && left < len(p):
		n, _ := l.Conn.Write(p[:left])
		l.Close()
		return n, errReset
	}
	return l.Conn.Write(p)
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.over) })
	return l.Conn.Close()
}

// mute swallows everything in both directions: the socket looks open for ever.
func (l *line) mute() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = true
}

// stall takes and gives nothing: writes block.
func (l *line) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stuck = true
}

func (l *line) bytesRead() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read
}

// A spy sees what a client writes.
type spy struct {
	net.Conn
	see func([]byte)
}

func (s spy) Write(p []byte) (int, error) {
	s.see(p)
	return s.Conn.Write(p)
}
