package client

import "sync"

// Bounds of what waits for the handlers of one connection. Beyond them the socket
// is left unread, and the hub, whose log is the real queue, waits.
const (
	maxInboxMessages = 256
	maxInboxBytes    = 1 << 20 // or one message
)

// A message is what the reading goroutine hands over.
type message struct {
	data []byte
	// problem is why data is not a text message: it is reported, and skipped.
	problem error
	// end is why nothing more comes.
	end error
}

// An inbox is a bounded queue between the goroutine that reads a socket and the
// one that runs handlers. With it, a handler that takes long keeps nobody from
// answering the hub's pings.
type inbox struct {
	ready chan struct{} // holds a token when there may be a message

	mu     sync.Mutex
	room   sync.Cond // waited for by push
	queue  []message
	bytes  int
	closed bool
}

func newInbox() *inbox {
	in := &inbox{ready: make(chan struct{}, 1)}
	in.room.L = &in.mu
	return in
}

// push adds a message and waits for room. After close it drops it instead.
func (in *inbox) push(m message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed && len(in.queue) > 0 &&
		(len(in.queue) >= maxInboxMessages || in.bytes+len(m.data) > maxInboxBytes) {
		in.room.Wait()
	}
	if in.closed {
		return
	}
	in.queue = append(in.queue, m)
	in.bytes += len(m.data)
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest message.
func (in *inbox) pop() (m message, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 {
		return message{}, false
	}
	m, in.queue[0] = in.queue[0], message{}
	if in.queue = in.queue[1:]; len(in.queue) == 0 {
		in.queue = nil // the array before it is spent
	}
	in.bytes -= len(m.data)
	in.room.Signal()
	return m, true
}

// close drops what waits and whatever comes.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.queue, in.bytes = true, nil, 0
	in.room.Broadcast()
}
