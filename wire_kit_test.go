package usercast

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A rig is a site on fake sockets; the test can reach the hub's ends of them.
type rig struct {
	*site
	mu   sync.Mutex
	ends []*fakeSocket // in the order of the dials
}

// newRig serves a hub on fake sockets with buffers of limit bytes. plain hides
// their non-blocking side, as TLS does.
func newRig(t testing.TB, cfg Config, limit int, plain bool) *rig {
	r := new(rig)
	ln := newSocketListener(limit)
	ln.plain = plain
	ln.tune = func(server *fakeSocket) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ends = append(r.ends, server)
	}
	r.site = newSiteOn(t, cfg, ln)
	return r
}

// eitherPath runs a test on both ways to write: the flusher's and the drainer's.
func eitherPath(t *testing.T, fn func(t *testing.T, plain bool)) {
	for name, plain := range map[string]bool{"nonblocking": false, "goroutine": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(t, plain) })
		})
	}
}

// soleConn is the hub's side of a user's only connection.
func soleConn(t testing.TB, h *Hub, user string) *conn {
	t.Helper()
	s := h.shardOf(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[user]
	if u == nil || len(u.conns) != 1 {
		t.Fatalf("%s has not exactly one connection", user)
	}
	return u.conns[0]
}

// A hearing is what a device heard, and when.
type hearing struct {
	mu     sync.Mutex
	frames []heardFrame
	err    error
	endAt  time.Time
	ended  chan struct{}
}

type heardFrame struct {
	frameIn
	at time.Time
}

// hear reads in the background until the connection ends, and then closes it.
func hear(d *device) *hearing {
	h := &hearing{ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		defer d.c.Close()
		for {
			f, err := d.next()
			h.mu.Lock()
			if err != nil {
				h.err, h.endAt = err, time.Now()
				h.mu.Unlock()
				return
			}
			h.frames = append(h.frames, heardFrame{f, time.Now()})
			h.mu.Unlock()
		}
	}()
	return h
}

// A wireFrame is one frame as it came, control frames too.
type wireFrame struct {
	op byte
	p  []byte
}

// everyFrame reads to the end of the stream, past any close frame, and answers
// nothing. A stream that ends inside a frame is an error.
func everyFrame(r *bufio.Reader) (frames []wireFrame, err error) {
	d := &device{r: r}
	for {
		if _, err := r.Peek(1); err != nil {
			return frames, nil
		}
		op, p, err := d.readFrame()
		if err != nil {
			return frames, err
		}
		frames = append(frames, wireFrame{op, p})
	}
}

// sizedEvent has a payload of about size bytes that says which event it is.
type sizedEvent struct {
	N    int
	Size int
	Pad  string
}

func newSizedEvent(n, size int) Event {
	return ev("SIZED", sizedEvent{n, size, strings.Repeat("x", size)})
}

// checkSized says what is wrong with the n-th event.
func checkSized(payload json.RawMessage, n int) error {
	var p sizedEvent
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("event %d: %w", n, err)
	}
	if p.N != n || len(p.Pad) != p.Size {
		return fmt.Errorf("got event %d with %d bytes of %d, want event %d whole", p.N, len(p.Pad), p.Size, n)
	}
	return nil
}

// of returns the frames of one type.
func (h *hearing) of(typ string) (frames []heardFrame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.frames {
		if f.Type == typ {
			frames = append(frames, f)
		}
	}
	return frames
}

// end waits for it and returns the close code, 1006 if no close frame came.
func (h *hearing) end() (code int, reason string) {
	<-h.ended
	if e := (*errClosed)(nil); errors.As(h.err, &e) {
		return e.code, e.reason
	}
	return 1006, h.err.Error()
}

// over says whether the connection has ended.
func (h *hearing) over() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}
